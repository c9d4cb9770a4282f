//! The table of the keys that set a field of `Settings`, and of those that are the default of a topic's key.

use super::keys::{BATCH_MAX, BrokerKey, Effect, KeyValue, MS_MAX};
use super::{AddressLimits, ConfigError, Endpoint, Shards, UnlessUnset};
use crate::config_type::ConfigType;
use crate::limits;

macro_rules! acting_keys {
    ($($name:literal: $kind:ident $field:ident, $documentation:literal, $read:expr;)*) => {
        /// What a key is read to, and how it is shown again.
        pub(super) const ACTING_KEYS: &[BrokerKey] = &[$(BrokerKey {
            name: $name,
            kind: ConfigType::$kind,
            documentation: $documentation,
            effect: Effect::Acts(
                |settings, key| {
                    let read: fn(&KeyValue) -> Result<_, ConfigError> = $read;
                    settings.$field = read(key)?;
                    Ok(())
                },
                |settings| settings.$field.to_string(),
            ),
        }),*];
    };
}

macro_rules! topic_default_keys {
    ($($name:literal: $kind:ident $topic_key:literal;)*) => {
        /// The defaults of topics' keys that are no field of `Settings`.
        pub(super) const TOPIC_DEFAULT_KEYS: &[BrokerKey] = &[$(BrokerKey {
            name: $name,
            kind: ConfigType::$kind,
            documentation: concat!("The default of ", $topic_key, "."),
            effect: Effect::OfTopic($topic_key),
        }),*];
    };
}

