//! The state of one group and its door: (state, event, time) gives (state, effects), with no I/O, no clock, no randomness.
//!
//! | state | a join | a sync | a heartbeat | leaves when |
//! |---|---|---|---|---|
//! | Empty | starts a rebalance after the initial delay | unknown member | unknown member | a member joins |
//! | `PreparingRebalance` | is gathered | rebalance in progress | rebalance in progress | all joined, or time is up |
//! | `CompletingRebalance` | same metadata: repeated answer; else rebalance | waits for the leader's, which is persisted | fine | persisted |
//! | Stable | follower with same metadata: repeated answer; else rebalance | the assignment | fine | a member comes, goes or changes |
//!
//! Every token is answered exactly once. Nobody learns an assignment before it is persisted.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::member::Member;
use super::{
    GroupConfig, GroupDescription, GroupMetadata, HeartbeatRequest, JoinProtocol, JoinRequest, JoinResponse,
    LeaveRequest, MemberDescription, MemberMetadata, ReplyToken, Response, SyncRequest,
};

/// The state under the name that Kafka shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// No members.
    Empty,
    /// Gathers joins.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// Members work.
    Stable,
    /// Of the consumer protocol: the targets are not made yet.
    Assigning,
    /// Of the consumer protocol: members are on their way to their targets.
    Reconciling,
    /// There is no such group.
    Dead,
}

impl GroupState {
    /// Kafka's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Dead => "Dead",
        }
    }
}

/// What happens to a group.
#[derive(Debug, Clone)]
pub enum GroupEvent {
    /// A member joins.
    Join(ReplyToken, JoinRequest),
    /// A member asks for, or the leader brings, assignments.
    Sync(ReplyToken, SyncRequest),
    /// A member lives.
    Heartbeat(ReplyToken, HeartbeatRequest),
    /// Members leave.
    Leave(ReplyToken, LeaveRequest),
    /// An effect [`GroupEffect::Persist`] is durable, or failed.
    Persisted {
        /// What the effect carried.
        then: Persisting,
        /// Whether it is durable.
        durable: bool,
    },
    /// Time passed; see [`Group::next_deadline_ms`].
    Tick,
}

/// What a group wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEffect {
    /// Answer a token.
    Reply(ReplyToken, Response),
    /// Make this durable, then hand `then` back in [`GroupEvent::Persisted`].
    Persist {
        /// What the log must say.
        metadata: GroupMetadata,
        /// What waits for it.
        then: Persisting,
    },
}

/// What waits for a group to be persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persisting {
    /// The leader's assignment of this generation.
    Assignment {
        /// Generation of the assignment.
        generation_id: i32,
    },
    /// Nothing waits: the group became empty.
    Empty,
    /// The answer to a static member that came back under a new id.
    StaticMember {
        /// Who waits.
        token: ReplyToken,
        /// Its instance id.
        instance_id: String,
        /// What it is told.
        response: Box<JoinResponse>,
    },
}

/// The phase with the data that only it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Empty,
    PreparingRebalance {
        deadline_ms: i64,
        /// Some while the first members of an empty group wait for company.
        initial: Option<InitialDelay>,
    },
    CompletingRebalance,
    Stable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InitialDelay {
    /// How much longer joins may extend the delay.
    pub(super) remaining_ms: i64,
    /// Whether somebody joined since it was last extended.
    pub(super) member_added: bool,
}

/// One classic group without its offsets.
#[derive(Debug)]
pub struct Group {
    pub(super) config: GroupConfig,
    pub(super) id: String,
    pub(super) phase: Phase,
    pub(super) state_since_ms: i64,
    pub(super) generation_id: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) leader_id: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Instance id to member id.
    pub(super) static_members: BTreeMap<String, String>,
    /// Ids handed out that have not joined yet, and when they are forgotten.
    pub(super) pending_members: BTreeMap<String, i64>,
    /// Members of this generation that have not synced yet, and when they are dropped.
    pub(super) pending_syncs: BTreeSet<String>,
    pub(super) sync_deadline_ms: i64,
    /// The leader's assignment on its way to the disk.
    pub(super) persisting_assignments: Option<BTreeMap<String, Bytes>>,
    pub(super) effects: Vec<GroupEffect>,
}

impl Group {
    /// A group that nobody has joined.
    pub fn new(group_id: String, config: GroupConfig, now_ms: i64) -> Self {
        Self {
            config,
            id: group_id,
            phase: Phase::Empty,
            state_since_ms: now_ms,
            generation_id: 0,
            protocol_type: None,
            protocol_name: None,
            leader_id: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            sync_deadline_ms: 0,
            persisting_assignments: None,
            effects: Vec::new(),
        }
    }

