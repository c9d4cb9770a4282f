//! Kafka's topic configuration names: one table of types, defaults and checks. A key acts, or is stored and logged as not acting yet.

use engine::partition::config::LogConfig;
use thiserror::Error;

use crate::catalog::Topic;
use crate::config::Settings;
use crate::config_edits::StoredConfigs;
use crate::limits::TOPIC_CONFIG_VALUE_BYTES_MAX;

/// Values that a client set for a topic, by name. Stored with the topic; what is missing has its default.
pub type TopicConfigs = StoredConfigs;

/// The type that `DescribeConfigs` reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// A fraction.
    Double,
    /// Values with commas between.
    List,
}

/// What values a key takes.
#[derive(Clone, Copy, Debug)]
enum Check {
    Boolean,
    Integer(i64, i64),
    Fraction,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    Text,
}

/// One topic configuration key.
#[derive(Debug)]
pub struct TopicKey {
    /// Kafka's name.
    pub name: &'static str,
    /// The type that `DescribeConfigs` reports.
    pub kind: ConfigType,
    /// Whether it changes what the broker does. What does not act yet is stored, reported back and logged.
    pub acts: bool,
    default: &'static str,
    check: Check,
}

/// Why a topic configuration is refused (`INVALID_CONFIG`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicConfigError {
    /// Kafka has no such key.
    #[error("unknown topic config name: {0}")]
    Unknown(String),
    /// The value is not what the key takes.
    #[error("invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The key.
        name: String,
        /// The value.
        value: String,
        /// What it takes.
        reason: String,
    },
    /// No value: only a deletion may have none.
    #[error("null value not supported for topic configs: {0}")]
    Null(String),
}

const LONG_MAX: &str = "9223372036854775807";
const INT_MAX: i64 = i32::MAX as i64;

const fn key(name: &'static str, kind: ConfigType, acts: bool, default: &'static str, check: Check) -> TopicKey {
    TopicKey { name, kind, acts, default, check }
}

/// Every key of Kafka 4, in its order, and our own.
pub const TOPIC_KEYS: &[TopicKey] = {
    use Check as C;
    use ConfigType::{Boolean, Double, Int, List, Long, String};
    &[
        key("cleanup.policy", List, true, "delete", C::ListOf(&["delete", "compact"])),
        key("compression.gzip.level", Int, false, "-1", C::Integer(-1, 9)),
        key("compression.lz4.level", Int, false, "9", C::Integer(1, 17)),
        key(
            "compression.type",
            String,
            false,
            "producer",
            C::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        ),
        key("compression.zstd.level", Int, false, "3", C::Integer(-131_072, 22)),
        key("delete.retention.ms", Long, true, "86400000", C::Integer(0, i64::MAX)),
        key("file.delete.delay.ms", Long, false, "60000", C::Integer(0, i64::MAX)),
        key("flush.messages", Long, false, LONG_MAX, C::Integer(1, i64::MAX)),
        key("flush.ms", Long, false, LONG_MAX, C::Integer(0, i64::MAX)),
        key("follower.replication.throttled.replicas", List, false, "", C::Text),
        key("index.interval.bytes", Int, false, "4096", C::Integer(0, INT_MAX)),
        key("leader.replication.throttled.replicas", List, false, "", C::Text),
        key("local.retention.bytes", Long, false, "-2", C::Integer(-2, i64::MAX)),
        key("local.retention.ms", Long, false, "-2", C::Integer(-2, i64::MAX)),
        key("max.compaction.lag.ms", Long, true, LONG_MAX, C::Integer(1, i64::MAX)),
        key("max.message.bytes", Int, true, "1048588", C::Integer(0, engine::limits::BATCH_BYTES_MAX as i64)),
        key("message.timestamp.after.max.ms", Long, true, "3600000", C::Integer(0, i64::MAX)),
        key("message.timestamp.before.max.ms", Long, true, LONG_MAX, C::Integer(0, i64::MAX)),
        key("message.timestamp.type", String, true, "CreateTime", C::OneOf(&["CreateTime", "LogAppendTime"])),
        key("min.cleanable.dirty.ratio", Double, true, "0.5", C::Fraction),
        key("min.compaction.lag.ms", Long, true, "0", C::Integer(0, i64::MAX)),
        key("min.insync.replicas", Int, true, "1", C::Integer(1, INT_MAX)),
        key("preallocate", Boolean, false, "false", C::Boolean),
        key("remote.log.copy.disable", Boolean, false, "false", C::Boolean),
        key("remote.log.delete.on.disable", Boolean, false, "false", C::Boolean),
        key("remote.storage.enable", Boolean, false, "false", C::OneOf(&["false"])),
        key("retention.bytes", Long, true, "-1", C::Integer(-1, i64::MAX)),
        key("retention.ms", Long, true, "604800000", C::Integer(-1, i64::MAX)),
        key("segment.bytes", Int, false, "1073741824", C::Integer(1 << 20, INT_MAX)),
        key("segment.index.bytes", Int, false, "10485760", C::Integer(4, INT_MAX)),
        key("segment.jitter.ms", Long, false, "0", C::Integer(0, i64::MAX)),
        key("segment.ms", Long, false, "604800000", C::Integer(1, i64::MAX)),
        key("unclean.leader.election.enable", Boolean, false, "false", C::Boolean),
        key("posthaste.durability", String, true, "durable", C::OneOf(&["durable", "written"])),
    ]
};

