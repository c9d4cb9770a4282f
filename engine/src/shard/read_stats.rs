//! What the readers of a shard cost, since it started.

/// Counters and gauges of reads.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ReadStats {
    /// Reads of segment files that completed.
    pub disk_reads: u64,
    /// Bytes that they read.
    pub disk_bytes: u64,
    /// Bytes of batches given out from disk reads.
    pub delivered_from_disk_bytes: u64,
    /// Bytes of batches given out from the tail.
    pub delivered_from_tail_bytes: u64,
    /// Of these, bytes that were copied because slow readers held too much; all others are slices.
    pub copied_bytes: u64,
    /// Extents that a reader found read already, or on their way.
    pub extent_hits: u64,
    /// Extents that a reader had to ask for.
    pub extent_misses: u64,
    /// Extents that were read ahead and then used.
    pub read_ahead_hits: u64,
    /// Extents that were read ahead and forgotten unused.
    pub read_ahead_wasted: u64,
    /// Lookups that found their index in memory.
    pub index_hits: u64,
    /// Lookups that had to read theirs.
    pub index_misses: u64,
    /// Now: memory for extents, whoever holds them; at most [`crate::memory::ShardMemory::read_bytes`].
    pub read_memory_bytes: usize,
    /// Now: of these, what readers or answers hold.
    pub held_bytes: usize,
    /// Now: commit buffers that the tail forgot and answers still hold.
    pub tail_pinned_bytes: usize,
}
