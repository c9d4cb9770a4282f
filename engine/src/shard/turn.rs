//! One turn of a shard: completions in, ends forward, operations out. No callback runs inside submit.

use super::state::{Advance, Shard};
use crate::data_directory::CleanEnd;
use crate::io::{Completion, Io, Outcome};
use crate::journal::commit::EntryKind;
use crate::journal::operations::Purpose;
use crate::journal::writer::JournalFailure;
use crate::offset::LogId;
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
    }

    /// When [`Shard::turn`] wants to be called although nothing completes, ns of the monotonic clock.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.journal.deadline_ns().into_iter().chain(self.cleaner.deadline_ns()).min()
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
