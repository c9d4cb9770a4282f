//! Claims about groups; helpers that speak as members do.

mod commits;
mod consumers;
mod forgetting;
mod growth;
mod joins;
mod persistence;
mod random;
mod static_members;
mod syncs;
mod transactions;

use bytes::Bytes;
use uuid::Uuid;

use super::*;

const GROUP: &str = "group";
const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 20_000;

fn config(initial_rebalance_delay_ms: i32) -> GroupConfig {
    GroupConfig { initial_rebalance_delay_ms, ..GroupConfig::default() }
}

fn protocol(name: &str, metadata: &str) -> JoinProtocol {
    JoinProtocol { name: name.to_owned(), metadata: Bytes::copy_from_slice(metadata.as_bytes()) }
}

fn join(member_id: &str) -> JoinRequest {
    JoinRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", "topics")],
        requires_known_member_id: false,
        supports_skip_assignment: false,
        new_member_uuid: Uuid::nil(),
    }
}

fn static_join(instance_id: &str, uuid: u128) -> JoinRequest {
    JoinRequest { instance_id: Some(instance_id.to_owned()), new_member_uuid: Uuid::from_u128(uuid), ..join("") }
}

fn sync(member_id: &str, generation_id: i32, assignments: &[(&str, &str)]) -> SyncRequest {
    SyncRequest {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        instance_id: None,
        protocol_type: None,
        protocol_name: None,
        assignments: assignments
            .iter()
            .map(|(member_id, assignment)| ((*member_id).to_owned(), Bytes::copy_from_slice(assignment.as_bytes())))
            .collect(),
    }
}

fn heartbeat(member_id: &str, generation_id: i32) -> HeartbeatRequest {
    HeartbeatRequest { group_id: GROUP.to_owned(), generation_id, member_id: member_id.to_owned(), instance_id: None }
}

fn leave(members: &[(&str, Option<&str>)]) -> LeaveRequest {
    let members = members.iter().map(|(member_id, instance_id)| LeavingMember {
        member_id: (*member_id).to_owned(),
        instance_id: instance_id.map(str::to_owned),
    });
    LeaveRequest { group_id: GROUP.to_owned(), members: members.collect() }
}

fn commit(member_id: &str, generation_id: i32, offset: i64) -> CommitRequest {
    CommitRequest {
        group_id: GROUP.to_owned(),
        generation_id,
        knows_member_epochs: true,
        member_id: member_id.to_owned(),
        instance_id: None,
        topics: vec![TopicPartitions {
            topic: "topic".to_owned(),
            partitions: vec![CommitPartition { partition: 0, offset, leader_epoch: 3, metadata: "note".to_owned() }],
        }],
    }
}

/// A coordinator whose appends wait until the test says what became of them.
struct Broker {
    coordinator: Coordinator,
    now_ms: i64,
    next_token: u64,
    replies: Vec<(ReplyToken, Response)>,
    appends: Vec<(ContinuationId, Vec<u8>)>,
    log: Vec<u8>,
}

impl Broker {
    fn new(initial_rebalance_delay_ms: i32) -> Self {
        Self::with_config(config(initial_rebalance_delay_ms))
    }

    fn with_config(config: GroupConfig) -> Self {
        let mut coordinator = Coordinator::new(config);
        coordinator.loaded(0);
        Self { coordinator, now_ms: 0, next_token: 0, replies: Vec::new(), appends: Vec::new(), log: Vec::new() }
    }

    fn restarted(&self) -> Self {
        Self::loaded_from(&self.log, self.coordinator.config, self.now_ms)
    }

    fn loaded_from(log: &[u8], config: GroupConfig, now_ms: i64) -> Self {
        let mut coordinator = Coordinator::new(config);
        coordinator.load(log).expect("our own log is well formed");
        coordinator.loaded(now_ms);
        Self { coordinator, now_ms, log: log.to_vec(), ..Self::with_config(config) }
    }

    fn send(&mut self, event: impl FnOnce(ReplyToken) -> Event) -> ReplyToken {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.handle(event(token));
        token
    }

    fn handle(&mut self, event: Event) {
        for effect in self.coordinator.handle(event, self.now_ms) {
            match effect {
                Effect::Reply(token, response) => self.replies.push((token, response)),
                Effect::Append { batch, then } => self.appends.push((then, batch)),
                Effect::AppendMarker { ended, then } => self.appends.push((then, transactions::marker(&ended))),
            }
        }
    }

    /// Lets all waiting appends become durable, in order.
    fn persist(&mut self) {
        for (then, batch) in std::mem::take(&mut self.appends) {
            self.log.extend_from_slice(&batch);
            self.handle(Event::Appended(then));
        }
    }

