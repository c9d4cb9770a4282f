//! Members that speak the classic protocol in a group of the consumer protocol: the broker assigns to them as to the others. A heartbeat
//! tells them to join again where there is something to give up or to get; nobody leads, and a join waits for nobody.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Message;
use protocol::messages::consumer_offsets::encode_versioned;
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolPartitions, ConsumerProtocolSubscription,
};
use protocol::reader::Reader;
use uuid::Uuid;

use super::super::{
    GroupError, GroupEvent, HeartbeatRequest, JoinRequest, JoinResponse, LeaveRequest, LeaveResponse, LeavingMember,
    ReplyToken, Response, SyncRequest, SyncResponse,
};
use super::group::{ConsumerEffect, ConsumerGroup, Step};
use super::heartbeat::{classic_profile, take_place};
use super::state::{ClassicProfile, ConsumerMember, ConsumerState, MemberState};
use super::topics::{Topics, TopicsView};
use crate::limits::{GROUP_MEMBER_METADATA_BYTES_MAX, GROUP_MEMBER_PROTOCOLS_MAX};

/// The type of members that tell the broker what they read.
pub(super) const CONSUMERS: &str = "consumer";
/// Later versions only add fields behind those of this one.
const CONSUMER_PROTOCOL_VERSION: i16 = 1;
/// The newest version of Kafka's clients.
const NEWEST_ASSIGNMENT_VERSION: i16 = 3;

/// What a member of the classic protocol says that it reads and owns.
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
    pub(super) owned: Vec<(Uuid, Vec<i32>)>,
}

impl Subscription {
    /// None where the bytes are no subscription.
    pub(super) fn read(metadata: &[u8], view: &TopicsView) -> Option<Subscription> {
        let mut reader = Reader::new(metadata);
        let version = reader.read_i16().ok()?.clamp(0, CONSUMER_PROTOCOL_VERSION);
        let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).ok()?;
        let owned = subscription.owned_partitions.into_iter().filter_map(|owned| {
            let topic = view.catalog.topic(owned.topic)?;
            Some((topic.id, owned.partitions))
        });
        Some(Subscription {
            topics: subscription.topics.into_iter().map(str::to_owned).collect(),
            owned: owned.collect(),
        })
    }
}

/// What a member has, in the form and the version that it speaks.
pub(super) fn assignment_bytes(member: &ConsumerMember, view: &TopicsView) -> Bytes {
    let assigned = &member.current.assigned;
    let topics = assigned.iter().filter_map(|(id, partitions)| {
        Some(ConsumerProtocolPartitions { topic: view.name(*id)?, partitions: partitions.iter().copied().collect() })
    });
    let assignment = ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    let mut written = encode_versioned(&assignment, 0).to_vec();
    // All versions of it look alike.
    let mut protocols = member.profile.classic.iter().flat_map(|classic| &classic.protocols);
    let spoken = protocols.find_map(|protocol| protocol.metadata.first_chunk());
    let version = spoken.map_or(0, |version| i16::from_be_bytes(*version)).clamp(0, NEWEST_ASSIGNMENT_VERSION);
    written[..2].copy_from_slice(&version.to_be_bytes());
    written.into()
}

impl ConsumerGroup {
    /// A request of the classic protocol.
    pub(super) fn classic_event(&mut self, event: GroupEvent, view: &TopicsView, now_ms: i64) {
        match event {
            GroupEvent::Join(token, request) => {
                let (member_id, outcome) = self.classic_join(token, request, view, now_ms);
                match outcome {
                    Ok(Some(step)) => self.settle(step, now_ms),
                    Ok(None) => {}
                    Err(error) => self.reply(token, Response::Join(JoinResponse::refused(member_id, error))),
                }
            }
            GroupEvent::Sync(token, request) => {
                let outcome = self.classic_sync(&request, view, now_ms);
                self.reply(token, Response::Sync(outcome));
            }
            GroupEvent::Heartbeat(token, request) => {
                let outcome = self.classic_heartbeat(&request, now_ms);
                self.reply(token, Response::Heartbeat(outcome));
            }
            GroupEvent::Leave(token, request) => self.classic_leave(token, request, view, now_ms),
            GroupEvent::Persisted { .. } | GroupEvent::Tick => {}
        }
    }

