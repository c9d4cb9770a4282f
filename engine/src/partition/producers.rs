//! Idempotent producers of a log: the newest epoch and the last five batches of each (Kafka's `ProducerStateEntry`).

use std::collections::{HashMap, VecDeque};

use crate::batch::BatchHeader;
use crate::error::AppendError;
use crate::limits::{PRODUCER_BATCHES_MAX, PRODUCER_EXPIRY_MS, PRODUCERS_PER_LOG_MAX};
use crate::offset::{CommitSequence, Offset};
use crate::partition::marker::TransactionMarker;

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Sequence of its first record.
    pub first_sequence: i32,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Its max timestamp, ms.
    pub timestamp: i64,
    /// The commit that holds it; 0 = durable before this start.
    pub commit: CommitSequence,
}

/// What an open transaction has in the log so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
}

/// What is remembered of one producer id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Newest epoch.
    pub epoch: i16,
    /// When it last appended, ms of the wall clock.
    pub last_seen_ms: i64,
    /// Its last batches, oldest first.
    pub batches: VecDeque<ProducerBatch>,
    /// Its open transaction. A producer that has one is not forgotten.
    pub transaction: Option<OpenTransaction>,
    /// Epoch of the coordinator that wrote its last marker; -1 = none did.
    pub coordinator_epoch: i32,
    /// Offset and time (ms) of its last marker, if it is known. No batch waits over a start, so it stands in no checkpoint.
    pub last_marker: Option<(Offset, i64)>,
}

impl Producer {
    /// A producer that has appended nothing yet.
    pub fn new(epoch: i16, last_seen_ms: i64) -> Producer {
        let batches = VecDeque::new();
        Producer { epoch, last_seen_ms, batches, transaction: None, coordinator_epoch: -1, last_marker: None }
    }

    /// It has a transaction open, or had one.
    pub fn is_transactional(&self) -> bool {
        self.transaction.is_some() || self.coordinator_epoch >= 0
    }

    fn begin_epoch(&mut self, epoch: i16) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    /// True if the batch began a transaction.
    fn note_transaction(&mut self, header: &BatchHeader, base_offset: Offset) -> bool {
        if !header.is_transactional() {
            return false;
        }
        let last_offset = base_offset.plus(i64::from(header.last_offset_delta()));
        let begins = self.transaction.is_none();
        self.transaction.get_or_insert(OpenTransaction { first_offset: base_offset, last_offset }).last_offset =
            last_offset;
        begins
    }
}

/// What a batch is to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// New: append it.
    Next,
    /// Seen before: answer with the original's place.
    Duplicate(ProducerBatch),
}

/// All producers of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerTable {
    producers: HashMap<i64, Producer>,
    /// Memory is full: for each new one the most silent is forgotten.
    grows_no_more: bool,
    /// The latest of the last markers of those that were forgotten: theirs, if they come back.
    forgotten_marker: Option<(Offset, i64)>,
}

/// The sequence `count` after `sequence`; after `i32::MAX` comes 0.
fn sequence_after(sequence: i32, count: i32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) % (i64::from(i32::MAX) + 1)) as i32
}

/// A batch whose sequence is the next: it must not go beside the transaction that its producer has open, nor into one of an earlier epoch.
fn next_of(producer: &Producer, header: &BatchHeader) -> Result<Sequence, AppendError> {
    let is_open = producer.transaction.is_some();
    if is_open && !header.is_transactional() {
        return Err(AppendError::InvalidTxnState("a batch without a transaction while its producer has one open"));
    }
    if is_open && header.producer_epoch() > producer.epoch {
        return Err(AppendError::InvalidTxnState(
            "a batch of a later epoch while an earlier one has a transaction open",
        ));
    }
    Ok(Sequence::Next)
}

