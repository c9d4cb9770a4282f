//! Groups: who is a member, what was assigned, and which offsets were committed. Classic groups have a leader who assigns; in those of
//! the consumer protocol (`consumer/`) the broker does.
//!
//! Everything here is synchronous and free of I/O and clocks. A [`Coordinator`] owns the groups of one partition of
//! `__consumer_offsets`; an async edge feeds it events and the time, and carries out its effects: appends to that
//! partition, and replies. [`Group`] is the state machine of one group, without its offsets.

mod commit;
mod config;
mod consumer;
mod consumer_groups;
mod coordinator;
mod delete_offsets;
mod error;
mod event;
mod forget;
mod heartbeat;
mod join;
mod last_markers;
mod load;
mod member;
mod memory;
mod offsets;
mod pending;
mod query;
mod rebalance;
mod records;
mod refusal;
mod request;
mod response;
mod state;
mod static_member;
mod sync;
mod transactions;

pub use config::{Assignors, ConsumerConfig, GroupConfig, MigrationPolicy};
pub use consumer::{
    Assignor, ConsumerGroupDescription, ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, ConsumerMember,
    ConsumerRecord, Partitions, Refusal, TopicsView,
};
pub use coordinator::Coordinator;
pub use error::GroupError;
pub use event::{ContinuationId, Effect, Event};
pub use last_markers::MarkersSeen;
pub use load::LoadError;
pub use offsets::{CommittedOffset, Offsets};
pub use records::{GroupMetadata, MemberMetadata, OffsetsRecord, partition_for};
pub use request::{
    CommitPartition, CommitRequest, EndedTransaction, HeartbeatRequest, JoinProtocol, JoinRequest, LeaveRequest,
    LeavingMember, OffsetFetchRequest, SyncRequest, TopicPartitions, TransactionalCommitRequest,
};
pub use response::{
    CommitResponse, GroupDescription, GroupListing, JoinMember, JoinResponse, LeaveResponse, MemberDescription,
    OffsetFetchResponse, Response, SyncResponse, TopicOffsets,
};
pub use state::{Group, GroupEffect, GroupEvent, GroupState, Persisting};

/// Names the place where an answer is awaited; the edge makes them and they mean nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyToken(pub u64);

#[cfg(test)]
mod tests;