    fn classic_join(
        &mut self,
        token: ReplyToken,
        request: JoinRequest,
        view: &TopicsView,
        now_ms: i64,
    ) -> (String, Result<Option<Step>, GroupError>) {
        let is_new = request.member_id.is_empty();
        let member_id = if is_new {
            format!("{}-{}", request.instance_id.as_deref().unwrap_or(&request.client_id), request.new_member_uuid)
        } else {
            request.member_id.clone()
        };
        let checked = self.check_classic_join(&request, &member_id);
        if checked.is_ok() && is_new && request.requires_known_member_id && request.instance_id.is_none() {
            return (member_id, Err(GroupError::MemberIdRequired));
        }
        let named = if is_new { String::new() } else { member_id.clone() };
        let subscription = checked.and_then(|()| {
            let first = request.protocols.first().ok_or(GroupError::InconsistentGroupProtocol)?;
            Subscription::read(&first.metadata, view).ok_or(GroupError::InconsistentGroupProtocol)
        });
        let found = subscription.and_then(|subscription| {
            let mut next = self.state.clone();
            let before = classic_member(&mut next, &member_id, is_new, request.instance_id.as_deref())?;
            Ok((subscription, next, before))
        });
        let (subscription, next, before) = match found {
            Ok(found) => found,
            Err(error) => return (named, Err(error)),
        };
        let step = self.classic_step((token, request, member_id), subscription, (next, before), view, now_ms);
        (named, Ok(step))
    }

    fn check_classic_join(&self, request: &JoinRequest, member_id: &str) -> Result<(), GroupError> {
        let bounds = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        if !bounds.contains(&request.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        let metadata_bytes: usize =
            request.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        if request.protocols.len() > GROUP_MEMBER_PROTOCOLS_MAX || metadata_bytes > GROUP_MEMBER_METADATA_BYTES_MAX {
            return Err(GroupError::InvalidRequest);
        }
        self.check_room(member_id).map_err(|refusal| refusal.error)?;
        let others = || self.state.members.values().filter_map(|member| member.profile.classic.as_ref());
        let all_speak = |name: &str| others().all(|other| other.protocols.iter().any(|protocol| protocol.name == name));
        let speaks = request.protocols.iter().any(|protocol| all_speak(&protocol.name));
        if request.protocol_type == CONSUMERS && speaks { Ok(()) } else { Err(GroupError::InconsistentGroupProtocol) }
    }

    fn classic_step(
        &mut self,
        (token, request, member_id): (ReplyToken, JoinRequest, String),
        subscription: Subscription,
        (mut next, before): (ConsumerState, ConsumerMember),
        view: &TopicsView,
        now_ms: i64,
    ) -> Option<Step> {
        let protocol_name = request.protocols.first().map(|protocol| protocol.name.clone());
        let mut profile = classic_profile(&request);
        profile.topics = subscription.topics.into_iter().collect();
        profile.classic =
            Some(ClassicProfile { session_timeout_ms: request.session_timeout_ms, protocols: request.protocols });
        let changed = profile.topics != before.profile.topics || profile.regex != before.profile.regex;
        next.members.insert(Arc::from(member_id.as_str()), Arc::new(ConsumerMember { profile, ..before }));
        let becomes_classic = self.becomes_classic(&next);
        if !becomes_classic || !changed {
            self.look_at_topics(&mut next, changed, view, now_ms);
            let topics = Topics { view, regexes: &self.regexes };
            next.reconcile(&member_id, Some(&subscription.owned), topics, changed);
        }
        let joined = JoinResponse {
            error: None,
            generation_id: next.members[member_id.as_str()].current.epoch,
            protocol_type: Some(CONSUMERS.to_owned()),
            protocol_name,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.clone(),
            members: Vec::new(),
        };
        let reply = Some((token, Response::Join(joined)));
        if becomes_classic {
            self.become_classic(next, reply);
            return None;
        }
        Some(Step { next, reply, heard: Some(Arc::from(member_id)) })
    }

    /// A member that joined has so long to sync.
    pub(super) fn joined(&mut self, member_id: &str, now_ms: i64) {
        let (Some(member), Some(timers)) = (self.state.members.get(member_id), self.timers.get_mut(member_id)) else {
            return;
        };
        let timeout_ms = i64::from(member.profile.rebalance_timeout_ms.max(0));
        timers.rejoin = None;
        timers.sync = Some(now_ms.saturating_add(timeout_ms));
    }

    /// A member that must join again has so long for it, from the first time that it is told.
    fn must_join_again(&mut self, member_id: &str, now_ms: i64) -> GroupError {
        if let (Some(member), Some(timers)) = (self.state.members.get(member_id), self.timers.get_mut(member_id)) {
            let timeout_ms = i64::from(member.profile.rebalance_timeout_ms.max(0));
            timers.rejoin.get_or_insert(now_ms.saturating_add(timeout_ms));
        }
        GroupError::RebalanceInProgress
    }

    fn classic_sync(
        &mut self,
        request: &SyncRequest,
        view: &TopicsView,
        now_ms: i64,
    ) -> Result<SyncResponse, GroupError> {
        let member =
            self.check_classic_member(&request.member_id, request.instance_id.as_deref(), request.generation_id)?;
        let protocols = member.profile.classic.iter().flat_map(|classic| &classic.protocols);
        let protocol_name = protocols.map(|protocol| protocol.name.clone()).next();
        let agrees = |asked: &Option<String>, ours: Option<&str>| asked.is_none() || asked.as_deref() == ours;
        if !agrees(&request.protocol_type, Some(CONSUMERS)) || !agrees(&request.protocol_name, protocol_name.as_deref())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let gives_up_first = member.current.state == MemberState::UnrevokedPartitions;
        if self.state.epoch > member.current.epoch && !gives_up_first {
            return Err(self.must_join_again(&request.member_id, now_ms));
        }
        let assignment = assignment_bytes(&member, view);
        self.heard(Some(&request.member_id), now_ms);
        if let Some(timers) = self.timers.get_mut(request.member_id.as_str()) {
            timers.sync = None;
        }
        Ok(SyncResponse { protocol_type: Some(CONSUMERS.to_owned()), protocol_name, assignment })
    }

    fn classic_heartbeat(&mut self, request: &HeartbeatRequest, now_ms: i64) -> Result<(), GroupError> {
        let member =
            self.check_classic_member(&request.member_id, request.instance_id.as_deref(), request.generation_id)?;
        let can_go_on = match member.current.state {
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !self.state.waits_for_others(&request.member_id),
            MemberState::Stable => false,
        };
        self.heard(Some(&request.member_id), now_ms);
        if member.current.epoch < self.state.epoch || can_go_on {
            return Err(self.must_join_again(&request.member_id, now_ms));
        }
        Ok(())
    }

    fn check_classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
    ) -> Result<Arc<ConsumerMember>, GroupError> {
        if let Some(instance_id) = instance_id {
            let (owner_id, _) = self.state.static_member(instance_id).ok_or(GroupError::UnknownMemberId)?;
            if **owner_id != *member_id {
                return Err(GroupError::FencedInstanceId);
            }
        }
        let member = self.state.members.get(member_id).ok_or(GroupError::UnknownMemberId)?;
        if member.profile.classic.is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        if member.current.epoch != generation_id {
            return Err(GroupError::IllegalGeneration);
        }
        Ok(Arc::clone(member))
    }

