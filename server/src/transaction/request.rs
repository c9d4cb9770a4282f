//! What is asked about transactional ids and what is answered, owned, so that it can cross to the shard of the coordinator.

use engine::offset::ShardId;

use super::{Partitions, Status, TransactionError};

/// A producer, as it names itself in every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// Its id.
    pub id: i64,
    /// Its epoch: the newest one owns the transactional id.
    pub epoch: i16,
}

/// `InitProducerId` with a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// How long a transaction may be open.
    pub timeout_ms: i32,
    /// What the producer was before, when it goes on after an error.
    pub expected: Option<ProducerIdentity>,
    /// An id that nobody had before, drawn by the edge in case that one is needed.
    pub fresh_producer_id: i64,
}

/// `AddPartitionsToTxn`, or `AddOffsetsToTxn` with the group's partition of the offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// Who asks.
    pub producer: ProducerIdentity,
    /// What the transaction is about to write.
    pub partitions: Partitions,
}

/// `EndTxn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// Who asks.
    pub producer: ProducerIdentity,
    /// Commit, or abort.
    pub commits: bool,
}

/// Whether a partition is part of the open transaction of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// Who writes.
    pub producer: ProducerIdentity,
    /// Where to.
    pub topic: String,
    /// Where to.
    pub partition: i32,
    /// The shard that remembers a yes until the transaction ends, if one does.
    pub remembered_on: Option<ShardId>,
}

/// `ListTransactions`: what passes all of these filters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListRequest {
    /// Of one of these states; none asks for all.
    pub statuses: Option<Vec<Status>>,
    /// Of one of these producers; empty asks for all.
    pub producer_ids: Vec<i64>,
    /// For longer than this its last transaction has been, or was, open; since ever when there was none. A negative one asks for all.
    pub longer_than_ms: i64,
}

/// An answer to one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To `InitProducerId`.
    Init(Result<ProducerIdentity, TransactionError>),
    /// To whatever has only an outcome.
    Done(Result<(), TransactionError>),
    /// To `DescribeTransactions`, one id.
    Described(Result<TransactionDescription, TransactionError>),
    /// To `ListTransactions`, this coordinator's part.
    Listed(Result<Vec<TransactionListing>, TransactionError>),
}

/// A transactional id as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionDescription {
    /// Its state.
    pub status: Status,
    /// How long a transaction may be open.
    pub timeout_ms: i32,
    /// When the last transaction began, or -1.
    pub started_ms: i64,
    /// Its producer.
    pub producer: ProducerIdentity,
    /// The partitions of an open transaction.
    pub partitions: Partitions,
}

/// A line of `ListTransactions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionListing {
    /// The transactional id.
    pub transactional_id: String,
    /// Id of its producer.
    pub producer_id: i64,
    /// Its state.
    pub status: Status,
}
