//! Who waits on a shard's thread for what: ends of commits, reads, and records behind a high watermark.

use std::collections::{BTreeMap, HashMap};

use slab::Slab;
use tokio::sync::oneshot;

use super::reads::{ReadBatches, ReadId};
use super::state::{Advance, Appended, Receipt};
use crate::error::{AppendError, ReadError};
use crate::offset::{CommitSequence, LogId};
use crate::partition::transactions::Isolation;

/// When an append is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// At once after it was accepted; it is flushed soon all the same.
    Accepted,
    /// After its write completed: survives kill -9.
    Written,
    /// After it and everything before it in its log was flushed: survives power loss.
    Durable,
}

impl Acks {
    /// What an append to a log really waits for: with `posthaste.durability=written` the write is enough.
    #[must_use]
    pub fn of_log(self, written_is_enough: bool) -> Acks {
        match self {
            Acks::Durable if written_is_enough => Acks::Written,
            acks => acks,
        }
    }
}

/// What is answered when an end reaches a commit.
enum Waiter {
    /// An append, answered with where it went.
    Append(oneshot::Sender<Result<Appended, AppendError>>, Appended),
    /// Somebody who only wants to know.
    Reached(oneshot::Sender<()>),
}

/// Those who wait until an end reaches a commit.
#[derive(Default)]
pub struct CommitWaiters {
    waiting: BTreeMap<CommitSequence, Vec<Waiter>>,
}

impl CommitWaiters {
    /// Answers an append when the end has reached its commit.
    pub fn answer(&mut self, receipt: Receipt, sender: oneshot::Sender<Result<Appended, AppendError>>) {
        self.waiting.entry(receipt.commit).or_default().push(Waiter::Append(sender, receipt.appended));
    }

    /// Resolves when the end has reached `commit`.
    pub fn wait(&mut self, commit: CommitSequence) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.entry(commit).or_default().push(Waiter::Reached(sender));
        receiver
    }

    /// The end is at `commit` now. In order, oldest first. A receiver that is gone no longer wants to know.
    pub fn reached(&mut self, commit: CommitSequence) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= commit) {
            for waiter in entry.remove() {
                match waiter {
                    Waiter::Append(sender, appended) => drop(sender.send(Ok(appended))),
                    Waiter::Reached(sender) => drop(sender.send(())),
                }
            }
        }
    }
}

/// Those who wait for a read.
pub type ReadWaiters = HashMap<ReadId, oneshot::Sender<Result<ReadBatches, ReadError>>>;

struct Watch {
    logs: Vec<LogId>,
    isolation: Isolation,
    bytes_left: usize,
    sender: Option<oneshot::Sender<()>>,
}

/// Those who wait for records to become visible.
#[derive(Default)]
pub struct Watches {
    watches: Slab<Watch>,
    by_log: HashMap<LogId, Vec<usize>>,
}

impl Watches {
    /// Resolves when `bytes_min` bytes came into sight in the logs, or one of them is gone. [`Watches::remove`] must follow.
    pub fn add(&mut self, logs: Vec<LogId>, bytes_min: usize, isolation: Isolation) -> (usize, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let id = self.watches.vacant_key();
        for log in &logs {
            self.by_log.entry(*log).or_default().push(id);
        }
        self.watches.insert(Watch { logs, isolation, bytes_left: bytes_min.max(1), sender: Some(sender) });
        (id, receiver)
    }

    /// Nobody waits with this watch any more.
    pub fn remove(&mut self, id: usize) {
        for log in self.watches.remove(id).logs {
            if let Some(ids) = self.by_log.get_mut(&log) {
                ids.retain(|&known| known != id);
                if ids.is_empty() {
                    self.by_log.remove(&log);
                }
            }
        }
    }

    /// A log has something new.
    pub fn advanced(&mut self, advance: Advance) {
        for &id in self.by_log.get(&advance.log).into_iter().flatten() {
            let watch = &mut self.watches[id];
            let bytes = match watch.isolation {
                Isolation::Uncommitted => advance.bytes,
                Isolation::Committed => advance.stable_bytes,
            };
            watch.bytes_left = watch.bytes_left.saturating_sub(bytes);
            if watch.bytes_left == 0
                && let Some(sender) = watch.sender.take()
            {
                let _ = sender.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_wakes_each_of_many_waiters_once_and_nobody_else() {
        let (log, other) = (LogId(1), LogId(2));
        let mut watches = Watches::default();
        let mut add = |logs, bytes_min| watches.add(logs, bytes_min, Isolation::Uncommitted).1;
        let mut groups: Vec<_> = (0..64).map(|_| add(vec![log], 1)).collect();
        let mut patient = add(vec![log, other], 5_000);
        let mut elsewhere = add(vec![other], 1);
        let advance = |log, bytes| Advance { log, bytes, stable_bytes: 0 };
        watches.advanced(advance(log, 3_000));
        assert!(groups.iter_mut().all(|group| group.try_recv().is_ok()), "one commit wakes all");
        watches.advanced(advance(log, 1_000));
        assert!(groups.iter_mut().all(|group| group.try_recv().is_err()), "and each of them once");
        assert!(patient.try_recv().is_err() && elsewhere.try_recv().is_err());
        watches.advanced(advance(other, 1_000));
        assert!(patient.try_recv().is_ok(), "what it waits for is there in all its logs together");
        assert!(elsewhere.try_recv().is_ok());
        (0..66).for_each(|id| watches.remove(id));
        assert!(watches.watches.is_empty() && watches.by_log.is_empty());
    }

    #[test]
    fn a_committed_reader_wakes_when_something_is_decided_and_not_before() {
        let log = LogId(1);
        let mut watches = Watches::default();
        let (_, mut committed) = watches.add(vec![log], 500, Isolation::Committed);
        let (_, mut uncommitted) = watches.add(vec![log], 500, Isolation::Uncommitted);
        watches.advanced(Advance { log, bytes: 500, stable_bytes: 0 });
        assert!(committed.try_recv().is_err() && uncommitted.try_recv().is_ok());
        watches.advanced(Advance { log, bytes: 78, stable_bytes: 578 });
        assert!(committed.try_recv().is_ok());
    }
}
