//! kill -9 at any moment of a transaction: what was answered stands, what was not is asked again, and nothing is half.

mod broker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker::Broker;
use broker::transactions::{PATIENCE, Producer, fetch_committed, status};

#[test]
fn an_open_transaction_goes_on_after_a_kill_and_a_decided_one_stands() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let mut producer = Producer::start(&broker, "orders");
    producer.write("t", 0, &["before"]);
    broker.kill_and_restart();
    producer.reconnect(&broker);
    let mut client = broker.connect();
    assert_eq!(status(&mut client, "orders").as_deref(), Ok("Ongoing"));
    assert_eq!(fetch_committed(&mut client, "t", 0, 0, 0).last_stable_offset, 0);
    producer.write("t", 0, &["behind"]);
    producer.write("t", 1, &["beside"]);
    assert_eq!(producer.end(true), 0);
    broker.kill_and_restart();
    producer.reconnect(&broker);
    let mut client = broker.connect();
    let seen = |client: &mut broker::Client, partition| {
        let values = fetch_committed(client, "t", partition, 0, 0).values;
        values.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut client, 0), ["before", "behind"]);
    assert_eq!(seen(&mut client, 1), ["beside"]);
    assert_eq!(producer.end(true), 0, "asked again");
    producer.write("t", 0, &["next"]);
    assert_eq!(producer.end(false), 0);
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(seen(&mut client, 0), ["before", "behind"]);
}

#[test]
fn a_kill_while_a_transaction_ends_leaves_it_whole_in_every_partition() {
    let mut broker = Broker::start(&[]);
    assert_eq!(broker.connect().create_topic("t", 4, &[]), 0);
    let mut producer = Producer::start(&broker, "orders");
    let mut expected = Vec::new();
    for round in 0..12_u64 {
        let commits = round % 3 != 2;
        let value = format!("{round}");
        for partition in 0..4 {
            producer.write("t", partition, &[&value]);
        }
        producer.send_end(commits);
        // Between nothing and all of the decision, the markers and the answer.
        std::thread::sleep(Duration::from_micros(round * 400));
        broker.kill_and_restart();
        producer.reconnect(&broker);
        assert_eq!(producer.end(commits), 0, "asked again, it ends in the same way");
        if commits {
            expected.push(value);
        }
        let mut client = broker.connect();
        for partition in 0..4 {
            let seen = fetch_committed(&mut client, "t", partition, 0, 0);
            assert_eq!(seen.high_watermark, seen.last_stable_offset, "nothing is open any more");
            let values: Vec<_> = seen.values.into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, expected, "partition {partition} in round {round}");
        }
    }
}

const PRODUCERS: usize = 6;
const PARTITIONS: i32 = 4;

/// Each round is a transaction over all partitions; every third is aborted. Gives what was committed.
fn produce_rounds(broker: &Broker, name: &str, rounds: std::ops::Range<usize>) -> Vec<String> {
    let mut producer = Producer::start(broker, name);
    let mut committed = Vec::new();
    for round in rounds {
        let value = format!("{name} {round:04}");
        assert_eq!(producer.add("t", &(0..PARTITIONS).collect::<Vec<_>>()), 0);
        for partition in 0..PARTITIONS {
            assert_eq!(producer.produce("t", partition, &[&value, &value]).0, 0);
        }
        let commits = round % 3 != 2;
        assert_eq!(producer.end(commits), 0);
        if commits {
            committed.push(value);
        }
    }
    committed
}

/// Reads decided records of a partition until `count` have come, in steps as they are decided.
fn read_decided(broker: &Broker, partition: i32, count: usize) -> Vec<String> {
    let mut client = broker.connect();
    let (mut offset, mut values) = (0, Vec::new());
    let mut give_up = Instant::now() + PATIENCE;
    while values.len() < count {
        assert!(Instant::now() < give_up, "{} of {count} values of partition {partition} have come", values.len());
        let seen = fetch_committed(&mut client, "t", partition, offset, 1_000);
        // A client goes on behind what it has seen; the last of it may be a marker, which no value shows.
        let next = seen.values.iter().map(|(at, _)| at + 1).max().unwrap_or(offset);
        values.extend(seen.values.into_iter().filter(|(at, _)| *at >= offset).map(|(_, value)| value));
        if next > offset {
            give_up = Instant::now() + PATIENCE;
        }
        offset = next;
    }
    values
}

#[test]
fn many_producers_at_once_each_transaction_is_seen_once_and_whole_and_a_crash_changes_nothing() {
    let mut broker = Broker::start(&["posthaste.snapshot.check.interval.ms=20"]);
    assert_eq!(broker.connect().create_topic("t", PARTITIONS, &[]), 0);
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for life in 0..2 {
        let rounds = life * 9..(life + 1) * 9;
        std::thread::scope(|scope| {
            let names: Vec<_> = (0..PRODUCERS).map(|at| format!("producer-{at}")).collect();
            let producers: Vec<_> = names
                .into_iter()
                .map(|name| {
                    (
                        name.clone(),
                        scope.spawn({
                            let (broker, rounds) = (&broker, rounds.clone());
                            move || produce_rounds(broker, &name, rounds)
                        }),
                    )
                })
                .collect();
            let count = PRODUCERS * 12 * (life + 1);
            let readers: Vec<_> = (0..PARTITIONS)
                .map(|partition| {
                    scope.spawn({
                        let broker = &broker;
                        move || read_decided(broker, partition, count)
                    })
                })
                .collect();
            for (name, producer) in producers {
                let twice = producer.join().expect("a producer").into_iter().flat_map(|value| [value.clone(), value]);
                expected.entry(name).or_default().extend(twice);
            }
            for reader in readers {
                let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for value in reader.join().expect("a reader") {
                    let name = value.split(' ').next().unwrap_or_default().to_owned();
                    seen.entry(name).or_default().push(value);
                }
                assert_eq!(seen, expected);
            }
        });
        broker.kill_and_restart();
    }
    let count = PRODUCERS * 24;
    let all: Vec<_> = (0..PARTITIONS).map(|partition| read_decided(&broker, partition, count).len()).collect();
    assert_eq!(all, [count; PARTITIONS as usize]);
}