/// The key of that name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

/// Whether a topic's key takes a value.
pub fn check(name: &str, value: &str) -> Result<(), TopicConfigError> {
    topic_key(name).ok_or_else(|| TopicConfigError::Unknown(name.to_owned()))?.validate(value)
}

/// The default of a key that holds a list; None for any other.
pub fn list_default(name: &str, settings: &Settings) -> Option<String> {
    let key = topic_key(name).filter(|key| key.kind == ConfigType::List)?;
    Some(key.default_value(settings))
}

impl TopicKey {
    /// The broker's key that gives the default of this one.
    pub fn broker_key(&self) -> Option<&'static str> {
        match self.name {
            "cleanup.policy" => Some("log.cleanup.policy"),
            "delete.retention.ms" => Some("log.cleaner.delete.retention.ms"),
            "max.compaction.lag.ms" => Some("log.cleaner.max.compaction.lag.ms"),
            "max.message.bytes" => Some("message.max.bytes"),
            "min.cleanable.dirty.ratio" => Some("log.cleaner.min.cleanable.ratio"),
            "message.timestamp.after.max.ms" => Some("log.message.timestamp.after.max.ms"),
            "message.timestamp.before.max.ms" => Some("log.message.timestamp.before.max.ms"),
            "message.timestamp.type" => Some("log.message.timestamp.type"),
            "min.compaction.lag.ms" => Some("log.cleaner.min.compaction.lag.ms"),
            "min.insync.replicas" => Some("min.insync.replicas"),
            "retention.bytes" => Some("log.retention.bytes"),
            "retention.ms" => Some("log.retention.ms"),
            _ => None,
        }
    }

    /// The value that a topic has when nothing was set: the broker's setting where there is one, or Kafka's default.
    pub fn default_value(&self, settings: &Settings) -> String {
        match self.name {
            "cleanup.policy" => settings.log_cleanup_policy.clone(),
            "delete.retention.ms" => settings.log_cleaner_delete_retention_ms.to_string(),
            "max.compaction.lag.ms" => settings.log_cleaner_max_compaction_lag_ms.to_string(),
            "max.message.bytes" => settings.message_max_bytes.to_string(),
            "min.cleanable.dirty.ratio" => settings.log_cleaner_min_cleanable_ratio.to_string(),
            "message.timestamp.after.max.ms" => settings.log_message_timestamp_after_max_ms.to_string(),
            "message.timestamp.before.max.ms" => settings.log_message_timestamp_before_max_ms.to_string(),
            "message.timestamp.type" => settings.log_message_timestamp_type.clone(),
            "min.compaction.lag.ms" => settings.log_cleaner_min_compaction_lag_ms.to_string(),
            "min.insync.replicas" => settings.min_insync_replicas.to_string(),
            "retention.bytes" => settings.log_retention_bytes.to_string(),
            "retention.ms" => settings.retention_ms().to_string(),
            _ => self.default.to_owned(),
        }
    }

    fn validate(&self, value: &str) -> Result<(), TopicConfigError> {
        let reason = if value.len() > TOPIC_CONFIG_VALUE_BYTES_MAX {
            Some(format!("at most {TOPIC_CONFIG_VALUE_BYTES_MAX} bytes"))
        } else {
            self.check.refusal(value)
        };
        match reason {
            None => Ok(()),
            Some(reason) => Err(TopicConfigError::Invalid {
                name: self.name.to_owned(),
                value: value.chars().take(100).collect(),
                reason,
            }),
        }
    }
}

