//! `ConfigType`: the types of Kafka's configuration values, as `DescribeConfigs` reports them and as they are checked.

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

    /// Why a value is none of this type.
    pub fn refusal(self, value: &str) -> Option<&'static str> {
        let value = value.trim();
        let is_valid = match self {
            ConfigType::Boolean => matches!(value, "true" | "false"),
            ConfigType::Short => value.parse::<i16>().is_ok(),
            ConfigType::Int => value.parse::<i32>().is_ok(),
            ConfigType::Long => value.parse::<i64>().is_ok(),
            ConfigType::Double => value.parse::<f64>().is_ok(),
            ConfigType::String | ConfigType::List | ConfigType::Class | ConfigType::Password => true,
        };
        let reason = match self {
            ConfigType::Boolean => "must be true or false",
            ConfigType::Short => "must be a number of 16 bits",
            ConfigType::Int => "must be a number of 32 bits",
            ConfigType::Long => "must be a number of 64 bits",
            _ => "must be a number",
        };
        (!is_valid).then_some(reason)
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
            assert_eq!(kind.refusal(right), None, "{kind:?}");
            assert!(kind.refusal(wrong).is_some(), "{kind:?}");
        }
        assert_eq!(ConfigType::Password.refusal("anything"), None);
    }
}
