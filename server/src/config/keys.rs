//! The table of broker configuration keys: each acts, is refused with a reason, or is logged as not acting yet.

use std::str::FromStr;

use super::acting_keys::{ACTING_KEYS, ADDRESS_KEYS, TOPIC_DEFAULT_KEYS};
use super::dynamic_keys::DYNAMIC_KEYS;
use super::inert_checks::inert_check;
use super::inert_keys::{INERT_KEYS, REFUSED_KEYS};
use super::{ConfigError, Settings};
use crate::config_type::{ConfigType, out_of_bounds};
use crate::topic_config::{self, TopicConfigError};

/// What a key does here.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Sets a field of [`Settings`].
    Acts(fn(&mut Settings, &KeyValue) -> Result<(), ConfigError>, fn(&Settings) -> String),
    /// The default of this key of topics, which says the rest.
    OfTopic(&'static str),
    /// Accepted so that a Kafka configuration starts unchanged; logged. Kafka's default, if it has one.
    NotYet(Option<&'static str>),
    /// Would be a lie if accepted.
    Refused(&'static str),
}

/// One broker key.
pub struct BrokerKey {
    /// Kafka's name, or `posthaste.*`.
    pub name: &'static str,
    /// The type that `DescribeConfigs` reports.
    pub kind: ConfigType,
    /// What it does here.
    pub documentation: &'static str,
    /// What it does.
    pub effect: Effect,
}

/// A key as it was written.
pub struct KeyValue {
    /// The name.
    pub name: String,
    /// The value as text.
    pub value: String,
}

impl KeyValue {
    pub(super) fn integer(&self, min: i64, max: i64) -> Result<i64, ConfigError> {
        let number = self.value.parse::<i64>().map_err(|_| self.refused("Not a number of type LONG".into()))?;
        out_of_bounds(number, min, max).map_or(Ok(number), |reason| Err(self.refused(reason)))
    }

    pub(super) fn bytes(&self, min: i64, max: i64) -> Result<usize, ConfigError> {
        let number = self.integer(min, max)?;
        usize::try_from(number).map_err(|_| self.refused("is negative".into()))
    }

    pub(super) fn milliseconds(&self) -> Result<u64, ConfigError> {
        self.integer(1, MS_MAX).map(i64::cast_unsigned)
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.parse().map_err(|_| self.refused("Expected value to be either true or false".into()))
    }

    /// The default of a topic's key: what that key takes.
    pub(super) fn of_topic<T: FromStr>(&self, topic_key: &'static str) -> Result<T, ConfigError> {
        let read = topic_config::read(topic_key, &self.value).map_err(|error| match error {
            TopicConfigError::Invalid { value, reason, .. } => {
                ConfigError::Value { name: self.name.clone(), value, reason }
            }
            other => self.refused(other.to_string()),
        })?;
        read.parse().map_err(|_| self.refused(format!("is no value of {topic_key}")))
    }

    pub(super) fn refused(&self, reason: String) -> ConfigError {
        ConfigError::Value { name: self.name.clone(), value: self.value.clone(), reason }
    }
}

/// Kafka's 32 bits.
pub(super) const MS_MAX: i64 = i32::MAX as i64;
/// Largest batch.
pub(super) const BATCH_MAX: i64 = engine::limits::BATCH_BYTES_MAX as i64;

/// Where an empty text is a value, and not the lack of one.
const EMPTY_BY_DEFAULT: &str = "max.connections.per.ip.overrides";

/// All keys, those that act first.
pub fn broker_keys() -> impl Iterator<Item = &'static BrokerKey> {
    ADDRESS_KEYS.iter().chain(ACTING_KEYS).chain(TOPIC_DEFAULT_KEYS).chain(INERT_KEYS).chain(REFUSED_KEYS)
}

/// The key of that name.
pub fn broker_key(name: &str) -> Option<&'static BrokerKey> {
    broker_keys().find(|key| key.name == name)
}

impl BrokerKey {
    /// Whether it may be changed while the broker runs.
    pub fn is_dynamic(&self) -> bool {
        DYNAMIC_KEYS.contains(&self.name)
    }

    /// Whether it changes what the broker does.
    pub fn acts(&self) -> bool {
        match self.effect {
            Effect::Acts(..) => true,
            Effect::OfTopic(topic_key) => topic_config::topic_key(topic_key).is_some_and(|key| key.acts),
            Effect::NotYet(_) | Effect::Refused(_) => false,
        }
    }

    /// The value that these settings have; none where Kafka has none either.
    pub fn value(&self, settings: &Settings) -> Option<String> {
        match self.effect {
            Effect::Acts(_, show) => {
                Some(show(settings)).filter(|value| !value.is_empty() || self.name == EMPTY_BY_DEFAULT)
            }
            Effect::OfTopic(topic_key) => {
                // Where others stand in, it has no default of its own.
                let alone = topic_config::topic_key(topic_key).filter(|key| key.broker_keys.len() == 1);
                settings.given.get(self.name).cloned().or_else(|| alone.map(|key| key.default.to_owned()))
            }
            Effect::NotYet(default) => settings.given.get(self.name).cloned().or(default.map(str::to_owned)),
            Effect::Refused(_) => None,
        }
    }
}

/// Number of shards, or one a core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shards(pub Option<u32>);

impl std::fmt::Display for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(shards) => shards.fmt(f),
            None => f.write_str("one a core"),
        }
    }
}

/// A key that others stand in for as long as it is not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnlessUnset(pub Option<i64>);

impl UnlessUnset {
    pub(super) fn read(key: &KeyValue, min: i64) -> Result<UnlessUnset, ConfigError> {
        key.integer(min, i64::MAX).map(|number| UnlessUnset(Some(number)))
    }
}

impl std::fmt::Display for UnlessUnset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |number| number.fmt(f))
    }
}

/// Applies one key to the settings.
pub fn apply(settings: &mut Settings, key: &KeyValue) -> Result<(), ConfigError> {
    let Some(known) = broker_key(&key.name) else {
        return Err(ConfigError::Unknown { name: key.name.clone(), suggestion: nearest(&key.name) });
    };
    if let Effect::Refused(reason) = known.effect {
        return Err(key.refused(reason.to_owned()));
    }
    let value = known.kind.read(&key.value).map_err(|reason| key.refused(reason))?;
    let read = KeyValue { name: key.name.clone(), value };
    match known.effect {
        Effect::Acts(set, _) => set(settings, &read)?,
        Effect::OfTopic(topic_key) => drop(read.of_topic::<String>(topic_key)?),
        Effect::NotYet(_) => {
            if let Some(wrong) = inert_check(known.name).refusal(known.name, &read.value) {
                return Err(ConfigError::Value { name: read.name, value: wrong.value, reason: wrong.reason });
            }
        }
        Effect::Refused(_) => {}
    }
    settings.given.insert(read.name, read.value);
    Ok(())
}

/// The known name that is most like the given one, as a hint for a typing error.
fn nearest(name: &str) -> String {
    broker_keys()
        .map(|known| (strsim::normalized_damerau_levenshtein(known.name, name), known.name))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, known)| format!("; did you mean {known}?"))
}
