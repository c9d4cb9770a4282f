//! Edits of stored configurations, as `AlterConfigs` and `IncrementalAlterConfigs` ask for them: all of a resource's edits hold, or none.

use std::collections::{BTreeMap, HashSet};

use thiserror::Error;

/// Stored values by name.
pub type StoredConfigs = BTreeMap<String, String>;

/// What happens to one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// It has this value.
    Set(String),
    /// It goes back to its default.
    Delete,
    /// These items are added to its list.
    Append(String),
    /// These items go from its list.
    Subtract(String),
}

/// The edits of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigEdits {
    /// What is not named goes back to its default (`AlterConfigs`).
    pub replaces_all: bool,
    /// One a key.
    pub edits: Vec<(String, Edit)>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// A key is named twice.
    #[error("Error due to duplicate config keys")]
    Duplicate,
    /// A key that has no list cannot be appended to.
    #[error("Can't {operation} to key {key} because its type is not LIST.")]
    NotAList {
        /// `APPEND` or `SUBTRACT`.
        operation: &'static str,
        /// The key.
        key: String,
    },
    /// Keys of the broker that are fixed while it runs.
    #[error("Cannot update these configs dynamically: Set({0})")]
    NotDynamic(String),
    /// A key or value of a topic that Kafka refuses.
    #[error("{0}")]
    Invalid(String),
    /// A value of the broker that Kafka refuses.
    #[error("{0}")]
    InvalidOfBroker(String),
}

impl ConfigEdits {
    /// The configuration after the edits. `list_default` gives the default of a key that holds a list, None for any other.
    pub fn applied_to(
        &self,
        current: &StoredConfigs,
        list_default: impl Fn(&str) -> Option<String>,
    ) -> Result<StoredConfigs, EditError> {
        let mut named = HashSet::new();
        if !self.edits.iter().all(|(name, _)| named.insert(name)) {
            return Err(EditError::Duplicate);
        }
        let mut configs = if self.replaces_all { StoredConfigs::new() } else { current.clone() };
        for (name, edit) in &self.edits {
            let list = |operation| {
                let key = || name.chars().take(100).collect();
                let default = list_default(name).ok_or_else(|| EditError::NotAList { operation, key: key() })?;
                Ok(current.get(name).cloned().unwrap_or(default))
            };
            match edit {
                Edit::Set(value) => drop(configs.insert(name.clone(), value.clone())),
                Edit::Delete => drop(configs.remove(name)),
                Edit::Append(items) => {
                    let list = list("APPEND")?;
                    let added = split(items).filter(|item| split(&list).all(|known| known != *item));
                    let items: Vec<&str> = split(&list).chain(added).collect();
                    configs.insert(name.clone(), items.join(","));
                }
                Edit::Subtract(items) => {
                    let list = list("SUBTRACT")?;
                    let kept: Vec<&str> =
                        split(&list).filter(|known| split(items).all(|item| item != *known)).collect();
                    configs.insert(name.clone(), kept.join(","));
                }
            }
        }
        Ok(configs)
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(pairs: &[(&str, &str)]) -> StoredConfigs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn edited(replaces_all: bool, edits: &[(&str, Edit)]) -> Result<StoredConfigs, EditError> {
        let edits = edits.iter().map(|(name, edit)| ((*name).to_owned(), edit.clone())).collect();
        let current = stored(&[("retention.ms", "5"), ("cleanup.policy", "compact")]);
        let list_default = |name: &str| (name == "cleanup.policy").then(|| "delete".to_owned());
        ConfigEdits { replaces_all, edits }.applied_to(&current, list_default)
    }

    #[test]
    fn single_edits_leave_the_rest_and_a_replacement_does_not() {
        let set = [("max.message.bytes", Edit::Set("9".into()))];
        let all = [("retention.ms", "5"), ("cleanup.policy", "compact"), ("max.message.bytes", "9")];
        assert_eq!(edited(false, &set), Ok(stored(&all)));
        assert_eq!(edited(true, &set), Ok(stored(&all[2..])));
        assert_eq!(edited(false, &[("retention.ms", Edit::Delete)]), Ok(stored(&all[1..2])));
        assert_eq!(edited(false, &[("segment.ms", Edit::Delete)]), Ok(stored(&all[..2])));
    }

    #[test]
    fn lists_grow_and_shrink_by_items_from_what_is_set_or_the_default() {
        let policy = |edit| edited(false, &[("cleanup.policy", edit)]).map(|configs| configs["cleanup.policy"].clone());
        assert_eq!(policy(Edit::Append("delete".into())), Ok("compact,delete".into()));
        assert_eq!(policy(Edit::Append("compact".into())), Ok("compact".into()));
        assert_eq!(policy(Edit::Subtract("compact".into())), Ok(String::new()));
        let unset = ConfigEdits { replaces_all: false, edits: vec![("l".into(), Edit::Append("b".into()))] };
        assert_eq!(unset.applied_to(&stored(&[]), |_| Some("a".into())), Ok(stored(&[("l", "a,b")])));
    }

    #[test]
    fn a_key_twice_and_a_list_edit_of_a_number_change_nothing() {
        let twice = [("retention.ms", Edit::Delete), ("retention.ms", Edit::Set("1".into()))];
        assert_eq!(edited(false, &twice), Err(EditError::Duplicate));
        let append = [("retention.ms", Edit::Append("1".into()))];
        let refused = edited(false, &append).unwrap_err().to_string();
        assert_eq!(refused, "Can't APPEND to key retention.ms because its type is not LIST.");
    }
}