impl Check {
    fn refusal(self, value: &str) -> Option<String> {
        match self {
            Check::Boolean => (!matches!(value, "true" | "false")).then(|| "must be true or false".into()),
            Check::Integer(min, max) => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => None,
                _ => Some(format!("must be a number from {min} to {max}")),
            },
            Check::Fraction => match value.parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => None,
                _ => Some("must be a number from 0 to 1".into()),
            },
            Check::OneOf(allowed) => {
                (!allowed.contains(&value)).then(|| format!("must be one of {}", allowed.join(", ")))
            }
            Check::ListOf(allowed) => {
                let valid = !value.is_empty() && value.split(',').all(|part| allowed.contains(&part.trim()));
                (!valid).then(|| format!("must be a list of {}", allowed.join(", ")))
            }
            Check::Text => None,
        }
    }
}

/// Checks the configs of a request and gives what to store. Logs what does not act yet.
pub fn validate<'a>(
    topic: &str,
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicConfigs, TopicConfigError> {
    let mut stored = TopicConfigs::new();
    for (name, value) in configs {
        let key = topic_key(name).ok_or_else(|| TopicConfigError::Unknown(name.chars().take(100).collect()))?;
        let value = value.ok_or_else(|| TopicConfigError::Null(name.to_owned()))?;
        key.validate(value)?;
        if !key.acts && value != key.default {
            tracing::warn!(topic, config = name, value, "topic config is stored but does not act yet");
        }
        stored.insert(name.to_owned(), value.to_owned());
    }
    Ok(stored)
}

/// Whether only the newest record of a key is kept.
pub fn is_compacted(configs: &TopicConfigs, settings: &Settings) -> bool {
    has_cleanup_policy(configs, settings, "compact")
}

/// Whether acks=all wants more replicas than the one that there is.
pub fn lacks_replicas(configs: &TopicConfigs, settings: &Settings) -> bool {
    let set = configs.get("min.insync.replicas").and_then(|value| value.parse().ok());
    set.unwrap_or(settings.min_insync_replicas) > 1
}

fn has_cleanup_policy(configs: &TopicConfigs, settings: &Settings, policy: &str) -> bool {
    let policies = configs.get("cleanup.policy").unwrap_or(&settings.log_cleanup_policy);
    policies.split(',').any(|part| part.trim() == policy)
}

