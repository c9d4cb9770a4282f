//! The table of broker configuration keys: each acts, is refused with a reason, or is logged as not acting yet.

use std::str::FromStr;

use super::{AddressLimits, ConfigError, Endpoint, Settings};
use crate::{limits, topic_config};

/// What a key does here.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Sets a field of [`Settings`].
    Acts(fn(&mut Settings, &KeyValue) -> Result<(), ConfigError>, fn(&Settings) -> String),
    /// Accepted so that a Kafka configuration starts unchanged; logged.
    NotYet,
    /// Would be a lie if accepted.
    Refused(&'static str),
}

/// One broker key.
pub struct BrokerKey {
    /// Kafka's name, or `posthaste.*`.
    pub name: &'static str,
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
    fn integer(&self, min: i64, max: i64) -> Result<i64, ConfigError> {
        match self.value.trim().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(self.refused(format!("must be a number from {min} to {max}"))),
        }
    }

    fn bytes(&self, min: i64, max: i64) -> Result<usize, ConfigError> {
        let number = self.integer(min, max)?;
        usize::try_from(number).map_err(|_| self.refused("is negative".into()))
    }

    fn milliseconds(&self) -> Result<u64, ConfigError> {
        self.integer(1, MS_MAX).map(i64::cast_unsigned)
    }

    fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.trim().parse().map_err(|_| self.refused("must be true or false".into()))
    }

    /// The default of a topic's key: what that key takes.
    fn of_topic<T: FromStr>(&self, topic_key: &'static str) -> Result<T, ConfigError> {
        let value = self.value.trim();
        topic_config::check(topic_key, value).map_err(|error| self.refused(error.to_string()))?;
        value.parse().map_err(|_| self.refused(format!("is no value of {topic_key}")))
    }

    fn refused(&self, reason: String) -> ConfigError {
        ConfigError::Value { name: self.name.clone(), value: self.value.clone(), reason }
    }
}

macro_rules! acts {
    ($name:literal, $field:ident, $read:expr) => {
        BrokerKey {
            name: $name,
            effect: Effect::Acts(
                |settings, key| {
                    let read: fn(&KeyValue) -> Result<_, ConfigError> = $read;
                    settings.$field = read(key)?;
                    Ok(())
                },
                |settings| settings.$field.to_string(),
            ),
        }
    };
}

const fn not_yet(name: &'static str) -> BrokerKey {
    BrokerKey { name, effect: Effect::NotYet }
}

const fn refused(name: &'static str, reason: &'static str) -> BrokerKey {
    BrokerKey { name, effect: Effect::Refused(reason) }
}

