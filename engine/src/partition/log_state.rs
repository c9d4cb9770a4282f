//! The state of a log that the journal can rebuild. The live path and replay share one [`LogState::apply`].

use std::collections::VecDeque;

use thiserror::Error;

use super::epochs::EpochTable;
use super::marker::{MarkerKind, TransactionMarker};
use super::payload::Fields;
use super::producers::ProducerTable;
use super::producers_payload::decode_producers;
use super::transactions::TransactionTable;
use super::transactions_payload::decode_transactions;
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::index::Summary;
use crate::limits::EPOCHS_PER_LOG_MAX;
use crate::offset::{CommitSequence, Offset, SegmentSequence};

/// What one journal segment holds of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSpan {
    /// The segment.
    pub segment: SegmentSequence,
    /// First offset in it.
    pub first_offset: Offset,
    /// Last offset in it.
    pub last_offset: Offset,
    /// Bytes of batches.
    pub bytes: u64,
    /// Largest timestamp, ms.
    pub max_timestamp: i64,
}

/// What a segment's index says of a log.
pub fn span_of(segment: SegmentSequence, summary: &Summary) -> LogSpan {
    LogSpan {
        segment,
        first_offset: summary.first_offset,
        last_offset: summary.last_offset,
        bytes: summary.bytes,
        max_timestamp: summary.max_timestamp,
    }
}

/// An entry that does not fit the state: the journal is not what this engine writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// A batch lies below the log's end.
    #[error("batch at offset {batch} lies below the log end {next}")]
    BelowEnd {
        /// Base offset of the batch.
        batch: Offset,
        /// Next offset of the log.
        next: Offset,
    },
    /// A payload is no valid encoding of its kind.
    #[error("payload of a {0} entry is malformed")]
    Malformed(&'static str),
}

/// Everything about a log that survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Log start offset.
    pub start: Offset,
    /// Offset of the next record.
    pub next: Offset,
    /// Leader epochs.
    pub epochs: EpochTable,
    /// Idempotent producers.
    pub producers: ProducerTable,
    /// Their transactions.
    pub transactions: TransactionTable,
    /// A compacted log holds one record of a key at most below this offset, but for tombstones and their like.
    pub cleaned_upto: Offset,
    /// A batch below this offset was damaged when a start replayed it. 0 = none.
    pub damaged_below: Offset,
    /// Segments that hold its data, oldest first.
    pub spans: VecDeque<LogSpan>,
}

