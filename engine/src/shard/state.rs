//! `Shard`: the synchronous state machine of one core's logs. Calls change memory and submit operations; [`Shard::turn`] takes completions in.

use std::collections::{BTreeMap, VecDeque};

use super::census::Census;
use super::disk_use::DiskUse;
use super::lookups::IndexCache;
use super::reads::Reads;
use super::stats::AppendStats;
use super::transactions::TransactionQuota;
use crate::cleaner::Cleaner;
use crate::error::AppendError;
use crate::io::Io;
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::disk_space::{DiskLevel, RoomFor};
use crate::journal::operations::Operations;
use crate::journal::writer::{Journal, plain_entry};
use crate::memory::ShardMemory;
use crate::offset::{CommitSequence, Ends, JournalPosition, LogId, Offset, ShardId};
use crate::partition::Partition;
use crate::partition::config::LogConfig;
use crate::partition::log_state::{LogSpan, LogState};
use crate::partition::transactions::Isolation;
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
    /// A batch with `posthaste.durability=written`: whoever asks for durable is answered at the write.
    pub written_is_enough: bool,
}

/// Why a change was not taken now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Ask again after the next turn.
    Wait,
    /// It will not be taken.
    Error(AppendError),
}

/// Data that is gone once this commit is durable.
pub(super) struct Dead {
    pub log: LogId,
    commit: CommitSequence,
    pub spans: VecDeque<LogSpan>,
}

/// The visible ends of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogView {
    /// Log start offset.
    pub start: Offset,
    /// High watermark: readers see everything below.
    pub high_watermark: Offset,
    /// Readers of what is decided see everything below: the high watermark, or where the earliest transaction begins that has not visibly ended.
    pub last_stable_offset: Offset,
    /// Behind the last record that was appended, whether it is flushed or not.
    pub end: Offset,
    /// Newest leader epoch.
    pub leader_epoch: i32,
    /// Journal segments from the oldest that holds data of this log to the newest of the shard (for owners that re-append live state at
    /// the head: one old record keeps a whole segment).
    pub segments: u64,
    /// The end of the shard's journal: what was written between two looks is the difference.
    pub journal_end: JournalPosition,
    /// Bytes of batches that the log holds.
    pub bytes: u64,
    /// Largest timestamp of the data, ms; -1 for an empty log.
    pub max_timestamp: i64,
}

impl LogView {
    /// The end for readers.
    pub fn end_for(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::Uncommitted => self.high_watermark,
            Isolation::Committed => self.last_stable_offset,
        }
    }
}

/// What a log has new for those who wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advance {
    /// The log.
    pub log: LogId,
    /// Bytes that became visible; `usize::MAX` = whoever waits must look again, the log may be gone.
    pub bytes: usize,
    /// The same for readers of what is decided.
    pub stable_bytes: usize,
}

impl Advance {
    fn look_again(log: LogId) -> Advance {
        Advance { log, bytes: usize::MAX, stable_bytes: usize::MAX }
    }
}

/// One shard.
pub struct Shard<I: Io> {
    pub(super) id: ShardId,
    pub(super) memory: ShardMemory,
    pub(super) operations: Operations<I>,
    pub(super) journal: Journal,
    pub(super) partitions: BTreeMap<LogId, Partition>,
    pub(super) tail: Tail,
    pub(super) reads: Reads,
    pub(super) indexes: IndexCache,
    pub(super) cleaner: Cleaner,
    /// Logs that an unclean stop may have cut: their new leader epochs are to be written before anything is appended.
    pub(super) owed_epochs: VecDeque<LogId>,
    /// Logs from which retention may have something to take.
    pub(super) owed_retention: VecDeque<LogId>,
    pub(super) dead: VecDeque<Dead>,
    /// Logs whose visible end moved since the last call of [`Shard::take_advanced`].
    pub(super) advanced: Vec<Advance>,
    pub(super) appended: AppendStats,
    pub(super) transactions: TransactionQuota,
    pub(super) census: Census,
    pub(super) disk_use: DiskUse,
}

