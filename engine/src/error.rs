//! What an operation on a log may answer. Expected outcomes are enums per operation; the server turns them into wire codes in one place.
//! A failed write or flush of the journal is none of these: it stops the process (see `shard::fatal`).

use thiserror::Error;

use crate::offset::{LogId, Offset};

/// Why a batch was not appended. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The log does not exist on this shard.
    #[error("log {0} does not exist")]
    UnknownLog(LogId),
    /// The bytes are no whole batch, or its CRC is wrong.
    #[error("corrupt batch: {0}")]
    Corrupt(&'static str),
    /// The batch is well formed but breaks a rule for producers.
    #[error("invalid record batch: {0}")]
    Invalid(&'static str),
    /// More bytes than the log's `max.message.bytes`.
    #[error("batch of {bytes} bytes exceeds {limit}")]
    TooLarge {
        /// Bytes of the batch with its 12-byte prefix.
        bytes: usize,
        /// The log's limit.
        limit: usize,
    },
    /// The timestamp is out of the log's bounds, or its type bit was set by the producer.
    #[error("invalid timestamp: {0}")]
    InvalidTimestamp(&'static str),
    /// Records of the log are damaged on disk; it takes no more until they are deleted.
    #[error("damaged records below offset {0} are quarantined: delete them (DeleteRecords) or the topic")]
    Quarantined(Offset),
    /// An idempotent producer's sequence has a gap.
    #[error("out of order sequence number: expected {expected}, got {got}")]
    OutOfOrderSequence {
        /// The sequence that would have been accepted.
        expected: i32,
        /// The sequence of the batch.
        got: i32,
    },
    /// An idempotent producer's epoch is older than the newest seen.
    #[error("producer epoch {got} is older than {current}")]
    InvalidProducerEpoch {
        /// Newest epoch of this producer id.
        current: i16,
        /// The epoch of the batch.
        got: i16,
    },
    /// What the producer has open does not allow the batch.
    #[error("invalid transaction state: {0}")]
    InvalidTxnState(&'static str),
    /// A marker of a coordinator that another one has followed.
    #[error("transaction coordinator epoch {got} is older than {current}")]
    TransactionCoordinatorFenced {
        /// Epoch of the coordinator that wrote the producer's last marker.
        current: i32,
        /// The epoch of the marker's.
        got: i32,
    },
    /// Another transaction would be more than the log or the shard remembers; an aborted one is never forgotten while its records are there.
    #[error("too many transactions are open, or aborted with records still in the log")]
    TooManyTransactions,
    /// No segment can be made: the disk is full. Retriable.
    #[error("no space left for another journal segment")]
    DiskFull,
    /// The shard holds as many logs as it may.
    #[error("this shard holds as many logs as it may")]
    TooManyLogs,
    /// The shard's queues are full. Retriable.
    #[error("too many appends are waiting")]
    Overloaded,
    /// The shard is stopping.
    #[error("the shard is stopping")]
    Stopping,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The log does not exist on this shard.
    #[error("log {0} does not exist")]
    UnknownLog(LogId),
    /// The offset is below the log start or above the high watermark.
    #[error("offset {offset} is outside {start}..={end}")]
    OutOfRange {
        /// The asked offset.
        offset: Offset,
        /// Log start offset.
        start: Offset,
        /// High watermark.
        end: Offset,
    },
    /// The bytes on disk are not what was written.
    #[error("damaged data on disk: {0}")]
    Damaged(String),
    /// The disk refused the read.
    #[error("read failed: {0}")]
    Failed(String),
    /// The shard is stopping.
    #[error("the shard is stopping")]
    Stopping,
}