impl LogState {
    /// Bytes of memory of its spans, epochs and transactions.
    pub fn places_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<LogSpan>()
            + size_of_val(self.epochs.starts())
            + self.transactions.memory_bytes()
    }

    /// Applies one entry of the journal. `now_ms` is the wall clock (at a replay: of the start), for producer expiry only.
    pub fn apply(
        &mut self,
        entry: &Entry,
        payload: &[u8],
        commit: CommitSequence,
        segment: SegmentSequence,
        now_ms: i64,
    ) -> Result<(), ApplyError> {
        match entry.kind {
            EntryKind::Batch => {
                let header = BatchHeader::parse(payload).ok_or(ApplyError::Malformed("batch"))?;
                self.apply_batch(entry, &header, &payload[BATCH_HEADER_BYTES..], commit, segment, now_ms)?;
            }
            EntryKind::LogState => self.restore(entry.base_offset, payload)?,
            EntryKind::LogStart => self.raise_start(entry.base_offset),
            EntryKind::Epoch => self.epochs.begin(entry.leader_epoch, entry.base_offset),
            EntryKind::Producers => {
                let mut producers = decode_producers(payload).ok_or(ApplyError::Malformed("producers"))?;
                producers.keep_transactions_of(&self.producers);
                self.producers = producers;
            }
            EntryKind::Transactions => {
                let transactions = decode_transactions(payload, &mut self.producers);
                self.transactions = transactions.ok_or(ApplyError::Malformed("transactions"))?;
            }
            EntryKind::Cleaned => self.cleaned_upto = entry.base_offset,
            EntryKind::LogDelete
            | EntryKind::Watermark
            | EntryKind::Replacement
            | EntryKind::Segments
            | EntryKind::Covered => {}
        }
        Ok(())
    }

    /// [`LogState::apply`] for a batch whose header was parsed already; `body` is what follows it.
    pub fn apply_batch(
        &mut self,
        entry: &Entry,
        header: &BatchHeader,
        body: &[u8],
        commit: CommitSequence,
        segment: SegmentSequence,
        now_ms: i64,
    ) -> Result<(), ApplyError> {
        if entry.base_offset < self.next {
            return Err(ApplyError::BelowEnd { batch: entry.base_offset, next: self.next });
        }
        if header.is_control() {
            let marker = TransactionMarker::parse(header, body).ok_or(ApplyError::Malformed("control batch"))?;
            self.end_transaction(&marker, (entry.base_offset, header.max_timestamp()), now_ms);
        } else if self.producers.note(header, entry.base_offset, commit, now_ms) {
            self.transactions.opened(entry.base_offset, header.producer_id());
        }
        self.extend(entry, segment);
        Ok(())
    }

    fn end_transaction(&mut self, marker: &TransactionMarker, placed: (Offset, i64), now_ms: i64) {
        if let Some(ended) = self.producers.note_marker(marker, placed, now_ms) {
            let is_aborted = marker.kind == MarkerKind::Abort;
            self.transactions.ended(ended.first_offset, placed.0, is_aborted);
        }
    }

    /// [`LogState::apply`] for a batch that is not what was written: its entry says what it covered, its producer is unknown, and the log
    /// is quarantined.
    pub fn apply_damaged_batch(&mut self, entry: &Entry, segment: SegmentSequence) -> Result<(), ApplyError> {
        if entry.base_offset < self.next {
            return Err(ApplyError::BelowEnd { batch: entry.base_offset, next: self.next });
        }
        self.extend(entry, segment);
        self.damaged_below = self.next;
        Ok(())
    }

    /// Records that it holds are damaged. It takes no more until they are deleted: what their producers sent is not known, so a retry could be
    /// stored twice.
    pub fn is_quarantined(&self) -> bool {
        self.start < self.damaged_below
    }

    fn extend(&mut self, entry: &Entry, segment: SegmentSequence) {
        let last_offset = entry.last_offset();
        self.next = last_offset.plus(1);
        self.epochs.begin(entry.leader_epoch, entry.base_offset);
        self.add_span(LogSpan {
            segment,
            first_offset: entry.base_offset,
            last_offset,
            bytes: u64::from(entry.length),
            max_timestamp: entry.max_timestamp,
        });
    }

    /// Adds data of a segment behind what is known; the same segment's grow together.
    pub fn add_span(&mut self, span: LogSpan) {
        match self.spans.back_mut() {
            Some(back) if back.segment == span.segment => {
                back.last_offset = span.last_offset;
                back.bytes += span.bytes;
                back.max_timestamp = back.max_timestamp.max(span.max_timestamp);
            }
            _ => self.spans.push_back(span),
        }
    }

    /// Raises the log start offset; it never falls and never passes the end. A transaction without a record left holds nothing back, open or
    /// aborted: a marker that was damaged may never come.
    pub fn raise_start(&mut self, start: Offset) {
        self.start = self.start.max(start.min(self.next));
        self.transactions.forget_aborted_below(self.start);
        for (first_offset, id) in self.transactions.opened_below(self.start) {
            if let Some(producer) = self.producers.get_mut(id)
                && producer.transaction.is_some_and(|open| open.last_offset < self.start)
            {
                producer.transaction = None;
                self.transactions.forget_open(first_offset);
            }
        }
    }

    /// Takes the spans that lie wholly below the log start.
    pub fn take_dead_spans(&mut self) -> Vec<LogSpan> {
        let dead = self.spans.iter().take_while(|span| span.last_offset < self.start).count();
        self.spans.drain(..dead).collect()
    }

    /// Bytes of batches that the log holds.
    pub fn bytes(&self) -> u64 {
        self.spans.iter().map(|span| span.bytes).sum()
    }

    /// Payload of a log state entry (FORMAT.md).
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.next.0.to_le_bytes());
        into.extend_from_slice(&(self.epochs.starts().len() as u32).to_le_bytes());
        for &(epoch, start) in self.epochs.starts() {
            into.extend_from_slice(&epoch.to_le_bytes());
            into.extend_from_slice(&start.0.to_le_bytes());
        }
        into.extend_from_slice(&self.cleaned_upto.0.to_le_bytes());
        into.extend_from_slice(&self.damaged_below.0.to_le_bytes());
    }

    fn restore(&mut self, start: Offset, payload: &[u8]) -> Result<(), ApplyError> {
        let malformed = ApplyError::Malformed("log state");
        let mut fields = Fields(payload);
        let next = Offset(fields.i64().ok_or(malformed)?);
        let count = fields.u32().ok_or(malformed)? as usize;
        if count > EPOCHS_PER_LOG_MAX || next < start {
            return Err(malformed);
        }
        let starts = (0..count)
            .map(|_| Some((fields.i32()?, Offset(fields.i64()?))))
            .collect::<Option<Vec<_>>>()
            .ok_or(malformed)?;
        // Version 1 ends here.
        let is_first_version = fields.0.is_empty();
        let mut later = || if is_first_version { Ok(0) } else { fields.i64().ok_or(malformed) };
        let (cleaned_upto, damaged_below) = (later()?, later()?);
        if !fields.0.is_empty() {
            return Err(malformed);
        }
        (self.cleaned_upto, self.damaged_below) = (Offset(cleaned_upto), Offset(damaged_below));
        self.epochs = EpochTable::from_starts(starts).ok_or(malformed)?;
        (self.start, self.next) = (start, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::{batch, transactional};
    use crate::offset::LogId;
    use crate::partition::producers_payload::encode_producers;
    use crate::partition::transactions_payload::encode_transactions;

    fn batch_entry(base: i64, records: u32) -> Entry {
        Entry {
            kind: EntryKind::Batch,
            log: LogId(1),
            base_offset: Offset(base),
            last_offset_delta: records - 1,
            count: records,
            leader_epoch: 0,
            max_timestamp: 5,
            place: 96,
            length: 100,
            crc: 0,
        }
    }

    #[test]
    fn a_checkpoint_restores_what_batches_built() {
        let mut state = LogState::default();
        for (index, base) in [0, 3, 6].into_iter().enumerate() {
            let bytes = batch(3, 4, (7, 1, base as i32), 5);
            state
                .apply(&batch_entry(base, 3), &bytes, CommitSequence(index as u64 + 1), SegmentSequence(1), 9)
                .expect("fits");
        }
        state.epochs.begin(2, Offset(9));
        state.raise_start(Offset(3));
        let (mut log_state, mut producers) = (Vec::new(), Vec::new());
        state.encode(&mut log_state);
        encode_producers(&state.producers, &mut producers);

        let mut restored = LogState::default();
        let entry = |kind| Entry { kind, base_offset: Offset(3), ..batch_entry(0, 1) };
        restored
            .apply(&entry(EntryKind::LogState), &log_state, CommitSequence(4), SegmentSequence(2), 9)
            .expect("whole");
        restored
            .apply(&entry(EntryKind::Producers), &producers, CommitSequence(4), SegmentSequence(2), 9)
            .expect("whole");
        assert_eq!((restored.start, restored.next, &restored.epochs), (state.start, state.next, &state.epochs));
        assert_eq!(restored.producers.len(), 1);
        let (_, producer) = restored.producers.iter().next().expect("one");
        assert_eq!(producer.batches.len(), 3);
        assert!(producer.batches.iter().all(|known| known.commit == CommitSequence(0)), "what was stored is durable");
    }

    #[test]
    fn truncated_and_oversized_payloads_are_refused() {
        let mut state = LogState::default();
        let mut payload = Vec::new();
        state.encode(&mut payload);
        let version_1 = payload.len() - 16;
        assert!(state.restore(Offset(0), &payload[..version_1]).is_ok());
        for length in (0..payload.len()).filter(|length| *length != version_1) {
            assert!(state.restore(Offset(0), &payload[..length]).is_err());
        }
        assert!(decode_producers(&u32::MAX.to_le_bytes()).is_none());
        assert!(decode_producers(&1_u32.to_le_bytes()).is_none());
    }

    #[test]
    fn a_batch_below_the_end_is_refused() {
        let mut state = LogState::default();
        let bytes = batch(3, 4, (-1, -1, -1), 5);
        state.apply(&batch_entry(0, 3), &bytes, CommitSequence(1), SegmentSequence(1), 0).expect("fits");
        assert!(matches!(
            state.apply(&batch_entry(2, 3), &bytes, CommitSequence(1), SegmentSequence(1), 0),
            Err(ApplyError::BelowEnd { .. })
        ));
    }

    #[test]
    fn a_checkpoint_that_ends_between_its_two_tables_leaves_the_transactions_as_they_were() {
        // Story: a crash while a checkpoint is written leaves the producers without the transactions behind them.
        let mut state = LogState::default();
        let apply = |state: &mut LogState, entry: &Entry, payload: &[u8]| {
            state.apply(entry, payload, CommitSequence(1), SegmentSequence(1), 9).expect("fits");
        };
        apply(&mut state, &batch_entry(0, 2), &transactional(2, 4, (7, 0, 0), 5));
        apply(&mut state, &batch_entry(2, 1), &transactional(1, 4, (8, 0, 0), 5));
        let kind = MarkerKind::Abort;
        let marker = TransactionMarker { producer_id: 8, producer_epoch: 1, coordinator_epoch: 3, kind };
        apply(&mut state, &batch_entry(3, 1), &marker.batch(5));
        let before = state.clone();
        let (mut producers, mut transactions) = (Vec::new(), Vec::new());
        encode_producers(&state.producers, &mut producers);
        assert!(encode_transactions(&state.producers, &state.transactions, &mut transactions));
        let entry = |kind| Entry { kind, ..batch_entry(0, 1) };
        apply(&mut state, &entry(EntryKind::Producers), &producers);
        assert_eq!(state.transactions, before.transactions);
        let of = |state: &LogState, id| {
            let producer = state.producers.get(id).expect("is known");
            (producer.epoch, producer.transaction, producer.coordinator_epoch)
        };
        let known = [7, 8].map(|id| of(&before, id));
        assert_eq!([7, 8].map(|id| of(&state, id)), known);
        apply(&mut state, &entry(EntryKind::Transactions), &transactions);
        assert_eq!([7, 8].map(|id| of(&state, id)), known);
        state.transactions.settle(Offset(4));
        assert_eq!(state.transactions.first_unstable(), Some(Offset(0)));
    }
}