acting_keys! {
    "posthaste.listeners": String listener_mode, "shared: one node for all shards. per-core: a node a shard.",
        |key| key.value.parse().map_err(|reason: &str| key.refused(reason.into()));
    "node.id": Int node_id, "The id of this node, or of the first one.",
        |key| Ok(key.integer(0, limits::NODE_ID_MAX)? as i32);
    "auto.create.topics.enable": Boolean auto_create_topics, "Whether a client that asks for a topic makes it.",
        KeyValue::boolean;
    "delete.topic.enable": Boolean delete_topics, "Whether topics may be deleted: false refuses it with TOPIC_DELETION_DISABLED.",
        KeyValue::boolean;
    "num.partitions": Int num_partitions, "Partitions of a topic that is made without a number.",
        |key| Ok(key.integer(1, i64::from(limits::PARTITIONS_PER_TOPIC_MAX))? as i32);
    "message.max.bytes": Int message_max_bytes, "The default of max.message.bytes.",
        |key| key.integer(0, BATCH_MAX);
    "fetch.max.bytes": Int fetch_max_bytes, "Most bytes of one answer to Fetch.",
        |key| key.bytes(1024, MS_MAX);
    "max.incremental.fetch.session.cache.slots": Int fetch_session_slots, "Fetch sessions of all clients; 0 gives none.",
        |key| key.bytes(0, MS_MAX);
    "socket.request.max.bytes": Int request_max_bytes, "A longer request closes its connection.",
        |key| key.bytes(1024, limits::REQUEST_BYTES_MAX as i64);
    "connections.max.idle.ms": Long connections_max_idle_ms, "A connection that does nothing for so long is closed, ms.",
        |key| key.integer(1, i64::MAX).map(i64::cast_unsigned);
    "max.connections": Int max_connections, "Connections of all clients.",
        |key| key.bytes(1, MS_MAX);
    "memory.max.bytes": Long memory_max_bytes, "Memory of the whole process; half of what there is when not set.",
        |key| UnlessUnset::read(key, 1);
    "max.connections.per.ip": Int max_connections_per_ip, "Connections from one address.",
        |key| key.bytes(0, MS_MAX);
    "max.connections.per.ip.overrides": String max_connections_per_ip_overrides, "The same for some addresses: ADDRESS:NUMBER with commas between.",
        |key| AddressLimits::parse(&key.value).ok_or_else(|| key.refused("expected ADDRESS:NUMBER with commas between".into()));
    "max.connection.creation.rate": Int max_connection_creation_rate, "New connections a second; beyond it they wait.",
        |key| key.bytes(1, MS_MAX);
    "log.retention.bytes": Long log_retention_bytes, "The default of retention.bytes.",
        |key| key.integer(-1, i64::MAX);
    "log.retention.ms": Long log_retention_ms, "The default of retention.ms.",
        |key| UnlessUnset::read(key, -1);
    "log.retention.minutes": Int log_retention_minutes, "The default of retention.ms in minutes, where log.retention.ms is not set.",
        |key| UnlessUnset::read(key, -1);
    "log.retention.hours": Int log_retention_hours, "The default of retention.ms in hours, where neither of the others is set.",
        |key| key.integer(-1, MS_MAX);
    "log.retention.check.interval.ms": Long log_retention_check_interval_ms, "How often retention looks for what may go, ms.",
        KeyValue::milliseconds;
    "log.cleanup.policy": List log_cleanup_policy, "The default of cleanup.policy.",
        |key| key.of_topic("cleanup.policy");
    "log.message.timestamp.type": String log_message_timestamp_type, "The default of message.timestamp.type.",
        |key| key.of_topic("message.timestamp.type");
    "log.message.timestamp.before.max.ms": Long log_message_timestamp_before_max_ms, "The default of message.timestamp.before.max.ms.",
        |key| key.of_topic("message.timestamp.before.max.ms");
    "log.message.timestamp.after.max.ms": Long log_message_timestamp_after_max_ms, "The default of message.timestamp.after.max.ms.",
        |key| key.of_topic("message.timestamp.after.max.ms");
    "min.insync.replicas": Int min_insync_replicas, "The default of a topic's min.insync.replicas.",
        |key| key.of_topic("min.insync.replicas");
    "log.cleaner.min.cleanable.ratio": Double log_cleaner_min_cleanable_ratio, "The default of min.cleanable.dirty.ratio.",
        |key| key.of_topic("min.cleanable.dirty.ratio");
    "log.cleaner.delete.retention.ms": Long log_cleaner_delete_retention_ms, "The default of delete.retention.ms.",
        |key| key.of_topic("delete.retention.ms");
    "log.cleaner.min.compaction.lag.ms": Long log_cleaner_min_compaction_lag_ms, "The default of min.compaction.lag.ms.",
        |key| key.of_topic("min.compaction.lag.ms");
    "log.cleaner.max.compaction.lag.ms": Long log_cleaner_max_compaction_lag_ms, "The default of max.compaction.lag.ms.",
        |key| key.of_topic("max.compaction.lag.ms");
    "offsets.retention.minutes": Int offsets_retention_minutes, "How long the offsets of an empty group are kept, minutes.",
        |key| key.integer(1, MS_MAX);
    "offsets.retention.check.interval.ms": Long offsets_retention_check_interval_ms, "How often is looked for offsets whose time is over, ms.",
        |key| key.integer(1, i64::MAX);
    "group.initial.rebalance.delay.ms": Int group_initial_rebalance_delay_ms, "How long the first rebalance of an empty group waits for more members, ms.",
        |key| key.integer(0, MS_MAX);
    "group.min.session.timeout.ms": Int group_min_session_timeout_ms, "Least session timeout that a member may ask for, ms.",
        |key| key.integer(1, MS_MAX);
    "group.max.session.timeout.ms": Int group_max_session_timeout_ms, "Most session timeout that a member may ask for, ms.",
        |key| key.integer(1, MS_MAX);
    "group.max.size": Int group_max_size, "Members of one group.",
        |key| key.bytes(1, MS_MAX);
    "offset.metadata.max.bytes": Int offset_metadata_max_bytes, "Longest text that may be committed with an offset.",
        |key| key.bytes(0, 1 << 20);
    "transaction.max.timeout.ms": Int transaction_max_timeout_ms, "Longest transaction timeout that a producer may ask for, ms.",
        |key| Ok(key.integer(1, MS_MAX)? as i32);
    "transaction.partition.verification.enable": Boolean transaction_partition_verification, "Whether a batch of a transaction is taken only where its coordinator says that the partition was added. Offsets are always asked for.",
        KeyValue::boolean;
    "transactional.id.expiration.ms": Int transactional_id_expiration_ms, "A transactional id that does nothing for so long is forgotten, ms.",
        |key| key.integer(1, MS_MAX);
    "posthaste.shards": Int shards, "Shards of a new data directory; one a core when not set.",
        |key| Ok(Shards(Some(key.integer(1, i64::from(engine::limits::SHARDS_MAX))? as u32)));
    "posthaste.segment.bytes": Long segment_bytes, "Segments of a new data directory.",
        |key| key.integer(engine::limits::SEGMENT_BYTES_MIN as i64, engine::limits::SEGMENT_BYTES_MAX as i64).map(i64::cast_unsigned);
    "posthaste.tail.bytes": Long tail_bytes, "Memory for recent records.",
        |key| key.bytes(1 << 20, i64::MAX);
    "posthaste.pin": Boolean pin, "Whether each shard has a core of its own.",
        KeyValue::boolean;
    "posthaste.frame.deadline.ms": Long frame_deadline_ms, "From the first byte of a request to its last, ms.",
        KeyValue::milliseconds;
    "posthaste.write.stall.deadline.ms": Long write_stall_deadline_ms, "How long a client may take for a quarter megabyte of its answers, ms.",
        KeyValue::milliseconds;
    "posthaste.snapshot.check.interval.ms": Long snapshot_check_interval_ms, "How often the logs of the catalog and the groups are kept short, ms.",
        KeyValue::milliseconds;
    "posthaste.replication.factor.max": Short replication_factor_max, "Topics that ask for so many replicas are made, with the one that there is.",
        |key| Ok(key.integer(1, i64::from(i16::MAX))? as i16);
    "posthaste.topics.max": Long topics_max, "Topics of the broker.",
        |key| key.bytes(1, limits::TOPICS_MAX as i64);
    "posthaste.partitions.max": Long partitions_max, "Partitions of the broker.",
        |key| key.bytes(1, limits::PARTITIONS_MAX as i64);
}

