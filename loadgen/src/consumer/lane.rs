//! One partition that a consumer reads.

use std::sync::Arc;

use protocol::compression::decompress;
use protocol::record_batch::{BatchHeader, HEADER_BYTES, records};

use super::delivery::Delivery;
use super::{BODY_BYTES_MAX, ConsumerSettings};
use crate::group::{PartitionBook, ReadRecords};
use crate::integrity::PartitionSeen;
use crate::keys::ExpectedKeys;
use crate::payload::Stamp;
use crate::workload::Verify;

/// One partition.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) next_offset: i64,
    pub(super) served: bool,
    pub(super) book: Arc<PartitionBook>,
    keys: ExpectedKeys,
    verify: Verify,
}

impl Lane {
    /// A partition that nobody has read yet.
    pub(super) fn new(partition: u32, settings: &ConsumerSettings) -> Self {
        let book = settings.new_book(partition);
        Self::of(partition, book.start_offset(), book, settings)
    }

    /// A partition that others may have read before, from `next_offset` on.
    pub(super) fn of(partition: u32, next_offset: i64, book: Arc<PartitionBook>, settings: &ConsumerSettings) -> Self {
        let partitions = settings.topic.leaders.len() as u32;
        let keys = ExpectedKeys { rule: settings.keys, partition, partitions };
        Self { next_offset, served: false, book, keys, verify: settings.verify }
    }

    /// Checks the records of one batch from `from_offset` on; the bytes of their values.
    pub(super) fn check(
        &self,
        header: &BatchHeader,
        batch: &[u8],
        from_offset: i64,
        read: &mut ReadRecords,
        delivery: &mut Delivery<'_>,
    ) {
        if header.is_control() {
            return;
        }
        let body = header.compression().map(|codec| decompress(codec, &batch[HEADER_BYTES..], BODY_BYTES_MAX));
        let Ok(Ok(body)) = body else {
            read.seen.note_unreadable();
            return;
        };
        delivery.begin_batch(batch.len());
        for record in records(header, &body) {
            let Ok(record) = record else {
                read.seen.note_unreadable();
                break;
            };
            let offset = header.offset(record.offset_delta);
            // A batch is returned whole even when it starts below the offset that was asked for.
            if offset < from_offset {
                continue;
            }
            if !self.keys.matches(record.key) {
                read.seen.note_unreadable();
                continue;
            }
            let value = record.value.unwrap_or_default();
            if offset < read.read_to && self.is_known(&read.seen, value) {
                // Its group had it before a rebalance: in no figure but this one.
                read.redelivered += 1;
                continue;
            }
            let stamp = if self.verify == Verify::Full { read.seen.note(value) } else { Stamp::read(value) };
            if let Some(stamp) = stamp {
                delivery.note(stamp.intended_ns, record.key.map_or(0, <[u8]>::len) + value.len());
            }
        }
        delivery.end_batch();
    }

    fn is_known(&self, seen: &PartitionSeen, value: &[u8]) -> bool {
        self.verify == Verify::Off || seen.knows(value)
    }
}
