//! Groups' offsets: the server's own coordinator over its log, and what was promised of every committed offset.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine::offset::LogId;
use server::group::{
    CommitPartition, CommitRequest, Coordinator, Effect, Event, GroupConfig, OffsetFetchRequest, ReplyToken, Response,
    TopicPartitions,
};

use crate::state_log::{For, StateAppends, read_log};
use crate::world::World;

const GROUPS: u64 = 3;
const PARTITIONS: u64 = 3;
/// Commits name no topic of the catalog: those would be forgotten with it.
const TOPIC: &str = "anything";

type Key = (u64, i32);

/// What was committed for one partition, in order: values, and the place up to which it is certain.
#[derive(Debug)]
struct History {
    values: Vec<i64>,
    certain: usize,
}

/// No offset.
const NOTHING: i64 = -1;

/// The coordinator and its books.
pub struct GroupEdge {
    /// Its log, once that is there.
    pub log: Option<LogId>,
    /// Appends on their way.
    pub appends: StateAppends,
    coordinator: Coordinator,
    histories: BTreeMap<Key, History>,
    asked: BTreeMap<ReplyToken, Vec<(Key, usize)>>,
    next_token: u64,
    next_offset: i64,
    loaded: bool,
}

impl GroupEdge {
    /// No groups.
    pub fn new() -> GroupEdge {
        GroupEdge {
            log: None,
            appends: StateAppends::default(),
            coordinator: Coordinator::new(GroupConfig::default()),
            histories: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_token: 0,
            next_offset: 0,
            loaded: false,
        }
    }

    fn history(&mut self, key: Key) -> &mut History {
        self.histories.entry(key).or_insert_with(|| History { values: vec![NOTHING], certain: 0 })
    }

    fn send(&mut self, key: Key, value: i64) -> (Key, usize) {
        let history = self.history(key);
        history.values.push(value);
        (key, history.values.len() - 1)
    }

    fn token(&mut self) -> ReplyToken {
        self.next_token += 1;
        ReplyToken(self.next_token)
    }

    /// Somebody sees a committed offset: it is not older than what was acknowledged or seen before.
    fn see(&mut self, key: Key, offset: i64) {
        let history = self.history(key);
        let news = &history.values[history.certain..];
        let at = news.iter().position(|value| *value == offset);
        let at = at.unwrap_or_else(|| panic!("group {key:?} shows {offset}, it may be {news:?}"));
        history.certain += at;
    }
}

impl World {
    fn groups_are_ready(&mut self) -> bool {
        if self.groups.log.is_none() {
            let topic = self.catalog.view().topic(server::catalog::OFFSETS_TOPIC);
            let log = topic.and_then(|topic| topic.log(0)).map(|log| log.log);
            self.groups.log = log.filter(|log| self.model.logs.get(log).is_some_and(|known| known.made.1));
            if self.groups.log.is_some() && !self.groups.loaded {
                let now_ms = self.now_ms();
                self.groups.coordinator.loaded(now_ms);
                self.groups.loaded = true;
            }
        }
        self.groups.log.is_some() && self.groups.loaded
    }

    pub(crate) fn commit_offsets(&mut self) {
        if !self.groups_are_ready() {
            return;
        }
        self.coverage.operation("commit offsets");
        let group = self.dice.below(GROUPS);
        let mut sent = Vec::new();
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS as i32 {
            if self.dice.chance(600) {
                self.groups.next_offset += 1;
                let offset = self.groups.next_offset;
                sent.push(self.groups.send((group, partition), offset));
                partitions.push(CommitPartition { partition, offset, leader_epoch: -1, metadata: String::new() });
            }
        }
        let request = CommitRequest {
            group_id: group.to_string(),
            generation_id: -1,
            knows_member_epochs: false,
            member_id: String::new(),
            instance_id: None,
            topics: vec![TopicPartitions { topic: TOPIC.into(), partitions }],
        };
        let token = self.groups.token();
        self.groups.asked.insert(token, sent);
        self.group_event(Event::Commit(token, request));
    }

