//! Random events against a coordinator: every token is answered once, generations never go down, nothing is told before
//! it is durable, and a restart from the log loses nothing that was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::record_batch::{HEADER_BYTES, batches, records};

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    NewMember { knows_protocol: bool, is_static: Option<u8>, wants_id_first: bool },
    Rejoin { member: usize, changed: bool },
    Sync { member: usize },
    Heartbeat { member: usize },
    Leave { member: usize },
    Commit { member: usize, offset: i64 },
    Pass { duration_ms: i64 },
    Persist { at: usize },
    FailAppend { at: usize },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), proptest::option::of(0u8..3), any::<bool>()).prop_map(
            |(knows_protocol, is_static, wants_id_first)| Step::NewMember { knows_protocol, is_static, wants_id_first }
        ),
        5 => (0usize..8, any::<bool>()).prop_map(|(member, changed)| Step::Rejoin { member, changed }),
        6 => (0usize..8).prop_map(|member| Step::Sync { member }),
        3 => (0usize..8).prop_map(|member| Step::Heartbeat { member }),
        1 => (0usize..8).prop_map(|member| Step::Leave { member }),
        4 => (0usize..8, 0i64..100).prop_map(|(member, offset)| Step::Commit { member, offset }),
        3 => (1i64..8_000).prop_map(|duration_ms| Step::Pass { duration_ms }),
        6 => (0usize..4).prop_map(|at| Step::Persist { at }),
        1 => (0usize..4).prop_map(|at| Step::FailAppend { at }),
        1 => Just(Step::Restart),
    ]
}

/// What the clients know.
struct Clients {
    broker: Broker,
    /// Member id, instance id and the generation last heard.
    members: Vec<(String, Option<String>, i32)>,
    open: BTreeMap<ReplyToken, Asked>,
    answered: BTreeSet<ReplyToken>,
    generation_id: i32,
    next_uuid: u128,
}

#[derive(Debug)]
enum Asked {
    Join(Option<String>),
    /// Generation of the sync.
    Sync(i32),
    Commit,
    Other,
}

impl Clients {
    fn run(&mut self, step: Step) {
        match step {
            Step::NewMember { knows_protocol, is_static, wants_id_first } => {
                self.new_member(knows_protocol, is_static, wants_id_first);
            }
            Step::Rejoin { member, changed } => self.with_member(member, |clients, id, instance_id, _| {
                let metadata = if changed { "changed" } else { "topics" };
                let protocols = vec![protocol("range", metadata)];
                let request = JoinRequest { instance_id: instance_id.clone(), protocols, ..join(&id) };
                clients.ask(Asked::Join(instance_id), |token| Event::Join(token, request));
            }),
            Step::Sync { member } => self.with_member(member, |clients, id, instance_id, generation_id| {
                let all: Vec<_> = clients.members.iter().map(|(id, ..)| (id.as_str(), id.as_str())).collect();
                let request = SyncRequest { instance_id, ..sync(&id, generation_id, &all) };
                clients.ask(Asked::Sync(generation_id), |token| Event::Sync(token, request));
            }),
            Step::Heartbeat { member } => self.with_member(member, |clients, id, instance_id, generation_id| {
                let request = HeartbeatRequest { instance_id, ..heartbeat(&id, generation_id) };
                clients.ask(Asked::Other, |token| Event::Heartbeat(token, request));
            }),
            Step::Leave { member } => self.with_member(member, |clients, id, instance_id, _| {
                let request = leave(&[(&id, instance_id.as_deref())]);
                clients.ask(Asked::Other, |token| Event::Leave(token, request));
            }),
            Step::Commit { member, offset } => self.with_member(member, |clients, id, instance_id, generation_id| {
                let request = CommitRequest { instance_id, ..commit(&id, generation_id, offset) };
                clients.ask(Asked::Commit, |token| Event::Commit(token, request));
            }),
            Step::Pass { duration_ms } => self.broker.pass(duration_ms),
            Step::Persist { at } => self.end_appends(at, true),
            Step::FailAppend { at } => self.end_appends(at, false),
            Step::Restart => self.restart(),
        }
        self.read_answers();
    }

    fn new_member(&mut self, knows_protocol: bool, is_static: Option<u8>, wants_id_first: bool) {
        self.next_uuid += 1;
        let instance_id = is_static.map(|index| format!("instance-{index}"));
        let request = JoinRequest {
            instance_id: instance_id.clone(),
            requires_known_member_id: wants_id_first,
            new_member_uuid: Uuid::from_u128(self.next_uuid),
            protocols: vec![protocol(if knows_protocol { "range" } else { "other" }, "topics")],
            ..join("")
        };
        self.ask(Asked::Join(instance_id), |token| Event::Join(token, request));
    }

