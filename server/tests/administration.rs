//! Requests of administrators that name a thing twice, wrongly, or want to know what they may do: the answers are Kafka's.

mod broker;

use broker::Broker;
use broker::requests::{commit, topics};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use uuid::Uuid;

#[test]
fn a_topic_that_is_asked_for_twice_is_not_made_and_answered_once() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let topic = |name| CreatableTopic { name, num_partitions: 1, replication_factor: 1, ..Default::default() };
    let mut create = |names: &[&'static str]| -> Vec<(String, i16)> {
        let topics = names.iter().map(|name| topic(name)).collect();
        let frame = client.call(7, &CreateTopicsRequest { topics, ..Default::default() });
        let (_, response): (_, CreateTopicsResponse<'_>) =
            decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
        response.topics.iter().map(|topic| (topic.name.to_owned(), topic.error_code)).collect()
    };
    let twice = ErrorCode::InvalidRequest.code();
    let expected = [("second".to_owned(), 0), ("first".to_owned(), twice)];
    assert_eq!(create(&["first", "second", "first"]), expected);
    assert_eq!(create(&["first"]), [("first".to_owned(), 0)]);
    let mut client = broker.connect();
    commit(&mut client, "g", 0, 1, "");
    let internal = client.create_topic("__consumer_offsets", 1, &[]);
    assert_eq!(internal, ErrorCode::TopicAlreadyExists.code(), "the broker has made it");
    let frame = client.call(2, &DeleteGroupsRequest { groups_names: vec!["none", "none"] });
    let (_, response): (_, DeleteGroupsResponse<'_>) =
        decode_response(&frame, ApiKey::DeleteGroups, 2).expect("an answer");
    assert_eq!(response.results.len(), 1);
}

#[test]
fn a_topic_that_is_named_twice_is_not_deleted() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let id: Uuid = topics(&mut client)[0].1.parse().expect("an id");
    let mut delete = |topics: &[(Option<&'static str>, Uuid)]| -> Vec<(Option<String>, Uuid, i16, String)> {
        let topics =
            topics.iter().map(|(name, topic_id)| DeleteTopicState { name: *name, topic_id: *topic_id }).collect();
        let frame = client.call(6, &DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() });
        let (_, response): (_, DeleteTopicsResponse<'_>) =
            decode_response(&frame, ApiKey::DeleteTopics, 6).expect("an answer");
        let owned = |words: Option<&str>| words.unwrap_or_default().to_owned();
        let one = response.responses.iter();
        one.map(|one| (one.name.map(str::to_owned), one.topic_id, one.error_code, owned(one.error_message))).collect()
    };
    let refused = |name: Option<&str>, id, words: &str| {
        vec![(name.map(str::to_owned), id, ErrorCode::InvalidRequest.code(), words.to_owned())]
    };
    let nil = Uuid::nil();
    assert_eq!(delete(&[(None, id), (None, id)]), refused(None, id, "Duplicate topic id."));
    assert_eq!(delete(&[(Some("t"), nil), (Some("t"), nil)]), refused(Some("t"), nil, "Duplicate topic name."));
    let mapped = "The provided topic name maps to an ID that was already supplied.";
    let answers = delete(&[(Some("t"), nil), (None, id)]);
    assert_eq!(answers, refused(Some("t"), id, mapped));
    assert_eq!(delete(&[(None, nil)]), refused(None, nil, "Neither topic name nor id were specified."));
    let both = "You may not specify both topic name and topic id.";
    assert_eq!(delete(&[(Some("t"), id)]), refused(Some("t"), id, both));
    let unknown = Uuid::from_u128(7);
    let codes: Vec<_> = delete(&[(Some("none"), nil), (None, unknown)]).into_iter().map(|one| (one.2, one.3)).collect();
    let expected = [
        (ErrorCode::UnknownTopicOrPartition.code(), "This server does not host this topic-partition.".to_owned()),
        (ErrorCode::UnknownTopicId.code(), "This server does not host this topic ID.".to_owned()),
    ];
    assert_eq!(codes, expected);
    assert_eq!(
        delete(&[(None, id)]),
        [(Some("t".to_owned()), id, 0, String::new())],
        "nothing of it deleted the topic"
    );
}

#[test]
fn all_that_may_be_done_is_told_to_those_who_ask() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    for (asked, of_topic, of_cluster, of_group) in [(true, 3576, 8096, 3400), (false, i32::MIN, i32::MIN, i32::MIN)] {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name: Some("t"), ..Default::default() }]),
            include_topic_authorized_operations: asked,
            include_cluster_authorized_operations: asked,
            ..Default::default()
        };
        let frame = client.call(10, &request);
        let (_, response): (_, MetadataResponse<'_>) =
            decode_response(&frame, ApiKey::Metadata, 10).expect("an answer");
        let told = (response.topics[0].topic_authorized_operations, response.cluster_authorized_operations);
        assert_eq!(told, (of_topic, of_cluster));
        let request = DescribeClusterRequest { include_cluster_authorized_operations: asked, ..Default::default() };
        let frame = client.call(1, &request);
        let (_, response): (_, DescribeClusterResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeCluster, 1).expect("an answer");
        assert_eq!(response.cluster_authorized_operations, of_cluster);
        commit(&mut client, "g", 0, 1, "");
        let frame = client.call(5, &DescribeGroupsRequest { groups: vec!["g"], include_authorized_operations: asked });
        let (_, response): (_, DescribeGroupsResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeGroups, 5).expect("an answer");
        assert_eq!(response.groups[0].authorized_operations, of_group);
    }
}

