//! The newest commits of a shard in memory, under one byte budget. It may forget, but never lies: only commits that are
//! durable are forgotten, oldest first, and what is left is exactly what was written.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::journal::commit::Entry;
use crate::journal::commit_buffer::SealedCommit;
use crate::ledger::Ledger;
use crate::memory::ShardMemory;
use crate::offset::CommitSequence;

/// Memory of a batch in the tail of its log, beside its bytes.
pub(crate) const TAIL_BATCH_BYTES: usize = 40;

/// An entry of a commit, and its place in the tail of its log.
const ENTRY_MEMORY_BYTES: usize = size_of::<Entry>() + TAIL_BATCH_BYTES;

/// The commits that tail readers are served from.
#[derive(Debug)]
pub struct Tail {
    commits: VecDeque<Rc<SealedCommit>>,
    bytes: usize,
    bytes_max: usize,
    pinned_bytes_max: usize,
    /// What the entries of its commits take, also counted against the budget: for tiny batches as much as their bytes.
    entry_bytes: usize,
    /// All commit buffers that somebody holds.
    buffers: Ledger,
}

impl Tail {
    /// An empty tail with its budgets for whole backing buffers; `buffers` counts those of every sealed commit.
    pub fn new(memory: &ShardMemory, buffers: Ledger) -> Tail {
        let (bytes_max, pinned_bytes_max) = (memory.tail_bytes, memory.tail_pinned_bytes);
        Tail { commits: VecDeque::new(), bytes: 0, entry_bytes: 0, bytes_max, pinned_bytes_max, buffers }
    }

    /// Bytes of buffers that were forgotten here while answers still hold slices of them.
    pub fn pinned_bytes(&self) -> usize {
        self.buffers.bytes().saturating_sub(self.bytes)
    }

    /// Slow readers hold so much that further ones must not pin more.
    pub fn is_pinned_too_much(&self) -> bool {
        self.pinned_bytes() > self.pinned_bytes_max
    }

    /// Bytes that it holds: buffers, and entries here and in their logs.
    pub fn bytes(&self) -> usize {
        self.bytes + self.entry_bytes
    }

    /// Of these, the bytes of commits that it may forget, which never go beyond the budget: what is not durable yet has a budget of its own.
    pub fn durable_bytes(&self, durable: CommitSequence) -> usize {
        let undurable = self.commits.iter().rev().take_while(|commit| commit.header.sequence > durable);
        let held = |commit: &Rc<SealedCommit>| commit.backing_bytes() + commit.entries.len() * ENTRY_MEMORY_BYTES;
        self.bytes() - undurable.map(held).sum::<usize>()
    }

    /// Takes a commit in, in journal order.
    pub fn push(&mut self, commit: Rc<SealedCommit>) {
        self.bytes += commit.backing_bytes();
        self.entry_bytes += commit.entries.len() * ENTRY_MEMORY_BYTES;
        self.commits.push_back(commit);
    }

    /// Forgets and gives the oldest commit if the budget is exceeded and the commit is durable.
    pub fn forget_one(&mut self, durable: CommitSequence) -> Option<Rc<SealedCommit>> {
        if self.bytes() <= self.bytes_max || self.commits.front()?.header.sequence > durable {
            return None;
        }
        let commit = self.commits.pop_front()?;
        self.bytes -= commit.backing_bytes();
        self.entry_bytes -= commit.entries.len() * ENTRY_MEMORY_BYTES;
        Some(commit)
    }
}
