//! `Core`: what a task on a shard's thread sees of the engine. The asynchronous edge around the synchronous [`super::Shard`].

use std::future::Future;

use bytes::Bytes;

use crate::error::{AppendError, ReadError};
use crate::offset::{LogId, Offset, ShardId};

/// Where a log lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogRef {
    /// The shard that owns it.
    pub shard: ShardId,
    /// Its identity.
    pub log: LogId,
}

/// When an append is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// At once after it was accepted; it is flushed soon all the same.
    Accepted,
    /// After its write completed: survives kill -9.
    Written,
    /// After it and everything before it in its log was flushed: survives power loss.
    Durable,
}

/// What the engine needs to know of a topic's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `retention.bytes`; -1 = no limit. Applied in whole segments.
    pub retention_bytes: i64,
    /// `max.message.bytes`.
    pub message_bytes_max: usize,
    /// `message.timestamp.type` = LogAppendTime.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms` and `after.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// See `timestamp_before_max_ms`.
    pub timestamp_after_max_ms: i64,
    /// `posthaste.durability=written`: acks=all answers, and readers see, at the write instead of the flush.
    pub written_is_enough: bool,
}

/// Where an accepted batch went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of its first record; the original's for an idempotent duplicate.
    pub base_offset: Offset,
    /// -1, or the time that a LogAppendTime log gave.
    pub log_append_time_ms: i64,
    /// The log's start offset.
    pub log_start: Offset,
}

/// The visible ends of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogView {
    /// Log start offset.
    pub start: Offset,
    /// High watermark: readers see everything below.
    pub high_watermark: Offset,
    /// Newest leader epoch.
    pub leader_epoch: i32,
    /// Journal segments that hold data of this log (for owners that re-append live state at the head).
    pub segments: usize,
    /// Bytes between start and end.
    pub bytes: u64,
}

/// What a read gave: whole batches, the first of which holds the asked offset.
#[derive(Clone, Debug)]
pub struct ReadBatches {
    /// Refcounted slices of commit buffers or of disk reads, in order; never copied.
    pub slices: Vec<Bytes>,
    /// Sum of the slices' lengths.
    pub bytes: usize,
    /// The log's ends when it was read.
    pub view: LogView,
}

/// The shard's thread has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardGone;

/// Handle of the shard whose thread this is. Cheap to clone, never leaves its thread.
#[derive(Clone)]
pub struct Core {}

#[allow(unused_variables, missing_docs, clippy::unused_async, clippy::unused_self)]
impl Core {
    /// The shard of this thread.
    pub fn shard(&self) -> ShardId {
        todo!()
    }
    /// Number of shards of the directory.
    pub fn shard_count(&self) -> u32 {
        todo!()
    }
    /// Runs a task on this thread.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        todo!()
    }
    /// Runs `work` on another shard's thread (or this one) and gives its result. The message is queued during this call, in call order;
    /// tasks of one sender start on the target in that order.
    pub fn on<R, W, F>(&self, shard: ShardId, work: W) -> impl Future<Output = Result<R, ShardGone>> + 'static
    where
        R: Send + 'static,
        W: FnOnce(Core) -> F + Send + 'static,
        F: Future<Output = R> + 'static,
    {
        async { todo!() }
    }

    /// Appends a batch to a log wherever it lives. The order of calls is the order of offsets; the future ends at the asked end.
    /// `batch` is one whole v2 record batch, a slice of the received frame; it is copied once, into the commit buffer.
    pub fn append(&self, log: LogRef, batch: Bytes, acks: Acks) -> impl Future<Output = Result<Appended, AppendError>> + 'static {
        async { todo!() }
    }
    /// Reads whole batches from `offset`, up to `bytes_max` (the first batch always whole, if `first_whole`), up to the high watermark.
    pub fn read(&self, log: LogRef, offset: Offset, bytes_max: usize, first_whole: bool) -> impl Future<Output = Result<ReadBatches, ReadError>> + 'static {
        async { todo!() }
    }
    /// Ends when at least `bytes_min` bytes became visible in the logs since the given high watermarks, or one of the logs is gone. All logs live on `shard`.
    pub fn wait_for_records(&self, shard: ShardId, logs: Vec<(LogId, Offset)>, bytes_min: usize) -> impl Future<Output = ()> + 'static {
        async { todo!() }
    }
    /// The ends of a log.
    pub fn view(&self, log: LogRef) -> impl Future<Output = Option<LogView>> + 'static {
        async { todo!() }
    }
    /// (epoch, end offset) for OffsetForLeaderEpoch: the largest epoch <= `epoch` and where it ends; None if unknown.
    pub fn epoch_end(&self, log: LogRef, epoch: i32) -> impl Future<Output = Option<(i32, Offset)>> + 'static {
        async { todo!() }
    }
    /// The first batch whose max timestamp is >= `timestamp_ms` (whole, with base offset), for ListOffsets; None if there is none.
    pub fn batch_at_timestamp(&self, log: LogRef, timestamp_ms: i64) -> impl Future<Output = Result<Option<Bytes>, ReadError>> + 'static {
        async { todo!() }
    }

    /// Makes a log on its shard, durable when the future ends, or changes the configuration of an existing one.
    pub fn configure_log(&self, log: LogRef, config: LogConfig) -> impl Future<Output = Result<(), AppendError>> + 'static {
        async { todo!() }
    }
    /// Deletes a log for ever; durable when the future ends. Unknown logs are fine.
    pub fn delete_log(&self, log: LogRef) -> impl Future<Output = Result<(), AppendError>> + 'static {
        async { todo!() }
    }
    /// Raises the log start offset (DeleteRecords); durable when the future ends. Gives the new start.
    pub fn raise_log_start(&self, log: LogRef, start: Offset) -> impl Future<Output = Result<Offset, ReadError>> + 'static {
        async { todo!() }
    }
    /// Logs that this shard recovered, for a comparison with the catalog.
    pub fn logs(&self) -> Vec<LogId> {
        todo!()
    }
}
