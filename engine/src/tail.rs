//! The newest commits of a shard in memory, under one byte budget. It may forget, but never lies: only commits that are
//! durable are forgotten, oldest first, and what is left is exactly what was written.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::journal::commit_buffer::SealedCommit;
use crate::offset::CommitSequence;

/// The commits that tail readers are served from.
#[derive(Debug)]
pub struct Tail {
    commits: VecDeque<Rc<SealedCommit>>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    /// An empty tail with a budget for whole backing buffers.
    pub fn new(bytes_max: usize) -> Tail {
        Tail { commits: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Bytes of the buffers that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a commit in, in journal order.
    pub fn push(&mut self, commit: Rc<SealedCommit>) {
        self.bytes += commit.backing_bytes();
        self.commits.push_back(commit);
    }

    /// Forgets and gives the oldest commit if the budget is exceeded and the commit is durable.
    pub fn forget_one(&mut self, durable: CommitSequence) -> Option<Rc<SealedCommit>> {
        if self.bytes <= self.bytes_max || self.commits.front()?.header.sequence > durable {
            return None;
        }
        let commit = self.commits.pop_front()?;
        self.bytes -= commit.backing_bytes();
        Some(commit)
    }
}
