//! What the tail forgets: commits beyond its budget, but for the batches of quiet logs, which outlive them for a while.

use std::rc::Rc;

use super::state::Shard;
use crate::io::Io;
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::commit_buffer::SealedCommit;

impl<I: Io> Shard<I> {
    /// Brings the tail back into its budget.
    pub(super) fn trim_tail(&mut self) {
        let durable = self.journal.ends().durable;
        while let Some(commit) = self.tail.forget_commit(durable) {
            let outliving = self.forget_loud(&commit);
            if !outliving.is_empty() {
                let remnant = self.tail.keep(&commit, outliving);
                for entry in &remnant.entries {
                    if let Some(partition) = self.partitions.get_mut(&entry.log) {
                        partition.outlive(entry, &remnant);
                    }
                }
            }
            debug_assert!(Rc::strong_count(&commit) == 1, "a forgotten commit has no other holder");
        }
        for remnant in self.tail.forget_remnants() {
            for entry in &remnant.entries {
                if let Some(partition) = self.partitions.get_mut(&entry.log) {
                    partition.forget(entry);
                }
            }
        }
    }

    /// Forgets the batches of a commit, but for those of quiet logs, which it gives.
    fn forget_loud(&mut self, commit: &SealedCommit) -> Vec<Entry> {
        let (mut outliving, mut copied) = (Vec::new(), 0);
        for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
            let Some(partition) = self.partitions.get_mut(&entry.log) else {
                continue;
            };
            let length = entry.length as usize;
            if self.tail.is_quiet(partition.recent_bytes()) && self.tail.may_copy(copied, length) {
                outliving.push(*entry);
                copied += length;
            } else {
                partition.forget(entry);
            }
        }
        outliving
    }
}

#[cfg(test)]
mod tests {
    use crate::batch::tests::batch;
    use crate::batch::walk;
    use crate::journal::reader::Goal;
    use crate::limits::{SEGMENT_BYTES_DEFAULT, TAIL_REMNANT_TIMES};
    use crate::offset::{LogId, Offset};
    use crate::partition::config::LogConfig;
    use crate::partition::transactions::Isolation;
    use crate::shard::driven::Driven;
    use crate::shard::reads::{ReadRequest, ReadStart};

    const FLOOD: LogId = LogId(1);
    const QUIET: LogId = LogId(2);
    const TAIL_BYTES: usize = 4 << 20;

    impl Driven {
        fn flooded(logs: impl IntoIterator<Item = LogId>) -> Driven {
            let mut driven = Driven::start(SEGMENT_BYTES_DEFAULT, TAIL_BYTES);
            for log in logs {
                driven.until(|shard| shard.configure_log(log, LogConfig::default()).ok());
            }
            driven
        }

        /// Appends a batch of `count` records and waits until it is durable.
        fn store(&mut self, log: LogId, count: i32, bytes: usize) {
            let batch = batch(count, bytes, (-1, -1, -1), 5);
            let receipt = self.until(|shard| shard.append(log, &batch).ok());
            self.until(|shard| {
                let held = shard.tail.durable_bytes(shard.ends().durable);
                assert!(held <= TAIL_BYTES, "{held} bytes are in the tail");
                (shard.ends().durable >= receipt.commit).then_some(())
            });
        }

        /// The base offsets that the tail gives from `offset` on.
        fn in_tail(&mut self, log: LogId, offset: Offset) -> Option<Vec<i64>> {
            if !self.shard.is_in_tail(log, offset) {
                return None;
            }
            let (goal, isolation) = (Goal::Offset(offset), Isolation::Uncommitted);
            let request = ReadRequest { log, goal, bytes_max: 1 << 30, first_whole: true, one_step: false, isolation };
            let ReadStart::Done(read) = self.shard.read(request).expect("in range") else {
                panic!("it is in the tail")
            };
            let bytes = read.slices.concat();
            Some(walk(&bytes).map(|(_, header)| header.base_offset()).collect())
        }
    }

    #[test]
    fn a_flood_does_not_push_a_quiet_log_out_of_the_tail() {
        let mut driven = Driven::flooded([FLOOD, QUIET]);
        for _ in 0..20 {
            driven.store(QUIET, 2, 500);
            driven.store(FLOOD, 1, 1_000_000);
        }
        let every_one = (0..20).map(|number| 2 * number).collect();
        assert_eq!(driven.in_tail(QUIET, Offset(0)), Some(every_one));
        assert_eq!(driven.in_tail(FLOOD, Offset(0)), None, "the flood has passed the tail several times");
        assert_eq!(driven.in_tail(FLOOD, Offset(19)), Some(vec![19]));
    }

    #[test]
    fn remnants_have_a_bound_and_the_oldest_go_first() {
        let mut driven = Driven::flooded([FLOOD, QUIET]);
        for _ in 0..400 {
            driven.store(QUIET, 1, 5_000);
            driven.store(FLOOD, 1, 1_000_000);
        }
        let start = driven.shard.partitions[&QUIET].tail_start();
        let (kept_max, rest) = (TAIL_BYTES / TAIL_REMNANT_TIMES / 5_000, 400 - start.0);
        assert!(start > Offset(0) && rest as usize <= kept_max + 10, "{rest} batches are left, {kept_max} have room");
        assert_eq!(driven.in_tail(QUIET, start), Some((start.0..400).collect()), "without a hole");
    }

    #[test]
    fn a_log_that_grows_loud_has_no_hole_in_the_tail() {
        let mut driven = Driven::flooded([FLOOD, QUIET]);
        for number in 0..120 {
            let is_loud = (30..33).contains(&(number % 40));
            driven.store(QUIET, 1, if is_loud { 300_000 } else { 100 });
            driven.store(FLOOD, 1, 500_000);
            let start = driven.shard.partitions[&QUIET].tail_start();
            assert_eq!(driven.in_tail(QUIET, start), Some((start.0..=number).collect()), "after batch {number}");
        }
        assert!(driven.shard.partitions[&QUIET].tail_start() > Offset(70), "its loud batches left with their commits");
    }

    #[test]
    fn many_logs_that_are_all_alike_keep_the_tail_in_its_bounds() {
        let mut driven = Driven::flooded((0..600).map(LogId));
        for number in 0..3_000 {
            driven.store(LogId(number % 600), 1, 4_000);
        }
        for log in 0..600 {
            let start = driven.shard.partitions[&LogId(log)].tail_start();
            if start < Offset(5) {
                assert_eq!(driven.in_tail(LogId(log), start), Some((start.0..5).collect()));
            }
        }
    }
}
