//! Every bound of the engine with its reason, and the relations between them, checked at compile time.

/// The unit of every journal write. Fixed in the format: commits aligned to 512 would tear on 4 KiB sectors.
pub const BLOCK_BYTES: usize = 4096;

/// Size of a journal segment when the data directory does not say otherwise: large enough that a roll is rare at
/// 1 GB/s, small enough that whole segments come back soon under retention.
pub const SEGMENT_BYTES_DEFAULT: u64 = 128 << 20;
/// Smallest segment that a directory may be made with (tests): a header block, a checkpoint and a few commits.
pub const SEGMENT_BYTES_MIN: u64 = 256 << 10;
/// Largest segment: places inside a segment are stored in 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Segments kept ready for reuse, a shard; more are given back to the file system. Written extents are worth keeping: a recycled segment takes
/// half-megabyte commits at twice the speed of a new one (design section 1).
pub const SPARE_SEGMENTS_MAX: usize = 8;

/// Spare segments, a shard, that records of clients never get: on a full disk the broker's own state and deletions go on in them, and a start
/// needs no other room.
pub const RESERVE_SEGMENTS: usize = 1;
/// The same once space is low. With two, state that is written for ever goes round: when one is full its live part has been written anew into
/// the other, and it is free again.
pub const RESERVE_SEGMENTS_LOW: usize = 2;
/// Free space, in segments a shard, that records of clients never take: it stays for indexes, for the system, and for all shards that make a
/// segment at the same moment.
pub const DISK_KEPT_SEGMENTS: u64 = 1;
/// Space is low below so many segments a shard (2 GiB for two shards of the default size): enough for the larger reserve, and for
/// retention to be in time.
pub const DISK_LOW_SEGMENTS: u64 = 8;
/// Space is no longer low from so many segments a shard.
pub const DISK_ROOMY_SEGMENTS: u64 = 12;

/// A commit closes when it is this large even though the ring is busy; bounds the latency of one commit and the recovery scan.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;
/// Payload bytes after which the open commit counts as full and the next append starts another.
pub const COMMIT_BYTES_TARGET: usize = 4 << 20;
/// Entries of one commit: bounds its table (2 MiB) and the work at its completion.
pub const COMMIT_ENTRIES_MAX: usize = 1 << 15;
/// Ceiling of `message.max.bytes`: a batch and its commit's overhead always fit one commit.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Largest single ring write: bigger direct writes block in submit or fall to a worker thread (reference io-uring 2.4).
pub const RING_WRITE_BYTES_MAX: usize = 512 << 10;

/// First buffer of a commit: small, so that a trickle does not pin large buffers in the tail.
pub const CHUNK_BYTES_SMALL: usize = 64 << 10;
/// Every further buffer of a commit; one ring write each.
pub const CHUNK_BYTES_LARGE: usize = 512 << 10;

/// Buffers that a core keeps for reuse, in bytes: one commit of the largest size. At a steady load the tail gives one back for
/// each one taken, so more would only sit there while the process is idle.
pub const POOL_IDLE_BYTES_MAX: usize = 16 << 20;
/// ... and with as little memory as a shard works with.
pub const POOL_IDLE_BYTES_MIN: usize = 2 << 20;
/// Entries of a ring's submission queue; its completion queue has [`RING_COMPLETIONS_PER_ENTRY`] times as many, so that a
/// burst of socket readiness does not overflow it.
pub const RING_ENTRIES: u32 = 1024;
/// See [`RING_ENTRIES`].
pub const RING_COMPLETIONS_PER_ENTRY: u32 = 8;
/// Entries of a journal's own ring: also the operations it keeps in the kernel at once; the rest waits in order.
pub const JOURNAL_RING_ENTRIES: u32 = 128;
/// EINTR and EAGAIN of one disk operation are continued this often; then they are its error.
pub const RING_RETRIES_MAX: u32 = 1000;

/// Connections that the kernel holds for an acceptor: a restart of many clients at once, and what Linux grants by default is more.
pub const ACCEPT_BACKLOG: i32 = 1024;
/// With no descriptor left an acceptor pauses this long instead of spinning or dying.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Pieces of one vectored send: the kernel's `IOV_MAX`.
pub const SEND_PIECES_MAX: usize = 1024;

