//! `Settings`: the resolved configuration of a broker, from defaults, a TOML file with Kafka's own names, and the command line, in that order.

mod acting_keys;
mod address;
mod dynamic_keys;
mod error;
mod file;
mod inert_checks;
mod inert_keys;
mod keys;
mod listener_mode;

use std::path::PathBuf;
use std::sync::Arc;

pub use self::address::{AddressLimits, Endpoint, HostPort, check_advertised, check_protocols};
pub use self::error::ConfigError;
pub use self::file::{read_file, read_pair};
pub use self::keys::{BrokerKey, Effect, KeyValue, Shards, UnlessUnset, broker_key, broker_keys};
pub use self::listener_mode::ListenerMode;
use crate::config_edits::StoredConfigs;
use crate::limits;

/// Everything that a broker is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Data directory.
    pub data: PathBuf,
    /// Where to write `{"bootstrap":...,"pid":...}` when listening.
    pub ready_file: Option<PathBuf>,
    /// Stop gracefully when standard input ends: an embedding program that dies takes the broker along.
    pub stop_on_stdin_eof: bool,
    /// `listeners`.
    pub listeners: Vec<Endpoint>,
    /// `posthaste.admin.listener`: where metrics and health are shown, if anywhere.
    pub admin_listener: Option<Endpoint>,
    /// `advertised.listeners`; a listener without one advertises the address that the client connected to.
    pub advertised_listeners: Vec<Endpoint>,
    /// `posthaste.listeners`: one node for all shards, or one a shard.
    pub listener_mode: ListenerMode,
    /// `node.id`; with a node a shard the first one's.
    pub node_id: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `message.max.bytes`.
    pub message_max_bytes: i64,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_session_slots: usize,
    /// `socket.request.max.bytes`.
    pub request_max_bytes: usize,
    /// `connections.max.idle.ms`.
    pub connections_max_idle_ms: u64,
    /// `max.connections`.
    pub max_connections: usize,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: usize,
    /// `max.connections.per.ip.overrides`.
    pub max_connections_per_ip_overrides: AddressLimits,
    /// `max.connection.creation.rate`.
    pub max_connection_creation_rate: usize,
    /// `memory.max.bytes`: of the whole process.
    pub memory_max_bytes: UnlessUnset,
    /// `log.retention.bytes`.
    pub log_retention_bytes: i64,
    /// `log.retention.ms`, which goes before the next two.
    pub log_retention_ms: UnlessUnset,
    /// `log.retention.minutes`, which goes before hours.
    pub log_retention_minutes: UnlessUnset,
    /// `log.retention.hours`.
    pub log_retention_hours: i64,
    /// `log.retention.check.interval.ms`.
    pub log_retention_check_interval_ms: u64,
    /// `log.cleanup.policy`.
    pub log_cleanup_policy: String,
    /// `log.message.timestamp.type`.
    pub log_message_timestamp_type: String,
    /// `log.message.timestamp.before.max.ms`.
    pub log_message_timestamp_before_max_ms: i64,
    /// `log.message.timestamp.after.max.ms`.
    pub log_message_timestamp_after_max_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i64,
    /// `posthaste.replication.factor.max`: topics that ask for so many replicas are made, with the one that there is.
    pub replication_factor_max: i16,
    /// `log.cleaner.min.cleanable.ratio`.
    pub log_cleaner_min_cleanable_ratio: f64,
    /// `log.cleaner.delete.retention.ms`.
    pub log_cleaner_delete_retention_ms: i64,
    /// `log.cleaner.min.compaction.lag.ms`.
    pub log_cleaner_min_compaction_lag_ms: i64,
    /// `log.cleaner.max.compaction.lag.ms`.
    pub log_cleaner_max_compaction_lag_ms: i64,
    /// `offsets.retention.minutes`.
    pub offsets_retention_minutes: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout_ms: i64,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout_ms: i64,
    /// `group.max.size`.
    pub group_max_size: usize,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: usize,
    /// `transaction.max.timeout.ms`.
    pub transaction_max_timeout_ms: i32,
    /// `transaction.partition.verification.enable`.
    pub transaction_partition_verification: bool,
    /// `transactional.id.expiration.ms`.
    pub transactional_id_expiration_ms: i64,
    /// `posthaste.shards`: of a new data directory.
    pub shards: Shards,
    /// `posthaste.segment.bytes`: of a new data directory.
    pub segment_bytes: u64,
    /// `posthaste.tail.bytes`: memory for recent records, of the whole process.
    pub tail_bytes: usize,
    /// `posthaste.pin`: each shard on its own core.
    pub pin: bool,
    /// `posthaste.frame.deadline.ms`: from the first byte of a request to its last.
    pub frame_deadline_ms: u64,
    /// `posthaste.write.stall.deadline.ms`: how long a client may take for a quarter megabyte of its answers.
    pub write_stall_deadline_ms: u64,
    /// `posthaste.snapshot.check.interval.ms`: how often the logs of the catalog and the groups are kept short.
    pub snapshot_check_interval_ms: u64,
    /// `posthaste.topics.max`.
    pub topics_max: usize,
    /// `posthaste.partitions.max`.
    pub partitions_max: usize,
    /// Every key that was set, by name, as it was written last.
    pub given: StoredConfigs,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            data: PathBuf::new(),
            ready_file: None,
            stop_on_stdin_eof: false,
            listeners: Vec::new(),
            admin_listener: None,
            advertised_listeners: Vec::new(),
            listener_mode: ListenerMode::Shared,
            node_id: 1,
            auto_create_topics: true,
            delete_topics: true,
            num_partitions: 1,
            message_max_bytes: (1 << 20) + 12,
            fetch_max_bytes: 55 << 20,
            fetch_session_slots: 1_000,
            request_max_bytes: limits::REQUEST_BYTES_MAX,
            connections_max_idle_ms: 600_000,
            max_connections: limits::CONNECTIONS_MAX_DEFAULT,
            max_connections_per_ip: i32::MAX as usize,
            max_connections_per_ip_overrides: AddressLimits::default(),
            max_connection_creation_rate: i32::MAX as usize,
            memory_max_bytes: UnlessUnset(None),
            log_retention_bytes: -1,
            log_retention_ms: UnlessUnset(None),
            log_retention_minutes: UnlessUnset(None),
            log_retention_hours: 168,
            log_retention_check_interval_ms: 300_000,
            log_cleanup_policy: "delete".to_owned(),
            log_message_timestamp_type: "CreateTime".to_owned(),
            log_message_timestamp_before_max_ms: i64::MAX,
            log_message_timestamp_after_max_ms: 60 * 60 * 1000,
            min_insync_replicas: 1,
            replication_factor_max: 1,
            log_cleaner_min_cleanable_ratio: 0.5,
            log_cleaner_delete_retention_ms: 24 * 60 * 60 * 1000,
            log_cleaner_min_compaction_lag_ms: 0,
            log_cleaner_max_compaction_lag_ms: i64::MAX,
            offsets_retention_minutes: 10_080,
            offsets_retention_check_interval_ms: 600_000,
            group_initial_rebalance_delay_ms: 3000,
            group_min_session_timeout_ms: 6000,
            group_max_session_timeout_ms: 1_800_000,
            group_max_size: i32::MAX as usize,
            offset_metadata_max_bytes: 4096,
            transaction_max_timeout_ms: 900_000,
            transaction_partition_verification: true,
            transactional_id_expiration_ms: 604_800_000,
            shards: Shards(None),
            segment_bytes: engine::limits::SEGMENT_BYTES_DEFAULT,
            tail_bytes: engine::limits::TAIL_BYTES_DEFAULT,
            pin: true,
            frame_deadline_ms: limits::FRAME_DEADLINE_MS,
            write_stall_deadline_ms: limits::WRITE_STALL_DEADLINE_MS,
            snapshot_check_interval_ms: limits::SNAPSHOT_CHECK_INTERVAL_MS,
            topics_max: limits::TOPICS_MAX,
            partitions_max: limits::PARTITIONS_MAX,
            given: StoredConfigs::new(),
        }
    }
}

