//! One turn of a shard: completions in, ends forward, operations out. No callback runs inside submit.

use super::state::{Advance, Shard};
use crate::data_directory::CleanEnd;
use crate::io::{Completion, Io, Outcome};
use crate::journal::commit::EntryKind;
use crate::journal::operations::Purpose;
use crate::journal::writer::JournalFailure;
use crate::offset::{CommitSequence, LogId};
use crate::partition::Moved;

impl<I: Io> Shard<I> {
    /// Takes in what completed, moves the ends, submits what can be submitted. An error must stop the process.
    pub fn turn(&mut self) -> Result<(), JournalFailure> {
        self.transactions.is_counted = false;
        let mut completions = Vec::new();
        self.operations.io.completions(&mut completions);
        for completion in completions {
            self.complete(completion)?;
        }
        self.collect_complete_steps();
        self.advance();
        self.settle_owed();
        self.clean();
        self.pump();
        Ok(())
    }

    /// Submits what can be submitted, without looking at completions.
    pub fn pump(&mut self) {
        self.journal.pump(&mut self.operations);
        for commit in self.journal.take_sealed() {
            for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
                if let Some(partition) = self.partitions.get_mut(&entry.log) {
                    partition.sealed(entry, &commit);
                }
            }
            self.tail.push(commit);
        }
        self.start_waiting_reads();
        self.operations.io.start();
    }

    /// When [`Shard::turn`] wants to be called although nothing completes, ns of the monotonic clock.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.journal.deadline_ns().into_iter().chain(self.cleaner.deadline_ns()).min()
    }

    /// Whether small commits may be written and flushed by one call, as they are unless it is said otherwise.
    pub fn set_writes_through(&mut self, writes_through: bool) {
        self.journal.set_writes_through(writes_through);
    }

    /// Somebody waits for the write of a commit and not for its flush.
    pub fn await_written(&mut self, commit: CommitSequence) {
        self.journal.await_written(commit);
    }

    /// Logs whose visible end moved (or that are gone) since the last call.
    pub fn take_advanced(&mut self) -> Vec<Advance> {
        std::mem::take(&mut self.advanced)
    }

    /// Everything is durable and proven: the shard may stop. Call [`Shard::turn`] until it is true.
    pub fn try_settle(&mut self) -> bool {
        if !self.journal.is_settled() || self.journal.push_watermark(&mut self.operations) {
            return false;
        }
        self.journal.is_settled()
    }

    /// What the clean marker says of a shard that has settled. None if there must be none: leader epochs were shown that a full disk had no room
    /// for, and only a start after an unclean stop gives higher ones.
    pub fn clean_end(&self) -> Option<CleanEnd> {
        let last_commit = self.ends().durable;
        let end = CleanEnd { shard: self.id, incarnation: self.journal.incarnation(), last_commit };
        self.owed_epochs.is_empty().then_some(end)
    }

    fn complete(&mut self, completion: Completion) -> Result<(), JournalFailure> {
        let purpose = self.operations.purpose(&completion);
        let result = completion.result;
        let now_ns = self.operations.io.monotonic_ns();
        match purpose {
            Purpose::CommitWrite(commit) => self.journal.write_completed(commit, result.map(drop))?,
            Purpose::CommitThrough(commit) => {
                self.journal.write_completed(commit, result.map(drop))?;
                self.journal.flush_completed(&mut self.operations, Ok(()))?;
            }
            Purpose::Flush => self.journal.flush_completed(&mut self.operations, result.map(drop))?,
            Purpose::LookForSpace => {
                let free = result.and_then(|outcome| match outcome {
                    Outcome::FreeBytes(bytes) => Ok(bytes),
                    other => Err(std::io::Error::other(format!("free space came back as {other:?}"))),
                });
                self.journal.segments.look_ended(&mut self.operations, free);
            }
            Purpose::CreateSegment { slot } => {
                let made = result.and_then(|outcome| match outcome {
                    Outcome::File(file) => Ok(file),
                    other => Err(std::io::Error::other(format!("a created file came back as {other:?}"))),
                });
                self.journal.segments.created(slot, made, now_ns);
            }
            Purpose::Zero { slot } => self.journal.segments.zero_ended(slot, result.is_ok()),
            Purpose::ZeroSync { slot } => {
                // A failed flush may have dropped what the journal wrote to the same device, and the journal's own would not say so.
                result.map_err(|error| JournalFailure { what: "flush of a new segment", error })?;
                self.journal.segments.zero_sync_ended(slot);
            }
            Purpose::IndexWrite(segment) => self.journal.segments.index_written(segment, result.map(drop)),
            Purpose::Remove => {
                if let Err(error) = result {
                    tracing::warn!(shard = self.id.0, %error, "a file that is no longer needed was not removed");
                }
            }
            Purpose::IndexRead(segment) => self.index_was_read(segment, result),
            Purpose::Clean(step) => self.cleaning_completed(step, result)?,
            Purpose::Read(key) => self.extent_was_read(key, result),
        }
        Ok(())
    }

    fn advance(&mut self) {
        for commit in self.journal.take_written() {
            for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
                let moved = self.partitions.get_mut(&entry.log).and_then(|partition| partition.written(entry));
                self.advanced.extend(moved.map(|moved| advance(entry.log, moved)));
            }
        }
        for commit in self.journal.take_durable() {
            for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
                let moved = self.partitions.get_mut(&entry.log).and_then(|partition| partition.durable(entry));
                self.advanced.extend(moved.map(|moved| advance(entry.log, moved)));
            }
        }
        self.bury_dead();
        self.trim_tail();
    }
}

