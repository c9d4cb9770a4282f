//! What is appended to the logs of a shard: checked, placed, put into the journal and the log.

use super::state::{Appended, Receipt, Refusal, Shard};
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::error::AppendError;
use crate::io::Io;
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::disk_space::RoomFor;
use crate::journal::writer::plain_entry;
use crate::limits::BATCH_BYTES_MAX;
use crate::offset::{LogId, Offset};
use crate::partition::Partition;
use crate::partition::marker::{MARKER_BYTES, TransactionMarker};
use crate::partition::producers::Sequence;

impl<I: Io> Shard<I> {
    /// Appends a produced batch; offsets are given in call order. A duplicate gets the receipt of its original.
    pub fn append(&mut self, log: LogId, batch: &[u8]) -> Result<Receipt, Refusal> {
        self.append_late(log, batch, None)
    }

    /// [`Shard::append`] of a batch that may have waited for room since the log ended at `since`: markers do not wait behind it.
    pub fn append_late(&mut self, log: LogId, batch: &[u8], since: Option<Offset>) -> Result<Receipt, Refusal> {
        let bytes_max = self.journal.payload_bytes_max().min(BATCH_BYTES_MAX);
        if batch.len() > bytes_max && self.partitions.contains_key(&log) {
            return Err(Refusal::Error(AppendError::TooLarge { bytes: batch.len(), limit: bytes_max }));
        }
        self.make_room(log, batch.len())?;
        let now_ms = self.operations.io.wall_clock_ms();
        let partition = self.partition_to_append(log)?;
        let mut header = partition.check(batch, bytes_max, now_ms).map_err(Refusal::Error)?;
        if header.producer_id() >= 0
            && let Sequence::Duplicate(original) = partition.state.producers.check(&header).map_err(Refusal::Error)?
        {
            let appended = Appended {
                base_offset: original.base_offset,
                log_append_time_ms: if header.has_log_append_time() { original.timestamp } else { -1 },
                log_start: partition.state.start,
            };
            let written_is_enough = partition.config.written_is_enough;
            return Ok(Receipt { appended, commit: original.commit, written_is_enough });
        }
        if let Some(since) = since {
            partition.state.producers.check_late(&header, since).map_err(Refusal::Error)?;
        }
        header.place_at(partition.state.next.0, partition.state.epochs.latest());
        if header.is_transactional() {
            self.check_room_for_transaction(log, header.producer_id())?;
        }
        Ok(self.store(log, &header, &batch[BATCH_HEADER_BYTES..], now_ms))
    }

    /// Appends the control batch that ends a producer's transaction in a log. It is written also where nothing is open: from then on the
    /// producer's older epochs are fenced there. Its flush is waited for in every log: the coordinator forgets a transaction whose markers are
    /// answered, and nobody would end one whose marker a power cut took.
    pub fn append_marker(&mut self, log: LogId, marker: &TransactionMarker) -> Result<Receipt, Refusal> {
        if marker.producer_id < 0 || marker.producer_epoch < 0 || marker.coordinator_epoch < 0 {
            let reason = "a marker without a producer id, its epoch or its coordinator's";
            return Err(Refusal::Error(AppendError::Invalid(reason)));
        }
        self.make_room(log, MARKER_BYTES)?;
        let now_ms = self.operations.io.wall_clock_ms();
        let partition = self.partition_to_append(log)?;
        partition.state.producers.check_marker(marker).map_err(Refusal::Error)?;
        let batch = marker.batch(now_ms);
        let mut header = BatchHeader::parse(&batch).expect("a marker is a whole batch");
        if partition.config.log_append_time {
            header.stamp(now_ms, &batch[BATCH_HEADER_BYTES..]);
        }
        header.place_at(partition.state.next.0, partition.state.epochs.latest());
        let receipt = self.store(log, &header, &batch[BATCH_HEADER_BYTES..], now_ms);
        Ok(Receipt { written_is_enough: false, ..receipt })
    }

    fn make_room(&mut self, log: LogId, bytes: usize) -> Result<(), Refusal> {
        let Some(partition) = self.partitions.get(&log) else {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        };
        let wanted = if partition.config.uses_reserve { RoomFor::State } else { RoomFor::Records };
        self.write_owed_epochs()?;
        self.room(wanted, bytes)
    }

    fn partition_to_append(&mut self, log: LogId) -> Result<&mut Partition, Refusal> {
        let Some(partition) = self.partitions.get_mut(&log) else {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        };
        if partition.state.is_quarantined() {
            return Err(Refusal::Error(AppendError::Quarantined(partition.state.damaged_below)));
        }
        Ok(partition)
    }

    /// Puts a checked and placed batch into the journal and the log.
    fn store(&mut self, log: LogId, header: &BatchHeader, body: &[u8], now_ms: i64) -> Receipt {
        let base_offset = Offset(header.base_offset());
        let entry = Entry {
            base_offset,
            last_offset_delta: header.last_offset_delta() as u32,
            count: header.record_count() as u32,
            leader_epoch: header.leader_epoch(),
            max_timestamp: header.max_timestamp(),
            crc: header.crc(),
            ..plain_entry(EntryKind::Batch, log)
        };
        let (entry, commit, segment) = self.journal.push(&mut self.operations, entry, &[header.bytes(), body]);
        let partition = self.partitions.get_mut(&log).expect("a batch is stored in a log that was looked up");
        let is_first_in_segment = partition.state.spans.back().is_none_or(|span| span.segment != segment);
        let applied = partition.state.apply_batch(&entry, header, body, commit, segment, now_ms);
        applied.expect("the base offset is the log's end");
        partition.appended();
        if partition.config.written_is_enough {
            self.journal.await_written(commit);
        }
        self.appended.batches += 1;
        self.appended.records += u64::from(entry.count);
        self.appended.bytes += u64::from(entry.length);
        if is_first_in_segment {
            self.journal.segments.hold(segment);
        }
        let log_append_time_ms = if header.has_log_append_time() { header.max_timestamp() } else { -1 };
        Receipt {
            appended: Appended { base_offset, log_append_time_ms, log_start: partition.state.start },
            commit,
            written_is_enough: partition.config.written_is_enough,
        }
    }
}