impl Settings {
    /// How long a topic keeps records when nothing is set for it, ms; -1 = for ever.
    pub fn retention_ms(&self) -> i64 {
        let minutes = self.log_retention_minutes.0.unwrap_or(self.log_retention_hours.saturating_mul(60));
        let of_minutes = if minutes < 0 { -1 } else { minutes.saturating_mul(60_000) };
        self.log_retention_ms.0.unwrap_or(of_minutes)
    }

    /// These settings overlaid by dynamic ones.
    pub fn with_dynamic(&self, configs: &StoredConfigs) -> Result<Settings, ConfigError> {
        let mut settings = self.clone();
        for (name, value) in configs {
            settings.apply(&[KeyValue { name: name.clone(), value: value.clone() }])?;
        }
        Ok(settings)
    }

    /// As [`Settings::with_dynamic`], for values that were checked when they came in: one that is refused now is said and left out.
    pub fn overlaid(self: &Arc<Settings>, configs: &StoredConfigs) -> Arc<Settings> {
        if configs.is_empty() {
            return Arc::clone(self);
        }
        let mut settings = Settings::clone(self);
        for (name, value) in configs {
            if let Err(error) = settings.apply(&[KeyValue { name: name.clone(), value: value.clone() }]) {
                tracing::warn!(%error, "a stored dynamic configuration is not used");
            }
        }
        Arc::new(settings)
    }

