//! Claims about groups of the consumer protocol; helpers that speak as their members do.

mod membership;
mod migration;
mod persistence;
mod random;
mod reconciliation;
mod subscriptions;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::catalog::{Catalog, Change, Placement, Topic};
use crate::topic_config::TopicConfigs;

fn topic_id(name: &str) -> Uuid {
    let bytes = name.bytes().chain(std::iter::repeat(0)).take(16);
    Uuid::from_bytes(bytes.collect::<Vec<_>>().try_into().expect("16 bytes"))
}

fn catalog(topics: &[(&str, u64)]) -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    for (at, (name, partitions)) in (0u64..).zip(topics) {
        catalog.apply(Change::Topic(Topic {
            name: (*name).to_owned(),
            id: topic_id(name),
            internal: false,
            partitions: (0..*partitions).map(|log| Placement { shard: 0, log: 1_000 * (at + 1) + log }).collect(),
            configs: TopicConfigs::default(),
        }));
    }
    Arc::new(catalog)
}

fn partitions(topics: &[(&str, &[i32])]) -> Partitions {
    topics.iter().map(|(name, some)| (topic_id(name), some.iter().copied().collect::<BTreeSet<i32>>())).collect()
}

fn owned(partitions: &Partitions) -> Vec<(Uuid, Vec<i32>)> {
    partitions.iter().map(|(id, some)| (*id, some.iter().copied().collect())).collect()
}

/// A first request of a member that reads these topics.
fn joins(member_id: &str, topics: &[&str]) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        rebalance_timeout_ms: REBALANCE_MS,
        topics: Some(topics.iter().map(|name| (*name).to_owned()).collect()),
        owned: Some(Vec::new()),
        ..beats(member_id, 0)
    }
}

fn joins_as(member_id: &str, instance_id: &str, topics: &[&str]) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { instance_id: Some(instance_id.to_owned()), ..joins(member_id, topics) }
}

/// A request of a member that has nothing new to say.
fn beats(member_id: &str, member_epoch: i32) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: -1,
        topics: None,
        regex: None,
        assignor: None,
        owned: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        makes_its_id: true,
        new_member_uuid: Uuid::from_u128(99),
    }
}

fn beats_with(member_id: &str, member_epoch: i32, has: &Partitions) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { owned: Some(owned(has)), ..beats(member_id, member_epoch) }
}

impl Broker {
    fn with_topics(topics: &[(&str, u64)]) -> Self {
        let mut broker = Self::new(0);
        broker.set_topics(topics);
        broker
    }

    fn set_topics(&mut self, topics: &[(&str, u64)]) {
        let number = self.coordinator.topics.number + 1;
        self.handle(Event::Topics(TopicsView { catalog: catalog(topics), number }));
    }

    /// The same topics after a restart.
    fn come_back(&mut self) {
        let view = self.coordinator.topics.clone();
        *self = self.restarted();
        self.handle(Event::Topics(TopicsView { number: 1, ..view }));
    }

    fn say(&mut self, request: ConsumerHeartbeatRequest) -> ReplyToken {
        self.send(|token| Event::ConsumerHeartbeat(token, request))
    }

    fn said(&mut self, token: ReplyToken) -> Result<ConsumerHeartbeatResponse, Refusal> {
        match self.answer(token) {
            Some(Response::ConsumerHeartbeat(outcome)) => outcome,
            other => panic!("no heartbeat answer: {other:?}"),
        }
    }

    /// Says it, with a disk that answers.
    fn hear(&mut self, request: ConsumerHeartbeatRequest) -> Result<ConsumerHeartbeatResponse, GroupError> {
        let token = self.say(request);
        self.persist();
        self.said(token).map_err(|refusal| refusal.error)
    }

    /// The epoch and the assignment of an answer that has one.
    fn assigned(&mut self, request: ConsumerHeartbeatRequest) -> (i32, Partitions) {
        let heard = self.hear(request).expect("a right request");
        (heard.member_epoch, heard.assignment.expect("an assignment"))
    }

    fn described(&mut self) -> Result<ConsumerGroupDescription, GroupError> {
        let token = self.send(|token| Event::DescribeConsumers(token, GROUP.to_owned()));
        match self.answer(token) {
            Some(Response::DescribeConsumers(outcome)) => outcome.map_err(|refusal| refusal.error),
            other => panic!("no description: {other:?}"),
        }
    }

    /// State, epoch and epoch of the targets.
    fn stands(&mut self) -> (GroupState, i32, i32) {
        let described = self.described().expect("the group is there");
        (described.state, described.epoch, described.target_epoch)
    }

    fn is_committed(&mut self, request: CommitRequest) -> Result<(), GroupError> {
        let token = self.commit(request);
        self.persist();
        self.committed(token)
    }
}
