//! Metadata, Produce and Fetch.

use bytes::Bytes;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::{fetch, metadata, produce};
use protocol::reader::{DecodeError, Reader};
use protocol::writer::Writer;
use protocol::{Message, Records, frame};
use uuid::Uuid;

use crate::hex;

#[test]
fn metadata_asks_for_all_topics_with_null() {
    let all = metadata::MetadataRequest { topics: None, ..Default::default() };
    assert_golden!(all.clone(), 1, "ffffffff");
    assert_golden!(all.clone(), 9, "00 01 00 00 00");

    let mut writer = Writer::new();
    all.encode(&mut writer, 0);
    assert_eq!(writer.into_bytes(), hex("00000000"), "version 0 has no null, its empty list is all topics");
    let null = metadata::MetadataRequest::decode(&mut Reader::new(&hex("ffffffff")), 0).map(|_| ());
    assert_eq!(null, Err(DecodeError::UnexpectedNull));
}

#[test]
fn metadata_names_topics_by_name_or_id() {
    let by_name = metadata::MetadataRequestTopic { name: Some("t"), ..Default::default() };
    let request = metadata::MetadataRequest { topics: Some(vec![by_name]), ..Default::default() };
    assert_golden!(request, 9, "02 02 74 00  01 00 00 00");

    let topic_id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let by_id = metadata::MetadataRequestTopic { name: None, topic_id };
    let request =
        metadata::MetadataRequest { topics: Some(vec![by_id]), allow_auto_topic_creation: false, ..Default::default() };
    assert_golden!(request, 12, "02 00112233445566778899aabbccddeeff 00 00  00 00 00");
}

#[test]
fn metadata_answers_with_brokers_and_leaders() {
    let broker = metadata::MetadataResponseBroker { node_id: 1, host: "h", port: 9092, ..Default::default() };
    let partition = metadata::MetadataResponsePartition {
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = metadata::MetadataResponseTopic { name: Some("t"), partitions: vec![partition], ..Default::default() };
    let response = metadata::MetadataResponse {
        brokers: vec![broker],
        controller_id: 1,
        topics: vec![topic],
        ..Default::default()
    };
    assert_golden!(
        response,
        1,
        "00000001  00000001 0001 68 00002384 ffff  00000001
         00000001  0000 0001 74 00
         00000001  0000 00000000 00000001  00000001 00000001  00000001 00000001"
    );
}

fn produce_request(records: &[u8]) -> produce::ProduceRequest<'_> {
    let partition = produce::PartitionProduceData { index: 0, records: Some(Records::Borrowed(records)) };
    produce::ProduceRequest {
        acks: -1,
        timeout_ms: 1500,
        topic_data: vec![produce::TopicProduceData { name: "t", partition_data: vec![partition] }],
        ..Default::default()
    }
}

#[test]
fn produce_requests_carry_records_behind_their_length() {
    let request = produce_request(b"hello");
    let classic = "ffff ffff 000005dc  00000001 0001 74  00000001 00000000 00000005 68656c6c6f";
    assert_golden!(request.clone(), 3, classic);
    assert_golden!(request, 9, "00 ffff 000005dc  02 02 74  02 00000000 06 68656c6c6f 00 00 00");
}

#[test]
fn decoded_records_are_borrowed_from_the_frame() {
    let bytes = hex("00 ffff 000005dc  02 02 74  02 00000000 06 68656c6c6f 00 00 00");
    let request = produce::ProduceRequest::decode(&mut Reader::new(&bytes), 9).expect("valid");
    let records = request.topic_data[0].partition_data[0].records.as_ref().and_then(Records::as_borrowed);
    assert_eq!(records.map(<[u8]>::as_ptr), Some(bytes[16..].as_ptr()));
}

#[test]
fn produce_answers_name_the_new_leader_in_tagged_fields() {
    let partition = produce::PartitionProduceResponse {
        error_code: ErrorCode::NotLeaderOrFollower.code(),
        base_offset: -1,
        current_leader: produce::LeaderIdAndEpoch { leader_id: 2, leader_epoch: 5 },
        ..Default::default()
    };
    let topic = produce::TopicProduceResponse { name: "t", partition_responses: vec![partition] };
    let endpoint = produce::NodeEndpoint { node_id: 2, host: "h", port: 9092, rack: None };
    let response =
        produce::ProduceResponse { responses: vec![topic], node_endpoints: vec![endpoint], ..Default::default() };
    assert_golden!(
        response,
        10,
        "02 02 74  02 00000000 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff 01 00
         01 00 09 00000002 00000005 00  00  00000000
         01 00 0d 02 00000002 02 68 00002384 00 00"
    );
}

#[test]
fn fetch_requests_of_a_consumer() {
    let partition =
        fetch::FetchPartition { partition: 0, fetch_offset: 7, partition_max_bytes: 0x0010_0000, ..Default::default() };
    let request = fetch::FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 0x0320_0000,
        topics: vec![fetch::FetchTopic { topic: "t", partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    };
    assert_golden!(
        request.clone(),
        12,
        "ffffffff 000001f4 00000001 03200000 00 00000000 ffffffff
         02 02 74  02 00000000 ffffffff 0000000000000007 ffffffff ffffffffffffffff 00100000 00 00
         01 01 00"
    );
    assert_golden!(
        request,
        4,
        "ffffffff 000001f4 00000001 03200000 00
         00000001 0001 74  00000001 00000000 0000000000000007 00100000"
    );
}

#[test]
fn fetch_answers_send_shared_records_without_a_copy() {
    let log = Bytes::from(b"..batch-1batch-2..".to_vec());
    let partition = fetch::PartitionData {
        high_watermark: 10,
        last_stable_offset: 10,
        aborted_transactions: None,
        records: Some(Records::Shared(vec![log.slice(2..9), log.slice(9..16)])),
        ..Default::default()
    };
    let response = fetch::FetchResponse {
        responses: vec![fetch::FetchableTopicResponse {
            topic: "t",
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let pieces = frame::encode_response(5, ApiKey::Fetch, 4, &response);
    let expected = hex("0000003f  00000005  00000000  00000001 0001 74
         00000001 00000000 0000 000000000000000a 000000000000000a ffffffff
         0000000e 62617463682d31 62617463682d32");
    assert_eq!(pieces.concat(), expected);
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces[1].as_ptr(), log[2..].as_ptr());
    assert_eq!(pieces[2].as_ptr(), log[9..].as_ptr());
    assert_eq!(frame::decode_response(&expected[4..], ApiKey::Fetch, 4), Ok((5, response)));
}