    /// Applies keys in order, the later ones over the earlier ones.
    pub fn apply(&mut self, keys: &[KeyValue]) -> Result<(), ConfigError> {
        keys.iter().try_for_each(|key| keys::apply(self, key))
    }

    /// Checks what no single key can: called once, when all keys are in.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.listeners.is_empty() {
            return Err(ConfigError::Contradiction(
                "no address to listen on: give --listen HOST:PORT or listeners in the file",
            ));
        }
        if self.group_min_session_timeout_ms > self.group_max_session_timeout_ms {
            return Err(ConfigError::Contradiction(
                "group.min.session.timeout.ms is above group.max.session.timeout.ms",
            ));
        }
        check_protocols(&self.listeners, self.given.get("listener.security.protocol.map"))?;
        check_advertised(&self.listeners, &self.advertised_listeners)
    }

    /// Every acting key with its resolved value, for the start block.
    pub fn resolved(&self) -> impl Iterator<Item = (&'static str, String)> {
        broker_keys().filter(|key| key.acts()).map(|key| (key.name, key.value(self).unwrap_or_default()))
    }

    /// Kafka's keys that do nothing here and were set to something else than their default.
    pub fn not_acting(&self) -> impl Iterator<Item = &str> {
        let default = Settings::default();
        let is_idle = move |(name, value): &(&String, &String)| {
            broker_key(name).is_some_and(|key| !key.acts() && key.value(&default).as_ref() != Some(*value))
        };
        self.given.iter().filter(is_idle).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn from_toml(text: &str) -> Result<Settings, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut settings = Settings::default();
        settings.apply(&read_file(file.path())?)?;
        settings.check()?;
        Ok(settings)
    }

    #[test]
    fn kafkas_names_act_quoted_dotted_and_as_tables() {
        let settings = from_toml(
            "listeners = [\"PLAINTEXT://127.0.0.1:9092\", \"[::1]:9092\"]\n\
             \"num.partitions\" = 4\nmessage.max.bytes = 5000\n[group.initial.rebalance.delay]\nms = 0\n",
        )
        .unwrap();
        assert_eq!(settings.listeners.len(), 2);
        assert_eq!((settings.num_partitions, settings.message_max_bytes), (4, 5000));
        assert_eq!(settings.group_initial_rebalance_delay_ms, 0);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_name() {
        let error = from_toml("listeners = \":1\"\nnum.partition = 4").unwrap_err();
        assert_eq!(error.to_string(), "unknown setting num.partition; did you mean num.partitions?");
    }

    #[test]
    fn keys_without_effect_are_named_and_dangerous_ones_refused() {
        let settings = from_toml("listeners = \":1\"\nnum.io.threads = 8\nqueued.max.requests = 8").unwrap();
        assert_eq!(settings.not_acting().collect::<Vec<_>>(), ["queued.max.requests"], "the other has its default");
        assert!(
            from_toml("listeners = \":1\"\nnum.io.threads = \"many\"").is_err(),
            "its type is checked all the same"
        );
        assert!(from_toml("listeners = \":1\"\n\"log.dirs\" = \"/x\"").is_err());
        assert!(from_toml("listeners = \":1\"\nauthorizer.class.name = \"x\"").is_err());
    }

    #[test]
    fn values_outside_their_bounds_are_refused() {
        for wrong in [
            "num.partitions = 0",
            "message.max.bytes = -1",
            "auto.create.topics.enable = \"maybe\"",
            "node.id = \"one\"",
        ] {
            assert!(from_toml(&format!("listeners = \":1\"\n{wrong}")).is_err(), "{wrong}");
        }
        assert!(from_toml("num.partitions = 1").is_err(), "no listener");
    }

    /// One value that a release no longer takes turned off all dynamic configuration.
    #[test]
    fn a_stored_value_that_is_refused_now_leaves_the_others_in_force() {
        let stored = [("message.max.bytes", "-1"), ("no.such.key", "1"), ("num.partitions", "3")];
        let stored = stored.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Arc::new(Settings::default()).overlaid(&stored.into());
        assert_eq!((settings.num_partitions, settings.message_max_bytes), (3, (1 << 20) + 12));
    }

    #[test]
    fn every_key_is_in_the_table_once() {
        let mut names: Vec<&str> = broker_keys().map(|key| key.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_listener_that_is_mapped_to_another_protocol_is_refused() {
        let with =
            |map: &str| from_toml(&format!("listeners = \"OUTSIDE://:1\"\nlistener.security.protocol.map = \"{map}\""));
        assert!(with("OUTSIDE:PLAINTEXT,SSL:SSL").is_ok());
        assert!(with("OUTSIDE:SASL_SSL").is_err());
    }
}