#[test]
fn metadata_answers_a_topic_once_and_old_versions_know_no_ids() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let id: Uuid = topics(&mut client)[0].1.parse().expect("an id");
    let mut ask = |version, asked: &[(Option<&'static str>, Uuid)]| -> Vec<(Option<String>, i16)> {
        let asked = asked.iter().map(|(name, topic_id)| MetadataRequestTopic { name: *name, topic_id: *topic_id });
        let request = MetadataRequest { topics: Some(asked.collect()), ..Default::default() };
        let frame = client.call(version, &request);
        let (_, response): (_, MetadataResponse<'_>) =
            decode_response(&frame, ApiKey::Metadata, version).expect("an answer");
        response.topics.iter().map(|topic| (topic.name.map(str::to_owned), topic.error_code)).collect()
    };
    let (nil, unknown) = (Uuid::nil(), Uuid::from_u128(7));
    let found = (Some("t".to_owned()), 0);
    let missing = (None, ErrorCode::UnknownTopicId.code());
    let asked = [(None, id), (Some("t"), nil), (Some("t"), nil), (None, unknown), (None, unknown)];
    assert_eq!(ask(12, &asked), [found.clone(), missing]);
    assert_eq!(ask(4, &asked[1..3]), [found]);
    for version in [10, 11] {
        let refused = (Some("t".to_owned()), ErrorCode::InvalidRequest.code());
        assert_eq!(ask(version, &[(Some("t"), id)]), [refused]);
    }
}

#[test]
fn a_cluster_of_controllers_is_not_described_by_a_broker() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    for (endpoint_type, code, words) in [
        (2, ErrorCode::MismatchedEndpointType, "The request was sent to an endpoint of type BROKER"),
        (0, ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type 0"),
        (3, ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type 3"),
    ] {
        let frame = client.call(1, &DescribeClusterRequest { endpoint_type, ..Default::default() });
        let (_, response): (_, DescribeClusterResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeCluster, 1).expect("an answer");
        assert_eq!((response.error_code, response.endpoint_type), (code.code(), 1));
        assert!(response.error_message.is_some_and(|told| told.starts_with(words)), "{endpoint_type}");
    }
}

#[test]
fn finding_a_coordinator_has_kafkas_words() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let mut find = |version, key_type| {
        let coordinator_keys = if version >= 4 { vec!["g"] } else { vec![] };
        let frame = client.call(version, &FindCoordinatorRequest { key: "g", key_type, coordinator_keys });
        let (_, response): (_, FindCoordinatorResponse<'_>) =
            decode_response(&frame, ApiKey::FindCoordinator, version).expect("an answer");
        let words = response.coordinators.first().map_or(response.error_message, |one| one.error_message);
        words.map(str::to_owned)
    };
    assert_eq!(find(3, 0).as_deref(), Some("NONE"));
    assert_eq!(find(4, 0).as_deref(), Some(""));
    for version in [3, 4] {
        let words = find(version, 9).unwrap_or_default();
        assert!(words.starts_with("This most likely occurs because of a request being malformed"), "{words}");
    }
}

#[test]
fn what_is_not_there_is_named_or_not_as_in_kafka() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    for (kind, name, code, words) in [
        (2, "t", 0, ""),
        (2, "nowhere", ErrorCode::UnknownTopicOrPartition.code(), ""),
        (2, "", ErrorCode::InvalidTopicException.code(), "Topic name is invalid: the empty string is not allowed"),
    ] {
        let resource = DescribeConfigsResource { resource_type: kind, resource_name: name, ..Default::default() };
        let frame = client.call(4, &DescribeConfigsRequest { resources: vec![resource], ..Default::default() });
        let (_, response): (_, DescribeConfigsResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeConfigs, 4).expect("an answer");
        let told = (response.results[0].error_code, response.results[0].error_message);
        assert_eq!(told, (code, Some(words)));
    }
    commit(&mut client, "g", 0, 1, "");
    let groups = vec!["nowhere", "nowhere"];
    let frame = client.call(6, &DescribeGroupsRequest { groups, ..Default::default() });
    let (_, response): (_, DescribeGroupsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeGroups, 6).expect("an answer");
    assert_eq!(response.groups[0].error_message, Some("Group nowhere not found."));
    assert_eq!(response.groups.len(), 1, "what is named twice is described once");
    let topics = vec![CreatePartitionsTopic { name: "nowhere", count: 2, assignments: None }];
    let frame = client.call(3, &CreatePartitionsRequest { topics, ..Default::default() });
    let (_, response): (_, CreatePartitionsResponse<'_>) =
        decode_response(&frame, ApiKey::CreatePartitions, 3).expect("an answer");
    let told = (response.results[0].error_code, response.results[0].error_message);
    assert_eq!(told, (ErrorCode::UnknownTopicOrPartition.code(), None));
}
