//! `Shard`: the synchronous state machine of one core's logs. Calls change memory and submit operations; [`Shard::turn`] takes completions in.

use std::collections::{BTreeMap, VecDeque};

use super::reads::{IndexCache, Reads};
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::error::AppendError;
use crate::io::Io;
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::operations::Operations;
use crate::journal::writer::{Journal, Room, plain_entry};
use crate::limits::{BATCH_BYTES_MAX, LOGS_PER_SHARD_MAX};
use crate::offset::{CommitSequence, Ends, LogId, Offset, SegmentSequence, ShardId};
use crate::partition::Partition;
use crate::partition::config::LogConfig;
use crate::partition::log_state::{LogSpan, LogState, encode_producers};
use crate::partition::producers::Sequence;
use crate::tail::Tail;

/// Where an accepted batch went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of its first record; the original's for an idempotent duplicate.
    pub base_offset: Offset,
    /// -1, or the time that a `LogAppendTime` log gave.
    pub log_append_time_ms: i64,
    /// The log's start offset.
    pub log_start: Offset,
}

/// An accepted append: it has reached an end when the journal's end has reached the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Where it went.
    pub appended: Appended,
    /// The commit that holds it.
    pub commit: CommitSequence,
}

/// Why a change was not taken now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Ask again after the next turn.
    Wait,
    /// It will not be taken.
    Error(AppendError),
}

/// A change that the shard itself wants in the journal, as soon as there is room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owed {
    /// The log may have been cut by an unclean stop: its leader epoch rises.
    Epoch(LogId),
    /// Retention may have something to take from the log.
    Retention(LogId),
}

/// Data that is gone once this commit is durable.
struct Dead {
    commit: CommitSequence,
    spans: Vec<LogSpan>,
}

/// The visible ends of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogView {
    /// Log start offset.
    pub start: Offset,
    /// High watermark: readers see everything below.
    pub high_watermark: Offset,
    /// Newest leader epoch.
    pub leader_epoch: i32,
    /// Journal segments that hold data of this log (for owners that re-append live state at the head).
    pub segments: usize,
    /// Bytes of batches that the log holds.
    pub bytes: u64,
    /// Largest timestamp of the data, ms; -1 for an empty log.
    pub max_timestamp: i64,
}

/// One shard.
pub struct Shard<I: Io> {
    pub(super) id: ShardId,
    pub(super) operations: Operations<I>,
    pub(super) journal: Journal,
    pub(super) partitions: BTreeMap<LogId, Partition>,
    pub(super) tail: Tail,
    pub(super) reads: Reads,
    pub(super) indexes: IndexCache,
    pub(super) owed: VecDeque<Owed>,
    dead: VecDeque<Dead>,
    /// Logs whose visible end moved since the last call of [`Shard::take_advanced`], and by how many bytes.
    pub(super) advanced: Vec<(LogId, usize)>,
}

impl<I: Io> Shard<I> {
    /// A shard over a recovered journal. `may_be_cut` says that commits may be gone from its end: the last stop was not clean.
    pub fn new(
        id: ShardId,
        io: I,
        mut journal: Journal,
        logs: BTreeMap<LogId, LogState>,
        may_be_cut: bool,
        tail_bytes: usize,
    ) -> Shard<I> {
        let mut owed = VecDeque::new();
        let mut partitions = BTreeMap::new();
        for (log, mut state) in logs {
            // A log start that was replayed may lie behind data whose segment was given back already.
            drop(state.take_dead_spans());
            for span in &state.spans {
                journal.segments.hold(span.segment);
            }
            if may_be_cut {
                owed.push_back(Owed::Epoch(log));
            }
            partitions.insert(log, Partition::new(state, LogConfig::default()));
        }
        Shard {
            id,
            operations: Operations::new(io),
            journal,
            partitions,
            tail: Tail::new(tail_bytes),
            reads: Reads::default(),
            indexes: IndexCache::default(),
            owed,
            dead: VecDeque::new(),
            advanced: Vec::new(),
        }
    }

    /// The shard's number.
    pub fn id(&self) -> ShardId {
        self.id
    }
    /// The seam, for its clock.
    pub fn io(&mut self) -> &mut I {
        &mut self.operations.io
    }
    /// The journal's ends, by commit.
    pub fn ends(&self) -> Ends<CommitSequence> {
        self.journal.ends()
    }
    /// The logs of this shard.
    pub fn logs(&self) -> Vec<LogId> {
        self.partitions.keys().copied().collect()
    }

