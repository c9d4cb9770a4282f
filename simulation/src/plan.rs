//! `Plan`: what a seed decides before anything happens.

use engine::io::sim::Faults;
use engine::limits::{CLEANER_KEY_BYTES, CLEANER_KEYS_BYTES_MAX, SEGMENT_BYTES_MIN};

use crate::dice::Dice;

/// The frame of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Shards of the directory.
    pub shards: u32,
    /// Bytes of a segment: small, so that rolls and recycling are frequent.
    pub segment_bytes: u64,
    /// Tail buffers of a shard: little, so that reads go to the disk.
    pub tail_bytes: usize,
    /// Keys of a pass of compaction: sometimes fewer than there are, so that a pass ends early.
    pub cleaner_keys_bytes: usize,
    /// Keys of a compacted topic's records.
    pub keys: u64,
    /// Of a thousand topics so many are compacted.
    pub compact_permille: u64,
    /// Operations of clients.
    pub operations: u64,
    /// What strikes while a process runs.
    pub faults: Faults,
    /// Of a thousand operations so many end in a crash or a stop.
    pub end_permille: u64,
    /// Of a thousand batches so many are large.
    pub large_permille: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(dice: &mut Dice, operations: Option<u64>, lying_flush: bool) -> Plan {
        let mut odds = |of_seeds: u64, most: u64| if dice.chance(of_seeds) { 1 + dice.below(most) } else { 0 };
        let faults = Faults {
            reorder: true,
            delay: odds(800, 200),
            stall: odds(300, 3),
            read_error: odds(300, 20),
            write_error: odds(150, 2),
            sync_error: odds(150, 2),
            disk_full: odds(200, 500),
            create_error: odds(100, 300),
            read_flip: odds(300, 20),
            lying_flush: if lying_flush { 1000 } else { 0 },
            misdirected_write: 0,
            duplicated_write: 0,
        };
        let plan = Plan {
            shards: 1 + dice.below(2) as u32,
            segment_bytes: SEGMENT_BYTES_MIN * (1 + dice.below(4) / 3),
            tail_bytes: [16 << 10, 128 << 10, 1 << 20][dice.below(3) as usize],
            cleaner_keys_bytes: [CLEANER_KEYS_BYTES_MAX, 16 * CLEANER_KEY_BYTES][dice.below(2) as usize],
            keys: [3, 20, 100][dice.below(3) as usize],
            compact_permille: [100, 500, 900][dice.below(3) as usize],
            operations: 500 + dice.below(400),
            faults,
            end_permille: 4 + dice.below(12),
            large_permille: [0, 30, 300][dice.below(3) as usize],
        };
        // The dice fall as they would without it: a replay up to an operation is the same run.
        Plan { operations: operations.unwrap_or(plan.operations), ..plan }
    }
}
