//! A classic group of consumers becomes one of the consumer protocol when the first member of that joins, and a classic one again when the
//! last has gone. Nobody loses what it has: the generation is the epoch.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Message;
use protocol::messages::consumer_protocol::ConsumerProtocolAssignment;
use protocol::reader::Reader;

use super::super::member::Member;
use super::super::state::{Group, Phase};
use super::super::{GroupConfig, GroupError, JoinResponse, ReplyToken, Response};
use super::classic::{CONSUMERS, Subscription, assignment_bytes};
use super::request::Refusal;
use super::state::{ClassicProfile, ConsumerMember, ConsumerState, Current, Partitions, Profile};
use super::topics::TopicsView;

const MALFORMED: &str = "the embedded consumer protocol is malformed";
/// An assignor of the client's own has told its members something that would be lost.
const OWN_ASSIGNOR: &str = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor \
                            before re-attempting the upgrade";

impl ConsumerState {
    /// The state that a classic group goes on in.
    pub(in super::super) fn from_classic(group: &Group, view: &TopicsView) -> Result<ConsumerState, Refusal> {
        let refuse = |why: &str| {
            let message = format!("Cannot upgrade classic group {} to consumer group because {why}.", group.id);
            Refusal::new(GroupError::GroupIdNotFound, message)
        };
        if !group.config.consumer.migration.upgrades {
            return Err(refuse("online upgrade is disabled"));
        }
        if group.protocol_type.as_deref() != Some(CONSUMERS) {
            return Err(refuse("the group does not use the consumer embedded protocol"));
        }
        if group.members.len() > group.config.consumer.members_max {
            return Err(refuse("the group size exceeds the consumer group maximum size"));
        }
        let epoch = group.generation_id;
        let mut state = ConsumerState { epoch, target_epoch: epoch, ..ConsumerState::default() };
        for (member_id, member) in &group.members {
            let metadata = chosen_metadata(group, member);
            let subscription = Subscription::read(&metadata, view).ok_or_else(|| refuse(MALFORMED))?;
            let assigned = assigned_to(member, view).map_err(refuse)?;
            // An assignor of the client's own may have given a partition twice.
            let assigned = without_held(&state, assigned);
            let profile = Profile {
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                topics: subscription.topics.into_iter().collect(),
                classic: Some(ClassicProfile {
                    session_timeout_ms: member.session_timeout_ms,
                    protocols: member.protocols.clone(),
                }),
                ..Profile::default()
            };
            let current = Current { epoch, previous_epoch: epoch, assigned: assigned.clone(), ..Current::default() };
            let member = ConsumerMember { profile, current, target: assigned };
            state.members.insert(Arc::from(member_id.as_str()), Arc::new(member));
        }
        Ok(state)
    }
}

fn without_held(state: &ConsumerState, assigned: Partitions) -> Partitions {
    let free = assigned.into_iter().map(|(id, mut partitions)| {
        partitions.retain(|&partition| !state.members.values().any(|member| member.holds(id, partition)));
        (id, partitions)
    });
    free.filter(|(_, partitions)| !partitions.is_empty()).collect()
}

/// Before its first generation a group has chosen none of its members' protocols.
fn chosen_metadata(group: &Group, member: &Member) -> Bytes {
    match group.protocol_name.as_deref() {
        Some(name) if member.supports(name) => member.metadata(Some(name)),
        _ => member.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default(),
    }
}

/// What a member was assigned, or why that cannot be taken over.
fn assigned_to(member: &Member, view: &TopicsView) -> Result<Partitions, &'static str> {
    if member.assignment.is_empty() {
        return Ok(Partitions::new());
    }
    let read = || {
        let mut reader = Reader::new(&member.assignment);
        let version = reader.read_i16().ok()?.clamp(0, 1);
        ConsumerProtocolAssignment::decode(&mut reader, version).ok()
    };
    let assignment = read().ok_or(MALFORMED)?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(OWN_ASSIGNOR);
    }
    let mut assigned = Partitions::new();
    for topic in assignment.assigned_partitions.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        if let Some(known) = view.catalog.topic(topic.topic) {
            assigned.entry(known.id).or_default().extend(topic.partitions);
        }
    }
    Ok(assigned)
}

impl Group {
    /// The classic group that members of the classic protocol go on in. They are told to join again.
    pub(in super::super) fn from_consumers(
        group_id: String,
        config: GroupConfig,
        state: &ConsumerState,
        view: &TopicsView,
        now_ms: i64,
    ) -> Group {
        let mut group = Group::new(group_id, config, now_ms);
        group.phase = Phase::Stable;
        group.generation_id = state.epoch;
        group.protocol_type = Some(CONSUMERS.to_owned());
        for (member_id, consumer) in &state.members {
            let profile = &consumer.profile;
            let Some(classic) = &profile.classic else { continue };
            if let Some(instance_id) = &profile.instance_id {
                group.static_members.insert(instance_id.clone(), member_id.to_string());
            }
            let assignment = assignment_bytes(consumer, view);
            let mut member = Member::restored(profile.instance_id.clone(), assignment);
            member.client_id.clone_from(&profile.client_id);
            member.client_host.clone_from(&profile.client_host);
            member.session_timeout_ms = classic.session_timeout_ms;
            member.rebalance_timeout_ms = profile.rebalance_timeout_ms;
            member.protocols.clone_from(&classic.protocols);
            member.heard(now_ms);
            group.members.insert(member_id.to_string(), member);
        }
        group.protocol_name = group.elected_protocol();
        group.leader_id = group.members.keys().next().cloned();
        group
    }

    /// Who waits, and what it hears: the group goes on as another one, which it joins again.
    pub(in super::super) fn take_waiting(&mut self) -> Vec<(ReplyToken, Response)> {
        let mut waiting = Vec::new();
        let error = GroupError::RebalanceInProgress;
        for (member_id, member) in &mut self.members {
            let refused = JoinResponse::refused(member_id.clone(), error);
            waiting.extend(member.join_token.take().map(|token| (token, Response::Join(refused))));
            waiting.extend(member.sync_token.take().map(|token| (token, Response::Sync(Err(error)))));
        }
        waiting
    }
}