fn join(endpoints: &[Endpoint]) -> String {
    endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

const MS_MAX: i64 = i32::MAX as i64;
const BATCH_MAX: i64 = engine::limits::BATCH_BYTES_MAX as i64;

/// All keys, those that act first.
pub const BROKER_KEYS: &[BrokerKey] = &[
    BrokerKey {
        name: "listeners",
        effect: Effect::Acts(
            |settings, key| {
                settings.listeners = Endpoint::parse_list(&key.value)?;
                Ok(())
            },
            |settings| join(&settings.listeners),
        ),
    },
    BrokerKey {
        name: "advertised.listeners",
        effect: Effect::Acts(
            |settings, key| {
                settings.advertised_listeners = Endpoint::parse_list(&key.value)?;
                Ok(())
            },
            |settings| join(&settings.advertised_listeners),
        ),
    },
    BrokerKey {
        name: "posthaste.admin.listener",
        effect: Effect::Acts(
            |settings, key| {
                settings.admin_listener = Some(Endpoint::parse(&key.value)?);
                Ok(())
            },
            |settings| settings.admin_listener.as_ref().map_or_else(|| "none".into(), ToString::to_string),
        ),
    },
    acts!("posthaste.listeners", listener_mode, |key| {
        key.value.trim().parse().map_err(|reason: &str| key.refused(reason.into()))
    }),
    acts!("node.id", node_id, |key| Ok(key.integer(0, limits::NODE_ID_MAX)? as i32)),
    acts!("auto.create.topics.enable", auto_create_topics, KeyValue::boolean),
    acts!("num.partitions", num_partitions, |key| Ok(
        key.integer(1, i64::from(limits::PARTITIONS_PER_TOPIC_MAX))? as i32
    )),
    acts!("message.max.bytes", message_max_bytes, |key| key.integer(0, BATCH_MAX)),
    acts!("fetch.max.bytes", fetch_max_bytes, |key| key.bytes(1024, MS_MAX)),
    acts!("socket.request.max.bytes", request_max_bytes, |key| key.bytes(1024, limits::REQUEST_BYTES_MAX as i64)),
    acts!("connections.max.idle.ms", connections_max_idle_ms, |key| key.integer(1, i64::MAX).map(i64::cast_unsigned)),
    acts!("max.connections", max_connections, |key| key.bytes(1, MS_MAX)),
    acts!("memory.max.bytes", memory_max_bytes, |key| UnlessUnset::read(key, 1)),
    acts!("max.connections.per.ip", max_connections_per_ip, |key| key.bytes(0, MS_MAX)),
    acts!("max.connections.per.ip.overrides", max_connections_per_ip_overrides, |key| {
        AddressLimits::parse(&key.value)
            .ok_or_else(|| key.refused("expected ADDRESS:NUMBER with commas between".into()))
    }),
    acts!("max.connection.creation.rate", max_connection_creation_rate, |key| key.bytes(1, MS_MAX)),
    acts!("log.retention.bytes", log_retention_bytes, |key| key.integer(-1, i64::MAX)),
    acts!("log.retention.ms", log_retention_ms, |key| UnlessUnset::read(key, -1)),
    acts!("log.retention.minutes", log_retention_minutes, |key| UnlessUnset::read(key, -1)),
    acts!("log.retention.hours", log_retention_hours, |key| key.integer(-1, MS_MAX)),
    acts!("log.retention.check.interval.ms", log_retention_check_interval_ms, KeyValue::milliseconds),
    acts!("log.cleanup.policy", log_cleanup_policy, |key| key.of_topic("cleanup.policy")),
    acts!("log.message.timestamp.type", log_message_timestamp_type, |key| key.of_topic("message.timestamp.type")),
    acts!("log.message.timestamp.before.max.ms", log_message_timestamp_before_max_ms, |key| {
        key.of_topic("message.timestamp.before.max.ms")
    }),
    acts!("log.message.timestamp.after.max.ms", log_message_timestamp_after_max_ms, |key| {
        key.of_topic("message.timestamp.after.max.ms")
    }),
    acts!("min.insync.replicas", min_insync_replicas, |key| key.of_topic("min.insync.replicas")),
    acts!("log.cleaner.min.cleanable.ratio", log_cleaner_min_cleanable_ratio, |key| {
        key.of_topic("min.cleanable.dirty.ratio")
    }),
    acts!("log.cleaner.delete.retention.ms", log_cleaner_delete_retention_ms, |key| key
        .of_topic("delete.retention.ms")),
    acts!("log.cleaner.min.compaction.lag.ms", log_cleaner_min_compaction_lag_ms, |key| {
        key.of_topic("min.compaction.lag.ms")
    }),
    acts!("log.cleaner.max.compaction.lag.ms", log_cleaner_max_compaction_lag_ms, |key| {
        key.of_topic("max.compaction.lag.ms")
    }),
    acts!("offsets.retention.minutes", offsets_retention_minutes, |key| key.integer(1, MS_MAX)),
    acts!("group.initial.rebalance.delay.ms", group_initial_rebalance_delay_ms, |key| key.integer(0, MS_MAX)),
    acts!("group.min.session.timeout.ms", group_min_session_timeout_ms, |key| key.integer(1, MS_MAX)),
    acts!("group.max.session.timeout.ms", group_max_session_timeout_ms, |key| key.integer(1, MS_MAX)),
    acts!("group.max.size", group_max_size, |key| key.bytes(1, MS_MAX)),
    acts!("offset.metadata.max.bytes", offset_metadata_max_bytes, |key| key.bytes(0, 1 << 20)),
    acts!("transaction.max.timeout.ms", transaction_max_timeout_ms, |key| Ok(key.integer(1, MS_MAX)? as i32)),
    acts!("transactional.id.expiration.ms", transactional_id_expiration_ms, |key| key.integer(1, MS_MAX)),
    acts!("posthaste.shards", shards, |key| Ok(Shards(Some(
        key.integer(1, i64::from(engine::limits::SHARDS_MAX))? as u32
    )))),
    acts!("posthaste.segment.bytes", segment_bytes, |key| {
        key.integer(engine::limits::SEGMENT_BYTES_MIN as i64, engine::limits::SEGMENT_BYTES_MAX as i64)
            .map(i64::cast_unsigned)
    }),
    acts!("posthaste.tail.bytes", tail_bytes, |key| key.bytes(1 << 20, i64::MAX)),
    acts!("posthaste.pin", pin, KeyValue::boolean),
    acts!("posthaste.frame.deadline.ms", frame_deadline_ms, KeyValue::milliseconds),
    acts!("posthaste.write.stall.deadline.ms", write_stall_deadline_ms, KeyValue::milliseconds),
    acts!("posthaste.snapshot.check.interval.ms", snapshot_check_interval_ms, KeyValue::milliseconds),
    acts!("posthaste.replication.factor.max", replication_factor_max, |key| Ok(
        key.integer(1, i64::from(i16::MAX))? as i16
    )),
    acts!("posthaste.topics.max", topics_max, |key| key.bytes(1, limits::TOPICS_MAX as i64)),
    acts!("posthaste.partitions.max", partitions_max, |key| key.bytes(1, limits::PARTITIONS_MAX as i64)),
    refused("broker.id", "use node.id"),
    refused("log.dir", "use --data"),
    refused("log.dirs", "use --data"),
    refused("port", "use listeners"),
    refused("zookeeper.connect", "there is no ZooKeeper here"),
    refused("controller.quorum.voters", "this broker is a single node"),
    refused("controller.listener.names", "this broker is a single node"),
    refused("ssl.keystore.location", "TLS does not exist yet"),
    refused("sasl.enabled.mechanisms", "SASL does not exist yet"),
    refused("authorizer.class.name", "authorization does not exist yet"),
    not_yet("background.threads"),
    not_yet("compression.type"),
    not_yet("connections.max.reauth.ms"),
    not_yet("default.replication.factor"),
    not_yet("delete.topic.enable"),
    not_yet("group.consumer.heartbeat.interval.ms"),
    not_yet("group.consumer.session.timeout.ms"),
    not_yet("group.coordinator.rebalance.protocols"),
    not_yet("inter.broker.listener.name"),
    not_yet("listener.security.protocol.map"),
    not_yet("log.cleaner.backoff.ms"),
    not_yet("log.cleaner.dedupe.buffer.size"),
    not_yet("log.cleaner.enable"),
    not_yet("log.cleaner.io.buffer.load.factor"),
    not_yet("log.cleaner.io.buffer.size"),
    not_yet("log.cleaner.io.max.bytes.per.second"),
    not_yet("log.cleaner.threads"),
    not_yet("log.flush.interval.messages"),
    not_yet("log.flush.interval.ms"),
    not_yet("log.roll.hours"),
    not_yet("log.roll.ms"),
    not_yet("log.segment.bytes"),
    not_yet("num.io.threads"),
    not_yet("num.network.threads"),
    not_yet("num.recovery.threads.per.data.dir"),
    not_yet("num.replica.fetchers"),
    not_yet("offsets.retention.check.interval.ms"),
    not_yet("offsets.topic.num.partitions"),
    not_yet("offsets.topic.replication.factor"),
    not_yet("process.roles"),
    not_yet("producer.id.expiration.ms"),
    not_yet("queued.max.request.bytes"),
    not_yet("queued.max.requests"),
    not_yet("request.timeout.ms"),
    not_yet("socket.listen.backlog.size"),
    not_yet("socket.receive.buffer.bytes"),
    not_yet("socket.send.buffer.bytes"),
    not_yet("transaction.state.log.min.isr"),
    not_yet("transaction.state.log.num.partitions"),
    not_yet("transaction.state.log.replication.factor"),
    not_yet("unclean.leader.election.enable"),
];

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
    fn read(key: &KeyValue, min: i64) -> Result<UnlessUnset, ConfigError> {
        key.integer(min, i64::MAX).map(|number| UnlessUnset(Some(number)))
    }
}

