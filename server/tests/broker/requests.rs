//! Requests of groups, producers and administrators that several tests need.

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse};

use super::Client;

/// Commits one partition of topic `t`; gives the error code. A coordinator that is still loading is asked again, as clients do.
pub fn commit(client: &mut Client, group: &str, partition: i32, offset: i64, metadata: &str) -> i16 {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_metadata: Some(metadata),
        ..Default::default()
    };
    let topics = vec![OffsetCommitRequestTopic { name: "t", partitions: vec![partition] }];
    let request = OffsetCommitRequest { group_id: group, topics, ..Default::default() };
    loop {
        let frame = client.call(8, &request);
        let (_, response): (_, OffsetCommitResponse<'_>) =
            decode_response(&frame, ApiKey::OffsetCommit, 8).expect("an answer");
        let error = response.topics[0].partitions[0].error_code;
        if error != ErrorCode::CoordinatorLoadInProgress.code() {
            return error;
        }
    }
}

/// Everything that the group committed. A coordinator that is still loading is asked again, as clients do.
pub fn committed(client: &mut Client, group: &str) -> Vec<(i32, i64, String)> {
    loop {
        let asked = OffsetFetchRequestGroup { group_id: group, topics: None, ..Default::default() };
        let frame = client.call(9, &OffsetFetchRequest { groups: vec![asked], ..Default::default() });
        let (_, response): (_, OffsetFetchResponse<'_>) =
            decode_response(&frame, ApiKey::OffsetFetch, 9).expect("an answer");
        let fetched = &response.groups[0];
        if fetched.error_code == ErrorCode::CoordinatorLoadInProgress.code() {
            continue;
        }
        assert_eq!(fetched.error_code, 0);
        let partitions = fetched.topics.iter().flat_map(|topic| &topic.partitions);
        return partitions
            .map(|found| (found.partition_index, found.committed_offset, found.metadata.unwrap_or_default().to_owned()))
            .collect();
    }
}

/// A new producer id.
pub fn producer_id(client: &mut Client) -> i64 {
    let frame = client.call(4, &InitProducerIdRequest { transactional_id: None, ..Default::default() });
    let (_, response): (_, InitProducerIdResponse) =
        decode_response(&frame, ApiKey::InitProducerId, 4).expect("an answer");
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id
}

/// Name, id and number of partitions of every topic.
pub fn topics(client: &mut Client) -> Vec<(String, String, usize)> {
    let frame = client.call(12, &MetadataRequest { topics: None, ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    response
        .topics
        .iter()
        .map(|topic| (topic.name.unwrap_or_default().to_owned(), topic.topic_id.to_string(), topic.partitions.len()))
        .collect()
}

/// Deletes a topic; gives the error code.
pub fn delete_topic(client: &mut Client, name: &str) -> i16 {
    let topics = vec![DeleteTopicState { name: Some(name), ..Default::default() }];
    let frame = client.call(6, &DeleteTopicsRequest { topics, ..Default::default() });
    let (_, response): (_, DeleteTopicsResponse<'_>) =
        decode_response(&frame, ApiKey::DeleteTopics, 6).expect("an answer");
    response.responses[0].error_code
}

/// Deletes a group; gives the error code. A coordinator that is still loading is asked again.
pub fn delete_group(client: &mut Client, group: &str) -> i16 {
    loop {
        let frame = client.call(2, &DeleteGroupsRequest { groups_names: vec![group] });
        let (_, response): (_, DeleteGroupsResponse<'_>) =
            decode_response(&frame, ApiKey::DeleteGroups, 2).expect("an answer");
        let error = response.results[0].error_code;
        if error != ErrorCode::CoordinatorLoadInProgress.code() {
            return error;
        }
    }
}

/// The log start offset.
pub fn earliest(client: &mut Client, topic: &str, partition: i32) -> i64 {
    find_offset(client, topic, partition, -2).0
}

/// Offset and timestamp that `ListOffsets` finds for a timestamp, or for one of its special values; -1 for none.
pub fn find_offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> (i64, i64) {
    let partitions = vec![ListOffsetsPartition { partition_index: partition, current_leader_epoch: -1, timestamp }];
    let topics = vec![ListOffsetsTopic { name: topic, partitions }];
    let frame = client.call(7, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() });
    let (_, response): (_, ListOffsetsResponse<'_>) =
        decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    let found = &response.topics[0].partitions[0];
    assert_eq!(found.error_code, 0);
    (found.offset, found.timestamp)
}
