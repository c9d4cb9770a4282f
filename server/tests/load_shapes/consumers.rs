//! Consumers that ask for much and read almost nothing, beside ones that read as they should.

use std::time::Duration;

use protocol::api_key::ApiKey;
use protocol::frame::encode_request;
use protocol::header::RequestHeader;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};

use super::{Limited, clients::SlowReader};
use crate::broker::{FETCH, batch, memory_held, values};

const ASKED_BYTES: i32 = 50 << 20;

fn large_fetch() -> Vec<u8> {
    let partitions = vec![FetchPartition { partition: 0, partition_max_bytes: ASKED_BYTES, ..Default::default() }];
    let request = FetchRequest {
        min_bytes: 1,
        max_bytes: ASKED_BYTES,
        topics: vec![FetchTopic { topic: "t", partitions, ..Default::default() }],
        ..Default::default()
    };
    let header =
        RequestHeader { api_key: ApiKey::Fetch as i16, api_version: FETCH, correlation_id: 1, client_id: Some("slow") };
    encode_request(&header, &request).concat()
}

/// `batches` of `batch_bytes`; then `count` slow readers that take 1 KB in each of `rounds`, and between the rounds a full read of the topic and a
/// produce.
fn slow(
    count: usize,
    (batches, batch_bytes): (usize, usize),
    rounds: usize,
    pause: Duration,
    max_bytes: u64,
) -> (u64, usize) {
    let limited = Limited::start(max_bytes, &[]);
    let broker = &limited.broker;
    let mut active = broker.connect();
    assert_eq!(active.create_topic("t", 1, &[]), 0);
    let value = "x".repeat(batch_bytes);
    for offset in 0..batches {
        assert_eq!(active.produce("t", 0, &batch(&[&value])), (0, offset as i64));
    }
    let frame = large_fetch();
    let mut readers: Vec<SlowReader> = (0..count).map(|_| SlowReader::ask(broker.address, &frame)).collect();
    for end in (batches as i64..).take(rounds) {
        readers.retain_mut(|reader| reader.take(1_000));
        let mut offset = 0;
        while offset < end {
            let (error, _, bytes) = active.fetch("t", 0, offset);
            assert_eq!(error, 0);
            let last = values(&bytes).last().map(|(last, _)| *last);
            offset = last.map_or(offset, |last| last + 1);
        }
        assert_eq!(active.produce("t", 0, &batch(&[&value])), (0, end));
        memory_held(&limited.broker);
        std::thread::sleep(pause);
    }
    (limited.peak_bytes(), readers.len())
}

#[test]
fn slow_readers_stop_neither_producers_nor_other_consumers() {
    let (_, left) = slow(30, (100, 100_000), 3, Duration::ZERO, 700 << 20);
    assert_eq!(left, 30, "there is memory enough: nobody is given up");
}

#[test]
#[ignore = "full form"]
fn slow_consumers_full() {
    let limit = 700 << 20;
    for (batches, batch_bytes) in [(6_000, 16_000), (100, 1_000_000)] {
        let (peak, left) = slow(500, (batches, batch_bytes), 60, Duration::from_secs(1), limit);
        println!(
            "slow consumers: 500 that ask for 50 MB of {batch_bytes}-byte batches and read 1 KB a second, a minute: {left} still connected, peak \
             {} MiB of {} MiB",
            peak >> 20,
            limit >> 20
        );
    }
}