    fn classic_leave(&mut self, token: ReplyToken, request: LeaveRequest, view: &TopicsView, now_ms: i64) {
        let mut gone = Vec::new();
        let mut members = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            // Who leaves twice in one request was there once.
            let outcome = match self.leaving_member(&leaving) {
                Ok(member_id) if gone.contains(&member_id) => Err(GroupError::UnknownMemberId),
                found => found.map(|member_id| gone.push(member_id)),
            };
            members.push((leaving.member_id, leaving.instance_id, outcome));
        }
        let mut reply = Some((token, Response::Leave(Ok(LeaveResponse { members }))));
        if gone.is_empty() {
            return self.effects.extend(reply.map(|(token, response)| ConsumerEffect::Reply(token, response)));
        }
        if let Some(next) = self.without(&gone, Some(&mut reply), view) {
            self.settle(Step { next, reply, heard: None }, now_ms);
        }
    }

    /// Members of the classic protocol leave by this. An administrator takes members of either kind out; of a static one he knows the instance
    /// id only.
    fn leaving_member(&self, leaving: &LeavingMember) -> Result<Arc<str>, GroupError> {
        let (member_id, _) = match &leaving.instance_id {
            None => self.state.members.get_key_value(leaving.member_id.as_str()),
            Some(instance_id) => self.state.static_member(instance_id),
        }
        .ok_or(GroupError::UnknownMemberId)?;
        if !leaving.member_id.is_empty() && *leaving.member_id != **member_id {
            return Err(GroupError::FencedInstanceId);
        }
        Ok(Arc::clone(member_id))
    }
}

/// The member that joins; a static one takes the place of who has its instance id.
fn classic_member(
    next: &mut ConsumerState,
    member_id: &str,
    is_new: bool,
    instance_id: Option<&str>,
) -> Result<ConsumerMember, GroupError> {
    let existing = |next: &ConsumerState| next.members.get(member_id).map(|member| (**member).clone());
    let Some(instance_id) = instance_id else {
        return Ok(existing(next).unwrap_or_default());
    };
    let owner_id = next.static_member(instance_id).map(|(owner_id, _)| Arc::clone(owner_id));
    match owner_id {
        None if is_new => Ok(ConsumerMember::default()),
        None => Err(GroupError::UnknownMemberId),
        Some(owner_id) if is_new => Ok(take_place(next, &owner_id, member_id)),
        Some(owner_id) if *owner_id != *member_id => Err(GroupError::FencedInstanceId),
        Some(_) => Ok(existing(next).unwrap_or_default()),
    }
}