fn advance(log: LogId, moved: Moved) -> Advance {
    Advance { log, bytes: moved.visible_bytes, stable_bytes: moved.stable_bytes }
}

#[cfg(test)]
mod tests {
    use crate::batch::tests::batch;
    use crate::limits::SEGMENT_BYTES_MIN;
    use crate::offset::{CommitSequence, LogId};
    use crate::partition::config::LogConfig;
    use crate::shard::driven::Driven;

    const LOG: LogId = LogId(1);

    impl Driven {
        /// With a log, and nothing under way.
        fn calm() -> Driven {
            let mut driven = Driven::start(SEGMENT_BYTES_MIN, 0);
            driven.until(|shard| shard.configure_log(LOG, LogConfig::default()).ok());
            driven.settle();
            driven
        }

        fn begin(&mut self, bytes: usize, is_awaited: bool) -> CommitSequence {
            let commit = self.shard.append(LOG, &batch(1, bytes, (-1, -1, -1), 5)).expect("there is room").commit;
            if is_awaited {
                self.shard.await_written(commit);
            }
            self.shard.turn().expect("a healthy disk");
            commit
        }

        /// Operations that end until a commit is durable.
        fn operations_until_durable(&mut self, commit: CommitSequence) -> usize {
            let mut count = 0;
            while self.shard.ends().durable < commit {
                self.io.step();
                self.shard.turn().expect("a healthy disk");
                count += 1;
            }
            count
        }
    }

    #[test]
    fn a_small_commit_that_is_alone_is_written_and_flushed_by_one_call() {
        for (bytes, is_awaited, operations) in [(100, false, 1), (100, true, 2), (70_000, false, 3)] {
            let mut driven = Driven::calm();
            let commit = driven.begin(bytes, is_awaited);
            assert_eq!(driven.operations_until_durable(commit), operations, "{bytes} bytes, awaited: {is_awaited}");
        }
        let mut driven = Driven::calm();
        driven.shard.set_writes_through(false);
        let commit = driven.begin(100, false);
        assert_eq!(driven.operations_until_durable(commit), 2, "where the device is slow at it");
    }

    #[test]
    fn one_commit_whose_write_is_awaited_is_written_beside_a_flush() {
        let mut driven = Driven::calm();
        let first = driven.begin(100, true);
        driven.io.step();
        driven.shard.turn().expect("a healthy disk");
        assert!(driven.shard.ends().written == first && driven.shard.ends().durable < first, "its flush is under way");
        driven.begin(100, false);
        assert_eq!(driven.io.in_flight(), 1, "who waits for the flush gathers");
        driven.begin(100, true);
        assert_eq!(driven.io.in_flight(), 2, "a write beside the flush");
        let last = driven.begin(100, true);
        assert_eq!(driven.io.in_flight(), 2, "one of them");
        driven.operations_until_durable(last);
    }
}
