//! `MemoryPlan`: `memory.max.bytes` split: what the process needs anyway is set aside, the rest goes to the shards in equal parts, and a
//! shard's part to its purposes. Every purpose has a least, without which a shard does not work, and a most, of which more is of no use.

use engine::memory::{ShardMemory, part_way};
use thiserror::Error;

use crate::available_memory::AvailableMemory;
use crate::config::Settings;
use crate::limits::{
    ALLOCATOR_SLACK_PARTS, ANSWER_BYTES_MAX, ANSWER_BYTES_MIN, CONNECTION_BYTES, DECOMPRESSED_BYTES_MAX,
    FRAME_BUDGET_BYTES_MAX, FRAME_BUDGET_BYTES_MIN, PROCESS_BYTES, REQUEST_BYTES_NEEDED, TABLE_BYTES_MAX,
    TABLE_BYTES_MIN,
};

/// The budgets of one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardPlan {
    /// Its engine.
    pub engine: ShardMemory,
    /// Received frames, held until their answers have left.
    pub frame_bytes: usize,
    /// The largest frame: one at a time may go beyond the budget. At most `socket.request.max.bytes`.
    pub largest_frame_bytes: usize,
    /// Answers that carry records.
    pub answer_bytes: usize,
    /// Topics, partitions, producers and groups.
    pub table_bytes: usize,
}

/// How the memory of the process is split.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryPlan {
    /// The limit of the process.
    pub max_bytes: u64,
    /// Where it comes from.
    pub reason: String,
    /// Set aside: the program itself, connections, and what the allocator wastes.
    pub process_bytes: u64,
    /// What each shard has.
    pub shard: ShardPlan,
    /// Number of shards.
    pub shards: u32,
}

/// The limit is below what the shards need.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "memory.max.bytes is {max_bytes} ({reason}), but {shards} shards and {connections_max} connections need at least {needed_bytes}; raise it, lower \
     max.connections, or use a data directory with fewer shards (posthaste.shards)"
)]
pub struct TooLittleMemory {
    max_bytes: u64,
    reason: String,
    shards: u32,
    connections_max: usize,
    needed_bytes: u64,
}

impl MemoryPlan {
    /// Splits the limit of the settings, or by default half of what is available; up to three quarters where half is too little.
    pub fn new(
        settings: &Settings,
        available: &AvailableMemory,
        connections_max: usize,
        shards: u32,
    ) -> Result<MemoryPlan, TooLittleMemory> {
        let (least, most) = (ShardPlan::least(settings, shards), ShardPlan::most(settings, shards));
        let aside = PROCESS_BYTES + connections_max as u64 * CONNECTION_BYTES;
        let total = |plan: ShardPlan| with_slack(aside + u64::from(shards) * plan.total_bytes() as u64);
        let (max_bytes, reason) = if let Some(bytes) = settings.memory_max_bytes.0 {
            (bytes.cast_unsigned(), "as configured".to_owned())
        } else {
            let half = available.bytes / 2;
            let bytes = half.max(total(least).min(available.bytes / 4 * 3));
            (bytes, format!("by default, of {} bytes of {}", available.bytes, available.set_by))
        };
        if max_bytes < total(least) {
            let needed_bytes = total(least);
            return Err(TooLittleMemory { max_bytes, reason, shards, connections_max, needed_bytes });
        }
        let fraction = (max_bytes - total(least)) as f64 / (total(most) - total(least)) as f64;
        let shard = ShardPlan::between(least, most, fraction);
        let process_bytes = total(shard) - u64::from(shards) * shard.total_bytes() as u64;
        Ok(MemoryPlan { max_bytes, reason, process_bytes, shard, shards })
    }

    /// All that will be used: below the limit if that is more than the purposes have a use for.
    pub fn used_bytes_max(&self) -> u64 {
        self.process_bytes + u64::from(self.shards) * self.shard.total_bytes() as u64
    }

    /// Names and values for the report of a start.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("memory at most", format!("{} ({})", mebibytes(self.max_bytes), self.reason)),
            ("memory in use at most", format!("{} with {} shards", mebibytes(self.used_bytes_max()), self.shards)),
            ("memory of a shard's engine", listed(&self.shard.engine.parts())),
            ("memory of a shard's server", listed(&self.shard.parts())),
        ]
    }
}

impl ShardPlan {
    fn least(settings: &Settings, shards: u32) -> ShardPlan {
        let tail_bytes = ShardMemory::LEAST.tail_bytes.min(tail_bytes(settings, shards));
        ShardPlan {
            engine: ShardMemory::LEAST.with_tail(tail_bytes),
            frame_bytes: FRAME_BUDGET_BYTES_MIN,
            largest_frame_bytes: settings.request_max_bytes.min(REQUEST_BYTES_NEEDED),
            answer_bytes: ANSWER_BYTES_MIN,
            table_bytes: TABLE_BYTES_MIN,
        }
    }