/// Commits written at once; one more waits open. More only deepens the device queue.
pub const COMMITS_IN_FLIGHT_MAX: usize = 4;
/// An open commit of this size is written although a flush is in flight. Below it, waiting for the flush gathers more, which costs nobody who waits
/// for a flush himself.
pub const PIPELINE_BYTES_MIN: usize = 512 << 10;
/// Bytes appended but not yet durable, a shard; beyond it appends wait (and their sockets are not read).
pub const UNDURABLE_BYTES_MAX: usize = 48 << 20;
/// ... and with as little memory as a shard works with: a batch of the largest size.
pub const UNDURABLE_BYTES_MIN: usize = BATCH_BYTES_MAX;
/// Appends that wait for room, a shard, in bytes; beyond it an append is refused (the server grants request memory first, so this is a backstop).
pub const STALLED_BYTES_MAX: usize = 256 << 20;

/// Tail buffers that all shards together keep for readers when the configuration does not say otherwise.
pub const TAIL_BYTES_DEFAULT: usize = 64 << 20;
/// Tail buffers that one shard keeps for readers when nobody says otherwise.
pub const TAIL_BYTES_MAX: usize = 64 << 20;
/// ... and with as little memory as a shard works with.
pub const TAIL_BYTES_MIN: usize = 1 << 20;
/// A log is quiet while at most one in so many bytes of the tail's commits is its own: then others have filled the tail, and the readers of this
/// log must not pay for it.
pub const TAIL_QUIET_LOG_TIMES: usize = 256;
/// One in so many bytes of the tail is for batches of quiet logs that outlive their commits.
pub const TAIL_REMNANT_TIMES: usize = 4;
/// ... in so many pieces, which are forgotten whole.
pub const TAIL_REMNANT_PIECES: usize = 8;
/// At most one in so many bytes that leave the tail is copied for that: it costs little where it helps nobody.
pub const TAIL_COPIED_TIMES: usize = 8;
/// Sealed segment indexes kept in memory, a shard, in bytes of file.
pub const INDEX_CACHE_BYTES_MAX: usize = 16 << 20;
/// ... and with as little memory as a shard works with.
pub const INDEX_CACHE_BYTES_MIN: usize = 2 << 20;
/// Batches that lie together share an index entry up to this many bytes: what a reader in the middle reads too much.
pub const INDEX_RUN_BYTES_MAX: u32 = 64 << 10;
/// Bytes of one read of a recovery scan or of the cleaner.
pub const DISK_READ_BYTES_MAX: usize = 1 << 20;
/// Two runs closer than this are read by the cleaner in one request: a wasted read of this size costs less than a second one.
pub const DISK_READ_GAP_BYTES_MAX: usize = 64 << 10;

/// Readers behind the tail read aligned extents of this size, which they share: large enough for the disk's full speed at a few in flight.
pub const EXTENT_BYTES: usize = 256 << 10;
/// Memory for what was read from disk, a shard: extents that are kept, on their way, or held by answers. Each counts as a whole one.
pub const READ_BYTES_MAX: usize = 32 << 20;
/// ... and with as little memory as a shard works with: a batch of the largest size and a step of a read.
pub const READ_BYTES_MIN: usize = 16 << 20;
/// Of these, extents that readers are through with, while nobody comes behind them: as many as stay in the processor's caches with what is read
/// next.
pub const READ_EXTENTS_KEPT_FEW: usize = 4;
/// Extents that one step of a read covers; a larger fetch takes several. Small beside [`READ_BYTES_MAX`], so that
/// readers of logs that lie interleaved in one stretch find what the first of them read; and appends wait while it is checked, a fraction
/// of a millisecond.
pub const READ_EXTENTS_MAX: usize = 4;
/// A step that wants less than one in so many bytes of its extents is sparse: unless others read there too, only its blocks are read, and its
/// answer ends with the step.
pub const READ_SPARSE_TIMES: usize = 4;
/// How far ahead of one reader is read at most: more than is in flight, so that a disk that has done all of that finds the next reads waiting.
pub const READ_AHEAD_DEPTH_BYTES_MAX: usize = 6 << 20;
/// ... and at first.
pub const READ_AHEAD_DEPTH_BYTES_FIRST: usize = 2 * EXTENT_BYTES;
/// Readers whose place is remembered for read-ahead, a shard; beyond it the one that was silent longest is forgotten.
pub const READ_STREAMS_MAX: usize = 1_024;
/// Appends, and reads behind the tail, are recent for so long: such reads go easy beside appends and the cleaner beside both, on all shards.
pub const DISK_USE_RECENT_MS: u64 = 100;
/// ... and are noted so often.
pub const DISK_USE_NOTED_MS: u64 = 20;
/// Disk reads in flight, a shard, while no appends come.
pub const DISK_READS_IN_FLIGHT_MAX: usize = 16;
/// ... and of these for read-ahead.
pub const DISK_READS_AHEAD_MAX: usize = 14;
/// ... and while appends come, between their commits: a commit waits behind it, a quarter of a millisecond of a fast disk.
pub const DISK_READS_BESIDE_APPENDS_MAX: usize = 1;
/// While a commit is on its way no read begins, unless none has for so long; then one does.
pub const DISK_READS_WAIT_MS: u64 = 2;
/// Commit buffers that slow readers may hold after the tail forgot them; beyond it readers get copies. With the tail's own budget,
/// all of which may be in answers when it is forgotten, this bounds what readers pin.
pub const TAIL_PINNED_BYTES_MAX: usize = 16 << 20;
/// ... and with as little memory as a shard works with.
pub const TAIL_PINNED_BYTES_MIN: usize = 2 << 20;

