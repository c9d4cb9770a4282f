//! What the engine needs to know of a topic's configuration.

use crate::limits::BATCH_BYTES_MAX;

/// Settings of one log. They are not in the journal: the catalog keeps them and sets them at every start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `retention.bytes`; -1 = no limit. Applied in whole segments.
    pub retention_bytes: i64,
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
}

impl Default for LogConfig {
    /// No limits but the engine's own.
    fn default() -> LogConfig {
        LogConfig {
            retention_bytes: -1,
            message_bytes_max: BATCH_BYTES_MAX,
            log_append_time: false,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            written_is_enough: false,
        }
    }
}