    fn most(settings: &Settings, shards: u32) -> ShardPlan {
        ShardPlan {
            engine: ShardMemory::MOST.with_tail(tail_bytes(settings, shards)),
            frame_bytes: FRAME_BUDGET_BYTES_MAX,
            largest_frame_bytes: settings.request_max_bytes,
            answer_bytes: ANSWER_BYTES_MAX,
            table_bytes: TABLE_BYTES_MAX,
        }
    }

    fn between(least: ShardPlan, most: ShardPlan, fraction: f64) -> ShardPlan {
        let part = |of: fn(&ShardPlan) -> usize| part_way(of(&least), of(&most), fraction);
        ShardPlan {
            engine: ShardMemory::between(least.engine, most.engine, fraction),
            frame_bytes: part(|plan| plan.frame_bytes),
            largest_frame_bytes: part(|plan| plan.largest_frame_bytes),
            answer_bytes: part(|plan| plan.answer_bytes),
            table_bytes: part(|plan| plan.table_bytes),
        }
    }

    /// The server's parts with their names, as [`ShardMemory::parts`].
    fn parts(&self) -> [(&'static str, usize); 5] {
        [
            ("frames", self.frame_bytes),
            ("largest frame", self.largest_frame_bytes),
            ("answers", self.answer_bytes),
            ("tables", self.table_bytes),
            ("decompression", DECOMPRESSED_BYTES_MAX),
        ]
    }

    fn total_bytes(&self) -> usize {
        self.engine.total_bytes() + self.parts().iter().map(|(_, bytes)| bytes).sum::<usize>()
    }
}

/// `posthaste.tail.bytes` is of the whole process.
fn tail_bytes(settings: &Settings, shards: u32) -> usize {
    settings.tail_bytes / shards.max(1) as usize
}

/// With what the allocator keeps in its own books and in holes.
fn with_slack(bytes: u64) -> u64 {
    bytes + bytes / ALLOCATOR_SLACK_PARTS
}

fn listed(parts: &[(&str, usize)]) -> String {
    parts.iter().map(|(name, bytes)| format!("{name} {}", mebibytes(*bytes as u64))).collect::<Vec<_>>().join(", ")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UnlessUnset;

    fn plan(max_bytes: Option<i64>, available_bytes: i64, shards: u32) -> Result<MemoryPlan, TooLittleMemory> {
        let settings = Settings { memory_max_bytes: UnlessUnset(max_bytes), ..Settings::default() };
        let available = AvailableMemory { bytes: available_bytes.cast_unsigned(), set_by: "the machine".into() };
        MemoryPlan::new(&settings, &available, 10_000, shards)
    }

    const GIB: i64 = 1 << 30;

    #[test]
    fn a_plan_never_uses_more_than_the_limit() {
        for (max_bytes, shards) in [(GIB, 1), (GIB, 2), (3 * GIB / 2, 3), (2 * GIB, 4), (64 * GIB, 2)] {
            let plan = plan(Some(max_bytes), GIB, shards).unwrap();
            let max_bytes = max_bytes.cast_unsigned();
            assert_eq!(plan.max_bytes, max_bytes);
            assert!(plan.used_bytes_max() <= max_bytes, "{plan:?}");
            assert!(
                plan.used_bytes_max() >= max_bytes - max_bytes / 100
                    || plan.shard.frame_bytes == FRAME_BUDGET_BYTES_MAX
            );
        }
    }

    #[test]
    fn more_memory_gives_every_purpose_more_and_at_last_its_most() {
        let (small, middle, large) = (
            plan(Some(GIB), GIB, 2).unwrap(),
            plan(Some(3 * GIB / 2), GIB, 2).unwrap(),
            plan(Some(8 * GIB), GIB, 2).unwrap(),
        );
        for of in [
            (|plan| plan.frame_bytes) as fn(&ShardPlan) -> usize,
            |plan| plan.answer_bytes,
            |plan| plan.table_bytes,
            |plan| plan.largest_frame_bytes,
            |plan| plan.engine.read_bytes,
        ] {
            assert!(of(&small.shard) < of(&middle.shard) && of(&middle.shard) < of(&large.shard));
        }
        assert_eq!(large.shard, ShardPlan::most(&Settings::default(), 2));
    }

    #[test]
    fn the_default_is_half_of_what_there_is_but_enough_to_work_with() {
        assert_eq!(plan(None, 16 * GIB, 2).unwrap().max_bytes, 8 << 30);
        let tight = plan(None, 700 << 20, 2).unwrap();
        assert!((350 << 20..=525 << 20).contains(&tight.max_bytes), "{}", tight.max_bytes);
        let refused = plan(None, 256 << 20, 2).unwrap_err();
        assert!(refused.to_string().contains("posthaste.shards"), "{refused}");
    }

    #[test]
    fn a_limit_below_the_least_is_refused_with_the_number_that_is_needed() {
        let refused = plan(Some(64 << 20), GIB, 2).unwrap_err();
        assert!(plan(Some(refused.needed_bytes.cast_signed()), GIB, 2).is_ok());
        assert!(plan(Some(refused.needed_bytes.cast_signed() - 1), GIB, 2).is_err());
    }
}
