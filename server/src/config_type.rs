//! `ConfigType`: the types of Kafka's configuration values, as `DescribeConfigs` reports them and as they are checked.

use std::fmt::Display;

/// The type of a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A fraction.
    Double,
    /// Values with commas between.
    List,
    /// A class of Java.
    Class,
    /// Text that nobody is shown.
    Password,
}

impl ConfigType {
    /// Its number in an answer of `DescribeConfigs`.
    pub fn wire(self) -> i8 {
        match self {
            ConfigType::Boolean => 1,
            ConfigType::String => 2,
            ConfigType::Int => 3,
            ConfigType::Short => 4,
            ConfigType::Long => 5,
            ConfigType::Double => 6,
            ConfigType::List => 7,
            ConfigType::Class => 8,
            ConfigType::Password => 9,
        }
    }

    /// A value in the form in which it is told again, or why it is none of this type, in Kafka's words.
    pub fn read(self, value: &str) -> Result<String, String> {
        let value = value.trim();
        let number = |text: Option<String>| text.ok_or_else(|| format!("Not a number of type {}", self.name()));
        match self {
            ConfigType::Boolean if value.eq_ignore_ascii_case("true") => Ok("true".to_owned()),
            ConfigType::Boolean if value.eq_ignore_ascii_case("false") => Ok("false".to_owned()),
            ConfigType::Boolean => Err("Expected value to be either true or false".to_owned()),
            ConfigType::Short => number(value.parse::<i16>().ok().map(|number| number.to_string())),
            ConfigType::Int => number(value.parse::<i32>().ok().map(|number| number.to_string())),
            ConfigType::Long => number(value.parse::<i64>().ok().map(|number| number.to_string())),
            ConfigType::Double => number(value.parse::<f64>().ok().map(|_| value.to_owned())),
            ConfigType::List => Ok(value.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
            ConfigType::String | ConfigType::Class | ConfigType::Password => Ok(value.to_owned()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// Why a number is out of its bounds, in Kafka's words.
pub fn out_of_bounds<T: Copy + PartialOrd + Display>(number: T, least: T, most: T) -> Option<String> {
    if number < least {
        Some(format!("Value must be at least {least}"))
    } else if number > most {
        Some(format!("Value must be no more than {most}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_another_type_are_refused() {
        for (kind, right, wrong) in [
            (ConfigType::Boolean, "true", "yes"),
            (ConfigType::Short, "32767", "32768"),
            (ConfigType::Int, "-1", "2147483648"),
            (ConfigType::Long, "9223372036854775807", "1.5"),
            (ConfigType::Double, "1.7976931348623157E308", "half"),
        ] {
            assert_eq!(kind.read(right).as_deref(), Ok(right), "{kind:?}");
            assert!(kind.read(wrong).is_err(), "{kind:?}");
        }
        assert_eq!(ConfigType::Password.read("anything").as_deref(), Ok("anything"));
        assert_eq!(ConfigType::Int.read("x"), Err("Not a number of type INT".to_owned()));
    }

    #[test]
    fn blanks_and_the_case_of_a_boolean_do_not_matter() {
        for (kind, written, told) in [
            (ConfigType::Boolean, " TRUE ", "true"),
            (ConfigType::Long, " 5000 ", "5000"),
            (ConfigType::Int, "+7", "7"),
            (ConfigType::List, " a , b ", "a,b"),
            (ConfigType::List, "", ""),
            (ConfigType::String, " gzip ", "gzip"),
        ] {
            assert_eq!(kind.read(written).as_deref(), Ok(told), "{kind:?}");
        }
    }
}
