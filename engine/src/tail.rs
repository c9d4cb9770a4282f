//! The newest commits of a shard in memory, under one byte budget. It may forget, but never lies: only commits that are
//! durable are forgotten, oldest first, and what is left is exactly what was written.
//!
//! A log that floods the shard turns the tail over in milliseconds. So that readers of other logs need not go to a disk that the flood keeps
//! busy, the batches of quiet logs outlive their commit for a while: copies of them, its remnant, have a part of the budget.

mod remnants;

use std::collections::VecDeque;
use std::rc::Rc;

use self::remnants::Remnants;
use crate::journal::commit::Entry;
use crate::journal::commit_buffer::SealedCommit;
use crate::ledger::Ledger;
use crate::limits::{TAIL_COPIED_TIMES, TAIL_QUIET_LOG_TIMES, TAIL_REMNANT_TIMES};
use crate::memory::ShardMemory;
use crate::offset::CommitSequence;

/// Memory of a batch in the tail of its log, beside its bytes.
pub(crate) const TAIL_BATCH_BYTES: usize = 40;

/// An entry of a commit, and its place in the tail of its log.
const ENTRY_MEMORY_BYTES: usize = size_of::<Entry>() + TAIL_BATCH_BYTES;

/// Memory of a commit beside its buffers and entries.
const COMMIT_MEMORY_BYTES: usize = size_of::<Rc<SealedCommit>>() + size_of::<SealedCommit>();

/// The commits that tail readers are served from.
#[derive(Debug)]
pub struct Tail {
    commits: VecDeque<Rc<SealedCommit>>,
    /// Of their buffers.
    backing_bytes: usize,
    /// Of all that the commits take: for tiny batches the entries are as much as their bytes.
    bytes: usize,
    remnants: Remnants,
    bytes_max: usize,
    pinned_bytes_max: usize,
    /// What may still be copied into remnants.
    copies_left: usize,
    /// All commit buffers that somebody holds.
    buffers: Ledger,
}

/// Memory of a commit beside its buffers.
fn commit_overhead_bytes(commit: &SealedCommit) -> usize {
    COMMIT_MEMORY_BYTES + commit.entries.len() * ENTRY_MEMORY_BYTES
}

fn held_bytes(commit: &SealedCommit) -> usize {
    commit.backing_bytes() + commit_overhead_bytes(commit)
}

impl Tail {
    /// An empty tail with its budgets for whole backing buffers; `buffers` counts those of every sealed commit.
    pub fn new(memory: &ShardMemory, buffers: Ledger) -> Tail {
        let (bytes_max, pinned_bytes_max) = (memory.tail_bytes, memory.tail_pinned_bytes);
        let remnants = Remnants::new(bytes_max / TAIL_REMNANT_TIMES);
        let commits = VecDeque::new();
        Tail { commits, backing_bytes: 0, bytes: 0, remnants, bytes_max, pinned_bytes_max, copies_left: 0, buffers }
    }

    /// Bytes of buffers that were forgotten here while answers still hold slices of them.
    pub fn pinned_bytes(&self) -> usize {
        self.buffers.bytes().saturating_sub(self.backing_bytes + self.remnants.backing_bytes())
    }

    /// Slow readers hold so much that further ones must not pin more.
    pub fn is_pinned_too_much(&self) -> bool {
        self.pinned_bytes() > self.pinned_bytes_max
    }

    /// Bytes of what it may forget, buffers and entries here and in their logs: never beyond the budget. What is not durable yet has a budget
    /// of its own.
    pub fn durable_bytes(&self, durable: CommitSequence) -> usize {
        let undurable = self.commits.iter().rev().take_while(|commit| commit.header.sequence > durable);
        self.remnants.bytes() + self.bytes - undurable.map(|commit| held_bytes(commit)).sum::<usize>()
    }

    /// Takes a commit in, in journal order.
    pub fn push(&mut self, commit: Rc<SealedCommit>) {
        self.backing_bytes += commit.backing_bytes();
        self.bytes += held_bytes(&commit);
        self.commits.push_back(commit);
    }

    /// Forgets and gives the oldest commit if the budget is exceeded and the commit is durable.
    pub fn forget_commit(&mut self, durable: CommitSequence) -> Option<Rc<SealedCommit>> {
        if self.durable_bytes(durable) <= self.bytes_max || self.commits.front()?.header.sequence > durable {
            return None;
        }
        let commit = self.commits.pop_front()?;
        self.backing_bytes -= commit.backing_bytes();
        self.bytes -= held_bytes(&commit);
        let copies_max = self.bytes_max / TAIL_REMNANT_TIMES;
        self.copies_left = (self.copies_left + commit.backing_bytes() / TAIL_COPIED_TIMES).min(copies_max);
        Some(commit)
    }

    /// Whether a log with so many bytes in its commits is one whose batches may outlive them.
    pub fn is_quiet(&self, recent_bytes: usize) -> bool {
        recent_bytes <= self.bytes_max / TAIL_QUIET_LOG_TIMES
    }

    /// Whether a batch may be copied into a remnant that has so many bytes already; then it counts as copied.
    pub fn may_copy(&mut self, copied: usize, bytes: usize) -> bool {
        let left = self.copies_left.checked_sub(bytes).filter(|_| copied + bytes <= self.remnants.one_bytes_max());
        self.copies_left = left.unwrap_or(self.copies_left);
        left.is_some()
    }

    /// Keeps these entries of a commit that was just forgotten. Gives their remnant.
    pub fn keep(&mut self, commit: &SealedCommit, entries: Vec<Entry>) -> Rc<SealedCommit> {
        self.remnants.keep(commit, entries, &self.buffers)
    }

    /// Forgets and gives the oldest remnants if they exceed their part of the budget.
    pub fn forget_remnants(&mut self) -> Vec<Rc<SealedCommit>> {
        self.remnants.forget()
    }
}
