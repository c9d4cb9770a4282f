//! Groups of the consumer protocol in their coordinator: how they come to be, what they want done, and how they become classic ones.

use std::sync::Arc;

use super::consumer::{
    ConsumerEffect, ConsumerEvent, ConsumerGroup, ConsumerHeartbeatRequest, ConsumerRecord, ConsumerState, Refusal,
    TopicsView,
};
use super::coordinator::{Coordinator, Logged, Then};
use super::records::encode_batch;
use super::{
    Group, GroupConfig, GroupError, GroupEvent, JoinResponse, OffsetsRecord, Persisting, ReplyToken, Response,
};
use crate::group_config;
use crate::limits::{GROUPS_PER_COORDINATOR_MAX, OFFSETS_BATCH_BYTES_MAX};

impl Coordinator {
    /// The topics that there are now.
    pub(super) fn topics_changed(&mut self, view: TopicsView) {
        let same = Arc::ptr_eq(view.catalog.group_configs(), self.topics.catalog.group_configs());
        self.topics = view;
        if same {
            return;
        }
        let (of_broker, view) = (self.config, &self.topics);
        for (group_id, entry) in &mut self.groups {
            if let Some(consumers) = &mut entry.consumers {
                consumers.configure(of_group_configs(of_broker, group_id, view));
            }
        }
    }

    /// The settings of a group: its own before the broker's.
    pub(super) fn config_of(&self, group_id: &str) -> GroupConfig {
        of_group_configs(self.config, group_id, &self.topics)
    }

    pub(super) fn consumer_heartbeat(&mut self, token: ReplyToken, request: ConsumerHeartbeatRequest, now_ms: i64) {
        let group_id = request.group_id.clone();
        let outcome = request.check(&self.config).and_then(|()| self.find_consumers(&request));
        match outcome {
            Err(refusal) => return self.reply(token, Response::ConsumerHeartbeat(Err(refusal))),
            Ok(true) => return self.consumer_event(&group_id, ConsumerEvent::Heartbeat(token, request), now_ms),
            Ok(false) => {}
        }
        match self.state_to_begin_with(&group_id, now_ms) {
            Ok(state) => self.begin_consumers(&group_id, state, ConsumerEvent::Heartbeat(token, request), now_ms),
            Err(refusal) => self.reply(token, Response::ConsumerHeartbeat(Err(refusal))),
        }
        self.reschedule(&group_id);
    }

    /// Whether the group is there; else this member makes it, if it joins.
    fn find_consumers(&self, request: &ConsumerHeartbeatRequest) -> Result<bool, Refusal> {
        let group_id = &request.group_id;
        let entry = self.groups.get(group_id);
        let consumers = entry.and_then(|entry| entry.consumers.as_ref());
        let joins = request.member_epoch == 0;
        let is_member = consumers.is_some_and(|group| group.state().members.contains_key(request.member_id.as_str()));
        if joins && self.grows_no_more && !is_member {
            return Err(GroupError::CoordinatorNotAvailable.into());
        }
        let not_found = |message| Err(Refusal::new(GroupError::GroupIdNotFound, message));
        match entry {
            Some(_) if consumers.is_some() => Ok(true),
            None if joins && self.groups.len() >= GROUPS_PER_COORDINATOR_MAX => {
                Err(GroupError::GroupMaxSizeReached.into())
            }
            _ if joins => Ok(false),
            Some(_) => not_found(format!("Group {group_id} is not a consumer group.")),
            None if request.member_epoch < 0 => not_found(format!("Group {group_id} not found.")),
            None => not_found(format!("Consumer group {group_id} not found.")),
        }
    }

    /// What a group of the consumer protocol takes over from the classic one of its name. Epochs go on where generations were.
    fn state_to_begin_with(&mut self, group_id: &str, now_ms: i64) -> Result<ConsumerState, Refusal> {
        self.ensure_group(group_id, now_ms);
        let group = &self.groups[group_id].group;
        if group.has_members() {
            return ConsumerState::from_classic(group, &self.topics);
        }
        let epoch = group.generation_id();
        Ok(ConsumerState { epoch, target_epoch: epoch, ..ConsumerState::default() })
    }

    /// The first step makes the group, or is refused and leaves all as it was.
    fn begin_consumers(&mut self, group_id: &str, state: ConsumerState, event: ConsumerEvent, now_ms: i64) {
        let mut consumers = ConsumerGroup::new(group_id.to_owned(), self.config_of(group_id), state, now_ms);
        let mut effects = consumers.handle(event, &self.topics, now_ms);
        if effects.iter().any(|effect| matches!(effect, ConsumerEffect::Persist(_))) {
            consumers.log_from_nothing(&mut effects);
            let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
            let waiting = entry.group.take_waiting();
            entry.group = Group::new(group_id.to_owned(), self.config, now_ms);
            entry.consumers = Some(Box::new(consumers));
            for (token, response) in waiting {
                self.reply(token, response);
            }
        }
        self.consumer_effects(group_id, effects, now_ms);
    }

    /// An event of a group that is there.
    pub(super) fn consumer_event(&mut self, group_id: &str, event: ConsumerEvent, now_ms: i64) {
        let entry = self.groups.get_mut(group_id).expect("the caller found the group");
        let consumers = entry.consumers.as_mut().expect("the caller found the group");
        let effects = consumers.handle(event, &self.topics, now_ms);
        self.consumer_effects(group_id, effects, now_ms);
    }