    fn fail_appends(&mut self) {
        for (then, _) in std::mem::take(&mut self.appends) {
            self.handle(Event::AppendFailed(then));
        }
    }

    /// Moves the clock to each deadline on the way.
    fn pass(&mut self, duration_ms: i64) {
        let end_ms = self.now_ms + duration_ms;
        while let Some(at_ms) = self.coordinator.next_deadline_ms().filter(|at_ms| *at_ms <= end_ms) {
            self.now_ms = at_ms.max(self.now_ms);
            self.handle(Event::Tick);
        }
        self.now_ms = end_ms;
    }

    fn answer(&mut self, token: ReplyToken) -> Option<Response> {
        let at = self.replies.iter().position(|(answered, _)| *answered == token)?;
        Some(self.replies.remove(at).1)
    }

    fn join(&mut self, request: JoinRequest) -> ReplyToken {
        self.send(|token| Event::Join(token, request))
    }

    fn joined(&mut self, token: ReplyToken) -> JoinResponse {
        match self.answer(token) {
            Some(Response::Join(response)) => response,
            other => panic!("no join answer: {other:?}"),
        }
    }

    fn sync(&mut self, request: SyncRequest) -> ReplyToken {
        self.send(|token| Event::Sync(token, request))
    }

    fn synced(&mut self, token: ReplyToken) -> Result<String, GroupError> {
        match self.answer(token) {
            Some(Response::Sync(outcome)) => {
                outcome.map(|response| String::from_utf8_lossy(&response.assignment).into_owned())
            }
            other => panic!("no sync answer: {other:?}"),
        }
    }

    fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> Result<(), GroupError> {
        let request = heartbeat(member_id, generation_id);
        let token = self.send(|token| Event::Heartbeat(token, request));
        match self.answer(token) {
            Some(Response::Heartbeat(outcome)) => outcome,
            other => panic!("no heartbeat answer: {other:?}"),
        }
    }

    fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<Result<(), GroupError>> {
        let request = leave(members);
        let token = self.send(|token| Event::Leave(token, request));
        match self.answer(token) {
            Some(Response::Leave(Ok(response))) => {
                response.members.into_iter().map(|(_, _, outcome)| outcome).collect()
            }
            other => panic!("no leave answer: {other:?}"),
        }
    }

    fn commit(&mut self, request: CommitRequest) -> ReplyToken {
        self.send(|token| Event::Commit(token, request))
    }

    fn committed(&mut self, token: ReplyToken) -> Result<(), GroupError> {
        match self.answer(token) {
            Some(Response::Commit(response)) => response.topics[0].partitions[0].1,
            other => panic!("no commit answer: {other:?}"),
        }
    }

    fn fetched(&mut self) -> TopicOffsets {
        let topics = vec![TopicPartitions { topic: "topic".to_owned(), partitions: vec![0] }];
        let request = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            member: None,
            topics: Some(topics),
            requires_stable: false,
        };
        let token = self.send(|token| Event::OffsetFetch(token, request));
        match self.answer(token) {
            Some(Response::OffsetFetch(Ok(response))) => response.topics[0].partitions[0].clone(),
            other => panic!("no fetch answer: {other:?}"),
        }
    }

    fn describe(&mut self) -> GroupDescription {
        let token = self.send(|token| Event::Describe(token, GROUP.to_owned()));
        match self.answer(token) {
            Some(Response::Describe(Ok(description))) => description,
            other => panic!("no description: {other:?}"),
        }
    }

    fn state(&mut self) -> GroupState {
        self.describe().state
    }

    /// A stable group of `count` dynamic members; gives their ids, the leader's first, and the generation.
    fn stable(count: u128) -> (Self, Vec<String>, i32) {
        let mut broker = Self::new(100);
        let tokens: Vec<_> = (1..=count)
            .map(|uuid| broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(uuid), ..join("") }))
            .collect();
        broker.pass(300);
        let joined: Vec<_> = tokens.into_iter().map(|token| broker.joined(token)).collect();
        let generation_id = joined[0].generation_id;
        let leader = joined[0].leader.clone();
        let mut ids: Vec<_> = joined.into_iter().map(|response| response.member_id).collect();
        ids.sort_by_key(|id| *id != leader);
        broker.sync_all(&ids, generation_id);
        (broker, ids, generation_id)
    }

    /// Everyone syncs; each is assigned its own id.
    fn sync_all(&mut self, ids: &[String], generation_id: i32) {
        let assignments: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let tokens: Vec<_> = ids.iter().map(|id| self.sync(sync(id, generation_id, &assignments))).collect();
        self.persist();
        for (token, id) in tokens.into_iter().zip(ids) {
            assert_eq!(self.synced(token), Ok(id.clone()));
        }
        assert_eq!(self.state(), GroupState::Stable);
    }
}
