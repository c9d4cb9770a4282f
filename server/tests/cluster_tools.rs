//! What Kafka's own tools ask of a cluster whose partitions have one replica each: elections, reassignments, and lists of what there is.

mod broker;

use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition, ReassignableTopic,
};
use protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
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

/// Code, name and partitions of a topic.
type Described = (i16, String, Vec<i32>);

/// Code, name and partitions of each topic, and where the next request goes on.
fn describe(
    client: &mut Client,
    names: &[&str],
    limit: i32,
    from: Option<(&str, i32)>,
) -> (Vec<Described>, Option<(String, i32)>) {
    let request = DescribeTopicPartitionsRequest {
        topics: names.iter().map(|name| TopicRequest { name }).collect(),
        response_partition_limit: limit,
        cursor: from.map(|(topic_name, partition_index)| Cursor { topic_name, partition_index }),
    };
    let frame = client.call(0, &request);
    let (_, response): (_, DescribeTopicPartitionsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeTopicPartitions, 0).expect("an answer");
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.error_code, topic.name.unwrap_or_default().to_owned(), partitions.collect())
    });
    let next = response.next_cursor.as_ref();
    (topics.collect(), next.map(|cursor| (cursor.topic_name.to_owned(), cursor.partition_index)))
}

fn topic(code: i16, name: &str, partitions: std::ops::Range<i32>) -> Described {
    (code, name.to_owned(), partitions.collect())
}

#[test]
fn topics_are_described_by_name_and_go_on_where_the_limit_cut_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    for (name, partitions) in [("c", 2), ("a", 3), ("b", 2)] {
        assert_eq!(client.create_topic(name, partitions, &[]), 0);
    }
    let next = |name: &str, partition| Some((name.to_owned(), partition));
    let (a, b, c) = (topic(0, "a", 0..3), topic(0, "b", 0..2), topic(0, "c", 0..2));
    assert_eq!(describe(&mut client, &[], 2_000, None), (vec![a.clone(), b.clone(), c.clone()], None));
    assert_eq!(describe(&mut client, &[], 2, None), (vec![topic(0, "a", 0..2)], next("a", 2)));
    let rest = (vec![topic(0, "a", 2..3), topic(0, "b", 0..1)], next("b", 1));
    assert_eq!(describe(&mut client, &[], 2, Some(("a", 2))), rest);
    assert_eq!(describe(&mut client, &["c", "a", "b", "a"], 3, None), (vec![a], next("b", 0)), "cut between topics");
    assert_eq!(describe(&mut client, &["c", "b"], 9, Some(("b", 1))), (vec![topic(0, "b", 1..2), c.clone()], None));
    assert_eq!(describe(&mut client, &[], 9, Some(("bb", 7))), (vec![c], None), "a topic that went meanwhile");
    assert_eq!(describe(&mut client, &["b"], i32::MAX, Some(("b", i32::MAX))), (vec![topic(0, "b", 0..0)], None));
    assert_eq!(describe(&mut client, &["b"], 0, None), (vec![], next("b", 0)));
    assert_eq!(describe(&mut client, &["b"], -1, None), (vec![], None));
}

#[test]
fn topics_that_are_not_there_and_cursors_that_cannot_be_are_told_by_topic() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let (unknown, invalid) = (ErrorCode::UnknownTopicOrPartition.code(), ErrorCode::InvalidTopicException.code());
    let expected = vec![topic(invalid, "a b", 0..0), topic(unknown, "none", 0..0), topic(0, "t", 0..1)];
    assert_eq!(describe(&mut client, &["t", "none", "a b"], 2_000, None), (expected, None));
    let refused = (vec![topic(ErrorCode::InvalidRequest.code(), "t", 0..0)], None);
    assert_eq!(describe(&mut client, &["t"], 9, Some(("s", 0))), refused);
    assert_eq!(describe(&mut client, &["t"], 9, Some(("t", -1))), refused);
    let names: Vec<String> = (0..2_001).map(|number| format!("none-{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (topics, next) = describe(&mut client, &names, 2_000, None);
    assert_eq!((topics.len(), next), (2_000, Some(("none-2000".to_owned(), 0))));
}

#[test]
fn a_described_partition_is_led_by_its_one_replica() {
    let broker = Broker::start(&["node.id=1"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let frame = client.call(0, &DescribeTopicPartitionsRequest::default());
    let (_, response): (_, DescribeTopicPartitionsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeTopicPartitions, 0).expect("an answer");
    let described = &response.topics[0];
    assert!(!described.topic_id.is_nil() && !described.is_internal);
    assert_eq!(described.topic_authorized_operations, 3_576, "all that Kafka has of a topic");
    let partition = &described.partitions[0];
    assert_eq!((partition.leader_id, partition.leader_epoch >= 0), (1, true));
    assert_eq!((&partition.replica_nodes, &partition.isr_nodes), (&vec![1], &vec![1]));
    let empty = Some(Vec::new());
    assert_eq!((&partition.eligible_leader_replicas, &partition.last_known_elr), (&empty, &empty));
    assert!(partition.offline_replicas.is_empty());
}
