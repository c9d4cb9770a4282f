//! The table of Kafka's topic configuration names: type, default, what a key takes, the broker's keys for it, and what it does here.

use super::check::Check;
use crate::config::Settings;
use crate::config_type::ConfigType;
use crate::limits::TOPIC_CONFIG_VALUE_BYTES_MAX;
use crate::topic_config::TopicConfigError;

/// One topic configuration key.
#[derive(Debug)]
pub struct TopicKey {
    /// Kafka's name.
    pub name: &'static str,
    /// The type that `DescribeConfigs` reports.
    pub kind: ConfigType,
    /// Whether it changes what the broker does. What does not act is stored, reported back and logged.
    pub acts: bool,
    /// Kafka's default.
    pub default: &'static str,
    /// The broker's keys that give its default, the one that counts first before the others.
    pub broker_keys: &'static [&'static str],
    /// What it does here.
    pub documentation: &'static str,
    check: Check,
}

/// Does something.
const ACTS: bool = true;
/// Stored and reported back.
const STORED: bool = false;

const LONG_MAX: &str = "9223372036854775807";
const INT_MAX: i64 = i32::MAX as i64;

macro_rules! topic_keys {
    ($($name:literal: $kind:ident = $default:expr, $check:expr, $acts:ident, [$($broker:literal),*], $documentation:literal;)*) => {
        /// Every key of Kafka 4.1, by name, and our own.
        pub const TOPIC_KEYS: &[TopicKey] = &[$(TopicKey {
            name: $name,
            kind: ConfigType::$kind,
            acts: $acts,
            default: $default,
            broker_keys: &[$($broker),*],
            documentation: $documentation,
            check: $check,
        }),*];
    };
}

