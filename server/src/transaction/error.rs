//! Why a request about a transaction is refused: one variant for each of Kafka's codes that it can get.

use protocol::error_code::ErrorCode;

/// A refusal, named as Kafka names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The coordinator's partition is still being replayed.
    #[error("coordinator is loading")]
    CoordinatorLoadInProgress,
    /// The coordinator could not persist the change, or has no room.
    #[error("coordinator is not available")]
    CoordinatorNotAvailable,
    /// Another node coordinates the transactional id.
    #[error("another node coordinates the transactional id")]
    NotCoordinator,
    /// The request breaks a bound of the broker, or names no id.
    #[error("request is invalid")]
    InvalidRequest,
    /// The transactional id has another producer, or none.
    #[error("producer id is not that of the transactional id")]
    InvalidProducerIdMapping,
    /// A newer producer has taken over the transactional id.
    #[error("producer is fenced by a newer one")]
    ProducerFenced,
    /// The transaction is not in a state for this.
    #[error("transaction is in another state")]
    InvalidTxnState,
    /// The producer asks for a longer time-out than the broker allows.
    #[error("transaction timeout is out of bounds")]
    InvalidTransactionTimeout,
    /// The transaction before this one is still being ended.
    #[error("another change of the transaction is under way")]
    ConcurrentTransactions,
    /// There is no such transactional id.
    #[error("transactional id is unknown")]
    TransactionalIdNotFound,
}

impl TransactionError {
    /// Kafka's code for it.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::CoordinatorLoadInProgress => ErrorCode::CoordinatorLoadInProgress,
            Self::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::InvalidRequest => ErrorCode::InvalidRequest,
            Self::InvalidProducerIdMapping => ErrorCode::InvalidProducerIdMapping,
            Self::ProducerFenced => ErrorCode::ProducerFenced,
            Self::InvalidTxnState => ErrorCode::InvalidTxnState,
            Self::InvalidTransactionTimeout => ErrorCode::InvalidTransactionTimeout,
            Self::ConcurrentTransactions => ErrorCode::ConcurrentTransactions,
            Self::TransactionalIdNotFound => ErrorCode::TransactionalIdNotFound,
        }
    }
}
