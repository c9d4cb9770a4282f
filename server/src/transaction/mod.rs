//! Transactions: which producer owns a transactional id, which partitions its transaction has, and how the transaction ends.
//!
//! Everything here is synchronous and free of I/O and clocks. A [`Coordinator`] owns the transactional ids of one partition of
//! `__transaction_state`; an async edge feeds it events and the time, and carries out its effects: appends to that partition, markers in
//! the partitions of a transaction, and replies. It is Kafka's first version of transactions: partitions are added by requests, and a
//! producer keeps its epoch from one transaction to the next.

mod coordinator;
mod end;
mod error;
mod init;
mod load;
mod query;
mod record;
mod refusal;
mod request;
mod status;

pub use coordinator::{ContinuationId, Coordinator, Effect, Event};
pub use end::Markers;
pub use error::TransactionError;
pub use record::{Partitions, Transaction, TransactionRecord};
pub use request::{
    AddRequest, EndRequest, InitRequest, ListRequest, ProducerIdentity, Response, TransactionDescription,
    TransactionListing, VerifyRequest,
};
pub use status::Status;

pub use crate::group::ReplyToken;

/// What a broker's configuration says about transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: the longest time-out that a producer may ask for.
    pub timeout_max_ms: i32,
    /// `transactional.id.expiration.ms`: how long an id without a transaction is remembered.
    pub expiration_ms: i64,
}

/// The epoch of a transactional id that was never given to a producer.
const NO_EPOCH: i16 = -1;

#[cfg(test)]
mod tests;
