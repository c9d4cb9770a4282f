//! What happens to a coordinator, and what it wants done.

use super::{
    CommitRequest, ConsumerHeartbeatRequest, EndedTransaction, HeartbeatRequest, JoinRequest, LeaveRequest,
    OffsetFetchRequest, ReplyToken, Response, SyncRequest, TopicPartitions, TopicsView, TransactionalCommitRequest,
};

/// Names an append whose end the coordinator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContinuationId(pub(super) u64);

/// What happens to a coordinator.
#[derive(Debug, Clone)]
pub enum Event {
    /// `JoinGroup`.
    Join(ReplyToken, JoinRequest),
    /// `SyncGroup`.
    Sync(ReplyToken, SyncRequest),
    /// `Heartbeat`.
    Heartbeat(ReplyToken, HeartbeatRequest),
    /// `LeaveGroup`.
    Leave(ReplyToken, LeaveRequest),
    /// `ConsumerGroupHeartbeat`.
    ConsumerHeartbeat(ReplyToken, ConsumerHeartbeatRequest),
    /// `ConsumerGroupDescribe`, one group.
    DescribeConsumers(ReplyToken, String),
    /// The topics that there are now.
    Topics(TopicsView),
    /// `OffsetCommit`.
    Commit(ReplyToken, CommitRequest),
    /// `TxnOffsetCommit`.
    CommitInTransaction(ReplyToken, TransactionalCommitRequest),
    /// Which markers were taken until now, to be asked before a transaction is verified.
    Markers(ReplyToken),
    /// A transaction that may have committed offsets here has ended.
    TransactionEnded(ReplyToken, EndedTransaction),
    /// `OffsetFetch`, one group.
    OffsetFetch(ReplyToken, OffsetFetchRequest),
    /// `DescribeGroups`, one group.
    Describe(ReplyToken, String),
    /// `ListGroups`.
    List(ReplyToken),
    /// `DeleteGroups`, one group.
    Delete(ReplyToken, String),
    /// `OffsetDelete`: partitions that are there.
    DeleteOffsets(ReplyToken, String, Vec<TopicPartitions<i32>>),
    /// These topics are gone, and what was committed for them means nothing any more.
    TopicsDeleted(Vec<String>),
    /// An append is durable.
    Appended(ContinuationId),
    /// An append was refused or did not become durable.
    AppendFailed(ContinuationId),
    /// An append was refused because its producer has a newer epoch, or a marker for another reason that stays.
    AppendFenced(ContinuationId),
    /// Time passed; see [`Coordinator::next_deadline_ms`].
    Tick,
}

/// What a coordinator wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append this batch to the coordinator's partition, then hand `then` back when it is durable.
    Append {
        /// One whole batch.
        batch: Vec<u8>,
        /// For [`Event::Appended`] or [`Event::AppendFailed`].
        then: ContinuationId,
    },
    /// The same with the marker that ends a transaction.
    AppendMarker {
        /// What it says.
        ended: EndedTransaction,
        /// For [`Event::Appended`] or [`Event::AppendFailed`].
        then: ContinuationId,
    },
    /// Answer a token.
    Reply(ReplyToken, Response),
}
