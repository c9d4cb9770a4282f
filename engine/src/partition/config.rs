//! What the engine needs to know of a topic's configuration.

use crate::limits::BATCH_BYTES_MAX;

/// Settings of one log. They are not in the journal: the catalog keeps them and sets them at every start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `retention.bytes`; -1 = no limit. Applied in whole segments.
    pub retention_bytes: i64,
    /// `retention.ms`: batches whose newest record is older go, in whole segments; -1 = no limit.
    pub retention_ms: i64,
    /// `cleanup.policy` contains `delete`: retention applies.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`: only the newest record of a key is kept.
    pub compact: bool,
    /// `delete.retention.ms`: how long a compacted log keeps a tombstone after it was first cleaned.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: younger records are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a log with an older uncleaned record is compacted whatever its dirty ratio.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio` in thousandths.
    pub min_dirty_permille: u32,
    /// `max.message.bytes`.
    pub message_bytes_max: usize,
    /// `message.timestamp.type` = `LogAppendTime`.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `posthaste.durability=written`: acks=all answers, and readers see, at the write instead of the flush.
    pub written_is_enough: bool,
    /// The log holds the broker's own state: on a full disk it may use what is kept in reserve.
    pub uses_reserve: bool,
}

impl Default for LogConfig {
    /// No limits but the engine's own.
    fn default() -> LogConfig {
        LogConfig {
            retention_bytes: -1,
            retention_ms: -1,
            delete: true,
            compact: false,
            delete_retention_ms: 24 * 60 * 60 * 1000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_dirty_permille: 500,
            message_bytes_max: BATCH_BYTES_MAX,
            log_append_time: false,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            written_is_enough: false,
            uses_reserve: false,
        }
    }
}
