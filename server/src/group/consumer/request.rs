//! What members of the consumer protocol say and hear, owned.

use uuid::Uuid;

use super::super::{GroupError, GroupState};
use super::state::{ConsumerMember, Partitions};

/// `ConsumerGroupHeartbeat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// Made by the member from version 1 on; before, empty in the first request.
    pub member_id: String,
    /// Its epoch; 0 joins, -1 leaves, -2 leaves for a while.
    pub member_epoch: i32,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Where it is.
    pub rack_id: Option<String>,
    /// -1 when it has not changed.
    pub rebalance_timeout_ms: i32,
    /// Topics by name; none when they have not changed.
    pub topics: Option<Vec<String>>,
    /// Topics by pattern, empty to read none so; none when it has not changed.
    pub regex: Option<String>,
    /// The assignor that it votes for.
    pub assignor: Option<String>,
    /// What it owns; none when that has not changed.
    pub owned: Option<Vec<(Uuid, Vec<i32>)>>,
    /// From the request header.
    pub client_id: String,
    /// Address of the peer.
    pub client_host: String,
    /// Whether it makes its own id: version 1 and later.
    pub makes_its_id: bool,
    /// Randomness for a new member's id, drawn by the edge.
    pub new_member_uuid: Uuid,
}

/// To `ConsumerGroupHeartbeat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatResponse {
    /// The caller's id.
    pub member_id: String,
    /// Its epoch.
    pub member_epoch: i32,
    /// When it shall speak again.
    pub heartbeat_interval_ms: i32,
    /// What it may own, where that is news.
    pub assignment: Option<Partitions>,
}

/// A refusal in Kafka's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub error: GroupError,
    /// Why; the code's own words where nothing says more.
    pub message: Option<String>,
}

impl Refusal {
    pub(in super::super) fn new(error: GroupError, message: impl Into<String>) -> Self {
        Self { error, message: Some(message.into()) }
    }
}

impl From<GroupError> for Refusal {
    fn from(error: GroupError) -> Self {
        Self { error, message: None }
    }
}

/// To `ConsumerGroupDescribe`, one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroupDescription {
    /// Its state.
    pub state: GroupState,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch of its targets.
    pub target_epoch: i32,
    /// The assignor that its members voted for.
    pub assignor: &'static str,
    /// Everyone, by id.
    pub members: Vec<(String, ConsumerMember)>,
}
