//! A partition's leader epoch rises when its log may have been cut, never goes down, and every API that names one is answered as Kafka does.

mod broker;

use broker::{Broker, Client, FETCH, batch, fetch_request, fetched};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

const NONE: i16 = 0;

/// The leader epoch that Metadata tells.
fn epoch(client: &mut Client) -> i32 {
    let topics = vec![MetadataRequestTopic { name: Some("t"), ..Default::default() }];
    let frame = client.call(12, &MetadataRequest { topics: Some(topics), ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    response.topics[0].partitions[0].leader_epoch
}

/// Error, epoch and end offset of an epoch.
fn end_of(client: &mut Client, version: i16, current_leader_epoch: i32, leader_epoch: i32) -> (i16, i32, i64) {
    let partitions = vec![OffsetForLeaderPartition { partition: 0, current_leader_epoch, leader_epoch }];
    let topics = vec![OffsetForLeaderTopic { topic: "t", partitions }];
    let frame = client.call(version, &OffsetForLeaderEpochRequest { replica_id: -1, topics });
    let (_, response): (_, OffsetForLeaderEpochResponse<'_>) =
        decode_response(&frame, ApiKey::OffsetForLeaderEpoch, version).expect("an answer");
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.leader_epoch, found.end_offset)
}

fn fetch_error(client: &mut Client, offset: i64, current_leader_epoch: i32) -> i16 {
    let mut request = fetch_request("t", 0, offset, 0);
    request.topics[0].partitions[0].current_leader_epoch = current_leader_epoch;
    fetched(&client.call(FETCH, &request)).0
}

/// Error and leader epoch of a question for the end.
fn latest(client: &mut Client, current_leader_epoch: i32) -> (i16, i32) {
    let partitions = vec![ListOffsetsPartition { partition_index: 0, current_leader_epoch, timestamp: -1 }];
    let topics = vec![ListOffsetsTopic { name: "t", partitions }];
    let frame = client.call(7, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() });
    let (_, response): (_, ListOffsetsResponse<'_>) =
        decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.leader_epoch)
}

#[test]
fn epochs_rise_with_a_kill_stay_with_a_stop_and_are_answered_by_every_api() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["a", "b"])), (0, 0));
    assert_eq!(epoch(&mut client), 0);

    broker.stop_and_restart();
    let mut client = broker.connect();
    assert_eq!(epoch(&mut client), 0, "a clean stop cuts nothing");

    broker.kill_and_restart();
    let mut client = broker.connect();
    let raised = epoch(&mut client);
    assert!(raised > 0);
    assert_eq!(client.produce("t", 0, &batch(&["c"])), (0, 2));
    let (fenced, unknown) = (ErrorCode::FencedLeaderEpoch.code(), ErrorCode::UnknownLeaderEpoch.code());
    for version in ApiKey::OffsetForLeaderEpoch.versions() {
        assert_eq!(end_of(&mut client, version, raised, 0), (NONE, 0, 2));
        assert_eq!(end_of(&mut client, version, -1, raised), (NONE, raised, 3));
        assert_eq!(end_of(&mut client, version, raised, raised - 1), (NONE, 0, 2), "the epoch before is the first");
        assert_eq!(end_of(&mut client, version, raised, raised + 1), (NONE, -1, -1), "it never was");
        assert_eq!(end_of(&mut client, version, raised, -1), (NONE, -1, -1));
        assert_eq!(end_of(&mut client, version, 0, 0), (fenced, -1, -1));
        assert_eq!(end_of(&mut client, version, raised + 1, 0), (unknown, -1, -1));
    }
    for (asked, error) in [(0, fenced), (raised + 1, unknown), (raised, NONE), (-1, NONE)] {
        assert_eq!(fetch_error(&mut client, 0, asked), error);
        assert_eq!(latest(&mut client, asked), (error, if error == NONE { raised } else { -1 }));
    }
    // Whoever read more than there is now must look where its epoch ended, and not reset as its policy says.
    assert_eq!(fetch_error(&mut client, 99, 0), fenced);
    assert_eq!(fetch_error(&mut client, 99, raised), ErrorCode::OffsetOutOfRange.code());

    let mut before = raised;
    for _ in 0..3 {
        broker.kill_and_restart();
        let mut client = broker.connect();
        assert!(epoch(&mut client) > before, "epoch {} after {before}", epoch(&mut client));
        before = epoch(&mut client);
        assert_eq!(end_of(&mut client, 4, before, 0), (NONE, 0, 2), "old epochs are remembered");
        assert_eq!(end_of(&mut client, 4, before, raised), (NONE, raised, 3));
    }
}
