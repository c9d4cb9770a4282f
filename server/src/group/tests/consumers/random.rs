//! Random events against a group of the consumer protocol: no partition has two owners, epochs never go down, every token is answered once,
//! a crash forgets nothing that was told, and when all is quiet everybody has what it shall have.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::group::consumer::ConsumerState;

const MEMBERS: usize = 5;
/// A member that hears nothing for so long takes itself for dropped: it may have missed that it had to give something up in that time.
const PATIENCE_MS: i64 = REBALANCE_MS as i64;

#[derive(Debug, Clone)]
enum Step {
    Speak { member: usize, topics: u8 },
    Leave { member: usize, for_a_while: bool },
    Crash { member: usize },
    LoseAnswer { member: usize },
    Pass { duration_ms: i64 },
    Topics { partitions: u64 },
    Persist,
    FailAppend { is_in_log: bool },
    Snapshot,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => (0..MEMBERS, 1u8..8).prop_map(|(member, topics)| Step::Speak { member, topics }),
        1 => (0..MEMBERS, any::<bool>()).prop_map(|(member, for_a_while)| Step::Leave { member, for_a_while }),
        1 => (0..MEMBERS).prop_map(|member| Step::Crash { member }),
        1 => (0..MEMBERS).prop_map(|member| Step::LoseAnswer { member }),
        2 => (1i64..20_000).prop_map(|duration_ms| Step::Pass { duration_ms }),
        1 => (1u64..6).prop_map(|partitions| Step::Topics { partitions }),
        10 => Just(Step::Persist),
        1 => any::<bool>().prop_map(|is_in_log| Step::FailAppend { is_in_log }),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
    ]
}

/// A consumer: what it knows, and what it reads.
#[derive(Debug, Clone, Default)]
struct Member {
    /// How often it was made anew: its id.
    life: usize,
    epoch: i32,
    has: Partitions,
    /// When it last heard of the coordinator: it takes itself for dropped some time later.
    heard_ms: i64,
    says_all: bool,
    waits_for: Option<ReplyToken>,
    topics: u8,
}

struct Clients {
    broker: Broker,
    members: Vec<Member>,
    answered: BTreeSet<ReplyToken>,
    asked: BTreeMap<ReplyToken, usize>,
    epoch: i32,
}

impl Clients {
    fn new() -> Self {
        let broker = Broker::with_topics(&[("a", 4), ("b", 2), ("c", 1)]);
        let members = vec![Member::default(); MEMBERS];
        Self { broker, members, answered: BTreeSet::new(), asked: BTreeMap::new(), epoch: 0 }
    }

    fn id(&self, member: usize) -> String {
        format!("m{member}-{}", self.members[member].life)
    }

