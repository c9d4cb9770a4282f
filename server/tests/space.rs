//! Space comes back: old segments go although topics, groups and producers live on, retention moves the log start, deletion empties.

mod broker;

use broker::requests::{commit, committed, delete_topic, earliest, producer_id, topics};
use broker::{Broker, Client, batch, idempotent_batch, values};
use protocol::error_code::ErrorCode;

const MIB: u64 = 1 << 20;

/// Small segments, so that a test rolls many; the state logs are looked at often.
const SETTINGS: &[&str] = &["posthaste.segment.bytes=1048576", "posthaste.snapshot.check.interval.ms=20"];

/// What two shards may keep: eight spares each, and some that hold data or are being filled.
const KEPT_BYTES_MAX: u64 = 2 * (8 + 8) * MIB;

fn produce_bytes(client: &mut Client, topic: &str, partition: i32, batches: usize) {
    let value = "x".repeat(100_000);
    for _ in 0..batches {
        assert_eq!(client.produce(topic, partition, &batch(&[&value])).0, 0);
    }
}

#[test]
fn state_logs_do_not_keep_old_segments_and_lose_nothing() {
    let mut broker = Broker::start(SETTINGS);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[("retention.bytes", "1048576")]), 0);
    let id = producer_id(&mut client);
    let first = idempotent_batch(id, 0, &["first"]);
    for partition in 0..2 {
        assert_eq!(client.produce("t", partition, &first), (0, 0));
    }
    // Each round leaves records of the catalog and of a group in segments of their own, and rolls both shards.
    let groups: Vec<String> = (0..40).map(|at| format!("group-{at}")).collect();
    for (at, group) in (0..).zip(&groups) {
        assert_eq!(commit(&mut client, group, 1, at * 10, "a note"), 0);
        assert_eq!(client.create_topic(&format!("made-in-round-{at}"), 3, &[("retention.ms", "77")]), 0);
        for partition in 0..2 {
            produce_bytes(&mut client, "t", partition, 11);
        }
    }
    broker.wait_for_disk_bytes(KEPT_BYTES_MAX, || produce_bytes(&mut client, "t", 0, 1));
    assert!(earliest(&mut client, "t", 0) > 0 && earliest(&mut client, "t", 1) > 0);

    let before = topics(&mut client);
    assert_eq!(before.len(), 42, "t, those of the rounds, and __consumer_offsets");
    for kill in [true, false] {
        if kill {
            broker.kill_and_restart();
        } else {
            broker.stop_and_restart();
        }
        client = broker.connect();
        assert_eq!(topics(&mut client), before);
        for (at, group) in (0..).zip(&groups) {
            assert_eq!(committed(&mut client, group), [(1, at * 10, "a note".to_owned())]);
        }
        for partition in 0..2 {
            // Its batch is long gone; that it was there is not.
            assert_eq!(client.produce("t", partition, &first), (0, 0), "a duplicate gets the original offset");
        }
        assert_ne!(producer_id(&mut client), id);
    }
}

#[test]
fn retention_bytes_of_broker_and_topic_move_the_log_start() {
    let broker = Broker::start(&[SETTINGS, &["log.retention.bytes=2097152"]].concat());
    let mut client = broker.connect();
    assert_eq!(client.create_topic("by-broker", 1, &[]), 0);
    assert_eq!(client.create_topic("by-topic", 1, &[("retention.bytes", "1048576")]), 0);
    assert_eq!(client.create_topic("kept", 1, &[("retention.bytes", "-1")]), 0);
    for topic in ["by-broker", "by-topic", "kept"] {
        for at in 0..5 {
            assert_eq!(client.produce(topic, 0, &batch(&[&at.to_string()])).0, 0);
        }
    }
    for _ in 0..40 {
        for topic in ["by-broker", "by-topic"] {
            produce_bytes(&mut client, topic, 0, 10);
        }
    }
    for topic in ["by-broker", "by-topic"] {
        let start = earliest(&mut client, topic, 0);
        let (error, high_watermark, bytes) = client.fetch(topic, 0, start);
        assert_eq!((error, high_watermark), (0, 405));
        assert_eq!(values(&bytes).first().map(|(offset, _)| *offset), Some(start));
        // What stays is the retention and less than a segment or two, of the 40 MB that came.
        assert!(start > 405 - 70, "{topic} starts at {start}");
        assert_eq!(client.fetch(topic, 0, start - 1).0, ErrorCode::OffsetOutOfRange.code());
    }
    assert_eq!(earliest(&mut client, "kept", 0), 0);
    let (error, _, bytes) = client.fetch("kept", 0, 0);
    assert_eq!((error, values(&bytes).len()), (0, 5), "a neighbour in the same segments loses nothing");
    broker.wait_for_disk_bytes(KEPT_BYTES_MAX, || produce_bytes(&mut client, "by-topic", 0, 1));
}

#[test]
fn a_deleted_topic_gives_its_space_back_and_its_name_begins_empty() {
    let mut broker = Broker::start(SETTINGS);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_eq!(commit(&mut client, "readers", 1, 300, ""), 0);
    for partition in 0..2 {
        produce_bytes(&mut client, "t", partition, 300);
    }
    assert!(broker.disk_bytes() > 55 * MIB);
    let old = topics(&mut client);
    assert_eq!(delete_topic(&mut client, "t"), 0);
    broker.wait_for_disk_bytes(KEPT_BYTES_MAX, || {});

    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_ne!(topics(&mut client), old, "another id");
    assert_eq!(committed(&mut client, "readers"), [], "an offset of the old one means nothing in the new one");
    for partition in 0..2 {
        assert_eq!(client.fetch("t", partition, 0), (0, 0, Vec::new()));
        assert_eq!(client.produce("t", partition, &batch(&["new"])), (0, 0));
    }
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(committed(&mut client, "readers"), []);
    assert_eq!(values(&client.fetch("t", 0, 0).2), [(0, "new".to_owned())]);
    assert!(broker.disk_bytes() <= KEPT_BYTES_MAX);
}
