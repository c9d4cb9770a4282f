//! `ShardMemory`: what each part of a shard's engine may hold, in bytes. Every part has a most, which it does not profit from exceeding, and
//! a least, below which it does not work; a shard that is given less than all the most gets every part shortened alike.

use crate::limits::{
    BATCH_BYTES_MAX, CLEANER_GATHER_BYTES_MAX, CLEANER_GATHER_BYTES_MIN, CLEANER_KEY_BYTES, CLEANER_KEYS_BYTES_MAX,
    CLEANER_KEYS_BYTES_MIN, EXTENT_BYTES, INDEX_CACHE_BYTES_MAX, INDEX_CACHE_BYTES_MIN, POOL_IDLE_BYTES_MAX,
    POOL_IDLE_BYTES_MIN, READ_BYTES_MAX, READ_BYTES_MIN, TAIL_BYTES_MAX, TAIL_BYTES_MIN, TAIL_PINNED_BYTES_MAX,
    TAIL_PINNED_BYTES_MIN, UNDURABLE_BYTES_MAX, UNDURABLE_BYTES_MIN,
};

/// The budgets of one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardMemory {
    /// Appended and not yet durable; beyond it appends wait.
    pub undurable_bytes: usize,
    /// Newest commits kept for readers.
    pub tail_bytes: usize,
    /// Commit buffers that slow readers hold after the tail forgot them; beyond it readers get copies.
    pub tail_pinned_bytes: usize,
    /// What was read from disk: kept, on its way, or held by answers.
    pub read_bytes: usize,
    /// Indexes of sealed segments.
    pub index_cache_bytes: usize,
    /// Live batches that the cleaner holds at once; as much again is held while they are written.
    pub cleaner_gather_bytes: usize,
    /// The keys of a pass of compaction.
    pub cleaner_keys_bytes: usize,
    /// Buffers kept for reuse.
    pub idle_buffer_bytes: usize,
}

impl ShardMemory {
    /// All that the parts have a use for.
    pub const MOST: ShardMemory = ShardMemory {
        undurable_bytes: UNDURABLE_BYTES_MAX,
        tail_bytes: TAIL_BYTES_MAX,
        tail_pinned_bytes: TAIL_PINNED_BYTES_MAX,
        read_bytes: READ_BYTES_MAX,
        index_cache_bytes: INDEX_CACHE_BYTES_MAX,
        cleaner_gather_bytes: CLEANER_GATHER_BYTES_MAX,
        cleaner_keys_bytes: CLEANER_KEYS_BYTES_MAX,
        idle_buffer_bytes: POOL_IDLE_BYTES_MAX,
    };

    /// What a shard works with, slowly.
    pub const LEAST: ShardMemory = ShardMemory {
        undurable_bytes: UNDURABLE_BYTES_MIN,
        tail_bytes: TAIL_BYTES_MIN,
        tail_pinned_bytes: TAIL_PINNED_BYTES_MIN,
        read_bytes: READ_BYTES_MIN,
        index_cache_bytes: INDEX_CACHE_BYTES_MIN,
        cleaner_gather_bytes: CLEANER_GATHER_BYTES_MIN,
        cleaner_keys_bytes: CLEANER_KEYS_BYTES_MIN,
        idle_buffer_bytes: POOL_IDLE_BYTES_MIN,
    };

    /// The same with a tail of another size.
    #[must_use]
    pub const fn with_tail(self, tail_bytes: usize) -> ShardMemory {
        ShardMemory { tail_bytes, ..self }
    }

    /// Between two, `fraction` (0 to 1) of the way up.
    #[must_use]
    pub fn between(least: ShardMemory, most: ShardMemory, fraction: f64) -> ShardMemory {
        let part = |of: fn(&ShardMemory) -> usize| part_way(of(&least), of(&most), fraction);
        ShardMemory {
            undurable_bytes: part(|memory| memory.undurable_bytes),
            tail_bytes: part(|memory| memory.tail_bytes),
            tail_pinned_bytes: part(|memory| memory.tail_pinned_bytes),
            read_bytes: part(|memory| memory.read_bytes),
            index_cache_bytes: part(|memory| memory.index_cache_bytes),
            cleaner_gather_bytes: part(|memory| memory.cleaner_gather_bytes),
            cleaner_keys_bytes: part(|memory| memory.cleaner_keys_bytes),
            idle_buffer_bytes: part(|memory| memory.idle_buffer_bytes),
        }
    }