    /// The group that `metadata` describes. Its members get a whole session to be heard again.
    pub fn restored(group_id: String, config: GroupConfig, metadata: GroupMetadata, now_ms: i64) -> Self {
        let mut group = Self::new(group_id, config, now_ms);
        group.state_since_ms = metadata.state_since_ms;
        group.generation_id = metadata.generation_id;
        group.protocol_type = (!metadata.protocol_type.is_empty()).then_some(metadata.protocol_type);
        if metadata.members.is_empty() {
            return group;
        }
        group.phase = Phase::Stable;
        group.protocol_name = metadata.protocol_name;
        group.leader_id = metadata.leader_id;
        for stored in metadata.members {
            if let Some(instance_id) = &stored.instance_id {
                group.static_members.insert(instance_id.clone(), stored.member_id.clone());
            }
            let mut member = Member::restored(stored.instance_id, stored.assignment);
            member.client_id = stored.client_id;
            member.client_host = stored.client_host;
            member.session_timeout_ms = stored.session_timeout_ms;
            member.rebalance_timeout_ms = stored.rebalance_timeout_ms;
            let name = group.protocol_name.clone().unwrap_or_default();
            member.protocols = vec![JoinProtocol { name, metadata: stored.subscription }];
            member.heard(now_ms);
            group.members.insert(stored.member_id, member);
        }
        group
    }

    /// Takes one event and gives what must be done because of it, in order.
    pub fn handle(&mut self, event: GroupEvent, now_ms: i64) -> Vec<GroupEffect> {
        match event {
            GroupEvent::Join(token, request) => self.join(token, request, now_ms),
            GroupEvent::Sync(token, request) => self.sync(token, request, now_ms),
            GroupEvent::Heartbeat(token, request) => self.heartbeat(token, &request, now_ms),
            GroupEvent::Leave(token, request) => self.leave(token, request, now_ms),
            GroupEvent::Persisted { then, durable } => self.persisted(then, durable, now_ms),
            GroupEvent::Tick => self.tick(now_ms),
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`GroupEvent::Tick`] is due, if nothing else happens.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let sessions = self.members.values().filter_map(Member::deadline_ms);
        let pending = self.pending_members.values().copied();
        let syncs = (!self.pending_syncs.is_empty()).then_some(self.sync_deadline_ms);
        let phase = match self.phase {
            Phase::PreparingRebalance { deadline_ms, .. } => Some(deadline_ms),
            _ => None,
        };
        sessions.chain(pending).chain(syncs).chain(phase).min()
    }

    /// The state under Kafka's name.
    pub fn state(&self) -> GroupState {
        match self.phase {
            Phase::Empty => GroupState::Empty,
            Phase::PreparingRebalance { .. } => GroupState::PreparingRebalance,
            Phase::CompletingRebalance => GroupState::CompletingRebalance,
            Phase::Stable => GroupState::Stable,
        }
    }

    /// The current generation; it never goes down.
    pub fn generation_id(&self) -> i32 {
        self.generation_id
    }

    /// Type of the members' protocols, if anybody ever joined.
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Since when the group is empty.
    pub fn empty_since_ms(&self) -> Option<i64> {
        (self.phase == Phase::Empty && self.pending_members.is_empty()).then_some(self.state_since_ms)
    }

    /// Whether somebody is in it.
    pub(super) fn has_members(&self) -> bool {
        self.phase != Phase::Empty
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The administrator's view.
    pub fn describe(&self) -> GroupDescription {
        let stable = self.phase == Phase::Stable;
        let shown_protocol = self.protocol_name.as_deref().filter(|_| stable);
        let members = self.members.iter().map(|(member_id, member)| MemberDescription {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(shown_protocol),
            // While the group rebalances: that of the generation before, as in Kafka.
            assignment: member.assignment.clone(),
        });
        GroupDescription {
            group_id: self.id.clone(),
            state: self.state(),
            is_of_consumers: false,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: shown_protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    /// The record of the group, with `assignments` that are not in force yet or with those that are.
    pub(super) fn metadata_with(&self, assignments: Option<&BTreeMap<String, Bytes>>) -> GroupMetadata {
        let members = self.members.iter().map(|(member_id, member)| MemberMetadata {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(self.protocol_name.as_deref()),
            assignment: match assignments {
                Some(assignments) => assignments.get(member_id).cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation_id: self.generation_id,
            protocol_name: self.protocol_name.clone(),
            leader_id: self.leader_id.clone(),
            state_since_ms: self.state_since_ms,
            members: members.collect(),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now_ms: i64) {
        self.phase = phase;
        self.state_since_ms = now_ms;
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(GroupEffect::Reply(token, response));
    }
}
