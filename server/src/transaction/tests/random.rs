//! Random requests, failures, crashes and snapshots: a decision that was answered stands, and partitions never hear two stories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Init { goes_on: bool },
    Add,
    End { commits: bool, by_older: bool },
    Sync,
    FailAppends,
    Tell,
    Delay,
    Pass(i64),
    Crash,
    Snapshot,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<bool>().prop_map(|goes_on| Step::Init { goes_on }),
        6 => Just(Step::Add),
        6 => (any::<bool>(), proptest::bool::weighted(0.1))
            .prop_map(|(commits, by_older)| Step::End { commits, by_older }),
        8 => Just(Step::Sync),
        1 => Just(Step::FailAppends),
        4 => Just(Step::Tell),
        1 => Just(Step::Delay),
        2 => (1..i64::from(TIMEOUT_MS)).prop_map(Step::Pass),
        1 => Just(Step::Crash),
        1 => Just(Step::Snapshot),
    ];
    proptest::collection::vec(step, 1..200)
}

/// What clients and partitions have seen. A partition is written by one transaction only.
#[derive(Default)]
struct Seen {
    /// The newest producer that was given the id.
    producer: Option<ProducerIdentity>,
    /// Ends that were asked for, and the partitions of the transaction then.
    ends: BTreeMap<ReplyToken, (Partitions, bool)>,
    /// Whether the transaction of a partition was committed, as the partition was told.
    stories: BTreeMap<i32, bool>,
    next_partition: i32,
}

impl Seen {
    fn look(&mut self, world: &mut World) {
        for markers in std::mem::take(&mut world.told) {
            for partition in markers.partitions.into_values().flatten() {
                let before = self.stories.insert(partition, markers.commits);
                assert!(before.is_none_or(|before| before == markers.commits), "two stories about {partition}");
            }
        }
        for (token, response) in std::mem::take(&mut world.replies) {
            match response {
                Response::Init(Ok(producer)) => {
                    if let Some(before) = self.producer.replace(producer) {
                        let is_newer = producer.id != before.id || producer.epoch >= before.epoch;
                        assert!(is_newer, "{producer:?} after {before:?}");
                    }
                }
                Response::Done(Ok(())) => {
                    if let Some((partitions, commits)) = self.ends.remove(&token) {
                        for partition in partitions.into_values().flatten() {
                            assert_eq!(self.stories.get(&partition), Some(&commits), "answered, and so was it told");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn act(world: &mut World, seen: &mut Seen, step: Step) {
    let producer = seen.producer.unwrap_or(ProducerIdentity { id: 1, epoch: 0 });
    match step {
        Step::Init { goes_on } => {
            world.send_init(seen.producer.filter(|_| goes_on));
        }
        Step::Add => {
            seen.next_partition += 1;
            world.send_add(producer, &[("a", seen.next_partition)]);
        }
        Step::End { commits, by_older } => {
            let partitions = world.description().map(|described| described.partitions).unwrap_or_default();
            let epoch = if by_older { producer.epoch - 1 } else { producer.epoch };
            let token = world.send_end(ProducerIdentity { epoch, ..producer }, commits);
            seen.ends.insert(token, (partitions, commits));
        }
        Step::Sync => world.sync(),
        Step::FailAppends => world.fail_appends(),
        Step::Tell => world.tell(),
        Step::Delay if !world.markers.is_empty() => world.handle(Event::MarkersDelayed(ID.to_owned())),
        Step::Delay => {}
        Step::Pass(ms) => world.pass(ms),
        Step::Crash => world.restart(),
        Step::Snapshot => {
            let snapshot = world.coordinator.snapshot(world.now_ms);
            world.sync();
            world.log = snapshot;
        }
    }
}

proptest! {
    #[test]
    fn an_answered_end_stands_and_partitions_hear_one_story(steps in steps()) {
        let mut world = World::new();
        let mut seen = Seen::default();
        for step in steps {
            act(&mut world, &mut seen, step);
            seen.look(&mut world);
        }
        // Whatever happened, the id can be had again.
        world.tell();
        seen.look(&mut world);
        if world.init() == Err(TransactionError::ConcurrentTransactions) {
            world.tell();
            prop_assert!(world.init().is_ok());
        }
    }
}
