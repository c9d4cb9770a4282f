//! Very many partitions: all are made, written, found again after a restart, and listed.

use std::time::{Duration, Instant};

use protocol::Records;
use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};

use super::Limited;
use crate::broker::requests::topics;
use crate::broker::{PRODUCE, batch, memory_held, values};

struct Took {
    create: Duration,
    produce: Duration,
    restart: Duration,
    list: Duration,
    peak_bytes: u64,
    idle_bytes: u64,
}

fn many(topic_count: usize, partitions: i32, max_bytes: u64) -> Took {
    let mut limited = Limited::start(max_bytes, &[]);
    let name = |topic: usize| format!("topic-{topic}");
    let mut client = limited.broker.connect();
    let begun = Instant::now();
    for topic in 0..topic_count {
        assert_eq!(client.create_topic(&name(topic), partitions, &[]), 0);
    }
    let create = begun.elapsed();
    let records = batch(&["one"]);
    let begun = Instant::now();
    for topic in 0..topic_count {
        let name = name(topic);
        let data =
            (0..partitions).map(|index| PartitionProduceData { index, records: Some(Records::Borrowed(&records)) });
        let topic_data = vec![TopicProduceData { name: &name, partition_data: data.collect() }];
        let frame =
            client.call(PRODUCE, &ProduceRequest { acks: -1, timeout_ms: 60_000, topic_data, ..Default::default() });
        let (_, response): (_, ProduceResponse<'_>) =
            decode_response(&frame, ApiKey::Produce, PRODUCE).expect("an answer");
        let answers = &response.responses[0].partition_responses;
        assert_eq!(answers.len(), partitions as usize);
        assert!(answers.iter().all(|answer| (answer.error_code, answer.base_offset) == (0, 0)));
    }
    let produce = begun.elapsed();
    limited.peak_bytes();
    let begun = Instant::now();
    limited.broker.kill_and_restart();
    let restart = begun.elapsed();
    let idle_bytes = limited.broker.resident_bytes();
    let mut client = limited.broker.connect();
    let begun = Instant::now();
    let listed = topics(&mut client);
    let list = begun.elapsed();
    assert_eq!(listed.len(), topic_count);
    assert!(listed.iter().all(|(_, _, count)| *count == partitions as usize));
    for topic in [0, topic_count / 2, topic_count - 1] {
        let (error, end, bytes) = client.fetch(&name(topic), partitions - 1, 0);
        assert_eq!((error, end, values(&bytes)), (0, 1, vec![(0, "one".to_owned())]));
    }
    memory_held(&limited.broker);
    Took { create, produce, restart, list, peak_bytes: limited.peak_bytes(), idle_bytes }
}

#[test]
fn many_partitions_are_written_and_found_again() {
    many(5, 200, 700 << 20);
}

#[test]
#[ignore = "full form"]
fn partitions_full() {
    let limit = 700 << 20;
    let took = many(20, 1_000, limit);
    println!(
        "partitions: 20,000 created in {:?}, one record to each in {:?}, restart after kill -9 in {:?}, listed in {:?}; resident {} MiB after the restart, \
         peak {} MiB of {} MiB",
        took.create,
        took.produce,
        took.restart,
        took.list,
        took.idle_bytes >> 20,
        took.peak_bytes >> 20,
        limit >> 20
    );
}