/// Segments that one job of the cleaner turns into one: bounds the indexes that it holds.
pub const CLEANER_VICTIMS_MAX: usize = 16;
/// Bytes of live batches that the cleaner holds at once, a shard. It sorts so many by log in one sweep over its victims: more means fewer sweeps.
/// As much again is held while they are written.
pub const CLEANER_GATHER_BYTES_MAX: usize = 16 << 20;
/// ... and with as little memory as a shard works with: a batch of the largest size.
pub const CLEANER_GATHER_BYTES_MIN: usize = BATCH_BYTES_MAX;
/// Reads of the cleaner in flight, and as many writes.
pub const CLEANER_OPERATIONS_IN_FLIGHT_MAX: usize = 2;
/// Bytes that the cleaner checks and copies in one turn: about a tenth of a millisecond of the core.
pub const CLEANER_TURN_BYTES_MAX: usize = 256 << 10;
/// Bytes a second that the cleaner reads and writes, a shard, while neither appends nor readers use the disk, or space is low.
pub const CLEANER_BYTES_PER_SECOND: u64 = 256 << 20;
/// The same while they do.
pub const CLEANER_BUSY_BYTES_PER_SECOND: u64 = 32 << 20;
/// Spans of logs that the cleaner looks at in one turn when it looks for work.
pub const CLEANER_SURVEY_SPANS_MAX: usize = 4096;
/// Between two looks for work.
pub const CLEANER_LOOK_MS: u64 = 1_000;
/// After a job failed for want of space or by the disk, the cleaner rests this long.
pub const CLEANER_RETRY_MS: u64 = 10_000;
/// Bytes of one place in the map of keys of a pass of compaction: 128 bits of hash, an offset, padding, and the table's own byte.
pub const CLEANER_KEY_BYTES: usize = 33;
/// The map of keys, a shard while a pass runs: 2^20 places, 917,504 keys.
pub const CLEANER_KEYS_BYTES_MAX: usize = CLEANER_KEY_BYTES << 20;
/// ... and with as little memory as a shard works with.
pub const CLEANER_KEYS_BYTES_MIN: usize = CLEANER_KEY_BYTES << 16;

