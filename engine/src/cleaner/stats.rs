//! What the cleaner did since the start, in plain counters.

/// Counters of one shard. Write amplification is (journal + cleaner bytes written) / batch bytes appended; space amplification is file
/// bytes / live bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CleanerStats {
    /// Bytes read from victims and their indexes.
    pub bytes_read: u64,
    /// Bytes written to clustered segments, headers, tables and padding included.
    pub bytes_written: u64,
    /// Bytes of batches that were copied.
    pub batch_bytes_copied: u64,
    /// Bytes of the files that were given back by swaps.
    pub bytes_freed: u64,
    /// Swaps that became durable.
    pub swaps: u64,
    /// Jobs that ended without a swap because of the disk.
    pub failures: u64,
    /// Records that compaction took away.
    pub records_removed: u64,
    /// Passes of compaction that ended.
    pub passes: u64,
}