topic_keys! {
    "cleanup.policy": List = "delete", Check::ListOf(&["compact", "delete"]), ACTS, ["log.cleanup.policy"],
        "delete: records go by retention.ms and retention.bytes. compact: the newest record of each key stays. Both may be set.";
    "compression.gzip.level": Int = "-1", Check::GzipLevel, ACTS, ["compression.gzip.level"],
        "The level of compression.type=gzip: 1 to 9, or -1 for the codec's own default.";
    "compression.lz4.level": Int = "9", Check::Integer(1, 17), STORED, ["compression.lz4.level"],
        "The LZ4 encoder here has one level.";
    "compression.type": String = "producer",
        Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ACTS, ["compression.type"],
        "producer keeps every batch as it came. Anything else is what the broker puts batches into that came in another codec.";
    "compression.zstd.level": Int = "3", Check::Integer(-131_072, 22), ACTS, ["compression.zstd.level"],
        "The level of compression.type=zstd. Levels above 19 are carried out at 19.";
    "delete.retention.ms": Long = "86400000", Check::Integer(0, i64::MAX), ACTS, ["log.cleaner.delete.retention.ms"],
        "How long a compacted topic keeps the tombstone of a key, ms.";
    "file.delete.delay.ms": Long = "60000", Check::Integer(0, i64::MAX), STORED, ["log.segment.delete.delay.ms"],
        "Segments belong to a shard and are used again when no reader holds them.";
    "flush.messages": Long = LONG_MAX, Check::Integer(1, i64::MAX), STORED, ["log.flush.interval.messages"],
        "Every write is flushed as soon as the disk takes it, and acks=all waits for that.";
    "flush.ms": Long = LONG_MAX, Check::Integer(0, i64::MAX), STORED, ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "Every write is flushed as soon as the disk takes it, and acks=all waits for that.";
    "follower.replication.throttled.replicas": List = "", Check::Replicas, STORED, [],
        "There are no followers.";
    "index.interval.bytes": Int = "4096", Check::Integer(0, INT_MAX), STORED, ["log.index.interval.bytes"],
        "A segment has an index of its own kind.";
    "leader.replication.throttled.replicas": List = "", Check::Replicas, STORED, [],
        "There are no followers.";
    "local.retention.bytes": Long = "-2", Check::Integer(-2, i64::MAX), STORED, ["log.local.retention.bytes"],
        "There is no tiered storage; -2 is retention.bytes.";
    "local.retention.ms": Long = "-2", Check::Integer(-2, i64::MAX), STORED, ["log.local.retention.ms"],
        "There is no tiered storage; -2 is retention.ms.";
    "max.compaction.lag.ms": Long = LONG_MAX, Check::Integer(1, i64::MAX), ACTS, ["log.cleaner.max.compaction.lag.ms"],
        "A record that could be superseded is compacted after this time, however little there is to gain, ms.";
    "max.message.bytes": Int = "1048588", Check::Integer(0, engine::limits::BATCH_BYTES_MAX as i64), ACTS, ["message.max.bytes"],
        "A larger batch is refused with MESSAGE_TOO_LARGE, bytes as they came and as they are stored.";
    "message.timestamp.after.max.ms": Long = "3600000", Check::Integer(0, i64::MAX), ACTS,
        ["log.message.timestamp.after.max.ms"],
        "A record that is further in the future is refused with INVALID_TIMESTAMP, ms.";
    "message.timestamp.before.max.ms": Long = LONG_MAX, Check::Integer(0, i64::MAX), ACTS,
        ["log.message.timestamp.before.max.ms"],
        "A record that is older is refused with INVALID_TIMESTAMP, ms.";
    "message.timestamp.type": String = "CreateTime", Check::OneOf(&["CreateTime", "LogAppendTime"]), ACTS,
        ["log.message.timestamp.type"],
        "CreateTime keeps the producer's times, LogAppendTime gives every record of a batch the broker's.";
    "min.cleanable.dirty.ratio": Double = "0.5", Check::Fraction, ACTS, ["log.cleaner.min.cleanable.ratio"],
        "A compacted topic is compacted when this share of it came since the last time.";
    "min.compaction.lag.ms": Long = "0", Check::Integer(0, i64::MAX), ACTS, ["log.cleaner.min.compaction.lag.ms"],
        "A record is not compacted away before it is this old, ms.";
    "min.insync.replicas": Int = "1", Check::Integer(1, INT_MAX), ACTS, ["min.insync.replicas"],
        "There is one replica: more than 1 refuses acks=all with NOT_ENOUGH_REPLICAS.";
    "preallocate": Boolean = "false", Check::Any, STORED, ["log.preallocate"],
        "Segments belong to a shard.";
    "remote.log.copy.disable": Boolean = "false", Check::Any, STORED, [],
        "There is no tiered storage.";
    "remote.log.delete.on.disable": Boolean = "false", Check::Any, STORED, [],
        "There is no tiered storage.";
    "remote.storage.enable": Boolean = "false", Check::NoRemoteStorage, STORED, [],
        "There is no tiered storage: true is refused.";
    "retention.bytes": Long = "-1", Check::Integer(-1, i64::MAX), ACTS, ["log.retention.bytes"],
        "The oldest records of a partition go when it has more bytes; -1 is no bound.";
    "retention.ms": Long = "604800000", Check::Integer(-1, i64::MAX), ACTS,
        ["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        "Records that are older go, ms; -1 is no bound.";
    "segment.bytes": Int = "1073741824", Check::Integer(1 << 20, INT_MAX), STORED, ["log.segment.bytes"],
        "Segments belong to a shard and hold many topics (posthaste.segment.bytes).";
    "segment.index.bytes": Int = "10485760", Check::Integer(4, INT_MAX), STORED, ["log.index.size.max.bytes"],
        "A segment has an index of its own kind.";
    "segment.jitter.ms": Long = "0", Check::Integer(0, i64::MAX), STORED, ["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "Segments belong to a shard and roll by size.";
    "segment.ms": Long = "604800000", Check::Integer(1, i64::MAX), STORED, ["log.roll.ms", "log.roll.hours"],
        "Segments belong to a shard and roll by size. Retention by time reaches into the one that is written to.";
    "unclean.leader.election.enable": Boolean = "false", Check::Any, STORED, ["unclean.leader.election.enable"],
        "There is one replica.";
    "posthaste.durability": String = "durable", Check::OneOf(&["durable", "written"]), ACTS, [],
        "durable: acks=all and readers wait for the flush. written: for the write, which a power loss may undo.";
}

/// The key of that name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

impl TopicKey {
    /// Whether a value has what it asks for, if only because it is Kafka's default, or a flush: each write has one at once.
    pub fn is_met(&self, value: &str) -> bool {
        self.acts || value == self.default || matches!(self.name, "flush.messages" | "flush.ms")
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
            _ => self.given_default(settings).unwrap_or_else(|| self.default.to_owned()),
        }
    }

    fn given_default(&self, settings: &Settings) -> Option<String> {
        let (name, value) = self.broker_keys.iter().find_map(|name| Some((name, settings.given.get(*name)?)))?;
        if name.rsplit('.').next() != Some("hours") {
            return Some(value.clone());
        }
        Some(value.parse::<i64>().ok()?.saturating_mul(60 * 60 * 1_000).to_string())
    }

    /// The value as it is stored and told, where the key takes it.
    pub fn read(&self, value: &str) -> Result<String, TopicConfigError> {
        let refused = |value: &str, reason| TopicConfigError::Invalid {
            name: self.name.to_owned(),
            value: value.chars().take(100).collect(),
            reason,
        };
        if value.len() > TOPIC_CONFIG_VALUE_BYTES_MAX {
            return Err(refused(value, format!("Value must have no more than {TOPIC_CONFIG_VALUE_BYTES_MAX} bytes")));
        }
        let read = self.kind.read(value).map_err(|reason| refused(value, reason))?;
        match self.check.refusal(self.name, &read) {
            None if matches!(self.check, Check::NoRemoteStorage) && read == "true" => {
                Err(TopicConfigError::NoRemoteStorage)
            }
            None => Ok(read),
            Some(wrong) => Err(refused(&wrong.value, wrong.reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check_and_is_what_nothing_set_gives() {
        for key in TOPIC_KEYS {
            assert_eq!(key.read(key.default).as_deref(), Ok(key.default), "{}", key.name);
            assert_eq!(key.default_value(&Settings::default()), key.default, "{}", key.name);
        }
    }
}