impl std::fmt::Display for UnlessUnset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |number| number.fmt(f))
    }
}

/// Keys that `IncrementalAlterConfigs` may change while the broker runs: the defaults of topics.
pub const DYNAMIC_KEYS: &[&str] = &[
    "log.cleaner.delete.retention.ms",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleanup.policy",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.ms",
    "message.max.bytes",
    "min.insync.replicas",
];

/// Applies one key to the settings.
pub fn apply(settings: &mut Settings, key: &KeyValue) -> Result<(), ConfigError> {
    let Some(known) = BROKER_KEYS.iter().find(|known| known.name == key.name) else {
        return Err(ConfigError::Unknown { name: key.name.clone(), suggestion: nearest(&key.name) });
    };
    match known.effect {
        Effect::Acts(set, _) => set(settings, key),
        Effect::NotYet => {
            settings.not_acting.push(key.name.clone());
            Ok(())
        }
        Effect::Refused(reason) => {
            Err(ConfigError::Value { name: key.name.clone(), value: key.value.clone(), reason: reason.to_owned() })
        }
    }
}

/// The known name that is most like the given one, as a hint for a typing error.
fn nearest(name: &str) -> String {
    BROKER_KEYS
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(known.name, name), known.name))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, known)| format!("; did you mean {known}?"))
}
