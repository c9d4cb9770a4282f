//! A shard for tests: over the in-memory Io double, turned by hand.

use std::path::Path;

use super::engine::open_shard;
use super::reads::{ReadRequest, ReadStart};
use super::state::Shard;
use crate::batch::tests::batch;
use crate::batch::walk;
use crate::data_directory::{DataDirectory, DirectorySettings};
use crate::io::sim::{SimDisk, SimIo};
use crate::journal::reader::Goal;
use crate::limits::SEGMENT_BYTES_MIN;
use crate::memory::ShardMemory;
use crate::offset::{LogId, ShardId};
use crate::partition::config::LogConfig;
use crate::partition::transactions::Isolation;
use crate::recovery::recover;

/// The log of [`Driven::with_log`].
pub(super) const LOG: LogId = LogId(1);

pub(super) struct Driven {
    pub io: SimIo,
    pub shard: Shard<SimIo>,
}

impl Driven {
    /// A new shard without logs.
    pub fn start(segment_bytes: u64, tail_bytes: usize) -> Driven {
        let mut io = SimIo::new(1, SimDisk::default());
        let settings = DirectorySettings { shards: 1, segment_bytes };
        let directory = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings).expect("opens");
        let recovered = recover(&mut io, &directory, ShardId(0)).expect("recovers");
        let memory = ShardMemory::MOST.with_tail(tail_bytes);
        let shard = open_shard(io.clone(), &directory, ShardId(0), recovered, memory);
        Driven { io, shard }
    }

    /// A new shard with one log, [`LOG`].
    pub fn with_log(tail_bytes: usize) -> Driven {
        let mut driven = Driven::start(SEGMENT_BYTES_MIN, tail_bytes);
        driven.until(|shard| shard.configure_log(LOG, LogConfig::default()).ok());
        driven
    }

    /// Appends a batch of 20,000 bytes and waits until it is durable.
    pub fn append(&mut self) {
        let bytes = batch(1, 20_000, (-1, -1, -1), 5);
        let receipt = self.until(|shard| shard.append(LOG, &bytes).ok());
        self.until(|shard| (shard.ends().durable >= receipt.commit).then_some(()));
    }

    /// The offset of the first batch that a read of one batch gives.
    pub fn first_from(&mut self, goal: Goal) -> Option<i64> {
        let request = ReadRequest {
            log: LOG,
            goal,
            bytes_max: 1,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let batches = match self.shard.read(request).expect("in range") {
            ReadStart::Done(batches) => batches,
            ReadStart::Pending(_) => self.until(|shard| shard.take_finished_reads().pop()).1.expect("no damage"),
        };
        let bytes = batches.slices.concat();
        walk(&bytes).next().map(|(_, header)| header.base_offset())
    }

    /// Turns it until nothing is under way and nothing is about to be.
    pub fn settle(&mut self) {
        let mut turns = 0;
        self.until(|_| {
            turns += 1;
            (turns > 1_000).then_some(())
        });
        assert_eq!(self.io.in_flight(), 0, "everything has come to its end");
    }

    /// Turns it until `attempt` gives something.
    pub fn until<T>(&mut self, mut attempt: impl FnMut(&mut Shard<SimIo>) -> Option<T>) -> T {
        loop {
            if let Some(value) = attempt(&mut self.shard) {
                return value;
            }
            self.io.step();
            self.io.advance_ns(1_000_000);
            self.shard.turn().expect("a healthy disk");
        }
    }
}
