//! A setting of a run by its path in the result file, for rows, columns and filters.

use serde_json::Value;

/// A path of the result file: `label`, `target.product`, `workload.partitions`, `env.0.kernel`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

/// `key=value` or `key!=value`: which runs to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    key: Key,
    value: String,
    wanted: bool,
}

/// Stands for a value that a run does not have.
pub(super) const ABSENT: &str = "(none)";

impl Key {
    /// Takes the path as it is; whether a run has it shows when it is looked up.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if !text.is_empty() && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is no path of the result file, as in workload.partitions"))
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without the folder that most keys share.
    pub(super) fn short(&self) -> &str {
        self.0.strip_prefix("workload.").unwrap_or(&self.0)
    }

    /// The value in a result file, as text; absent when it has none.
    pub fn value(&self, result: &Value) -> Option<String> {
        find(result, &self.0).map(plain_text)
    }
}

impl Filter {
    /// Parses `workload.partitions=8` or `label!=main`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("{text:?} is neither KEY=VALUE nor KEY!=VALUE"))?;
        let (key, wanted) = key.strip_suffix('!').map_or((key, true), |key| (key, false));
        Ok(Self { key: Key::parse(key)?, value: value.to_owned(), wanted })
    }

    /// The key that it looks at.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether a result passes.
    pub fn takes(&self, result: &Value) -> bool {
        let equal = self.key.value(result).as_deref().unwrap_or(ABSENT) == self.value;
        equal == self.wanted
    }
}

/// Names of broker settings hold dots themselves, so the longest name that fits is tried first.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let child = |name: &str| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    };
    if let Some(whole) = child(path) {
        return Some(whole);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| find(child(&path[..dot])?, &path[dot + 1..]))
}

/// A value without the quotes of JSON.
pub(super) fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn path_leads_through_objects_lists_and_names_with_dots() {
        let result = json!({
            "label": "main", "workload": {"partitions": 8}, "env": [{"kernel": "6.18"}],
            "target": {"config": {"num.partitions": "8", "num": "odd"}},
        });
        let value = |path: &str| Key::parse(path).expect("a path").value(&result);
        assert_eq!(value("label").as_deref(), Some("main"));
        assert_eq!(value("workload.partitions").as_deref(), Some("8"));
        assert_eq!(value("env.0.kernel").as_deref(), Some("6.18"));
        assert_eq!(value("target.config.num.partitions").as_deref(), Some("8"));
        assert_eq!(value("target.config.num").as_deref(), Some("odd"));
        assert_eq!((value("workload.partition"), value("env.1.kernel"), value("label.x")), (None, None, None));
        assert!(Key::parse("a b").is_err() && Key::parse("").is_err());
    }

    #[test]
    fn filter_takes_equal_or_unequal_values() {
        let result = json!({"label": "main"});
        let takes = |text: &str| Filter::parse(text).expect("a filter").takes(&result);
        assert!(takes("label=main") && !takes("label=other") && takes("label!=other") && !takes("label!=main"));
        assert!(takes("suite=(none)"), "a run without the key can be asked for");
        assert!(Filter::parse("label").is_err());
    }
}