    /// Appends a produced batch; offsets are given in call order. A duplicate gets the receipt of its original.
    pub fn append(&mut self, log: LogId, batch: &[u8]) -> Result<Receipt, Refusal> {
        if !self.partitions.contains_key(&log) {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        }
        let bytes_max = self.journal.payload_bytes_max().min(BATCH_BYTES_MAX);
        if batch.len() > bytes_max {
            return Err(Refusal::Error(AppendError::TooLarge { bytes: batch.len(), limit: bytes_max }));
        }
        self.room(batch.len())?;
        let now_ms = self.operations.io.wall_clock_ms();
        let Some(partition) = self.partitions.get_mut(&log) else {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        };
        let mut header = partition.check(batch, bytes_max, now_ms).map_err(Refusal::Error)?;
        if header.producer_id() >= 0
            && let Sequence::Duplicate(original) = partition.state.producers.check(&header).map_err(Refusal::Error)?
        {
            let appended = Appended {
                base_offset: original.base_offset,
                log_append_time_ms: if header.has_log_append_time() { original.timestamp } else { -1 },
                log_start: partition.state.start,
            };
            return Ok(Receipt { appended, commit: original.commit });
        }
        header.place_at(partition.state.next.0, partition.state.epochs.latest());
        Ok(self.store(log, &header, &batch[BATCH_HEADER_BYTES..], now_ms))
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
        let applied = partition.state.apply_batch(&entry, header, commit, segment, now_ms);
        applied.expect("the base offset is the log's end");
        partition.appended();
        if is_first_in_segment {
            self.journal.segments.hold(segment);
        }
        let log_append_time_ms = if header.has_log_append_time() { header.max_timestamp() } else { -1 };
        Receipt { appended: Appended { base_offset, log_append_time_ms, log_start: partition.state.start }, commit }
    }

