//! One replica is kept: what topics and producers ask beyond it is refused, or taken with a setting, and never claimed.

mod broker;

use broker::{Broker, Client, batch};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};

/// Error code, message, and the number of replicas that the answer tells.
fn create(client: &mut Client, name: &str, replication_factor: i16) -> (i16, String, i16) {
    let topic = CreatableTopic { name, num_partitions: 1, replication_factor, ..Default::default() };
    let frame = client.call(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    let (_, response): (_, CreateTopicsResponse<'_>) =
        decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
    let topic = &response.topics[0];
    (topic.error_code, topic.error_message.unwrap_or_default().to_owned(), topic.replication_factor)
}

fn replicas(client: &mut Client) -> usize {
    let frame = client.call(12, &MetadataRequest { topics: None, ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    response.topics[0].partitions[0].replica_nodes.len()
}

#[test]
fn more_than_one_replica_is_refused_with_what_to_do() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let (code, message, _) = create(&mut client, "t", 3);
    assert_eq!(code, ErrorCode::InvalidReplicationFactor.code());
    assert!(message.contains("posthaste.replication.factor.max"), "{message}");
    assert_eq!(create(&mut client, "t", 0).0, ErrorCode::InvalidReplicationFactor.code());
    assert_eq!((create(&mut client, "one", 1).0, create(&mut client, "default", -1).0), (0, 0));
}

#[test]
fn a_benchmark_that_insists_on_three_replicas_gets_one_and_is_told_so() {
    let broker = Broker::start(&["posthaste.replication.factor.max=3"]);
    let mut client = broker.connect();
    let created = create(&mut client, "t", 3);
    assert_eq!((created.0, created.2, replicas(&mut client)), (0, 1, 1));
    broker.wait_for_log(&["one replica is kept"]);
    assert_eq!(create(&mut client, "four", 4).0, ErrorCode::InvalidReplicationFactor.code());
}

#[test]
fn acks_of_all_are_refused_where_more_in_sync_replicas_are_asked_than_there_are() {
    let broker = Broker::start(&["min.insync.replicas=2"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("strict", 1, &[]), 0);
    assert_eq!(client.create_topic("lenient", 1, &[("min.insync.replicas", "1")]), 0);
    let records = batch(&["one"]);
    assert_eq!(client.produce("strict", 0, &records).0, ErrorCode::NotEnoughReplicas.code());
    assert_eq!(client.produce("lenient", 0, &records), (0, 0));
    client.send_produce("strict", 0, &records, 1);
    assert_eq!(client.receive_produced(), (0, 0), "acks=1 asks no other replica");
}

/// Makes a topic with partitions assigned by hand; gives error code and message.
fn assign(client: &mut Client, name: &str, counts: (i32, i16), assignments: &[(i32, &[i32])]) -> (i16, String) {
    let assignments = assignments
        .iter()
        .map(|(partition_index, ids)| CreatableReplicaAssignment {
            partition_index: *partition_index,
            broker_ids: ids.to_vec(),
        })
        .collect();
    let (num_partitions, replication_factor) = counts;
    let topic = CreatableTopic { name, num_partitions, replication_factor, assignments, ..Default::default() };
    let frame = client.call(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    let (_, response): (_, CreateTopicsResponse<'_>) =
        decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
    let topic = &response.topics[0];
    (topic.error_code, topic.error_message.unwrap_or_default().to_owned())
}

/// Gives a topic more partitions; gives error code and message of each.
fn grow(client: &mut Client, topics: &[(&str, i32, Option<&[i32]>)]) -> Vec<(i16, String)> {
    let topics = topics
        .iter()
        .map(|(name, count, nodes)| {
            let one = |id: &i32| CreatePartitionsAssignment { broker_ids: vec![*id] };
            let assignments = nodes.map(|nodes| nodes.iter().map(one).collect());
            CreatePartitionsTopic { name, count: *count, assignments }
        })
        .collect();
    let frame = client.call(3, &CreatePartitionsRequest { topics, ..Default::default() });
    let (_, response): (_, CreatePartitionsResponse<'_>) =
        decode_response(&frame, ApiKey::CreatePartitions, 3).expect("an answer");
    let one = response.results.iter();
    one.map(|topic| (topic.error_code, topic.error_message.unwrap_or_default().to_owned())).collect()
}

#[test]
fn partitions_that_are_assigned_by_hand_are_checked_as_kafka_checks_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(assign(&mut client, "t", (-1, -1), &[(1, &[1]), (0, &[1])]), (0, String::new()));
    let mut refused = |counts, assignments: &[(i32, &[i32])], code: ErrorCode, part: &str| {
        let (found, message) = assign(&mut client, "u", counts, assignments);
        assert_eq!(found, code.code(), "{assignments:?}: {message}");
        assert!(message.contains(part), "{message}");
    };
    refused((-1, 1), &[(0, &[1])], ErrorCode::InvalidRequest, "replication factor was not set to -1");
    refused((1, -1), &[(0, &[1])], ErrorCode::InvalidRequest, "numPartitions was not set to -1");
    let wrong = ErrorCode::InvalidReplicaAssignment;
    refused((-1, -1), &[(0, &[1]), (0, &[1])], wrong, "multiple manual partition assignments for partition 0");
    refused((-1, -1), &[(0, &[])], wrong, "empty replica list");
    refused((-1, -1), &[(0, &[1, 2])], wrong, "broker 2, but no such broker");
    refused((-1, -1), &[(0, &[1, 1])], wrong, "the broker 1 more than once");
    refused((-1, -1), &[(0, &[1]), (2, &[1])], wrong, "consecutive 0-based");
    let gone = client.create_topic("u", 1, &[]);
    assert_eq!(gone, 0, "none of them made it");
}

#[test]
fn partitions_that_are_added_by_hand_are_checked_as_kafka_checks_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!((client.create_topic("t", 1, &[]), client.create_topic("u", 1, &[])), (0, 0));
    let mut refused = |count, nodes, code: ErrorCode, part: &str| {
        let (found, message) = grow(&mut client, &[("t", count, nodes)]).remove(0);
        assert_eq!(found, code.code(), "{message}");
        assert!(message.contains(part), "{message}");
    };
    refused(3, Some(&[1]), ErrorCode::InvalidReplicaAssignment, "add 2 additional partition(s), but only 1");
    refused(3, Some(&[]), ErrorCode::InvalidReplicaAssignment, "but only 0");
    refused(2, Some(&[7]), ErrorCode::InvalidReplicaAssignment, "broker 7, but no such broker");
    refused(1, None, ErrorCode::InvalidPartitions, "Topic already has 1 partition(s).");
    refused(0, None, ErrorCode::InvalidPartitions, "would not be an increase");
    let codes: Vec<i16> = grow(&mut client, &[("t", 2, None), ("t", 3, None), ("u", 3, Some(&[1, 1]))])
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    let twice = ErrorCode::InvalidRequest.code();
    assert_eq!(codes, [twice, 0], "one answer a topic");
    assert_eq!(client.produce("u", 2, &batch(&["v"])), (0, 0));
}