impl<I: Io> Shard<I> {
    /// A shard over a recovered journal. `may_be_cut` says that commits may be gone from its end: the last stop was not clean.
    /// `last_generation` is the highest of a clustered segment that anything names.
    pub fn new(
        id: ShardId,
        io: I,
        mut journal: Journal,
        logs: BTreeMap<LogId, LogState>,
        may_be_cut: bool,
        last_generation: u32,
        memory: ShardMemory,
    ) -> Shard<I> {
        let epoch_of_start = epoch_of_start(&journal);
        let mut owed_epochs = VecDeque::new();
        let mut partitions = BTreeMap::new();
        for (log, mut state) in logs {
            // A log start that was replayed may lie behind data whose segment was given back already.
            drop(state.take_dead_spans());
            for span in &state.spans {
                journal.segments.hold(span.segment);
            }
            if may_be_cut {
                state.epochs.begin(epoch_of_start.max(state.epochs.latest().saturating_add(1)), state.next);
                owed_epochs.push_back(log);
            }
            partitions.insert(log, Partition::new(state, LogConfig::default()));
        }
        let cleaner = Cleaner::new(io.monotonic_ns(), last_generation, &memory);
        Shard {
            id,
            memory,
            cleaner,
            operations: Operations::new(io),
            partitions,
            tail: Tail::new(&memory, journal.buffers().clone()),
            journal,
            reads: Reads::new(&memory),
            indexes: IndexCache::new(memory.index_cache_bytes),
            owed_epochs,
            owed_retention: VecDeque::new(),
            dead: VecDeque::new(),
            advanced: Vec::new(),
            appended: AppendStats::default(),
            transactions: TransactionQuota::default(),
            census: Census::default(),
            disk_use: DiskUse::default(),
        }
    }

    /// Shares the hint with the other shards of the process.
    pub fn set_disk_use(&mut self, disk_use: DiskUse) {
        self.disk_use = disk_use;
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
    /// How much room the disk has for the journal.
    pub fn disk_level(&self) -> DiskLevel {
        self.journal.segments.disk_level()
    }
    /// The logs of this shard.
    pub fn logs(&self) -> Vec<LogId> {
        self.partitions.keys().copied().collect()
    }

    /// Makes a log, or only sets the configuration of an existing one (then the commit is the last one: the log may have been made in it).
    pub fn configure_log(&mut self, log: LogId, config: LogConfig) -> Result<CommitSequence, Refusal> {
        if let Some(partition) = self.partitions.get_mut(&log) {
            if partition.configure(config) {
                // Readers that wait see more at once.
                self.advanced.push(Advance { log, bytes: 1, stable_bytes: 1 });
            }
            self.owed_retention.push_back(log);
            return Ok(self.journal.ends().appended);
        }
        if self.partitions.len() >= self.logs_max() {
            return Err(Refusal::Error(AppendError::TooManyLogs));
        }
        let mut state = LogState::default();
        state.epochs.begin(0, Offset(0));
        let mut payload = Vec::new();
        state.encode(&mut payload);
        let (commit, _) = self.push_control(RoomFor::State, plain_entry(EntryKind::LogState, log), &payload)?;
        self.partitions.insert(log, Partition::new(state, config));
        Ok(commit)
    }

    /// Deletes a log for ever. It is gone for readers at once, its space after the commit is durable.
    pub fn delete_log(&mut self, log: LogId) -> Result<CommitSequence, Refusal> {
        if !self.partitions.contains_key(&log) {
            return Ok(self.journal.ends().appended);
        }
        let (commit, _) = self.push_control(RoomFor::Space, plain_entry(EntryKind::LogDelete, log), &[])?;
        if let Some(partition) = self.partitions.remove(&log) {
            self.dead.push_back(Dead { log, commit, spans: partition.state.spans });
            self.advanced.push(Advance::look_again(log));
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
            // The commit that raised it so far may be on its way still.
            return Ok((partition.state.start, self.journal.ends().appended));
        }
        let entry = Entry { base_offset: start, ..plain_entry(EntryKind::LogStart, log) };
        let (commit, _) = self.push_control(RoomFor::Space, entry, &[])?;
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.state.raise_start(start);
            let spans = partition.state.take_dead_spans();
            self.dead.push_back(Dead { log, commit, spans: spans.into() });
            // A reader that waits below the new start must be told.
            self.advanced.push(Advance::look_again(log));
        }
        Ok((start, commit))
    }

