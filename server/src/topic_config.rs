//! What is configured for a topic. A key of Kafka's table acts, or is stored and logged as not acting.

mod check;
mod keys;

use std::ops::RangeInclusive;

use engine::partition::config::LogConfig;
use protocol::record_batch::Compression;
use thiserror::Error;

pub(crate) use self::check::Check;
pub use self::keys::{TOPIC_KEYS, TopicKey, topic_key};
use crate::catalog::Topic;
use crate::config::Settings;
use crate::config_edits::StoredConfigs;
use crate::config_type::ConfigType;

/// Values that a client set for a topic, by name. Stored with the topic; what is missing has its default.
pub type TopicConfigs = StoredConfigs;

/// Why a topic configuration is refused (`INVALID_CONFIG`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicConfigError {
    /// Kafka has no such key.
    #[error("Unknown topic config name: {0}")]
    Unknown(String),
    /// The value is not what the key takes.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The key.
        name: String,
        /// The value.
        value: String,
        /// What it takes.
        reason: String,
    },
    /// Tiered storage, which does not exist here.
    #[error(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
    )]
    NoRemoteStorage,
    /// Two keys that contradict each other.
    #[error("conflict topic config setting min.compaction.lag.ms ({min_ms}) > max.compaction.lag.ms ({max_ms})")]
    Lags {
        /// The least.
        min_ms: i64,
        /// The most.
        max_ms: i64,
    },
    /// No value: only a deletion may have none.
    #[error("Null value not supported for topic configs: {0}")]
    Null(String),
}

/// The value of a topic's key as it is stored and told, where the key takes it.
pub fn read(name: &str, value: &str) -> Result<String, TopicConfigError> {
    topic_key(name).ok_or_else(|| TopicConfigError::Unknown(name.to_owned()))?.read(value)
}

/// The default of a key that holds a list; None for any other.
pub fn list_default(name: &str, settings: &Settings) -> Option<String> {
    let key = topic_key(name).filter(|key| key.kind == ConfigType::List)?;
    Some(key.default_value(settings))
}

/// Checks the configs of a request and gives what to store. Logs what does not act, once a topic.
pub fn validate<'a>(
    topic: &str,
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicConfigs, TopicConfigError> {
    let mut stored = TopicConfigs::new();
    for (name, value) in configs {
        let key = topic_key(name).ok_or_else(|| TopicConfigError::Unknown(name.chars().take(100).collect()))?;
        let value = value.ok_or_else(|| TopicConfigError::Null(name.to_owned()))?;
        stored.insert(name.to_owned(), key.read(value)?);
    }
    let idle = idle_configs(&stored);
    if !idle.is_empty() {
        // Applications set some for every topic that they make, and no harm comes of it.
        tracing::info!(topic, configs = idle.join(", "), "topic configurations are stored but do not act");
    }
    Ok(stored)
}