impl ProducerTable {
    /// Number of producers.
    pub fn len(&self) -> usize {
        self.producers.len()
    }
    /// No producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }
    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        let each = size_of::<(i64, Producer)>() + PRODUCER_BATCHES_MAX * size_of::<ProducerBatch>();
        self.producers.len() * each
    }
    /// Whether it is to grow no more.
    pub fn keep_only_as_many(&mut self, grows_no_more: bool) {
        self.grows_no_more = grows_no_more;
    }
    /// The producers, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(&id, producer)| (id, producer))
    }
    /// What the producers entry of a checkpoint does not tell stays as another table has it, until the transactions entry comes: a crash may have
    /// left the one without the other.
    pub fn keep_transactions_of(&mut self, other: &ProducerTable) {
        for (id, known) in other.producers.iter().filter(|(_, known)| known.is_transactional()) {
            if let Some(producer) = self.producers.get_mut(id) {
                (producer.transaction, producer.coordinator_epoch) = (known.transaction, known.coordinator_epoch);
            }
        }
    }
    /// As if there had been none.
    pub fn forget_transactions(&mut self) {
        for producer in self.producers.values_mut() {
            (producer.transaction, producer.coordinator_epoch) = (None, -1);
        }
    }
    /// Puts a producer as it was stored.
    pub fn restore(&mut self, id: i64, producer: Producer) {
        self.producers.insert(id, producer);
    }

    /// One of them.
    pub fn get(&self, id: i64) -> Option<&Producer> {
        self.producers.get(&id)
    }
    /// One of them, for what is stored of it beside.
    pub fn get_mut(&mut self, id: i64) -> Option<&mut Producer> {
        self.producers.get_mut(&id)
    }

    /// Judges a batch against the state (kafka-wire 2.4): a producer that is not known may start at any sequence.
    pub fn check(&self, header: &BatchHeader) -> Result<Sequence, AppendError> {
        let Some(producer) = self.producers.get(&header.producer_id()) else {
            return Ok(Sequence::Next);
        };
        let (epoch, first) = (header.producer_epoch(), header.base_sequence());
        if epoch < producer.epoch {
            return Err(AppendError::InvalidProducerEpoch { current: producer.epoch, got: epoch });
        }
        if first < 0 {
            return next_of(producer, header);
        }
        if epoch > producer.epoch {
            return if first == 0 {
                next_of(producer, header)
            } else {
                Err(AppendError::OutOfOrderSequence { expected: 0, got: first })
            };
        }
        let last = sequence_after(first, header.record_count() - 1);
        if let Some(batch) =
            producer.batches.iter().find(|known| known.first_sequence == first && known.last_sequence == last)
        {
            return Ok(Sequence::Duplicate(*batch));
        }
        let expected = producer.batches.back().map_or(0, |known| sequence_after(known.last_sequence, 1));
        if first == expected {
            next_of(producer, header)
        } else {
            Err(AppendError::OutOfOrderSequence { expected, got: first })
        }
    }

    /// Refuses a batch of a transaction that waited since the log ended at `since` if its producer's transaction has ended meanwhile: it would
    /// open one that nobody ends, or become part of the next.
    pub fn check_late(&self, header: &BatchHeader, since: Offset) -> Result<(), AppendError> {
        let known = self.producers.get(&header.producer_id());
        let last_marker = known.map_or(self.forgotten_marker, |known| known.last_marker);
        if header.is_transactional() && last_marker.is_some_and(|(offset, _)| offset >= since) {
            return Err(AppendError::InvalidTxnState("the transaction has ended while its batch waited for room"));
        }
        Ok(())
    }

    /// Judges a marker (kafka-wire 2.5).
    pub fn check_marker(&self, marker: &TransactionMarker) -> Result<(), AppendError> {
        let Some(producer) = self.producers.get(&marker.producer_id) else {
            return Ok(());
        };
        let (current, got) = (producer.epoch, marker.producer_epoch);
        if got < current {
            return Err(AppendError::InvalidProducerEpoch { current, got });
        }
        let (current, got) = (producer.coordinator_epoch, marker.coordinator_epoch);
        if got < current {
            return Err(AppendError::TransactionCoordinatorFenced { current, got });
        }
        Ok(())
    }

    /// Notes a batch that was appended (live or in a replay). True if it began a transaction.
    pub fn note(&mut self, header: &BatchHeader, base_offset: Offset, commit: CommitSequence, now_ms: i64) -> bool {
        if header.producer_id() < 0 {
            return false;
        }
        if header.base_sequence() < 0 {
            // The broker's own: nobody sends it again.
            let producer = self.seen(header.producer_id(), header.producer_epoch(), now_ms);
            return producer.note_transaction(header, base_offset);
        }
        let last_offset = base_offset.plus(i64::from(header.last_offset_delta()));
        let producer = self.seen(header.producer_id(), header.producer_epoch(), now_ms);
        if producer.batches.len() == PRODUCER_BATCHES_MAX {
            producer.batches.pop_front();
        }
        producer.batches.push_back(ProducerBatch {
            first_sequence: header.base_sequence(),
            last_sequence: sequence_after(header.base_sequence(), header.record_count() - 1),
            base_offset,
            last_offset,
            timestamp: header.max_timestamp(),
            commit,
        });
        producer.note_transaction(header, base_offset)
    }

    /// Notes a marker that was appended at that offset and time. Gives the transaction that it ended, if one was open.
    pub fn note_marker(
        &mut self,
        marker: &TransactionMarker,
        placed: (Offset, i64),
        now_ms: i64,
    ) -> Option<OpenTransaction> {
        let producer = self.seen(marker.producer_id, marker.producer_epoch, now_ms);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_marker = Some(placed);
        producer.transaction.take()
    }

    /// The producer, of this epoch at least.
    fn seen(&mut self, id: i64, epoch: i16, now_ms: i64) -> &mut Producer {
        let is_full = self.producers.len() >= PRODUCERS_PER_LOG_MAX || self.grows_no_more;
        if is_full && !self.producers.contains_key(&id) {
            self.forget_the_most_silent();
        }
        let producer = self
            .producers
            .entry(id)
            .or_insert_with(|| Producer { last_marker: self.forgotten_marker, ..Producer::new(epoch, now_ms) });
        producer.begin_epoch(epoch);
        producer.last_seen_ms = now_ms;
        producer
    }

    /// Forgets producers that were silent for longer than `producer.id.expiration.ms`.
    pub fn expire(&mut self, now_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.transaction.is_some() || now_ms.saturating_sub(producer.last_seen_ms) < PRODUCER_EXPIRY_MS
        });
    }

    /// Forgets a producer.
    pub fn forget(&mut self, id: i64) {
        let gone = self.producers.remove(&id);
        self.forgotten_marker = self.forgotten_marker.max(gone.and_then(|producer| producer.last_marker));
    }

    fn forget_the_most_silent(&mut self) {
        let idle = self.producers.iter().filter(|(_, producer)| producer.transaction.is_none());
        if let Some(id) = idle.min_by_key(|(_, producer)| producer.last_seen_ms).map(|(&id, _)| id) {
            self.forget(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

    fn header(producer: (i64, i16, i32), records: i32) -> BatchHeader {
        BatchHeader::parse(&batch(records, 4, producer, 0)).expect("whole batch")
    }

    fn table_with(batches: &[(i16, i32, i32)]) -> ProducerTable {
        let mut table = ProducerTable::default();
        let mut offset = 0;
        for &(epoch, first, records) in batches {
            table.note(&header((7, epoch, first), records), Offset(offset), CommitSequence(1), 0);
            offset += i64::from(records);
        }
        table
    }

    #[test]
    fn the_last_five_batches_are_duplicates_and_a_gap_is_refused() {
        let table = table_with(&[(0, 0, 2), (0, 2, 2), (0, 4, 2), (0, 6, 2), (0, 8, 2), (0, 10, 2)]);
        assert!(
            matches!(table.check(&header((7, 0, 2), 2)), Ok(Sequence::Duplicate(original)) if original.base_offset == Offset(2))
        );
        assert!(matches!(table.check(&header((7, 0, 10), 2)), Ok(Sequence::Duplicate(_))));
        assert_eq!(table.check(&header((7, 0, 12), 5)), Ok(Sequence::Next));
        assert_eq!(table.check(&header((7, 0, 0), 2)), Err(AppendError::OutOfOrderSequence { expected: 12, got: 0 }));
        assert_eq!(table.check(&header((7, 0, 13), 2)), Err(AppendError::OutOfOrderSequence { expected: 12, got: 13 }));
    }

    #[test]
    fn a_new_epoch_starts_at_zero_and_fences_the_old() {
        let mut table = table_with(&[(3, 0, 4)]);
        assert_eq!(table.check(&header((7, 4, 1), 1)), Err(AppendError::OutOfOrderSequence { expected: 0, got: 1 }));
        assert_eq!(table.check(&header((7, 4, 0), 1)), Ok(Sequence::Next));
        table.note(&header((7, 4, 0), 1), Offset(4), CommitSequence(2), 0);
        assert_eq!(table.check(&header((7, 3, 4), 1)), Err(AppendError::InvalidProducerEpoch { current: 4, got: 3 }));
    }

    #[test]
    fn a_batch_without_a_sequence_is_judged_by_its_epoch_alone_and_is_no_duplicate_of_another() {
        let mut table = table_with(&[(3, 0, 4)]);
        let without = header((7, 3, -1), 2);
        assert_eq!(table.check(&without), Ok(Sequence::Next));
        table.note(&without, Offset(4), CommitSequence(2), 0);
        assert_eq!(table.check(&without), Ok(Sequence::Next));
        assert_eq!(table.check(&header((7, 3, 4), 1)), Ok(Sequence::Next), "sequences go on where they were");
        assert_eq!(table.check(&header((7, 4, -1), 1)), Ok(Sequence::Next));
        assert_eq!(table.check(&header((7, 2, -1), 1)), Err(AppendError::InvalidProducerEpoch { current: 3, got: 2 }));
    }

    #[test]
    fn a_batch_that_waited_past_its_producers_marker_is_refused_also_when_that_was_forgotten() {
        let kind = crate::partition::marker::MarkerKind::Abort;
        let marker = TransactionMarker { producer_id: 7, producer_epoch: 0, coordinator_epoch: 0, kind };
        let plain = header((7, 0, 4), 2);
        let mut raw = batch(2, 4, (7, 0, 4), 0);
        raw[22] |= 0x10;
        let part = BatchHeader::parse(&raw).expect("whole batch");
        let mut table = table_with(&[(0, 0, 4)]);
        assert_eq!(table.check_late(&part, Offset(0)), Ok(()), "no marker is known");
        table.note_marker(&marker, (Offset(4), 0), 0);
        let check = |table: &ProducerTable| {
            assert!(matches!(table.check_late(&part, Offset(4)), Err(AppendError::InvalidTxnState(_))));
            assert_eq!(table.check_late(&part, Offset(5)), Ok(()), "it waits since after the marker");
            assert_eq!(table.check_late(&plain, Offset(4)), Ok(()), "it is part of no transaction");
        };
        check(&table);
        table.forget(7);
        check(&table);
        table.note(&plain, Offset(5), CommitSequence(1), 0);
        check(&table);
    }

    #[test]
    fn an_unknown_producer_may_start_anywhere_and_sequences_wrap() {
        assert_eq!(ProducerTable::default().check(&header((9, 0, 500), 1)), Ok(Sequence::Next));
        let table = table_with(&[(0, i32::MAX - 1, 2)]);
        assert_eq!(table.check(&header((7, 0, 0), 1)), Ok(Sequence::Next));
        let wrapped = table_with(&[(0, i32::MAX, 3)]);
        assert_eq!(wrapped.check(&header((7, 0, 2), 1)), Ok(Sequence::Next));
    }
}
