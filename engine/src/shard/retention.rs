//! Retention: old records go by time or by size, in units of what one journal segment holds of a log.
//!
//! Kafka deletes whole segments of a partition. Here segments are shared, and the unit is a span: a log's part of one segment. By size
//! the part in the segment that is written to stays, as Kafka's active segment does; by time it goes too once its newest record is too old.

use super::state::{Refusal, Shard};
use crate::io::Io;
use crate::offset::LogId;
use crate::partition::config::LogConfig;

impl<I: Io> Shard<I> {
    /// Looks at every log that has a limit of time or size, at the next turns. The owner of the shard calls it at intervals.
    pub fn check_retention(&mut self) {
        if self.owed_retention.is_empty() {
            let limited = self.partitions.iter().filter(|(_, partition)| is_limited(&partition.config));
            self.owed_retention.extend(limited.map(|(&log, _)| log));
        }
    }

    /// Does what is owed to retention, as far as there is room for it.
    pub(super) fn settle_retention(&mut self) {
        while let Some(&log) = self.owed_retention.front() {
            if self.enforce_retention(log).is_err() {
                // Without room it is tried again at the next turn.
                return;
            }
            self.owed_retention.pop_front();
        }
    }

    fn enforce_retention(&mut self, log: LogId) -> Result<(), Refusal> {
        let now_ms = self.operations.io.wall_clock_ms();
        let Some(partition) = self.partitions.get(&log).filter(|partition| is_limited(&partition.config)) else {
            return Ok(());
        };
        let LogConfig { retention_bytes, retention_ms, .. } = partition.config;
        let mut excess = match retention_bytes {
            ..0 => 0,
            limit => partition.state.bytes().saturating_sub(limit as u64),
        };
        let mut start = None;
        for span in &partition.state.spans {
            // Without timestamps (-1) nothing tells their age: only size limits them.
            let is_old = retention_ms >= 0
                && span.max_timestamp >= 0
                && span.max_timestamp < now_ms.saturating_sub(retention_ms);
            let is_excess = span.bytes <= excess && Some(span.segment) != self.journal.active_segment();
            if !(is_old || is_excess) || span.last_offset >= partition.high_watermark() {
                break;
            }
            excess = excess.saturating_sub(span.bytes);
            start = Some(span.last_offset.plus(1));
        }
        start.map_or(Ok(()), |start| self.raise_log_start(log, start).map(|_| ()))
    }
}

fn is_limited(config: &LogConfig) -> bool {
    config.delete && (config.retention_bytes >= 0 || config.retention_ms >= 0)
}
