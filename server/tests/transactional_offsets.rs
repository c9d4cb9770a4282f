//! Offsets that are committed in a transaction: with its records or not at all.

mod broker;

use std::time::Instant;

use broker::requests::{commit, committed, earliest};
use broker::transactions::{PATIENCE, Producer, answer, fetch_committed, until_settled};
use broker::{Broker, Client};
use protocol::error_code::ErrorCode;
use protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse};

/// The error of partition 0 of topic `t` for a reader that wants stable offsets, and its offset.
fn stable(client: &mut Client, group: &str) -> (i16, i64) {
    let (error, partition) = until_settled(|| {
        let asked = OffsetFetchRequestGroup { group_id: group, topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![asked], require_stable: true, ..Default::default() };
        let frame = client.call(9, &request);
        let response: OffsetFetchResponse<'_> = answer(&frame, 9);
        let partition = response.groups[0].topics.first().map(|topic| &topic.partitions[0]);
        let partition = partition.map(|partition| (partition.error_code, partition.committed_offset));
        (response.groups[0].error_code, partition)
    });
    assert_eq!(error, 0);
    partition.expect("something is committed")
}

#[test]
fn offsets_follow_their_transaction_also_over_a_kill_in_between() {
    let unstable = (ErrorCode::UnstableOffsetCommit.code(), -1);
    for (commits, kills) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut broker = Broker::start(&[]);
        let mut client = broker.connect();
        assert_eq!(client.create_topic("t", 1, &[]), 0);
        assert_eq!(commit(&mut client, "readers", 0, 5, ""), 0);
        let mut producer = Producer::start(&broker, "orders");
        producer.write("t", 0, &["a"]);
        assert_eq!(producer.add_offsets("readers"), 0);
        assert_eq!(producer.commit_offset("readers", 0, 9), 0);
        assert_eq!(committed(&mut client, "readers"), [(0, 5, String::new())]);
        assert_eq!(stable(&mut client, "readers"), unstable);
        if kills {
            broker.kill_and_restart();
            client = broker.connect();
            producer.reconnect(&broker);
            assert_eq!(stable(&mut client, "readers"), unstable);
        }
        assert_eq!(producer.end(commits), 0);
        let offset = if commits { 9 } else { 5 };
        for _ in 0..2 {
            assert_eq!(stable(&mut client, "readers"), (0, offset));
            let seen = fetch_committed(&mut client, "t", 0, 0, 0).values.len();
            assert_eq!(seen, usize::from(commits));
            broker.kill_and_restart();
            client = broker.connect();
        }
    }
}

#[test]
fn offsets_outside_of_an_open_transaction_are_refused_and_never_pending() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(commit(&mut client, "readers", 0, 5, ""), 0);
    let mut producer = Producer::start(&broker, "orders");
    let invalid = ErrorCode::TransactionAbortable.code();
    assert_eq!(producer.commit_offset("readers", 0, 9), invalid, "the group was not added");
    assert_eq!(producer.add_offsets("readers"), 0);
    assert_eq!(producer.commit_offset("readers", 0, 9), 0);
    assert_eq!(producer.commit_offset("readers", 4, 9), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(producer.end(true), 0);
    assert_eq!(producer.commit_offset("readers", 0, 10), invalid, "it comes after the end");
    let second = Producer::start(&broker, "orders");
    assert_eq!(second.id, producer.id);
    assert_eq!(producer.commit_offset("readers", 0, 10), ErrorCode::InvalidProducerEpoch.code());
    assert_eq!(stable(&mut client, "readers"), (0, 9));
}

#[test]
fn many_transactions_keep_the_logs_of_offsets_and_transactions_short() {
    let broker = Broker::start(&["posthaste.snapshot.check.interval.ms=20"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let mut open = Producer::start(&broker, "open");
    assert_eq!(open.add_offsets("slow"), 0);
    assert_eq!(open.commit_offset("slow", 0, 77), 0);
    let mut producer = Producer::start(&broker, "orders");
    // Some segments of the journal of each shard, over which the state logs must not reach back.
    let large = "x".repeat(200_000);
    for round in 0..300 {
        for partition in 0..2 {
            producer.write("t", partition, &[&large]);
        }
        assert_eq!(producer.add_offsets("readers"), 0);
        assert_eq!(producer.commit_offset("readers", 0, round), 0);
        assert_eq!(producer.end(round % 2 == 0), 0);
    }
    assert_eq!(stable(&mut client, "readers"), (0, 298));
    // Whoever looks at the logs every while has shortened them, with the open transaction in one of them.
    for group in ["readers", "slow"] {
        let partition = server::group::partition_for(group, 50);
        let give_up = Instant::now() + PATIENCE;
        while earliest(&mut client, "__consumer_offsets", partition) == 0 {
            assert!(Instant::now() < give_up, "the log of {group} is never shortened");
        }
    }
    assert_eq!(open.end(true), 0);
    assert_eq!(stable(&mut client, "slow"), (0, 77));
    let mut broker = broker;
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(stable(&mut client, "readers"), (0, 298));
    assert_eq!(stable(&mut client, "slow"), (0, 77));
}