/// Batches of a producer remembered for duplicates, as Kafka's clients expect.
pub const PRODUCER_BATCHES_MAX: usize = 5;
/// Bytes of a producer in a transactions entry (FORMAT.md).
pub const TRANSACTIONAL_PRODUCER_BYTES: usize = 28;
/// Bytes of a producer with all its batches in a producers entry, and in a transactions entry (FORMAT.md).
pub const PRODUCER_BYTES_MAX: usize = 8 + 2 + 8 + 1 + PRODUCER_BATCHES_MAX * 32 + TRANSACTIONAL_PRODUCER_BYTES;
/// Producers remembered by one log; beyond it the one that was silent longest is forgotten.
pub const PRODUCERS_PER_LOG_MAX: usize = 10_000;
/// A producer that was silent for longer is forgotten at the next checkpoint: Kafka's default `producer.id.expiration.ms`.
pub const PRODUCER_EXPIRY_MS: i64 = 24 * 60 * 60 * 1000;
/// Open transactions of one log: their producers are not forgotten, and half of the producers must be left to forget.
pub const OPEN_TRANSACTIONS_PER_LOG_MAX: usize = PRODUCERS_PER_LOG_MAX / 2;
/// Bytes of an aborted transaction in a transactions entry (FORMAT.md).
pub const ABORTED_BYTES: usize = 24;
/// Transactions of one log that are open or aborted with records still there: 2.4 MB of a checkpoint. Beyond it none begins.
pub const ABORTED_TRANSACTIONS_PER_LOG_MAX: usize = 100_000;
/// Transactions take this part of a segment in a checkpoint at most, whose logs take an eighth, and all of it a quarter. Beyond it none begins.
pub const TRANSACTIONS_SEGMENT_PART: u64 = 16;
/// One log takes this part of what the transactions of its shard may: a producer that only aborts does not stop those of the other logs.
pub const TRANSACTIONS_LOG_PART: u64 = 4;
/// Leader epochs remembered by one log.
pub const EPOCHS_PER_LOG_MAX: usize = 1_000;
/// Logs of one shard: bounds the checkpoint at the head of a segment to about 8 MiB.
pub const LOGS_PER_SHARD_MAX: usize = 50_000;

/// Logs that one step of a count of the tables looks at: a fraction of a millisecond.
pub const CENSUS_LOGS_MAX: usize = 1_000;

/// Messages waiting between two shards; a full queue makes the sender wait.
pub const MAILBOX_MESSAGES_MAX: usize = 4096;
/// Shards of one directory.
pub const SHARDS_MAX: u32 = 256;

/// An idle shard proves its durable end with a watermark commit after this long.
pub const WATERMARK_DELAY_MS: u64 = 5;

const _: () = {
    assert!(2 * DISK_USE_NOTED_MS < DISK_USE_RECENT_MS);
    assert!(COMMIT_BYTES_TARGET + BATCH_BYTES_MAX + COMMIT_ENTRIES_MAX * 64 + BLOCK_BYTES <= COMMIT_BYTES_MAX);
    assert!(COMMIT_BYTES_MAX as u64 * 2 < SEGMENT_BYTES_DEFAULT);
    assert!(CHUNK_BYTES_LARGE <= RING_WRITE_BYTES_MAX);
    assert!(CHUNK_BYTES_SMALL.is_multiple_of(BLOCK_BYTES) && CHUNK_BYTES_LARGE.is_multiple_of(BLOCK_BYTES));
    assert!(UNDURABLE_BYTES_MAX >= COMMIT_BYTES_MAX * 2);
    assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);
    assert!(PRODUCER_BATCHES_MAX == 5);
    // What a log has in a checkpoint goes into a commit as a batch of the largest size does.
    assert!(4 + PRODUCERS_PER_LOG_MAX * PRODUCER_BYTES_MAX <= BATCH_BYTES_MAX);
    assert!(
        8 + PRODUCERS_PER_LOG_MAX * TRANSACTIONAL_PRODUCER_BYTES + ABORTED_TRANSACTIONS_PER_LOG_MAX * ABORTED_BYTES
            <= BATCH_BYTES_MAX
    );
    assert!(OPEN_TRANSACTIONS_PER_LOG_MAX <= ABORTED_TRANSACTIONS_PER_LOG_MAX);
    assert!(EXTENT_BYTES.is_multiple_of(BLOCK_BYTES));
    assert!(READ_AHEAD_DEPTH_BYTES_MAX > DISK_READS_IN_FLIGHT_MAX * EXTENT_BYTES);
    assert!(RESERVE_SEGMENTS_LOW < SPARE_SEGMENTS_MAX && RESERVE_SEGMENTS <= RESERVE_SEGMENTS_LOW);
    assert!(DISK_KEPT_SEGMENTS + RESERVE_SEGMENTS_LOW as u64 + 1 < DISK_LOW_SEGMENTS);
    assert!(DISK_LOW_SEGMENTS < DISK_ROOMY_SEGMENTS);
};
