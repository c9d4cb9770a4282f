//! The one place where errors of the engine, the catalog, the groups and the transactions become Kafka's codes.

use engine::error::{AppendError, ReadError};
use engine::shard::core::Isolation;
use protocol::error_code::ErrorCode;

use crate::catalog::CatalogError;
use crate::config_edits::EditError;
use crate::group::GroupError;
use crate::transaction::TransactionError;

const READ_COMMITTED: i8 = 1;

/// Kafka's words for `INVALID_REQUEST` where nothing says more.
pub const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                             message was sent to an incompatible broker. See the broker logs for more details.";

/// Why a batch was not appended.
pub fn append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::UnknownLog(_) => ErrorCode::UnknownTopicOrPartition,
        AppendError::Corrupt(_) => ErrorCode::CorruptMessage,
        AppendError::Invalid(_) => ErrorCode::InvalidRecord,
        AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::InvalidTimestamp(_) => ErrorCode::InvalidTimestamp,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
        AppendError::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        // Retriable, and clients look for another leader in between.
        AppendError::DiskFull | AppendError::Quarantined(_) => ErrorCode::KafkaStorageError,
        // Retriable without a metadata refresh.
        AppendError::Overloaded => ErrorCode::RequestTimedOut,
        AppendError::TooManyLogs | AppendError::TooManyTransactions => ErrorCode::PolicyViolation,
        AppendError::Stopping => ErrorCode::NotLeaderOrFollower,
    }
}

/// Why nothing was read.
pub fn read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::UnknownLog(_) => ErrorCode::UnknownTopicOrPartition,
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Damaged(_) | ReadError::Failed(_) => ErrorCode::KafkaStorageError,
        ReadError::Stopping => ErrorCode::NotLeaderOrFollower,
    }
}

/// Why the catalog was not changed.
pub fn catalog(error: &CatalogError) -> ErrorCode {
    match error {
        CatalogError::TopicExists(_) => ErrorCode::TopicAlreadyExists,
        CatalogError::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
        CatalogError::InvalidName(_) | CatalogError::Collision { .. } => ErrorCode::InvalidTopicException,
        CatalogError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
        CatalogError::Limit(_) => ErrorCode::PolicyViolation,
        CatalogError::Config(EditError::Duplicate | EditError::NotDynamic(_) | EditError::InvalidOfBroker(_)) => {
            ErrorCode::InvalidRequest
        }
        CatalogError::Config(EditError::NotAList { .. } | EditError::Invalid(_)) => ErrorCode::InvalidConfig,
        CatalogError::Storage(error) => append(error),
        CatalogError::Stopping => ErrorCode::NotController,
    }
}

/// Why a group request was refused. The groups name their errors as Kafka does.
pub fn group(error: GroupError) -> i16 {
    error.code().code()
}

/// Why a request about a transaction was refused. Versions before `fenced_from` know a fenced producer as one of an invalid epoch.
pub fn transaction(error: TransactionError, version: i16, fenced_from: i16) -> i16 {
    match error {
        TransactionError::ProducerFenced if version < fenced_from => ErrorCode::InvalidProducerEpoch.code(),
        error => error.code().code(),
    }
}

/// What a reader wants to see.
pub fn isolation(isolation_level: i8) -> Isolation {
    if isolation_level == READ_COMMITTED { Isolation::Committed } else { Isolation::Uncommitted }
}

/// A leader epoch that the client names, or a negative one for none, against the one that is.
pub fn leader_epoch(asked: i32, current: i32) -> ErrorCode {
    match asked {
        ..0 => ErrorCode::None,
        asked if asked < current => ErrorCode::FencedLeaderEpoch,
        asked if asked > current => ErrorCode::UnknownLeaderEpoch,
        _ => ErrorCode::None,
    }
}
