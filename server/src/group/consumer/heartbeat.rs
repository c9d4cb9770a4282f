//! A heartbeat: who speaks, what has changed, and how far the member can go. Each step makes the group's next state from the present one.

use std::sync::Arc;

use super::super::{GroupError, JoinRequest};
use super::assignor::{Assignor, Subscriber, Topic};
use super::group::ConsumerGroup;
use super::reconcile::owns_only;
use super::regexes;
use super::request::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, Refusal};
use super::state::{ConsumerMember, ConsumerState, Partitions, Profile};
use super::topics::{Topics, TopicsView};
use crate::limits::GROUP_SHOWN_CHARS_MAX;

/// Of a static member that left for a while.
pub(super) const LEFT_FOR_A_WHILE: i32 = -2;

impl ConsumerGroup {
    /// A heartbeat of a member that joins or lives.
    pub(super) fn heartbeat(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        view: &TopicsView,
        now_ms: i64,
    ) -> Result<(ConsumerState, ConsumerHeartbeatResponse), Refusal> {
        let member_id =
            if request.member_id.is_empty() { request.new_member_uuid.to_string() } else { request.member_id.clone() };
        self.check_room(&member_id)?;
        let mut next = self.state.clone();
        let joins = request.member_epoch == 0;
        let before = match &request.instance_id {
            Some(instance_id) => find_static(&mut next, &member_id, instance_id, request)?,
            None => self.find_dynamic(&next, &member_id, request)?,
        };
        let mut profile = before.profile.clone();
        update(&mut profile, request);
        let changed_topics = profile.topics != before.profile.topics;
        let changed_regex = profile.regex != before.profile.regex;
        if changed_regex && let Some(regex) = &profile.regex {
            check_regex(regex)?;
        }
        let member = ConsumerMember { profile, ..before.clone() };
        next.members.insert(Arc::from(member_id.as_str()), Arc::new(member));
        let changed_subscription = changed_topics || changed_regex;
        self.look_at_topics(&mut next, changed_subscription, view, now_ms);
        let topics = Topics { view, regexes: &self.regexes };
        next.reconcile(&member_id, request.owned.as_deref(), topics, changed_subscription);
        let assigned = &next.members[member_id.as_str()].current.assigned;
        let tells_all = request.rebalance_timeout_ms != -1
            && (request.topics.is_some() || request.regex.is_some())
            && request.owned.is_some();
        let is_news = joins || tells_all || *assigned != before.current.assigned;
        let response = ConsumerHeartbeatResponse {
            member_epoch: next.members[member_id.as_str()].current.epoch,
            heartbeat_interval_ms: self.config.consumer.heartbeat_interval_ms,
            assignment: is_news.then(|| assigned.clone()),
            member_id,
        };
        Ok((next, response))
    }

