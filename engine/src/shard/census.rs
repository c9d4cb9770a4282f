//! How much memory the tables of a shard take: its logs with their spans, epochs and producers. Counted a few logs at a time, so that a
//! shard with very many is never held up; and what a shard whose tables are full still takes.

use std::ops::Bound;

use super::core::Core;
use super::state::Shard;
use crate::io::Io;
use crate::journal::index::IndexBuilder;
use crate::limits::CENSUS_LOGS_MAX;
use crate::offset::LogId;

/// Bytes of a shard's tables.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TableBytes {
    /// Logs, with their spans, epochs and places in the tail.
    pub logs: usize,
    /// Idempotent producers of all logs.
    pub producers: usize,
    /// Runs of the segment that is written to.
    pub runs: usize,
}

impl TableBytes {
    /// All of them.
    pub fn total(&self) -> usize {
        self.logs + self.producers + self.runs
    }
}

/// A count under way, and the last whole one.
#[derive(Default, Debug)]
pub(super) struct Census {
    last: Option<LogId>,
    counting: TableBytes,
    counted: TableBytes,
    /// Logs forget an old producer for each new one.
    is_full: bool,
}

impl<I: Io> Shard<I> {
    /// Counts some more logs. True when all were counted: [`Shard::table_bytes`] is new then.
    pub fn count_tables(&mut self) -> bool {
        let census = &mut self.census;
        let from = census.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.partitions.range_mut((from, Bound::Unbounded));
        for (&log, partition) in rest.by_ref().take(CENSUS_LOGS_MAX) {
            census.counting.logs += partition.memory_bytes();
            census.counting.producers += partition.state.producers.memory_bytes();
            partition.state.producers.keep_only_as_many(census.is_full);
            census.last = Some(log);
        }
        let is_whole = rest.next().is_none();
        if is_whole {
            let active = self.journal.active_segment().and_then(|active| self.journal.segments.get(active));
            let builder = active.and_then(|segment| segment.index.as_ref());
            census.counting.runs = builder.map_or(0, IndexBuilder::memory_bytes);
            census.counted = std::mem::take(&mut census.counting);
            census.last = None;
        }
        is_whole
    }

    /// The last whole count.
    pub fn table_bytes(&self) -> TableBytes {
        self.census.counted
    }

    /// Whether the tables are full. A log then forgets the producer that was silent longest for each new one; it takes one count to tell all logs.
    pub fn tables_are_full(&mut self, is_full: bool) {
        self.census.is_full = is_full;
    }
}

impl Core {
    /// [`Shard::count_tables`] on this thread's shard.
    pub fn count_tables(&self) -> bool {
        self.inner.shard.borrow_mut().count_tables()
    }

    /// [`Shard::table_bytes`] of this thread's shard.
    pub fn table_bytes(&self) -> TableBytes {
        self.inner.shard.borrow().table_bytes()
    }

    /// [`Shard::tables_are_full`] for this thread's shard.
    pub fn tables_are_full(&self, is_full: bool) {
        self.inner.shard.borrow_mut().tables_are_full(is_full);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::batch::tests::batch;
    use crate::data_directory::{DataDirectory, DirectorySettings};
    use crate::io::sim::{SimDisk, SimIo};
    use crate::limits::SEGMENT_BYTES_MIN;
    use crate::memory::ShardMemory;
    use crate::offset::ShardId;
    use crate::partition::config::LogConfig;
    use crate::recovery::recover;
    use crate::shard::engine::open_shard;
    use crate::shard::state::Refusal;

    fn until<T>(
        shard: &mut Shard<SimIo>,
        io: &SimIo,
        mut change: impl FnMut(&mut Shard<SimIo>) -> Result<T, Refusal>,
    ) -> T {
        loop {
            match change(shard) {
                Ok(done) => return done,
                Err(Refusal::Wait) => {}
                Err(Refusal::Error(error)) => panic!("{error}"),
            }
            io.step();
            io.advance_ns(1_000_000);
            shard.turn().expect("a healthy disk");
        }
    }

    fn count(shard: &mut Shard<SimIo>) -> (usize, TableBytes) {
        let steps = 1 + std::iter::repeat_with(|| shard.count_tables()).take_while(|is_whole| !is_whole).count();
        (steps, shard.table_bytes())
    }

    #[test]
    fn all_logs_and_producers_are_counted_in_steps_and_full_tables_keep_no_more_producers() {
        let mut io = SimIo::new(1, SimDisk::default());
        let settings = DirectorySettings { shards: 1, segment_bytes: SEGMENT_BYTES_MIN * 8 };
        let directory = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings).expect("opens");
        let recovered = recover(&mut io, &directory, ShardId(0)).expect("recovers");
        let mut shard = open_shard(io.clone(), &directory, ShardId(0), recovered, ShardMemory::LEAST);
        let produce = |shard: &mut Shard<SimIo>, producer: i64| {
            let bytes = batch(1, 10, (producer, 0, 0), 5);
            let receipt = until(shard, &io, |shard| shard.append(LogId(1), &bytes));
            let is_durable = |shard: &mut Shard<SimIo>| shard.ends().durable >= receipt.commit;
            until(shard, &io, |shard| if is_durable(shard) { Ok(()) } else { Err(Refusal::Wait) });
        };
        let logs = CENSUS_LOGS_MAX as u64 + 10;
        for log in 1..=logs {
            until(&mut shard, &io, |shard| shard.configure_log(LogId(log), LogConfig::default()));
        }
        produce(&mut shard, 1);
        let (steps, few) = count(&mut shard);
        assert_eq!(steps, 2);
        assert!(few.logs >= logs as usize * size_of::<crate::partition::Partition>() && few.runs > 0, "{few:?}");
        (2..=100).for_each(|producer| produce(&mut shard, producer));
        let (_, many) = count(&mut shard);
        assert_eq!(many.producers, 100 * few.producers);
        shard.tables_are_full(true);
        count(&mut shard);
        (101..=150).for_each(|producer| produce(&mut shard, producer));
        assert_eq!(count(&mut shard).1.producers, many.producers);
        shard.tables_are_full(false);
        count(&mut shard);
        produce(&mut shard, 151);
        assert!(count(&mut shard).1.producers > many.producers);
    }
}