    /// Makes a log, or only sets the configuration of an existing one (then the commit is the last durable one).
    pub fn configure_log(&mut self, log: LogId, config: LogConfig) -> Result<CommitSequence, Refusal> {
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.config = config;
            self.owed.push_back(Owed::Retention(log));
            return Ok(self.journal.ends().durable);
        }
        if self.partitions.len() >= LOGS_PER_SHARD_MAX {
            return Err(Refusal::Error(AppendError::TooManyLogs));
        }
        let mut state = LogState::default();
        state.epochs.begin(0, Offset(0));
        let mut payload = Vec::new();
        state.encode(&mut payload);
        let (commit, _) = self.push_control(plain_entry(EntryKind::LogState, log), &payload)?;
        self.partitions.insert(log, Partition::new(state, config));
        Ok(commit)
    }

    /// Deletes a log for ever. It is gone for readers at once, its space after the commit is durable.
    pub fn delete_log(&mut self, log: LogId) -> Result<CommitSequence, Refusal> {
        if !self.partitions.contains_key(&log) {
            return Ok(self.journal.ends().durable);
        }
        let (commit, _) = self.push_control(plain_entry(EntryKind::LogDelete, log), &[])?;
        if let Some(partition) = self.partitions.remove(&log) {
            self.dead.push_back(Dead { commit, spans: partition.state.spans.into() });
            self.advanced.push((log, 0));
        }
        Ok(commit)
    }

    /// Raises a log's start offset to `start`, at most to the high watermark. Gives the start and the commit that makes it durable.
    pub fn raise_log_start(&mut self, log: LogId, start: Offset) -> Result<(Offset, CommitSequence), Refusal> {
        let Some(partition) = self.partitions.get(&log) else {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        };
        let start = start.min(partition.high_watermark());
        if start <= partition.state.start {
            return Ok((partition.state.start, self.journal.ends().durable));
        }
        let (commit, _) =
            self.push_control(Entry { base_offset: start, ..plain_entry(EntryKind::LogStart, log) }, &[])?;
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.state.raise_start(start);
            let spans = partition.state.take_dead_spans();
            self.dead.push_back(Dead { commit, spans });
        }
        Ok((start, commit))
    }

    /// The ends of a log.
    pub fn view(&self, log: LogId) -> Option<LogView> {
        let partition = self.partitions.get(&log)?;
        let state = &partition.state;
        Some(LogView {
            start: state.start,
            high_watermark: partition.high_watermark(),
            leader_epoch: state.epochs.latest(),
            segments: state.spans.len(),
            bytes: state.bytes(),
            max_timestamp: state.spans.iter().map(|span| span.max_timestamp).max().unwrap_or(-1),
        })
    }

    /// The largest epoch <= `epoch` of a log and where it ends.
    pub fn epoch_end(&self, log: LogId, epoch: i32) -> Option<(i32, Offset)> {
        let partition = self.partitions.get(&log)?;
        partition.state.epochs.end_of(epoch, partition.high_watermark())
    }

    /// Room for a payload; begins a new segment with a checkpoint where needed.
    fn room(&mut self, payload_bytes: usize) -> Result<(), Refusal> {
        match self.journal.room(&mut self.operations, payload_bytes) {
            Room::Ready => Ok(()),
            Room::Rolled => {
                self.write_checkpoint();
                self.owed.extend(
                    self.partitions
                        .iter()
                        .filter(|(_, partition)| partition.config.retention_bytes >= 0)
                        .map(|(&log, _)| Owed::Retention(log)),
                );
                self.room(payload_bytes)
            }
            Room::Wait => Err(Refusal::Wait),
            Room::DiskFull => Err(Refusal::Error(AppendError::DiskFull)),
        }
    }

    /// The whole state of every log at the head of a new segment, so that recovery needs no older one for it.
    fn write_checkpoint(&mut self) {
        let now_ms = self.operations.io.wall_clock_ms();
        let mut payload = Vec::new();
        for (&log, partition) in &mut self.partitions {
            let state = &mut partition.state;
            state.producers.expire(now_ms);
            payload.clear();
            state.encode(&mut payload);
            push_to_checkpoint(
                &mut self.journal,
                &mut self.operations,
                Entry { base_offset: state.start, ..plain_entry(EntryKind::LogState, log) },
                &payload,
            );
            if !state.producers.is_empty() {
                payload.clear();
                encode_producers(&state.producers, &mut payload);
                push_to_checkpoint(
                    &mut self.journal,
                    &mut self.operations,
                    plain_entry(EntryKind::Producers, log),
                    &payload,
                );
            }
        }
        self.journal.end_checkpoint(&mut self.operations);
    }

    fn push_control(&mut self, entry: Entry, payload: &[u8]) -> Result<(CommitSequence, SegmentSequence), Refusal> {
        self.room(payload.len())?;
        let entry = Entry { crc: crc32c::crc32c(payload), ..entry };
        let (_, commit, segment) = self.journal.push(&mut self.operations, entry, &[payload]);
        Ok((commit, segment))
    }

    /// Does what the shard owes to the journal, as far as there is room.
    pub(super) fn settle_owed(&mut self) {
        while let Some(&owed) = self.owed.front() {
            let outcome = match owed {
                Owed::Epoch(log) => self.raise_epoch(log),
                Owed::Retention(log) => self.enforce_retention(log),
            };
            if outcome.is_err() {
                return;
            }
            self.owed.pop_front();
        }
    }

    fn raise_epoch(&mut self, log: LogId) -> Result<(), Refusal> {
        let Some(partition) = self.partitions.get(&log) else {
            return Ok(());
        };
        let (leader_epoch, base_offset) = (partition.state.epochs.latest() + 1, partition.state.next);
        self.push_control(Entry { base_offset, leader_epoch, ..plain_entry(EntryKind::Epoch, log) }, &[])?;
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.state.epochs.begin(leader_epoch, base_offset);
        }
        Ok(())
    }

    /// `retention.bytes`: whole spans go while what is left is still enough; the active segment stays.
    fn enforce_retention(&mut self, log: LogId) -> Result<(), Refusal> {
        let Some(partition) = self.partitions.get(&log).filter(|partition| partition.config.retention_bytes >= 0)
        else {
            return Ok(());
        };
        let mut excess = partition.state.bytes().saturating_sub(partition.config.retention_bytes as u64);
        let mut start = None;
        for span in partition.state.spans.iter().take_while(|span| Some(span.segment) != self.journal.active_segment())
        {
            if span.bytes > excess || span.last_offset >= partition.high_watermark() {
                break;
            }
            excess -= span.bytes;
            start = Some(span.last_offset.plus(1));
        }
        start.map_or(Ok(()), |start| self.raise_log_start(log, start).map(|_| ()))
    }

    /// Space whose end became durable is given back.
    pub(super) fn bury_dead(&mut self) {
        let durable = self.journal.ends().durable;
        while self.dead.front().is_some_and(|dead| dead.commit <= durable) {
            for span in self.dead.pop_front().map(|dead| dead.spans).unwrap_or_default() {
                self.journal.segments.release(span.segment);
            }
        }
    }
}

fn push_to_checkpoint<I: Io>(journal: &mut Journal, operations: &mut Operations<I>, entry: Entry, payload: &[u8]) {
    let room = journal.room(operations, payload.len());
    assert_eq!(room, Room::Ready, "a checkpoint fits its segment");
    journal.push(operations, Entry { crc: crc32c::crc32c(payload), ..entry }, &[payload]);
}
