//! The requests of groups, owned, so that they can cross to the shard that owns the group.

use bytes::Bytes;
use uuid::Uuid;

use super::MarkersSeen;
use crate::transaction::ProducerIdentity;

/// `JoinGroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The group.
    pub group_id: String,
    /// Empty for a member without an id yet.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// From the request header.
    pub client_id: String,
    /// Address of the peer.
    pub client_host: String,
    /// Silence after which the member is dropped.
    pub session_timeout_ms: i32,
    /// Time to join again in a rebalance; version 0 has none and takes the session timeout.
    pub rebalance_timeout_ms: i32,
    /// "consumer", "connect", "sr", ...
    pub protocol_type: String,
    /// Assignors in order of preference, with opaque metadata.
    pub protocols: Vec<JoinProtocol>,
    /// Version 4 and later: a member without an id is first given one.
    pub requires_known_member_id: bool,
    /// Version 9 and later: a returning static leader can be told to skip the assignment.
    pub supports_skip_assignment: bool,
    /// Randomness for a new member's id, drawn by the edge.
    pub new_member_uuid: Uuid,
}

/// One assignor of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinProtocol {
    /// Its name.
    pub name: String,
    /// Opaque to the broker.
    pub metadata: Bytes,
}

/// `SyncGroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// The group.
    pub group_id: String,
    /// Generation of the join.
    pub generation_id: i32,
    /// The caller.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Version 5 and later.
    pub protocol_type: Option<String>,
    /// Version 5 and later.
    pub protocol_name: Option<String>,
    /// From the leader: member id and its assignment.
    pub assignments: Vec<(String, Bytes)>,
}

/// `Heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// Generation of the caller.
    pub generation_id: i32,
    /// The caller.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
}

/// `LeaveGroup`; versions before 3 hold one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: String,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One member of a `LeaveGroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// Empty when an administrator removes by instance id.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
}

/// `OffsetCommit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRequest {
    /// The group.
    pub group_id: String,
    /// The member's epoch in a group of the consumer protocol; negative for a commit without membership.
    pub generation_id: i32,
    /// Whether the client knows of member epochs: version 9 and later.
    pub knows_member_epochs: bool,
    /// Empty for a commit without membership.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// What is committed.
    pub topics: Vec<TopicPartitions<CommitPartition>>,
}

/// A topic and something for each of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartitions<P> {
    /// Name of the topic.
    pub topic: String,
    /// In the order of the request.
    pub partitions: Vec<P>,
}

/// The committed position in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPartition {
    /// Index of the partition.
    pub partition: i32,
    /// Next offset to read.
    pub offset: i64,
    /// Epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// The client's note, null taken as empty.
    pub metadata: String,
}

/// `OffsetFetch` of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetFetchRequest {
    /// The group.
    pub group_id: String,
    /// A member of the consumer protocol and its epoch.
    pub member: Option<(String, i32)>,
    /// `None` asks for all that the group committed.
    pub topics: Option<Vec<TopicPartitions<i32>>>,
    /// A partition that an open transaction is about to move is named as unstable.
    pub requires_stable: bool,
}

/// `TxnOffsetCommit`: positions that count once the transaction of their producer is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionalCommitRequest {
    /// Whose transaction.
    pub producer: ProducerIdentity,
    /// From before the transaction was verified: it is still open if no marker of the producer has come since.
    pub seen: MarkersSeen,
    /// The positions.
    pub commit: CommitRequest,
}

/// How the transaction of a producer ended, which is decided and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedTransaction {
    /// Whose transaction, with the epoch that counts from now on.
    pub producer: ProducerIdentity,
    /// Epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
    /// Committed, or aborted.
    pub commits: bool,
}
