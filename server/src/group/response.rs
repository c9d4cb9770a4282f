//! The answers of groups, owned; the edge writes them in the version that was asked.

use bytes::Bytes;

use super::consumer::{ConsumerGroupDescription, ConsumerHeartbeatResponse, Refusal};
use super::{GroupError, GroupState, LeaveRequest, LeavingMember, MarkersSeen, TopicPartitions};

/// An answer to one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To `JoinGroup`.
    Join(JoinResponse),
    /// To `SyncGroup`.
    Sync(Result<SyncResponse, GroupError>),
    /// To `Heartbeat`.
    Heartbeat(Result<(), GroupError>),
    /// To `ConsumerGroupHeartbeat`.
    ConsumerHeartbeat(Result<ConsumerHeartbeatResponse, Refusal>),
    /// To `ConsumerGroupDescribe`, one group.
    DescribeConsumers(Result<ConsumerGroupDescription, Refusal>),
    /// To `LeaveGroup`.
    Leave(Result<LeaveResponse, GroupError>),
    /// To `OffsetCommit`.
    Commit(CommitResponse),
    /// To `OffsetFetch`.
    OffsetFetch(Result<OffsetFetchResponse, GroupError>),
    /// To `DescribeGroups`, one group.
    Describe(Result<GroupDescription, GroupError>),
    /// To `ListGroups`, this coordinator's part.
    List(Result<Vec<GroupListing>, GroupError>),
    /// To `DeleteGroups`, one group.
    Delete(Result<(), GroupError>),
    /// To `OffsetDelete`: partition and outcome, in the order of the request.
    DeleteOffsets(Result<CommitResponse, GroupError>),
    /// Which markers were taken.
    Markers(Result<MarkersSeen, GroupError>),
    /// To the coordinator of a transaction that ended.
    Ended(Result<(), GroupError>),
}

/// To `JoinGroup`. With an error the generation is -1 and only the member id counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinResponse {
    /// Why the join was refused.
    pub error: Option<GroupError>,
    /// The generation that was joined.
    pub generation_id: i32,
    /// Answered from version 7.
    pub protocol_type: Option<String>,
    /// The assignor that the members voted for.
    pub protocol_name: Option<String>,
    /// Member id of the leader.
    pub leader: String,
    /// From version 9: a returning static leader need not assign.
    pub skip_assignment: bool,
    /// The caller's id.
    pub member_id: String,
    /// For the leader: everyone, with metadata.
    pub members: Vec<JoinMember>,
}

impl JoinResponse {
    pub(super) fn refused(member_id: String, error: GroupError) -> Self {
        Self {
            error: Some(error),
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinMember {
    /// Its id.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Its metadata for the chosen assignor.
    pub metadata: Bytes,
}

/// To `SyncGroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncResponse {
    /// Answered from version 5.
    pub protocol_type: Option<String>,
    /// Answered from version 5.
    pub protocol_name: Option<String>,
    /// What the leader assigned to the caller.
    pub assignment: Bytes,
}

/// To `LeaveGroup`. Before version 3 the one member's error is the whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveResponse {
    /// Member id, instance id and outcome, in the order of the request.
    pub members: Vec<(String, Option<String>, Result<(), GroupError>)>,
}

impl LeaveResponse {
    /// Where there is no group none of them is a member.
    pub(super) fn refused(request: LeaveRequest) -> Self {
        let unknown = |member: LeavingMember| (member.member_id, member.instance_id, Err(GroupError::UnknownMemberId));
        Self { members: request.members.into_iter().map(unknown).collect() }
    }
}

/// To `OffsetCommit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitResponse {
    /// Partition and outcome, in the order of the request.
    pub topics: Vec<TopicPartitions<(i32, Result<(), GroupError>)>>,
}

impl CommitResponse {
    /// What was to be stored was not.
    pub(super) fn failed(mut self, error: GroupError) -> Self {
        for outcome in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            outcome.1 = outcome.1.and(Err(error));
        }
        self
    }
}

/// To `OffsetFetch` of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetFetchResponse {
    /// In the order of the request.
    pub topics: Vec<TopicPartitions<TopicOffsets>>,
}

/// The committed position in one partition, -1 where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOffsets {
    /// Index of the partition.
    pub partition: i32,
    /// Next offset to read, or -1.
    pub offset: i64,
    /// Epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// The client's note.
    pub metadata: String,
    /// An open transaction is about to move it, and the caller wants none but stable ones.
    pub is_unstable: bool,
}

impl TopicOffsets {
    pub(super) fn unstable(partition: i32) -> Self {
        Self { partition, offset: -1, leader_epoch: -1, metadata: String::new(), is_unstable: true }
    }
}

/// To `DescribeGroups`. An unknown group is described as Dead, which is not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// The group.
    pub group_id: String,
    /// Its state.
    pub state: GroupState,
    /// It is there, but a group of the consumer protocol; its state is Dead to the classic one.
    pub is_of_consumers: bool,
    /// Empty when it has none.
    pub protocol_type: String,
    /// The chosen assignor, empty unless stable.
    pub protocol_name: String,
    /// Everyone.
    pub members: Vec<MemberDescription>,
}

/// A member as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// Its metadata for the chosen assignor; empty unless stable.
    pub metadata: Bytes,
    /// Its assignment; empty unless stable.
    pub assignment: Bytes,
}

/// A line of `ListGroups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// The group.
    pub group_id: String,
    /// Empty for a group that only committed offsets.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
    /// Whether it is a group of the consumer protocol.
    pub is_of_consumers: bool,
}
