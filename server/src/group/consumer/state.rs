//! What the log knows of a group: its epochs, its members, and what each has and shall have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::super::{GroupState, JoinProtocol};

/// Partitions by the id of their topic; no topic is there without one.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Where a member stands on its way to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberState {
    /// It has what it should have in its epoch.
    #[default]
    Stable,
    /// It has been told to give partitions up, and has not said yet that it did.
    UnrevokedPartitions,
    /// Others still have partitions that it shall have.
    UnreleasedPartitions,
}

/// What a member has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// The epoch that it is in; -2 for a static member that left for a while.
    pub epoch: i32,
    /// The one before, in which it speaks if it missed an answer.
    pub previous_epoch: i32,
    /// Where it stands.
    pub state: MemberState,
    /// What it may read.
    pub assigned: Partitions,
    /// What it must give up, and nobody else may have before.
    pub revoking: Partitions,
}

/// What a member has said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Where it is; does not count here.
    pub rack_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// Time to give partitions up; -1 when it has not said.
    pub rebalance_timeout_ms: i32,
    /// Topics that it reads by name.
    pub topics: BTreeSet<String>,
    /// Topics that it reads by pattern.
    pub regex: Option<String>,
    /// The assignor that it votes for.
    pub assignor: Option<String>,
    /// Of a member that speaks the classic protocol.
    pub classic: Option<ClassicProfile>,
}

/// What a member says that speaks the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicProfile {
    /// Silence after which it is dropped.
    pub session_timeout_ms: i32,
    /// Its assignors, with the subscription in them.
    pub protocols: Vec<JoinProtocol>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerMember {
    /// What it has said.
    pub profile: Profile,
    /// What it has.
    pub current: Current,
    /// What it shall have.
    pub target: Partitions,
}

impl ConsumerMember {
    /// Whether a partition is in its hands, given up or not.
    pub(super) fn holds(&self, topic: Uuid, partition: i32) -> bool {
        let has = |held: &Partitions| held.get(&topic).is_some_and(|partitions| partitions.contains(&partition));
        has(&self.current.assigned) || has(&self.current.revoking)
    }
}

/// A group, as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerState {
    /// Goes up with every change of members, subscriptions and topics; 0 before the first member.
    pub epoch: i32,
    /// Of the topics that members read, when the epoch was last looked at.
    pub metadata_hash: i64,
    /// The epoch that the targets were made for.
    pub target_epoch: i32,
    /// By id.
    pub members: BTreeMap<Arc<str>, Arc<ConsumerMember>>,
}

impl ConsumerState {
    /// The member with an instance id.
    pub(super) fn static_member(&self, instance_id: &str) -> Option<(&Arc<str>, &Arc<ConsumerMember>)> {
        self.members.iter().find(|(_, member)| member.profile.instance_id.as_deref() == Some(instance_id))
    }

    /// A member that is there, to be changed.
    pub(super) fn member_mut(&mut self, member_id: &str) -> &mut ConsumerMember {
        Arc::make_mut(self.members.get_mut(member_id).expect("the caller found the member"))
    }

    pub(super) fn has_classic_members_only(&self) -> bool {
        self.members.values().all(|member| member.profile.classic.is_some())
    }

    /// Whether somebody else than `member_id` holds a partition.
    pub(super) fn is_held_by_another(&self, member_id: &str, topic: Uuid, partition: i32) -> bool {
        self.members.iter().any(|(id, member)| &**id != member_id && member.holds(topic, partition))
    }

    /// The state under Kafka's name.
    pub fn name(&self) -> GroupState {
        let is_reconciled = |member: &ConsumerMember| {
            member.current.state == MemberState::Stable && member.current.epoch == self.target_epoch
        };
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().all(|member| is_reconciled(member)) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }
}