/// What was asked for in vain.
fn idle_configs(configs: &TopicConfigs) -> Vec<String> {
    let is_idle = |name: &str, value: &str| topic_key(name).is_some_and(|key| !key.is_met(value));
    configs.iter().filter(|(name, value)| is_idle(name, value)).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Checks what no single key can.
pub fn check_together(configs: &TopicConfigs, settings: &Settings) -> Result<(), TopicConfigError> {
    let number = |name: &str, default| configs.get(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let min_ms = number("min.compaction.lag.ms", settings.log_cleaner_min_compaction_lag_ms);
    let max_ms = number("max.compaction.lag.ms", settings.log_cleaner_max_compaction_lag_ms);
    if min_ms > max_ms { Err(TopicConfigError::Lags { min_ms, max_ms }) } else { Ok(()) }
}

/// A codec and, where it has some, its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codec {
    /// How batches are compressed.
    pub compression: Compression,
    /// How hard; the default of the codec when there is none.
    pub level: Option<i32>,
}

/// The codec that all batches of a topic have; none where they stay as they come.
pub fn codec(configs: &TopicConfigs, settings: &Settings) -> Option<Codec> {
    let effective = |name: &str| configs.get(name).or_else(|| settings.given.get(name));
    let level = |name: &str| effective(name).and_then(|value| value.parse().ok());
    let (compression, level) = match effective("compression.type").map(String::as_str) {
        Some("uncompressed") => (Compression::None, None),
        Some("gzip") => (Compression::Gzip, level("compression.gzip.level")),
        Some("snappy") => (Compression::Snappy, None),
        Some("lz4") => (Compression::Lz4, None),
        Some("zstd") => (Compression::Zstd, level("compression.zstd.level")),
        _ => return None,
    };
    Some(Codec { compression, level })
}

/// Largest batch that a topic takes, bytes.
pub fn message_bytes_max(configs: &TopicConfigs, settings: &Settings) -> usize {
    let set = configs.get("max.message.bytes").and_then(|value| value.parse().ok());
    usize::try_from(set.unwrap_or(settings.message_max_bytes)).unwrap_or(0).min(engine::limits::BATCH_BYTES_MAX)
}

/// The times that records may have, ms, as of now; none where the broker sets them.
pub fn times_taken(configs: &TopicConfigs, settings: &Settings, now_ms: i64) -> Option<RangeInclusive<i64>> {
    if configs.get("message.timestamp.type").unwrap_or(&settings.log_message_timestamp_type) == "LogAppendTime" {
        return None;
    }
    let number = |name: &str, default| configs.get(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let before_ms = number("message.timestamp.before.max.ms", settings.log_message_timestamp_before_max_ms);
    let after_ms = number("message.timestamp.after.max.ms", settings.log_message_timestamp_after_max_ms);
    Some(now_ms.saturating_sub(before_ms)..=now_ms.saturating_add(after_ms))
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
        message_bytes_max: message_bytes_max(configs, settings),
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
    fn unknown_names_and_wrong_values_are_refused() {
        let refused = |name, value| validate("t", [(name, Some(value))].into_iter()).unwrap_err();
        assert_eq!(refused("retention.msec", "1"), TopicConfigError::Unknown("retention.msec".into()));
        assert!(matches!(refused("retention.ms", "soon"), TopicConfigError::Invalid { .. }));
        assert!(matches!(refused("cleanup.policy", "shred"), TopicConfigError::Invalid { .. }));
        assert!(matches!(refused("max.message.bytes", "9000000000"), TopicConfigError::Invalid { .. }));
        assert_eq!(validate("t", [("segment.ms", None)].into_iter()), Err(TopicConfigError::Null("segment.ms".into())));
    }

    /// Kafka Streams sets these for its repartition topics: each made several warnings.
    #[test]
    fn only_what_is_asked_for_in_vain_is_idle() {
        let asked = [
            ("cleanup.policy", "delete"),
            ("flush.messages", "1"),
            ("flush.ms", "100"),
            ("index.interval.bytes", "4096"),
            ("message.timestamp.type", "CreateTime"),
            ("retention.ms", "-1"),
            ("segment.bytes", "52428800"),
        ];
        let stored = validate("t", asked.into_iter().map(|(name, value)| (name, Some(value)))).unwrap();
        assert_eq!(stored.len(), asked.len());
        assert_eq!(idle_configs(&stored), ["segment.bytes=52428800"]);
    }

    #[test]
    fn the_least_compaction_lag_may_not_be_above_the_most() {
        let configs = |min: &str| {
            TopicConfigs::from([
                ("min.compaction.lag.ms".to_owned(), min.to_owned()),
                ("max.compaction.lag.ms".to_owned(), "50".to_owned()),
            ])
        };
        let settings = Settings::default();
        assert_eq!(check_together(&configs("50"), &settings), Ok(()));
        let refused = check_together(&configs("51"), &settings);
        assert_eq!(refused, Err(TopicConfigError::Lags { min_ms: 51, max_ms: 50 }));
    }

    #[test]
    fn a_topics_codec_is_its_own_or_the_brokers_and_producer_is_none() {
        let mut settings = Settings::default();
        let of_topic = |name: &str| TopicConfigs::from([("compression.type".to_owned(), name.to_owned())]);
        assert_eq!(codec(&TopicConfigs::new(), &settings), None);
        let keys = [("compression.type", "gzip"), ("compression.gzip.level", "3")];
        let keys = keys.map(|(name, value)| KeyValue { name: name.into(), value: value.into() });
        settings.apply(&keys).unwrap();
        let gzip = Codec { compression: Compression::Gzip, level: Some(3) };
        assert_eq!(codec(&TopicConfigs::new(), &settings), Some(gzip));
        assert_eq!(codec(&of_topic("producer"), &settings), None);
        let plain = Codec { compression: Compression::None, level: None };
        assert_eq!(codec(&of_topic("uncompressed"), &settings), Some(plain));
        let mut zstd = of_topic("zstd");
        zstd.insert("compression.zstd.level".into(), "-7".into());
        assert_eq!(codec(&zstd, &settings), Some(Codec { compression: Compression::Zstd, level: Some(-7) }));
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