    fn instance_id(member: usize) -> Option<String> {
        // Some are static.
        (member < 2).then(|| format!("i{member}"))
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Speak { member, topics } => self.speak(member, topics),
            Step::Leave { member, for_a_while } => self.leave(member, for_a_while),
            Step::Crash { member } => {
                // The program is gone and comes back as another member.
                let life = self.members[member].life + 1;
                self.members[member] = Member { life, ..Member::default() };
            }
            Step::LoseAnswer { member } => {
                if let Some(token) = self.members[member].waits_for.take() {
                    self.asked.remove(&token);
                    self.members[member].says_all = true;
                }
            }
            Step::Pass { duration_ms } => self.pass(duration_ms),
            Step::Topics { partitions } => self.broker.set_topics(&[("a", 4), ("b", partitions), ("c", 1)]),
            Step::Persist => self.broker.persist(),
            Step::FailAppend { is_in_log } => {
                if is_in_log {
                    let batches: Vec<u8> = self.broker.appends.iter().flat_map(|(_, batch)| batch.clone()).collect();
                    self.broker.log.extend(batches);
                }
                self.broker.fail_appends();
            }
            Step::Snapshot => {
                let snapshot = self.broker.coordinator.snapshot(0).concat();
                self.broker.persist();
                self.broker.log = snapshot;
            }
            Step::Restart => self.restart(),
        }
        self.read_answers();
        self.check();
    }

    fn speak(&mut self, member: usize, topics: u8) {
        if self.members[member].waits_for.is_some() {
            return;
        }
        let id = self.id(member);
        let one = &mut self.members[member];
        let joins_now = one.epoch == 0;
        if joins_now {
            one.topics = topics;
            one.has = Partitions::new();
        }
        let names: Vec<&str> = ["a", "b", "c"]
            .into_iter()
            .enumerate()
            .filter(|(at, _)| one.topics >> at & 1 == 1)
            .map(|(_, name)| name)
            .collect();
        let request = if joins_now || one.says_all {
            ConsumerHeartbeatRequest { member_epoch: one.epoch, owned: Some(owned(&one.has)), ..joins(&id, &names) }
        } else {
            beats_with(&id, one.epoch, &one.has)
        };
        let request = ConsumerHeartbeatRequest { instance_id: Self::instance_id(member), ..request };
        let token = self.broker.say(request);
        self.members[member].waits_for = Some(token);
        self.asked.insert(token, member);
    }

    fn leave(&mut self, member: usize, for_a_while: bool) {
        if self.members[member].epoch == 0 || self.members[member].waits_for.is_some() {
            return;
        }
        let instance_id = Self::instance_id(member);
        let epoch = if for_a_while && instance_id.is_some() { -2 } else { -1 };
        self.broker.say(ConsumerHeartbeatRequest { instance_id, ..beats(&self.id(member), epoch) });
        let life = self.members[member].life + 1;
        self.members[member] = Member { life, ..Member::default() };
    }

    fn pass(&mut self, duration_ms: i64) {
        // Time is passed in bites, so that who is silent gives up when the coordinator does.
        self.broker.pass(duration_ms);
        let now_ms = self.broker.now_ms;
        for one in &mut self.members {
            if now_ms - one.heard_ms >= PATIENCE_MS {
                one.has = Partitions::new();
                one.epoch = 0;
                // What it asked before is nothing to it any more.
                if let Some(token) = one.waits_for.take() {
                    self.asked.remove(&token);
                }
            }
        }
    }

    fn restart(&mut self) {
        self.broker.appends.clear();
        self.read_answers();
        let before = self.state();
        let next_token = self.broker.next_token;
        self.broker.come_back();
        self.broker.next_token = next_token;
        self.asked.clear();
        for one in &mut self.members {
            one.says_all |= one.waits_for.take().is_some();
        }
        // Of what was on its way nobody was told; a failed append may be found all the same.
        assert!(self.state().epoch >= before.epoch, "the epoch went back in a crash");
    }

    fn state(&self) -> ConsumerState {
        let entry = self.broker.coordinator.groups.get(GROUP);
        entry.and_then(|entry| entry.consumers.as_ref()).map(|group| group.state().clone()).unwrap_or_default()
    }

    fn read_answers(&mut self) {
        for (token, response) in std::mem::take(&mut self.broker.replies) {
            assert!(self.answered.insert(token), "{token:?} is answered twice");
            let Some(member) = self.asked.remove(&token) else { continue };
            let Response::ConsumerHeartbeat(outcome) = response else { panic!("{response:?}") };
            let now_ms = self.broker.now_ms;
            let one = &mut self.members[member];
            if one.waits_for.take() != Some(token) {
                continue;
            }
            match outcome {
                Ok(heard) => {
                    assert!(heard.member_epoch >= one.epoch, "a member's epoch went down");
                    one.epoch = heard.member_epoch;
                    one.heard_ms = now_ms;
                    one.says_all = false;
                    if let Some(assignment) = heard.assignment {
                        one.has = assignment;
                    }
                }
                Err(refusal) => match refusal.error {
                    GroupError::CoordinatorNotAvailable => one.says_all = true,
                    GroupError::FencedMemberEpoch | GroupError::UnknownMemberId | GroupError::GroupIdNotFound => {
                        one.has = Partitions::new();
                        one.epoch = 0;
                    }
                    GroupError::UnreleasedInstanceId | GroupError::FencedInstanceId => {
                        let life = one.life + 1;
                        *one = Member { life, ..Member::default() };
                    }
                    other => panic!("{other:?}"),
                },
            }
        }
    }

    fn check(&mut self) {
        let state = self.state();
        assert!(state.epoch >= self.epoch, "the epoch went from {} to {}", self.epoch, state.epoch);
        self.epoch = state.epoch;
        let mut held = BTreeSet::new();
        for member in state.members.values() {
            assert!(member.current.epoch <= state.epoch);
            for partitions in [&member.current.assigned, &member.current.revoking] {
                for place in places(partitions) {
                    assert!(held.insert(place), "{place:?} is held twice: {state:?}");
                }
            }
        }
        let mut owned = BTreeMap::new();
        for (member, one) in self.members.iter().enumerate() {
            for place in places(&one.has) {
                let other = owned.insert(place, member);
                assert_eq!(other, None, "{place:?} has two owners: {:?}, {state:?}", self.members);
            }
        }
    }

    /// With a disk that answers and members that speak, all is reconciled soon.
    fn settle(&mut self) {
        // A static member that is away keeps its place for a whole session first.
        for _ in 0..30 {
            for member in 0..MEMBERS {
                self.broker.persist();
                self.read_answers();
                self.speak(member, 7);
                self.broker.persist();
                self.read_answers();
                self.check();
            }
            self.pass(5_000);
            self.broker.persist();
        }
    }
}

fn places(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(id, some)| some.iter().map(|partition| (*id, *partition)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn groups_of_consumers_keep_their_promises_under_random_events(steps in proptest::collection::vec(step(), 1..150)) {
        let mut clients = Clients::new();
        for step in steps {
            clients.run(&step);
        }
        clients.settle();
        let state = clients.state();
        prop_assert_eq!(state.name(), GroupState::Stable, "{:?}", state);
        for (member, one) in clients.members.iter().enumerate() {
            let id = clients.id(member);
            let known = &state.members[id.as_str()];
            prop_assert_eq!((&known.current.assigned, &known.target), (&one.has, &known.target));
            prop_assert_eq!(&known.current.assigned, &known.target);
        }
        // What the log holds is the state in force.
        clients.broker.come_back();
        prop_assert_eq!(clients.state(), state);
    }
}
