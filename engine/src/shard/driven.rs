//! A shard for tests: over the in-memory Io double, turned by hand.

use std::path::Path;

use super::engine::open_shard;
use super::state::Shard;
use crate::data_directory::{DataDirectory, DirectorySettings};
use crate::io::sim::{SimDisk, SimIo};
use crate::memory::ShardMemory;
use crate::offset::ShardId;
use crate::recovery::recover;

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