    fn with_member(&mut self, member: usize, act: impl FnOnce(&mut Self, String, Option<String>, i32)) {
        if let Some((id, instance_id, generation_id)) = self.members.get(member).cloned() {
            act(self, id, instance_id, generation_id);
        }
    }

    fn ask(&mut self, asked: Asked, event: impl FnOnce(ReplyToken) -> Event) {
        let appends_before = self.broker.appends.len();
        let is_commit = matches!(asked, Asked::Commit);
        let token = self.broker.send(event);
        if is_commit && self.broker.appends.len() > appends_before {
            assert!(!self.broker.replies.iter().any(|(answered, _)| *answered == token), "told before it is durable");
        }
        self.open.insert(token, asked);
    }

    /// The log ends its appends in order, so `at` says how many.
    fn end_appends(&mut self, at: usize, durable: bool) {
        for _ in 0..=at {
            if self.broker.appends.is_empty() {
                return;
            }
            let (then, batch) = self.broker.appends.remove(0);
            if durable {
                self.broker.log.extend_from_slice(&batch);
                self.broker.handle(Event::Appended(then));
            } else {
                self.broker.handle(Event::AppendFailed(then));
            }
        }
    }

    /// What was asked and not answered is lost with the connections; what is durable is not.
    fn restart(&mut self) {
        self.broker.appends.clear();
        let fetched = self.broker.fetched();
        let next_token = self.broker.next_token;
        self.read_answers();
        self.broker = self.broker.restarted();
        self.broker.next_token = next_token;
        self.open.clear();
        assert_eq!(self.broker.fetched(), fetched, "acknowledged offsets survive");
        // A generation that was not persisted is counted anew, as in Kafka.
        self.generation_id = 0;
    }

    fn read_answers(&mut self) {
        for (token, response) in std::mem::take(&mut self.broker.replies) {
            assert!(self.answered.insert(token), "{token:?} is answered twice");
            let asked = self.open.remove(&token).expect("only what was asked is answered");
            match (asked, response) {
                (Asked::Join(instance_id), Response::Join(response)) => self.read_join(instance_id, response),
                (Asked::Sync(generation_id), Response::Sync(Ok(_))) => self.check_synced(generation_id),
                (Asked::Sync(_), Response::Sync(Err(_)))
                | (Asked::Commit, Response::Commit(_))
                | (Asked::Other, Response::Heartbeat(_) | Response::Leave(_)) => {}
                (asked, response) => panic!("{asked:?} was answered by {response:?}"),
            }
        }
    }

    fn read_join(&mut self, instance_id: Option<String>, response: JoinResponse) {
        if response.error.is_none() {
            assert!(response.generation_id >= self.generation_id, "a generation went down");
            self.generation_id = response.generation_id;
        } else if response.error != Some(GroupError::MemberIdRequired) {
            return;
        }
        let known = self.members.iter_mut().find(|(id, ..)| *id == response.member_id);
        if let Some((_, _, generation_id)) = known {
            *generation_id = response.generation_id;
        } else {
            self.members.insert(0, (response.member_id, instance_id, response.generation_id));
            self.members.truncate(8);
        }
    }

    /// An assignment that was told is in the log: a restart would find that generation, or a later one.
    fn check_synced(&self, told_generation_id: i32) {
        let generations = batches(&self.broker.log).flat_map(|batch| {
            let (header, batch) = batch.expect("our own log is well formed");
            let records: Vec<_> = records(&header, &batch[HEADER_BYTES..]).collect();
            records.into_iter().filter_map(|record| {
                let record = record.expect("our own log is well formed");
                match OffsetsRecord::decode(record.key?, record.value) {
                    Ok(Some(OffsetsRecord::Group { value: Some(metadata), .. })) if !metadata.members.is_empty() => {
                        Some(metadata.generation_id)
                    }
                    _ => None,
                }
            })
        });
        let generations: Vec<_> = generations.collect();
        assert!(
            generations.contains(&told_generation_id),
            "{told_generation_id} was told, durable are {generations:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn groups_keep_their_promises_under_random_events(
        delay_ms in prop_oneof![Just(0), Just(500)],
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut clients = Clients {
            broker: Broker::new(delay_ms),
            members: Vec::new(),
            open: BTreeMap::new(),
            answered: BTreeSet::new(),
            generation_id: 0,
            next_uuid: 0,
        };
        for step in steps {
            clients.run(step);
        }
        // With the disk answering and the clock running, nobody is left waiting.
        for _ in 0..8 {
            clients.broker.persist();
            clients.broker.pass(60_000);
        }
        clients.read_answers();
        prop_assert!(clients.open.is_empty(), "left without an answer: {:?}", clients.open);
    }
}
