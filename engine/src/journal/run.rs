//! What an index knows of a stretch of batches: which offsets, and where.

use super::commit::Entry;
use crate::offset::Offset;

/// Neighbouring batches of one log within one commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// First offset.
    pub base_offset: Offset,
    /// Last offset minus first.
    pub last_offset_delta: u32,
    /// Place of the first byte in the segment.
    pub place: u32,
    /// Bytes.
    pub length: u32,
    /// Leader epoch of all its batches.
    pub leader_epoch: i32,
    /// Newest record, ms.
    pub max_timestamp: i64,
    /// Sum of its batches' CRCs, wrapping: what lies at its place and is a valid batch with these offsets may yet be another log's.
    pub crc_sum: u32,
}

impl Run {
    /// The run of one batch, given its entry and the place of its commit in the segment.
    pub fn of_batch(entry: &Entry, commit_place: u32) -> Run {
        Run {
            base_offset: entry.base_offset,
            last_offset_delta: entry.last_offset_delta,
            place: commit_place + entry.place,
            length: entry.length,
            leader_epoch: entry.leader_epoch,
            max_timestamp: entry.max_timestamp,
            crc_sum: entry.crc,
        }
    }

    /// The last offset.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }
}
