//! Answers leave in request order, records in the order they came, and waits end when they should.

mod broker;

use broker::{Broker, Client, batch, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use protocol::messages::heartbeat::HeartbeatRequest;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

#[test]
fn overlapping_produces_are_answered_and_stored_in_request_order() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 4, &[]), 0);
    // Partitions on both shards, all acks, and other requests in between, everything sent before anything is read.
    let mut expected = Vec::new();
    let mut appended = [0_i64; 4];
    for at in 0..400 {
        let partition = at % 4;
        let id = client.send_produce("t", partition, &batch(&[&format!("{at}")]), if at % 3 == 0 { 1 } else { -1 });
        expected.push((id, Some(appended[partition as usize])));
        appended[partition as usize] += 1;
        if at % 50 == 0 {
            expected.push((client.send(4, &HeartbeatRequest { group_id: "g", ..Default::default() }), None));
        }
    }
    for (id, base_offset) in expected {
        let frame = client.receive().expect("an answer");
        assert_eq!(frame[..4], id.to_be_bytes());
        if let Some(base_offset) = base_offset {
            let (_, response): (_, protocol::messages::produce::ProduceResponse<'_>) =
                decode_response(&frame, ApiKey::Produce, broker::PRODUCE).expect("an answer");
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!((partition.error_code, partition.base_offset), (0, base_offset));
        }
    }
    for partition in 0..4 {
        let (_, high_watermark, bytes) = client.fetch("t", partition, 0);
        assert_eq!(high_watermark, 100);
        let read: Vec<_> =
            values(&bytes).into_iter().map(|(_, value)| value.parse::<i32>().expect("a number")).collect();
        assert_eq!(read, (0..100).map(|at| at * 4 + partition).collect::<Vec<_>>());
    }
}

#[test]
fn a_long_poll_ends_when_a_record_is_durable() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    for partition in 0..2 {
        let mut waiting = broker.connect();
        // Longer than the client's patience: an answer at the deadline would come too late.
        waiting.send(broker::FETCH, &broker::fetch_request("t", partition, 0, 250_000));
        client.produce("t", partition, &batch(&["wakes"]));
        let (error, _, bytes) = broker::fetched(&waiting.receive().expect("an answer"));
        assert_eq!((error, values(&bytes)), (0, vec![(0, "wakes".to_owned())]));
    }
}

#[test]
fn a_long_poll_without_records_is_answered_empty() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let frame = client.call(broker::FETCH, &broker::fetch_request("t", 0, 0, 300));
    assert_eq!(broker::fetched(&frame), (0, 0, Vec::new()));
}

#[test]
fn a_fetch_inside_a_batch_gets_the_whole_batch_and_a_small_limit_still_one_batch() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    client.produce("t", 0, &batch(&["a", "b", "c"]));
    client.produce("t", 0, &batch(&["d"]));
    let mut request = broker::fetch_request("t", 0, 1, 0);
    request.max_bytes = 1;
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let (error, high_watermark, bytes) = broker::fetched(&client.call(broker::FETCH, &request));
    assert_eq!((error, high_watermark), (0, 4));
    assert_eq!(values(&bytes).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn offsets_are_found_by_timestamp_exact_to_the_record() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    client.produce("t", 0, &batch(&["a", "b", "c"]));
    let base = 1_700_000_000_000;
    assert_eq!(list_offset(&mut client, -1), (3, -1));
    assert_eq!(list_offset(&mut client, -2), (0, -1));
    assert_eq!(list_offset(&mut client, -3), (2, base + 2));
    assert_eq!(list_offset(&mut client, 0), (0, base));
    assert_eq!(list_offset(&mut client, base + 1), (1, base + 1));
    assert_eq!(list_offset(&mut client, base + 3), (-1, -1));
    // A log may start inside of a batch.
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 1 }];
    let topics = vec![DeleteRecordsTopic { name: "t", partitions }];
    client.call(2, &DeleteRecordsRequest { topics, timeout_ms: 30_000 });
    client.produce("t", 0, &batch(&["d"]));
    assert_eq!(list_offset(&mut client, 0), (1, base + 1), "the rest of the batch is looked through");
    assert_eq!(list_offset(&mut client, -3), (2, base + 2));
}

#[test]
fn a_partition_that_is_named_twice_is_refused_once() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let named = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: "t", partitions: vec![named(0), named(1), named(0)] }];
    let frame = client.call(7, &ListOffsetsRequest { topics, ..Default::default() });
    let (_, response): (_, ListOffsetsResponse<'_>) =
        decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    let answers = response.topics[0].partitions.iter().map(|found| (found.partition_index, found.error_code));
    assert_eq!(answers.collect::<Vec<_>>(), [(0, ErrorCode::InvalidRequest.code()), (1, 0)]);
    let topics = [0, 1, 0].map(|partition| ListOffsetsTopic { name: "t", partitions: vec![named(partition)] });
    let frame = client.call(7, &ListOffsetsRequest { topics: topics.into(), ..Default::default() });
    let (_, apart): (_, ListOffsetsResponse<'_>) = decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    assert_eq!(apart, response, "a topic that is named twice is answered once");
}

fn list_offset(client: &mut Client, timestamp: i64) -> (i64, i64) {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: "t", partitions: vec![partition] }];
    let frame = client.call(7, &ListOffsetsRequest { topics, ..Default::default() });
    let (_, response): (_, ListOffsetsResponse<'_>) =
        decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    let found = &response.topics[0].partitions[0];
    assert_eq!(found.error_code, 0);
    (found.offset, found.timestamp)
}

#[test]
fn metadata_creates_a_missing_topic_and_advertises_the_address_in_use() {
    let broker = Broker::start(&["num.partitions=3"]);
    let mut client = broker.connect();
    let topic = || MetadataRequestTopic { name: Some("auto"), ..Default::default() };
    let frame = client.call(
        12,
        &MetadataRequest { topics: Some(vec![topic()]), allow_auto_topic_creation: false, ..Default::default() },
    );
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    assert_eq!(response.topics[0].error_code, 3);
    let frame = client.call(
        12,
        &MetadataRequest { topics: Some(vec![topic()]), allow_auto_topic_creation: true, ..Default::default() },
    );
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    assert_eq!((response.topics[0].error_code, response.topics[0].partitions.len()), (0, 3));
    assert!(!response.topics[0].topic_id.is_nil());
    assert!(response.topics[0].partitions.iter().all(|partition| partition.leader_epoch >= 0));
    assert_eq!((response.brokers[0].host, response.brokers[0].port), ("127.0.0.1", i32::from(broker.address.port())));
    assert_eq!(response.cluster_id.map(str::len), Some(22));
    assert_eq!(client.produce("auto", 2, &batch(&["v"])), (0, 0));
}