    pub(crate) fn delete_group(&mut self) {
        if !self.groups_are_ready() {
            return;
        }
        self.coverage.operation("delete group");
        let group = self.dice.below(GROUPS);
        let sent = (0..PARTITIONS as i32).map(|partition| self.groups.send((group, partition), NOTHING)).collect();
        let token = self.groups.token();
        self.groups.asked.insert(token, sent);
        self.group_event(Event::Delete(token, group.to_string()));
    }

    pub(crate) fn fetch_offsets(&mut self) {
        if !self.groups_are_ready() {
            return;
        }
        self.coverage.operation("fetch offsets");
        let group = self.dice.below(GROUPS);
        self.fetch_offsets_of(group);
    }

    fn fetch_offsets_of(&mut self, group: u64) {
        let token = self.groups.token();
        self.groups.asked.insert(token, vec![((group, 0), 0)]);
        let asked = TopicPartitions { topic: TOPIC.into(), partitions: (0..PARTITIONS as i32).collect() };
        let request = OffsetFetchRequest {
            group_id: group.to_string(),
            member: None,
            topics: Some(vec![asked]),
            requires_stable: false,
        };
        self.group_event(Event::OffsetFetch(token, request));
    }

    pub(crate) fn shorten_groups(&mut self) {
        if !self.groups_are_ready() || self.groups.appends.has_snapshot() {
            return;
        }
        self.coverage.operation("groups snapshot");
        let now_ms = self.now_ms();
        let live = self.groups.coordinator.snapshot(now_ms);
        self.groups.appends.push_snapshot(live.into_iter().map(Bytes::from).collect());
    }

    /// Hands the coordinator an event and carries out what it wants.
    pub(crate) fn group_event(&mut self, event: Event) {
        let now_ms = self.now_ms();
        for effect in self.groups.coordinator.handle(event, now_ms) {
            match effect {
                Effect::Append { batch, then } => self.groups.appends.push(batch.into(), For::Group(then)),
                Effect::AppendMarker { .. } => unreachable!("no transaction has ended"),
                Effect::Reply(token, response) => self.answered(token, response),
            }
        }
    }

    fn answered(&mut self, token: ReplyToken, response: Response) {
        let asked = self.groups.asked.remove(&token).expect("a token is answered once");
        match response {
            Response::Commit(response) => {
                let outcomes: Vec<_> = response.topics.iter().flat_map(|topic| topic.partitions.clone()).collect();
                assert_eq!(outcomes.len(), asked.len(), "every partition has its answer");
                for ((key, place), (_, outcome)) in asked.into_iter().zip(outcomes) {
                    if outcome.is_ok() {
                        let history = self.groups.history(key);
                        history.certain = history.certain.max(place);
                    }
                }
            }
            Response::Delete(outcome) => {
                if outcome.is_ok() {
                    for (key, place) in asked {
                        let history = self.groups.history(key);
                        history.certain = history.certain.max(place);
                    }
                }
            }
            Response::OffsetFetch(answer) => {
                let group = asked[0].0.0;
                let topics = answer.expect("a loaded coordinator answers").topics;
                for found in topics.into_iter().flat_map(|topic| topic.partitions) {
                    self.note(("offset", group, found.partition, found.offset));
                    self.groups.see((group, found.partition), found.offset);
                }
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }

    /// Replays the groups after the audit. What is there now is durable and stays.
    pub(crate) fn load_groups(&mut self) {
        let topic = self.catalog.view().topic(server::catalog::OFFSETS_TOPIC);
        let log = topic.and_then(|topic| topic.log(0)).map(|log| log.log);
        self.groups.appends = StateAppends::default();
        self.groups.asked.clear();
        self.groups.coordinator = Coordinator::new(GroupConfig::default());
        self.groups.loaded = false;
        self.groups.log = None;
        let Some(log) = log.filter(|log| self.model.logs.contains_key(log)) else { return };
        for bytes in read_log(self.machine(), log) {
            self.groups.coordinator.load(&bytes).expect("a log of groups is well formed");
        }
        let now_ms = self.now_ms();
        self.groups.coordinator.loaded(now_ms);
        self.groups.loaded = true;
        self.groups.log = Some(log);
        for group in 0..GROUPS {
            self.fetch_offsets_of(group);
        }
        for history in self.groups.histories.values_mut() {
            *history = History { values: vec![history.values[history.certain]], certain: 0 };
        }
    }
}
