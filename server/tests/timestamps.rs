//! `ListOffsets` by time: exact to the record for any order of timestamps, out of the tail and behind it, across a restart.

mod broker;

use broker::requests::find_offset;
use broker::{Broker, Client};
use protocol::error_code::ErrorCode;
use protocol::record_batch::{
    BatchBuilder, BatchHeader, CRC_AT, CRC_COVERS_FROM, Compression, MAX_TIMESTAMP_AT, ProducerFields, recompress,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// KIP-734.
const NEWEST_TIMESTAMP: i64 = -3;
const BASE_MS: i64 = 1_700_000_000_000;

fn find(client: &mut Client, timestamp: i64) -> (i64, i64) {
    find_offset(client, "t", 0, timestamp)
}

/// Batches of five records whose timestamps go up and down, within a batch too.
fn timestamps() -> Vec<Vec<i64>> {
    let at = |batch: i64, record: i64| BASE_MS + (batch * 37 % 101) * 1_000 + (record * 3 % 5) * 100;
    (0..80).map(|batch| (0..5).map(|record| at(batch, record)).collect()).collect()
}

fn expect_exact(client: &mut Client, all: &[i64]) {
    let first_from = |timestamp: i64| {
        let found = all.iter().position(|at| *at >= timestamp);
        found.map_or((-1, -1), |offset| (offset as i64, all[offset]))
    };
    let newest = *all.iter().max().expect("there are records");
    for timestamp in (BASE_MS - 500..=newest + 500).step_by(250).chain([0, newest, newest + 1]) {
        assert_eq!(find(client, timestamp), first_from(timestamp), "at {timestamp}");
    }
    assert_eq!(find(client, NEWEST_TIMESTAMP), first_from(newest));
    assert_eq!((find(client, EARLIEST).0, find(client, LATEST).0), (0, all.len() as i64));
}

#[test]
fn a_time_finds_its_first_record_and_the_newest_time_its_own() {
    let settings = ["posthaste.tail.bytes=1048576", "posthaste.segment.bytes=1048576", "posthaste.shards=1"];
    let mut broker = Broker::start(&settings);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(find(&mut client, NEWEST_TIMESTAMP), (-1, -1), "nothing is there yet");
    let value = vec![b'x'; 10_000];
    for times in timestamps() {
        let mut builder = BatchBuilder::new(Vec::new(), times[0], ProducerFields::NONE);
        for at in &times {
            builder.append_payload(*at, None, &value);
        }
        assert_eq!(client.produce("t", 0, &builder.finish()).0, 0);
    }
    let all: Vec<i64> = timestamps().concat();
    // Most of them lie behind the tail, in segments that are sealed.
    expect_exact(&mut client, &all);
    broker.kill_and_restart();
    expect_exact(&mut broker.connect(), &all);
}

/// A search by time went by what the header claimed: a batch that claimed the far future was the newest of its log until it was deleted.
#[test]
fn the_newest_time_that_a_plain_batch_claims_is_corrected() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    // The last is too large to be put right on the shard's thread.
    for (offset, (claimed, value)) in (0..).zip([(0, 10), (BASE_MS + 900_000, 10), (BASE_MS + 900_000, 200_000)]) {
        let mut builder = BatchBuilder::new(Vec::new(), BASE_MS, ProducerFields::NONE);
        builder.append_payload(BASE_MS + offset, None, &vec![b'x'; value]);
        let mut lying = builder.finish();
        lying[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&i64::to_be_bytes(claimed));
        assert_eq!(
            client.produce("t", 0, &lying),
            (ErrorCode::CorruptMessage.code(), -1),
            "nothing vouches for damage"
        );
        let crc = checksum::crc32c(&lying[CRC_COVERS_FROM..]);
        lying[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(client.produce("t", 0, &lying), (0, offset));
        let (_, _, bytes) = client.fetch("t", 0, offset);
        let stored = BatchHeader::parse(&bytes).expect("a batch");
        assert!(stored.crc_is_valid(&bytes));
        assert_eq!(stored.max_timestamp, BASE_MS + offset);
        assert_eq!(find(&mut client, NEWEST_TIMESTAMP), (offset, BASE_MS + offset));
    }
    assert_eq!(find(&mut client, BASE_MS + 3), (-1, -1));
}

/// Sarama leaves the newest time of its batches out until 1.45. Nothing was found by time in those that it compressed, and none was ever too old.
#[test]
fn a_compressed_batch_without_a_newest_time_gets_that_of_its_records() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    for (topic, codec) in [("gzip", Compression::Gzip), ("snappy", Compression::Snappy), ("zstd", Compression::Zstd)] {
        assert_eq!(client.create_topic(topic, 1, &[]), 0);
        let mut builder = BatchBuilder::new(Vec::new(), BASE_MS, ProducerFields::NONE);
        for number in 0..5 {
            builder.append_payload(BASE_MS + number * 1_000, None, b"v");
        }
        let whole = recompress(&builder.finish(), codec, None, 1 << 20).expect("a batch of ours").batch;
        let mut without = whole.clone();
        without[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&i64::to_be_bytes(-1));
        let crc = checksum::crc32c(&without[CRC_COVERS_FROM..]);
        without[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(client.produce(topic, 0, &without), (0, 0));
        let (_, _, bytes) = client.fetch(topic, 0, 0);
        assert_eq!(bytes[CRC_AT..], whole[CRC_AT..], "{codec:?}: nothing else is changed");
        assert_eq!(find_offset(&mut client, topic, 0, BASE_MS + 2_500), (3, BASE_MS + 3_000), "{codec:?}");
        assert_eq!(find_offset(&mut client, topic, 0, NEWEST_TIMESTAMP), (4, BASE_MS + 4_000), "{codec:?}");
        assert_eq!(find_offset(&mut client, topic, 0, BASE_MS + 4_001), (-1, -1), "{codec:?}");
    }
    broker.kill_and_restart();
    assert_eq!(find_offset(&mut broker.connect(), "gzip", 0, BASE_MS + 2_500), (3, BASE_MS + 3_000));
}
