//! Room in the journal, and the checkpoint at the head of each segment: the whole state of every log, so that recovery needs no older
//! segment for it. A checkpoint takes a quarter of its segment at most; what would exceed it is forgotten, oldest first.

use super::state::{Refusal, Shard};
use crate::error::AppendError;
use crate::io::Io;
use crate::journal::commit::{ENTRY_BYTES, Entry, EntryKind};
use crate::journal::disk_space::RoomFor;
use crate::journal::live_segments::SEGMENT_NAME_BYTES;
use crate::journal::operations::Operations;
use crate::journal::writer::{Journal, Room, plain_entry};
use crate::limits::{ABORTED_BYTES, LOGS_PER_SHARD_MAX, PRODUCER_BYTES_MAX};
use crate::offset::{CommitSequence, LogId, SegmentSequence};
use crate::partition::log_state::LogState;
use crate::partition::producers_payload::encode_producers;
use crate::partition::transactions_payload::encode_transactions;

/// Leader epochs that a log keeps when checkpoints grow too large.
const EPOCHS_KEPT: usize = 4;
/// What a log with so many epochs takes in a checkpoint, its producers aside.
const LOG_BYTES: u64 = (ENTRY_BYTES + 28 + EPOCHS_KEPT * 12) as u64;
/// What a table of producers takes beside its producers.
const TABLE_BYTES: u64 = (ENTRY_BYTES + 4) as u64;
/// What transactions take beside their producers and those that were aborted.
pub(super) const TRANSACTIONS_BYTES: u64 = (ENTRY_BYTES + 8) as u64;

impl<I: Io> Shard<I> {
    /// Logs that the shard may hold: without producers their checkpoint takes an eighth of a segment.
    pub(super) fn logs_max(&self) -> usize {
        LOGS_PER_SHARD_MAX.min((self.journal.segment_bytes() / 8 / LOG_BYTES) as usize)
    }

    /// Room for a payload; begins a new segment with a checkpoint where needed.
    pub(super) fn room(&mut self, wanted: RoomFor, payload_bytes: usize) -> Result<(), Refusal> {
        match self.journal.room(&mut self.operations, wanted, payload_bytes) {
            Room::Ready => Ok(()),
            Room::Rolled => {
                self.write_checkpoint();
                self.check_retention();
                self.room(wanted, payload_bytes)
            }
            Room::Wait => Err(Refusal::Wait),
            Room::DiskFull => Err(Refusal::Error(AppendError::DiskFull)),
        }
    }

    pub(super) fn push_control(
        &mut self,
        wanted: RoomFor,
        entry: Entry,
        payload: &[u8],
    ) -> Result<(CommitSequence, SegmentSequence), Refusal> {
        self.room(wanted, payload.len())?;
        let entry = Entry { crc: checksum::crc32c(payload), ..entry };
        let (_, commit, segment) = self.journal.push(&mut self.operations, entry, &[payload]);
        Ok((commit, segment))
    }

    fn write_checkpoint(&mut self) {
        self.bound_the_checkpoint();
        let active = self.journal.active_segment().expect("a checkpoint begins a segment");
        let mut payload = self.journal.segments.live_before(active, self.pending_replacement()).encode();
        let entry = plain_entry(EntryKind::Segments, LogId(0));
        push_to_checkpoint(&mut self.journal, &mut self.operations, entry, &payload);
        for (&log, partition) in &self.partitions {
            let state = &partition.state;
            payload.clear();
            state.encode(&mut payload);
            let entry = Entry { base_offset: state.start, ..plain_entry(EntryKind::LogState, log) };
            push_to_checkpoint(&mut self.journal, &mut self.operations, entry, &payload);
            if !state.producers.is_empty() {
                payload.clear();
                encode_producers(&state.producers, &mut payload);
                let entry = plain_entry(EntryKind::Producers, log);
                push_to_checkpoint(&mut self.journal, &mut self.operations, entry, &payload);
            }
            payload.clear();
            if encode_transactions(&state.producers, &state.transactions, &mut payload) {
                let entry = plain_entry(EntryKind::Transactions, log);
                push_to_checkpoint(&mut self.journal, &mut self.operations, entry, &payload);
            }
        }
        self.journal.end_checkpoint(&mut self.operations);
    }

    /// Makes the state small enough for a checkpoint: producers that were silent for a day go, and, where that is not enough, the older
    /// epochs of each log and the producers of the shard that were silent longest.
    fn bound_the_checkpoint(&mut self) {
        let now_ms = self.operations.io.wall_clock_ms();
        for partition in self.partitions.values_mut() {
            partition.state.producers.expire(now_ms);
            partition.forget_cleaned_transactions();
        }
        let names_bytes = (ENTRY_BYTES + 4 + self.journal.segments.len() * SEGMENT_NAME_BYTES) as u64;
        let bytes_max = (self.journal.segment_bytes() / 4).saturating_sub(names_bytes);
        if self.partitions.values().map(|partition| checkpoint_bytes(&partition.state)).sum::<u64>() <= bytes_max {
            return;
        }
        for partition in self.partitions.values_mut() {
            partition.state.epochs.keep_newest(EPOCHS_KEPT);
        }
        let (mut others_bytes, mut count) = (0, 0);
        let mut producers: Vec<(i64, LogId, i64)> = Vec::new();
        for (&log, partition) in &self.partitions {
            let state = &partition.state;
            others_bytes += LOG_BYTES + TABLE_BYTES + transactions_bytes(state);
            count += state.producers.len();
            let idle = state.producers.iter().filter(|(_, producer)| producer.transaction.is_none());
            producers.extend(idle.map(|(id, producer)| (producer.last_seen_ms, log, id)));
        }
        let producers_max = (bytes_max.saturating_sub(others_bytes) / PRODUCER_BYTES_MAX as u64) as usize;
        let excess = count.saturating_sub(producers_max).min(producers.len());
        if excess == 0 {
            return;
        }
        tracing::warn!(
            shard = self.id.0,
            excess,
            "more producers than a checkpoint holds, the most silent are forgotten"
        );
        producers.select_nth_unstable(excess - 1);
        for (_, log, id) in &producers[..excess] {
            if let Some(partition) = self.partitions.get_mut(log) {
                partition.state.producers.forget(*id);
            }
        }
    }
}

/// What the transactions of a log take beside their producers.
fn transactions_bytes(state: &LogState) -> u64 {
    let aborted = state.transactions.aborted_count() as u64 * ABORTED_BYTES as u64;
    let is_any = aborted > 0 || state.producers.iter().any(|(_, producer)| producer.is_transactional());
    aborted + if is_any { TRANSACTIONS_BYTES } else { 0 }
}

fn checkpoint_bytes(state: &LogState) -> u64 {
    let producers = state.producers.len() as u64;
    let epochs = state.epochs.starts().len().saturating_sub(EPOCHS_KEPT) as u64;
    let producers_bytes = TABLE_BYTES.min(producers * TABLE_BYTES) + producers * PRODUCER_BYTES_MAX as u64;
    LOG_BYTES + epochs * 12 + producers_bytes + transactions_bytes(state)
}

fn push_to_checkpoint<I: Io>(journal: &mut Journal, operations: &mut Operations<I>, entry: Entry, payload: &[u8]) {
    let room = journal.room(operations, RoomFor::Space, payload.len());
    assert_eq!(room, Room::Ready, "a checkpoint fits its segment");
    journal.push(operations, Entry { crc: checksum::crc32c(payload), ..entry }, &[payload]);
}
