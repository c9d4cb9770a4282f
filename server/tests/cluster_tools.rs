//! What Kafka's own tools ask of a cluster whose partitions have one replica each: elections, reassignments, and lists of what there is.

mod broker;

use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition, ReassignableTopic,
};
use protocol::messages::elect_leaders::{ElectLeadersRequest, ElectLeadersResponse, ElectLeadersTopicPartitions};
use protocol::messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ListPartitionReassignmentsTopics,
};

/// Code of the whole, and topic, partition and code of each.
type Elected = (i16, Vec<(String, i32, i16)>);

fn elect(client: &mut Client, version: i16, election_type: i8, asked: Option<&[(&str, &[i32])]>) -> Elected {
    let topic_partitions = asked.map(|topics| {
        let topics = topics.iter();
        topics
            .map(|(topic, partitions)| ElectLeadersTopicPartitions { topic, partitions: partitions.to_vec() })
            .collect()
    });
    let frame = client.call(version, &ElectLeadersRequest { election_type, topic_partitions, ..Default::default() });
    let (_, response): (_, ElectLeadersResponse<'_>) =
        decode_response(&frame, ApiKey::ElectLeaders, version).expect("an answer");
    let results = response.replica_election_results.iter().flat_map(|topic| {
        topic.partition_result.iter().map(|result| (topic.topic.to_owned(), result.partition_id, result.error_code))
    });
    (response.error_code, results.collect())
}

#[test]
fn the_one_replica_leads_already_and_what_is_not_there_is_unknown() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let (valid, unknown) = (ErrorCode::ElectionNotNeeded.code(), ErrorCode::UnknownTopicOrPartition.code());
    let asked: &[(&str, &[i32])] = &[("t", &[1, 2, -1]), ("none", &[0])];
    let expected = [("t", 1, valid), ("t", 2, unknown), ("t", -1, unknown), ("none", 0, unknown)]
        .map(|(topic, partition, code)| (topic.to_owned(), partition, code));
    for (version, election_type) in [(0, 0), (1, 0), (2, 1)] {
        assert_eq!(elect(&mut client, version, election_type, Some(asked)), (0, expected.to_vec()));
        assert_eq!(elect(&mut client, version, election_type, None), (0, vec![]), "none of all needs one");
    }
    let invalid = ErrorCode::InvalidRequest.code();
    let refused = vec![("t".to_owned(), 0, invalid)];
    assert_eq!(elect(&mut client, 2, 7, Some(&[("t", &[0])])), (invalid, refused));
    let many = vec![0; 50_001];
    assert_eq!(elect(&mut client, 2, 0, Some(&[("t", &many)])), (ErrorCode::PolicyViolation.code(), vec![]));
}

/// Codes of the partitions of `t`, each with where it is to go.
fn reassign(client: &mut Client, version: i16, targets: &[(i32, Option<&[i32]>)]) -> Vec<i16> {
    let partitions = targets.iter().map(|(partition_index, replicas)| ReassignablePartition {
        partition_index: *partition_index,
        replicas: replicas.map(<[i32]>::to_vec),
    });
    let topics = vec![ReassignableTopic { name: "t", partitions: partitions.collect() }];
    let frame = client.call(version, &AlterPartitionReassignmentsRequest { topics, ..Default::default() });
    let (_, response): (_, AlterPartitionReassignmentsResponse<'_>) =
        decode_response(&frame, ApiKey::AlterPartitionReassignments, version).expect("an answer");
    assert_eq!((response.error_code, response.responses.len()), (0, 1));
    let partitions = &response.responses[0].partitions;
    assert!(partitions.iter().all(|partition| (partition.error_code != 0) == partition.error_message.is_some()));
    partitions.iter().map(|partition| partition.error_code).collect()
}

#[test]
fn a_partition_is_reassigned_to_where_it_is_and_nowhere_else() {
    let broker = Broker::start(&["node.id=1"]);
    let mut client = broker.connect();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(reassign(&mut client, 1, &[(0, Some(&[1]))]), [unknown]);
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let (none, invalid) = (ErrorCode::NoReassignmentInProgress.code(), ErrorCode::InvalidReplicaAssignment.code());
    for version in [0, 1] {
        let targets: &[(i32, Option<&[i32]>)] =
            &[(0, Some(&[1])), (0, None), (0, Some(&[])), (0, Some(&[2])), (0, Some(&[1, 1])), (1, Some(&[1]))];
        let expected = [0, none, invalid, invalid, invalid, unknown];
        assert_eq!(reassign(&mut client, version, targets), expected);
    }
}

#[test]
fn a_partition_of_another_node_stays_there() {
    let broker = Broker::start(&["posthaste.listeners=per-core", "node.id=5"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let mut codes = [5, 6].map(|node| reassign(&mut client, 1, &[(0, Some(&[node]))])[0]);
    codes.sort_unstable();
    assert_eq!(codes, [0, ErrorCode::InvalidReplicaAssignment.code()], "one of them leads it");
}

#[test]
fn no_reassignment_is_under_way() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let named = vec![ListPartitionReassignmentsTopics { name: "t", partition_indexes: vec![0, 1] }];
    for topics in [None, Some(named)] {
        let frame = client.call(0, &ListPartitionReassignmentsRequest { topics, ..Default::default() });
        let (_, response): (_, ListPartitionReassignmentsResponse<'_>) =
            decode_response(&frame, ApiKey::ListPartitionReassignments, 0).expect("an answer");
        assert_eq!(response, ListPartitionReassignmentsResponse::default());
    }
}

/// The code, and type and name of each resource.
fn resources(client: &mut Client, version: i16, resource_types: &[i8]) -> (i16, Vec<(i8, String)>) {
    let frame = client.call(version, &ListConfigResourcesRequest { resource_types: resource_types.to_vec() });
    let (_, response): (_, ListConfigResourcesResponse<'_>) =
        decode_response(&frame, ApiKey::ListConfigResources, version).expect("an answer");
    let mut resources: Vec<_> = response
        .config_resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.to_owned()))
        .collect();
    resources.sort_unstable();
    (response.error_code, resources)
}

#[test]
fn topics_and_brokers_have_settings_and_groups_and_metrics_have_none() {
    let broker = Broker::start(&["node.id=1"]);
    let mut client = broker.connect();
    assert_eq!((client.create_topic("a", 1, &[]), client.create_topic("b", 1, &[])), (0, 0));
    let owned = |resources: &[(i8, &str)]| -> Vec<(i8, String)> {
        resources.iter().map(|(resource_type, name)| (*resource_type, (*name).to_owned())).collect()
    };
    assert_eq!(resources(&mut client, 0, &[]), (0, vec![]), "there are no client metrics");
    assert_eq!(resources(&mut client, 1, &[]), (0, owned(&[(2, "a"), (2, "b"), (4, "1"), (8, "1")])));
    assert_eq!(resources(&mut client, 1, &[2, 2]), (0, owned(&[(2, "a"), (2, "b")])));
    assert_eq!(resources(&mut client, 1, &[8, 16, 32]), (0, owned(&[(8, "1")])));
    assert_eq!(resources(&mut client, 1, &[2, 3]), (ErrorCode::UnsupportedVersion.code(), vec![]));
}