    /// As in Kafka, a member that is in already never finds the group full.
    pub(super) fn check_room(&self, member_id: &str) -> Result<(), Refusal> {
        let members_max = self.config.consumer.members_max;
        if self.state.members.len() < members_max || self.state.members.contains_key(member_id) {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {members_max} members.");
        Err(Refusal::new(GroupError::GroupMaxSizeReached, message))
    }

    fn find_dynamic(
        &self,
        state: &ConsumerState,
        member_id: &str,
        request: &ConsumerHeartbeatRequest,
    ) -> Result<ConsumerMember, Refusal> {
        let found = state.members.get(member_id);
        if found.is_none() && request.member_epoch == 0 {
            return Ok(ConsumerMember::default());
        }
        let member = found.ok_or_else(|| self.unknown_member(member_id))?;
        check_epoch(member, request)?;
        Ok((**member).clone())
    }

    pub(super) fn unknown_member(&self, member_id: &str) -> Refusal {
        let message = format!("Member {member_id} is not a member of group {}.", self.id);
        Refusal::new(GroupError::UnknownMemberId, message)
    }

    /// After members, subscriptions or topics changed: a new epoch where that matters, and targets for it.
    pub(super) fn look_at_topics(
        &mut self,
        next: &mut ConsumerState,
        changed_subscription: bool,
        view: &TopicsView,
        now_ms: i64,
    ) {
        let changes = next.epoch == 0 || changed_subscription;
        if changes || self.view != view.number || !self.regexes.knows(view) {
            let patterns = next.members.values().filter_map(|member| member.profile.regex.as_deref());
            self.regexes.refresh(patterns, view, now_ms);
            self.view = view.number;
            let metadata_hash = Topics { view, regexes: &self.regexes }.hash_of(next);
            if changes || metadata_hash != next.metadata_hash {
                next.epoch = next.epoch.saturating_add(1);
                next.metadata_hash = metadata_hash;
            }
        }
        if next.epoch > next.target_epoch {
            let assignor = self.assignor_of(next);
            assign(next, assignor, Topics { view, regexes: &self.regexes });
            next.target_epoch = next.epoch;
        }
    }

    /// The assignor that most members vote for, and the first of the broker's where nobody votes.
    pub(super) fn assignor_of(&self, state: &ConsumerState) -> Assignor {
        let votes = |assignor: Assignor| {
            let votes = state.members.values().filter_map(|member| member.profile.assignor.as_deref());
            votes.filter(|name| *name == assignor.name()).count()
        };
        let assignors = self.config.consumer.assignors;
        // Of equal votes the first counts, and so it does of none.
        assignors.all().rev().max_by_key(|assignor| votes(*assignor)).unwrap_or(Assignor::Uniform)
    }
}

/// A member with an instance id. One that left for a while, or speaks another protocol now, comes back under its new id with all that it had.
fn find_static(
    next: &mut ConsumerState,
    member_id: &str,
    instance_id: &str,
    request: &ConsumerHeartbeatRequest,
) -> Result<ConsumerMember, Refusal> {
    let found = next.static_member(instance_id).map(|(id, member)| (Arc::clone(id), Arc::clone(member)));
    if request.member_epoch != 0 {
        let (owner_id, member) = found.ok_or_else(|| unknown_instance(instance_id))?;
        check_owner(&owner_id, member_id, instance_id)?;
        check_epoch(&member, request)?;
        return Ok((*member).clone());
    }
    let Some((owner_id, member)) = found else {
        return Ok(next.members.get(member_id).map(|member| (**member).clone()).unwrap_or_default());
    };
    if member.profile.classic.is_none() && member.current.epoch != LEFT_FOR_A_WHILE {
        let message = format!(
            "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id is owned by {owner_id} \
             member."
        );
        return Err(Refusal::new(GroupError::UnreleasedInstanceId, message));
    }
    Ok(take_place(next, &owner_id, member_id))
}

/// A static member under a new id.
pub(super) fn take_place(next: &mut ConsumerState, owner_id: &str, member_id: &str) -> ConsumerMember {
    let owner = next.members.remove(owner_id).expect("the caller found the member");
    let mut member = (*owner).clone();
    (member.current.epoch, member.current.previous_epoch) = (0, 0);
    next.members.insert(Arc::from(member_id), Arc::new(member.clone()));
    member
}

pub(super) fn unknown_instance(instance_id: &str) -> Refusal {
    Refusal::new(GroupError::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
}

pub(super) fn check_owner(owner_id: &str, member_id: &str, instance_id: &str) -> Result<(), Refusal> {
    if owner_id == member_id {
        return Ok(());
    }
    let message = format!("Static member {member_id} with instance id {instance_id} was fenced by member {owner_id}.");
    Err(Refusal::new(GroupError::FencedInstanceId, message))
}

/// The epoch of the caller: its own, or the one before if the answer with the new one may be lost and it owns nothing that it may not.
fn check_epoch(member: &ConsumerMember, request: &ConsumerHeartbeatRequest) -> Result<(), Refusal> {
    let (said, known) = (request.member_epoch, member.current.epoch);
    let missed_an_answer =
        said == member.current.previous_epoch && owns_only(request.owned.as_deref(), &member.current.assigned);
    if said == 0 || said == known || said < known && missed_an_answer {
        return Ok(());
    }
    let way = if said > known { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {way} member epoch ({said}) than the one known by the group coordinator ({known}). The member \
         must abandon all its partitions and rejoin."
    );
    Err(Refusal::new(GroupError::FencedMemberEpoch, message))
}

fn update(profile: &mut Profile, request: &ConsumerHeartbeatRequest) {
    let newer = |old: &mut Option<String>, new: &Option<String>| {
        if let Some(new) = new {
            *old = Some(new.clone());
        }
    };
    newer(&mut profile.instance_id, &request.instance_id);
    newer(&mut profile.rack_id, &request.rack_id);
    newer(&mut profile.assignor, &request.assignor);
    if request.rebalance_timeout_ms != -1 {
        profile.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topics) = &request.topics {
        profile.topics = topics.iter().cloned().collect();
    }
    if let Some(regex) = &request.regex {
        profile.regex = Some(regex.clone()).filter(|regex| !regex.is_empty());
    }
    profile.client_id.clone_from(&request.client_id);
    profile.client_host.clone_from(&request.client_host);
    profile.classic = None;
}

fn check_regex(regex: &str) -> Result<(), Refusal> {
    let refused = |reason| {
        let shown: String = regex.chars().take(GROUP_SHOWN_CHARS_MAX).collect();
        let message = format!("SubscribedTopicRegex `{shown}` is not a valid regular expression: {reason}.");
        Refusal::new(GroupError::InvalidRegularExpression, message)
    };
    regexes::compile(regex).map(drop).map_err(refused)
}

/// Gives every member its target.
fn assign(next: &mut ConsumerState, assignor: Assignor, topics: Topics<'_>) {
    let read: std::collections::BTreeMap<&str, Topic> = next
        .members
        .values()
        .flat_map(|member| topics.read_by(&member.profile))
        .map(|topic| (topic.name.as_str(), Topic { id: topic.id, partitions: topic.partitions.len() }))
        .collect();
    let places: std::collections::BTreeMap<&str, usize> =
        read.keys().enumerate().map(|(place, name)| (*name, place)).collect();
    let table: Vec<Topic> = read.values().copied().collect();
    // Static members first and by instance id, so that they get the same under a new id.
    let mut order: Vec<_> = next.members.iter().collect();
    order.sort_by_key(|(id, member)| (member.profile.instance_id.is_none(), &member.profile.instance_id, *id));
    let subscribers: Vec<Subscriber<'_>> = order
        .iter()
        .map(|(_, member)| {
            let mut read: Vec<usize> =
                topics.read_by(&member.profile).map(|topic| places[topic.name.as_str()]).collect();
            read.sort_unstable();
            Subscriber { topics: read, target: &member.target }
        })
        .collect();
    let targets = assignor.assign(&table, &subscribers);
    let changed: Vec<(Arc<str>, Partitions)> = order
        .iter()
        .zip(targets)
        .filter(|((_, member), target)| member.target != *target)
        .map(|((id, _), target)| (Arc::clone(id), target))
        .collect();
    for (member_id, target) in changed {
        next.member_mut(&member_id).target = target;
    }
}

/// The profile of a member that joins in the classic protocol.
pub(super) fn classic_profile(request: &JoinRequest) -> Profile {
    Profile {
        instance_id: request.instance_id.clone(),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        ..Profile::default()
    }
}
