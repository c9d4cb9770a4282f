//! `ShardStats`: what a shard has done and what it holds, as one plain value taken when somebody asks. Counting costs an addition on the shard's
//! own thread; nothing here is shared.

use super::core::Core;
use super::read_stats::ReadStats;
use super::state::{Refusal, Shard};
use crate::cleaner::stats::CleanerStats;
use crate::error::AppendError;
use crate::io::Io;
use crate::journal::commit::EntryKind;
use crate::journal::disk_space::RoomFor;
pub use crate::journal::segment_set::SegmentStats;
use crate::journal::writer::{JournalStats, plain_entry};
use crate::offset::{CommitSequence, LogId};

/// Batches taken into logs since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendStats {
    /// Batches; duplicates are not taken again.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a shard has done and holds now.
#[derive(Clone, Copy, Debug)]
pub struct ShardStats {
    /// Its logs.
    pub logs: usize,
    /// Producers whose sequences are remembered, of all logs.
    pub producers: usize,
    /// Batches refused since the start because their log or the shard has too many transactions.
    pub transactions_refused: u64,
    /// What was appended.
    pub appended: AppendStats,
    /// What its journal has written.
    pub journal: JournalStats,
    /// Bytes accepted and not yet durable.
    pub undurable_bytes: usize,
    /// What its cleaner did.
    pub cleaner: CleanerStats,
    /// Its files.
    pub segments: SegmentStats,
    /// What the tail holds of durable commits, in bytes.
    pub tail_bytes: usize,
    /// Indexes of sealed segments in memory, in bytes.
    pub index_cache_bytes: usize,
    /// What readers were given, and what that cost.
    pub reads: ReadStats,
    /// Reads that wait for the disk, and those that wait for their turn.
    pub disk_reads: usize,
}

/// What the shard of a thread has done and holds, with its buffers and queues.
#[derive(Clone, Copy, Debug)]
pub struct CoreStats {
    /// The state machine's part.
    pub shard: ShardStats,
    /// Buffers of the pool that somebody holds: commits on their way, the tail, disk reads, and slices that are being sent.
    pub pool_used_bytes: usize,
    /// Buffers kept for reuse.
    pub pool_idle_bytes: usize,
    /// Batches that wait for room in the journal.
    pub stalled_bytes: usize,
    /// Requests that it sent to other shards, and that they have not answered.
    pub requests_unanswered: usize,
    /// Requests that it has sent to other shards since the start.
    pub requests_sent: u64,
}

impl Core {
    /// A snapshot of this thread's shard.
    pub fn stats(&self) -> CoreStats {
        let mut shard = self.inner.shard.borrow_mut();
        let pool = shard.io().pool();
        let (pool_used_bytes, pool_idle_bytes) = (pool.outstanding_bytes(), pool.idle_bytes());
        CoreStats {
            shard: shard.stats(),
            pool_used_bytes,
            pool_idle_bytes,
            stalled_bytes: self.inner.stalled.borrow().bytes(),
            requests_unanswered: self.inner.unanswered.borrow().iter().sum(),
            requests_sent: self.inner.mailboxes.requests_sent(self.inner.id),
        }
    }

    /// Ends when something written now is durable on this thread's shard: whether an append would be, asked without one. A disk that takes
    /// no records of clients refuses this too.
    pub fn prove_write_path(&self) -> impl Future<Output = Result<(), AppendError>> + 'static {
        self.change(self.inner.id, Shard::push_probe)
    }
}

impl<I: Io> Shard<I> {
    /// Writes a commit that says nothing new, as a client's append would be written: whoever waits for it knows that the write path works.
    pub fn push_probe(&mut self) -> Result<CommitSequence, Refusal> {
        let (commit, _) = self.push_control(RoomFor::Records, plain_entry(EntryKind::Watermark, LogId(0)), &[])?;
        Ok(commit)
    }

    /// A snapshot.
    pub fn stats(&self) -> ShardStats {
        ShardStats {
            logs: self.partitions.len(),
            producers: self.partitions.values().map(|partition| partition.state.producers.len()).sum(),
            transactions_refused: self.transactions.refused,
            appended: self.appended,
            journal: self.journal.stats(),
            undurable_bytes: self.journal.undurable_bytes(),
            cleaner: self.cleaner_stats(),
            segments: self.journal.segments.stats(self.journal.segment_bytes()),
            tail_bytes: self.tail.durable_bytes(self.journal.ends().durable),
            index_cache_bytes: self.indexes.bytes(),
            reads: self.read_stats(),
            disk_reads: self.reads.unfinished(),
        }
    }
}