    /// What is told to a classic group comes to one of the consumer protocol.
    pub(super) fn event_of_consumers(&mut self, group_id: &str, event: GroupEvent, now_ms: i64) {
        match event {
            GroupEvent::Tick => self.consumer_event(group_id, ConsumerEvent::Tick, now_ms),
            // An append of the classic group that was here before; what it did is overtaken.
            GroupEvent::Persisted { then: Persisting::StaticMember { token, response, .. }, .. } => {
                let refused = JoinResponse::refused(response.member_id, GroupError::RebalanceInProgress);
                self.reply(token, Response::Join(refused));
            }
            GroupEvent::Persisted { .. } => {}
            event => self.consumer_event(group_id, ConsumerEvent::Classic(event), now_ms),
        }
    }

    /// The end of an append of a group.
    pub(super) fn consumers_persisted(&mut self, group_id: &str, durable: bool, now_ms: i64) {
        let entry = self.groups.get_mut(group_id).expect("groups with appends under way stay");
        let consumers = entry.consumers.as_mut().expect("a group stays while a change of it is under way");
        let effects = consumers.persisted(durable, &self.topics, now_ms);
        self.consumer_effects(group_id, effects, now_ms);
    }

    fn consumer_effects(&mut self, group_id: &str, effects: Vec<ConsumerEffect>, now_ms: i64) {
        for effect in effects {
            match effect {
                ConsumerEffect::Reply(token, response) => self.reply(token, response),
                ConsumerEffect::Persist(records) => self.persist_consumers(group_id, records, now_ms),
                ConsumerEffect::BecomeClassic(left, reply) => self.become_classic(group_id, &left, reply, now_ms),
            }
        }
        self.reschedule(group_id);
    }

    fn persist_consumers(&mut self, group_id: &str, records: Vec<ConsumerRecord>, now_ms: i64) {
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        let classic = OffsetsRecord::Group { group_id: group_id.to_owned(), value: None };
        let classic = entry.logged.as_ref().map(|_| classic);
        let batch: Vec<_> = classic.into_iter().chain(of_group(group_id, records)).collect();
        let batch = encode_batch(&batch, now_ms);
        if batch.len() > OFFSETS_BATCH_BYTES_MAX {
            let consumers = entry.consumers.as_mut().expect("it wants to be persisted");
            let effects = consumers.too_large(&self.topics, now_ms);
            return self.consumer_effects(group_id, effects, now_ms);
        }
        entry.logged = None;
        let order = self.append(batch, group_id, Vec::new(), Then::Consumers);
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        entry.consumers.as_mut().expect("it wants to be persisted").logged_order = order;
    }

    /// Members of the classic protocol alone are left.
    fn become_classic(
        &mut self,
        group_id: &str,
        left: &ConsumerState,
        reply: Option<(ReplyToken, Response)>,
        now_ms: i64,
    ) {
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        let mut old = entry.consumers.take().expect("it wants to become classic");
        let mut group = Group::from_consumers(group_id.to_owned(), self.config, left, &self.topics, now_ms);
        let metadata = group.metadata_with(None);
        group.prepare_rebalance(now_ms);
        entry.group = group;
        let record = OffsetsRecord::Group { group_id: group_id.to_owned(), value: Some(metadata.clone()) };
        let batch: Vec<_> = of_group(group_id, old.state().tombstones()).chain([record]).collect();
        let order = self.append(encode_batch(&batch, now_ms), group_id, Vec::new(), Then::BecameClassic(reply));
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        entry.logged = Some(Logged { metadata, order });
        self.group_event(group_id, GroupEvent::Tick, now_ms);
        for event in old.take_waiting() {
            match event {
                ConsumerEvent::Heartbeat(token, request) => self.consumer_heartbeat(token, request, now_ms),
                ConsumerEvent::Classic(GroupEvent::Join(token, request)) => self.join(token, request, now_ms),
                ConsumerEvent::Classic(event) => self.group_request(group_id, event, now_ms),
                ConsumerEvent::Tick => {}
            }
        }
    }

    /// Whoever joins in the classic protocol where nobody is left of the other one makes a classic group again.
    pub(super) fn end_empty_consumers(&mut self, group_id: &str, now_ms: i64) {
        let Some(entry) = self.groups.get_mut(group_id) else { return };
        let Some(old) = entry.consumers.take_if(|group| group.empty_since_ms().is_some()) else { return };
        entry.group = Group::new(group_id.to_owned(), self.config, now_ms);
        entry.group.generation_id = old.state().epoch;
        let records: Vec<_> = of_group(group_id, old.state().tombstones()).collect();
        self.append(encode_batch(&records, now_ms), group_id, Vec::new(), Then::Forgotten);
    }

    pub(super) fn describe_consumers(&mut self, token: ReplyToken, group_id: &str) {
        let entry = self.groups.get(group_id);
        let consumers = entry.and_then(|entry| entry.consumers.as_ref());
        let described = consumers.map(|consumers| consumers.describe()).ok_or_else(|| {
            let why = if entry.is_some() { "is not a consumer group" } else { "not found" };
            Refusal::new(GroupError::GroupIdNotFound, format!("Group {group_id} {why}."))
        });
        self.reply(token, Response::DescribeConsumers(described));
    }
}

fn of_group_configs(of_broker: GroupConfig, group_id: &str, view: &TopicsView) -> GroupConfig {
    let configs = view.catalog.group_configs().get(group_id);
    GroupConfig { consumer: group_config::acting(of_broker.consumer, configs), ..of_broker }
}

/// Records of a group for the log.
pub(super) fn of_group(group_id: &str, records: Vec<ConsumerRecord>) -> impl Iterator<Item = OffsetsRecord> {
    records.into_iter().map(move |record| OffsetsRecord::Consumer { group_id: group_id.to_owned(), record })
}