    /// The parts with their names, as a report shows them; together they are all that the engine of a shard holds beside its tables.
    pub fn parts(&self) -> [(&'static str, usize); 7] {
        [
            ("undurable commits", self.undurable_bytes),
            // All of it may be in answers when the tail forgets it.
            ("tail", self.tail_bytes + self.tail_pinned_bytes),
            ("disk reads", self.read_bytes),
            ("index cache", self.index_cache_bytes),
            ("cleaner", 2 * self.cleaner_gather_bytes),
            // The map grows by taking twice the room and giving back the first.
            ("compaction keys", self.cleaner_keys_bytes * 3 / 2),
            ("idle buffers", self.idle_buffer_bytes),
        ]
    }

    /// The sum of the parts.
    pub fn total_bytes(&self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Of the disk reads, what answers may hold; beyond it they get copies of just their bytes, which the server's own budget counts. So slow
    /// readers never stop the others, and a batch of the largest size always finds room.
    pub fn read_held_bytes(&self) -> usize {
        (self.read_bytes / 2).min(self.read_bytes.saturating_sub(BATCH_BYTES_MAX + 2 * EXTENT_BYTES))
    }

    /// Of the disk reads, what was read ahead and not used yet.
    pub fn read_ahead_bytes(&self) -> usize {
        self.read_bytes / 4
    }

    /// Keys of one pass of compaction: a hash table has a power of two of places and fills seven of eight.
    pub fn cleaner_keys(&self) -> usize {
        let places = self.cleaner_keys_bytes / CLEANER_KEY_BYTES;
        (1 << places.max(8).ilog2()) / 8 * 7
    }
}

/// Between two sizes, `fraction` (0 to 1) of the way up; the most where the least is above it.
pub fn part_way(least: usize, most: usize, fraction: f64) -> usize {
    let least = least.min(most);
    least + ((most - least) as f64 * fraction.clamp(0.0, 1.0)) as usize
}

impl Default for ShardMemory {
    fn default() -> ShardMemory {
        ShardMemory::MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{READ_AHEAD_DEPTH_BYTES_MAX, READ_EXTENTS_MAX};

    #[test]
    fn parts_move_together_and_never_leave_their_bounds() {
        let totals: Vec<usize> = [-1.0, 0.0, 0.25, 0.5, 1.0, 7.0]
            .map(|fraction| ShardMemory::between(ShardMemory::LEAST, ShardMemory::MOST, fraction).total_bytes())
            .into();
        assert!(totals.is_sorted(), "{totals:?}");
        assert_eq!((totals[0], totals[1]), (ShardMemory::LEAST.total_bytes(), ShardMemory::LEAST.total_bytes()));
        assert_eq!((totals[4], totals[5]), (ShardMemory::MOST.total_bytes(), ShardMemory::MOST.total_bytes()));
        let small_tail = ShardMemory::between(ShardMemory::LEAST, ShardMemory::MOST.with_tail(4096), 0.0);
        assert_eq!(small_tail.tail_bytes, 4096, "a tail that is set below the least stays as it is set");
    }

    #[test]
    fn a_largest_batch_and_a_step_of_a_read_always_find_room() {
        for memory in [ShardMemory::LEAST, ShardMemory::MOST] {
            assert!(memory.read_held_bytes() + BATCH_BYTES_MAX + 2 * EXTENT_BYTES <= memory.read_bytes);
            assert!(READ_EXTENTS_MAX * EXTENT_BYTES <= memory.read_held_bytes());
            assert!(READ_EXTENTS_MAX * EXTENT_BYTES <= memory.read_ahead_bytes());
            assert!(memory.undurable_bytes >= BATCH_BYTES_MAX);
        }
        // With less memory the budget ends before the depth of one reader.
        assert!(READ_AHEAD_DEPTH_BYTES_MAX <= ShardMemory::MOST.read_ahead_bytes());
        assert_eq!(ShardMemory::MOST.cleaner_keys(), (1 << 20) / 8 * 7);
    }
}