topic_default_keys! {
    "compression.gzip.level": Int "compression.gzip.level";
    "compression.lz4.level": Int "compression.lz4.level";
    "compression.type": String "compression.type";
    "compression.zstd.level": Int "compression.zstd.level";
    "log.flush.interval.messages": Long "flush.messages";
    "log.flush.interval.ms": Long "flush.ms";
    "log.index.interval.bytes": Int "index.interval.bytes";
    "log.index.size.max.bytes": Int "segment.index.bytes";
    "log.local.retention.bytes": Long "local.retention.bytes";
    "log.local.retention.ms": Long "local.retention.ms";
    "log.preallocate": Boolean "preallocate";
    "log.roll.jitter.ms": Long "segment.jitter.ms";
    "log.roll.ms": Long "segment.ms";
    "log.segment.bytes": Int "segment.bytes";
    "log.segment.delete.delay.ms": Long "file.delete.delay.ms";
    "unclean.leader.election.enable": Boolean "unclean.leader.election.enable";
}

/// Addresses, which are shown in a form of their own.
pub(super) const ADDRESS_KEYS: &[BrokerKey] = &[
    BrokerKey {
        name: "listeners",
        kind: ConfigType::String,
        documentation: "Where clients connect: PROTOCOL://HOST:PORT with commas between; PLAINTEXT alone.",
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
        kind: ConfigType::String,
        documentation: "What clients are told to connect to; without it the address that they came to.",
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
        kind: ConfigType::String,
        documentation: "Where metrics and health are shown.",
        effect: Effect::Acts(
            |settings, key| {
                settings.admin_listener = Some(Endpoint::parse(&key.value)?);
                Ok(())
            },
            |settings| settings.admin_listener.as_ref().map_or_else(|| "none".into(), ToString::to_string),
        ),
    },
];

fn join(endpoints: &[Endpoint]) -> String {
    endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