    /// Whether the tail of a log gives everything from `offset` on, as slices of its own.
    pub fn is_in_tail(&self, log: LogId, offset: Offset) -> bool {
        let holds = self.partitions.get(&log).is_some_and(|partition| partition.tail_holds(offset));
        holds && !self.tail.is_pinned_too_much()
    }

    /// The ends of a log.
    pub fn view(&self, log: LogId) -> Option<LogView> {
        let partition = self.partitions.get(&log)?;
        let state = &partition.state;
        let newest = self.journal.segments.newest().map_or(0, |newest| newest.0);
        Some(LogView {
            start: state.start,
            high_watermark: partition.high_watermark(),
            last_stable_offset: partition.last_stable_offset(),
            end: state.next,
            leader_epoch: state.epochs.latest(),
            segments: state.spans.front().map_or(0, |oldest| newest - oldest.segment.0 + 1),
            journal_end: self.journal.end(),
            bytes: state.bytes(),
            max_timestamp: state.spans.iter().map(|span| span.max_timestamp).max().unwrap_or(-1),
        })
    }

    /// The largest epoch <= `epoch` of a log and where it ends; not before the log start, as in Kafka.
    pub fn epoch_end(&self, log: LogId, epoch: i32) -> Option<(i32, Offset)> {
        let partition = self.partitions.get(&log)?;
        let (found, end) = partition.state.epochs.end_of(epoch, partition.high_watermark())?;
        Some((found, end.max(partition.state.start)))
    }

    /// Does what the shard owes to the journal, as far as there is room.
    pub(super) fn settle_owed(&mut self) {
        // Without room it is tried again at the next turn.
        let _ = self.write_owed_epochs();
        self.settle_retention();
    }

    pub(super) fn write_owed_epochs(&mut self) -> Result<(), Refusal> {
        while let Some(&log) = self.owed_epochs.front() {
            self.write_epoch(log)?;
            self.owed_epochs.pop_front();
        }
        Ok(())
    }

    fn write_epoch(&mut self, log: LogId) -> Result<(), Refusal> {
        let newest = self.partitions.get(&log).and_then(|partition| partition.state.epochs.starts().last());
        // A log that was deleted before its turn came is owed nothing.
        let Some(&(leader_epoch, base_offset)) = newest else {
            return Ok(());
        };
        let entry = Entry { base_offset, leader_epoch, ..plain_entry(EntryKind::Epoch, log) };
        self.push_control(RoomFor::State, entry, &[]).map(|_| ())
    }

    /// Begins the leader epoch of this start at the end of a log, unless it has begun: another node leads the log since the last start.
    pub fn raise_leader_epoch(&mut self, log: LogId) -> Result<CommitSequence, Refusal> {
        let epoch_of_start = epoch_of_start(&self.journal);
        let Some(partition) = self.partitions.get_mut(&log) else {
            return Err(Refusal::Error(AppendError::UnknownLog(log)));
        };
        if partition.state.epochs.latest() < epoch_of_start {
            partition.state.epochs.begin(epoch_of_start, partition.state.next);
            self.owed_epochs.push_back(log);
        }
        self.write_owed_epochs()?;
        Ok(self.journal.ends().appended)
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

/// The leader epoch that this start gives. The incarnation was durable before it, so that an epoch that was shown and lost never comes again
/// for other records.
fn epoch_of_start(journal: &Journal) -> i32 {
    i32::try_from(journal.incarnation().0).unwrap_or(i32::MAX)
}