/// What the engine needs to know. Stored values were validated when they came in; one that is unreadable now has its default.
pub fn log_config(topic: &Topic, settings: &Settings) -> LogConfig {
    let configs = &topic.configs;
    let text = |name: &str| configs.get(name).map(String::as_str);
    let number = |name: &str, default: i64| text(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let dirty_ratio: f64 = text("min.cleanable.dirty.ratio")
        .and_then(|value| value.parse().ok())
        .unwrap_or(settings.log_cleaner_min_cleanable_ratio);
    LogConfig {
        retention_bytes: number("retention.bytes", settings.log_retention_bytes),
        retention_ms: number("retention.ms", settings.retention_ms()),
        delete: has_cleanup_policy(configs, settings, "delete"),
        compact: is_compacted(configs, settings),
        delete_retention_ms: number("delete.retention.ms", settings.log_cleaner_delete_retention_ms),
        min_compaction_lag_ms: number("min.compaction.lag.ms", settings.log_cleaner_min_compaction_lag_ms),
        max_compaction_lag_ms: number("max.compaction.lag.ms", settings.log_cleaner_max_compaction_lag_ms),
        min_dirty_permille: (dirty_ratio * 1000.0) as u32,
        message_bytes_max: usize::try_from(number("max.message.bytes", settings.message_max_bytes))
            .unwrap_or(0)
            .min(engine::limits::BATCH_BYTES_MAX),
        log_append_time: text("message.timestamp.type").unwrap_or(&settings.log_message_timestamp_type)
            == "LogAppendTime",
        timestamp_before_max_ms: number(
            "message.timestamp.before.max.ms",
            settings.log_message_timestamp_before_max_ms,
        ),
        timestamp_after_max_ms: number("message.timestamp.after.max.ms", settings.log_message_timestamp_after_max_ms),
        written_is_enough: text("posthaste.durability") == Some("written"),
        uses_reserve: topic.internal,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::KeyValue;

    #[test]
    fn every_default_passes_its_own_check() {
        for key in TOPIC_KEYS {
            assert_eq!(key.validate(key.default), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn unknown_names_and_wrong_values_are_refused() {
        let refused = |name, value| validate("t", [(name, Some(value))].into_iter()).unwrap_err();
        assert_eq!(refused("retention.msec", "1"), TopicConfigError::Unknown("retention.msec".into()));
        assert!(matches!(refused("retention.ms", "soon"), TopicConfigError::Invalid { .. }));
        assert!(matches!(refused("cleanup.policy", "shred"), TopicConfigError::Invalid { .. }));
        assert!(matches!(refused("max.message.bytes", "9000000000"), TopicConfigError::Invalid { .. }));
        assert_eq!(validate("t", [("segment.ms", None)].into_iter()), Err(TopicConfigError::Null("segment.ms".into())));
    }

    #[test]
    fn set_values_reach_the_engine_and_missing_ones_come_from_the_broker() {
        let settings = Settings { log_retention_bytes: 77, ..Settings::default() };
        let configs = validate(
            "t",
            [
                ("max.message.bytes", Some("5000")),
                ("message.timestamp.type", Some("LogAppendTime")),
                ("posthaste.durability", Some("written")),
                ("cleanup.policy", Some("compact,delete")),
            ]
            .into_iter(),
        )
        .unwrap();
        let topic = Topic { name: "t".into(), id: Uuid::nil(), internal: true, partitions: Vec::new(), configs };
        let config = log_config(&topic, &settings);
        assert!(config.uses_reserve);
        assert_eq!(config.message_bytes_max, 5000);
        assert_eq!(config.retention_bytes, 77);
        assert!(config.log_append_time && config.written_is_enough);
        assert!(config.compact && config.delete);
        assert_eq!((config.min_dirty_permille, config.retention_ms), (500, 604_800_000));
    }

    #[test]
    fn the_brokers_cleaner_settings_are_the_defaults_of_topics() {
        let mut settings = Settings::default();
        let keys = [
            ("log.cleanup.policy", "compact"),
            ("log.cleaner.min.cleanable.ratio", "0.25"),
            ("log.cleaner.delete.retention.ms", "7"),
            ("log.cleaner.min.compaction.lag.ms", "8"),
            ("log.cleaner.max.compaction.lag.ms", "9"),
        ];
        let keys = keys.map(|(name, value)| KeyValue { name: name.into(), value: value.into() });
        settings.apply(&keys).unwrap();
        let config = |policy: Option<&str>| {
            let configs = policy.map(|policy| ("cleanup.policy".to_owned(), policy.to_owned())).into_iter().collect();
            let topic = Topic { name: "t".into(), id: Uuid::nil(), internal: false, partitions: Vec::new(), configs };
            assert_eq!(is_compacted(&topic.configs, &settings), log_config(&topic, &settings).compact);
            log_config(&topic, &settings)
        };
        let by_broker = config(None);
        assert!(by_broker.compact && !by_broker.delete);
        assert_eq!((by_broker.min_dirty_permille, by_broker.delete_retention_ms), (250, 7));
        assert_eq!((by_broker.min_compaction_lag_ms, by_broker.max_compaction_lag_ms), (8, 9));
        let by_topic = config(Some("delete"));
        assert!(by_topic.delete && !by_topic.compact);
        let wrong = KeyValue { name: "log.cleanup.policy".into(), value: "shred".into() };
        assert!(settings.apply(&[wrong]).is_err());
    }
}
