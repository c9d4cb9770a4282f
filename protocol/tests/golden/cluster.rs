//! Elections, reassignments, and the lists of what there is.

use protocol::messages::{
    alter_partition_reassignments, describe_topic_partitions, elect_leaders, list_config_resources,
    list_partition_reassignments,
};
use uuid::Uuid;

#[test]
fn elections_of_all_partitions_are_asked_with_null() {
    let all = elect_leaders::ElectLeadersRequest { topic_partitions: None, ..Default::default() };
    assert_golden!(all.clone(), 0, "ffffffff 0000ea60");
    assert_golden!(elect_leaders::ElectLeadersRequest { election_type: 1, ..all }, 2, "01 00 0000ea60 00");

    let partition = elect_leaders::PartitionResult { partition_id: 3, error_code: 84, error_message: Some("m") };
    let topic = elect_leaders::ReplicaElectionResult { topic: "t", partition_result: vec![partition] };
    let response = elect_leaders::ElectLeadersResponse { replica_election_results: vec![topic], ..Default::default() };
    assert_golden!(response.clone(), 0, "00000000  00000001 0001 74  00000001 00000003 0054 0001 6d");
    assert_golden!(response, 2, "00000000 0000  02 02 74  02 00000003 0054 02 6d 00  00 00");
}

#[test]
fn a_reassignment_is_given_up_with_null_replicas() {
    let partition = |replicas| alter_partition_reassignments::ReassignablePartition { partition_index: 3, replicas };
    let partitions = vec![partition(Some(vec![1])), partition(None)];
    let request = alter_partition_reassignments::AlterPartitionReassignmentsRequest {
        topics: vec![alter_partition_reassignments::ReassignableTopic { name: "t", partitions }],
        ..Default::default()
    };
    let topics = "02 02 74  03 00000003 02 00000001 00  00000003 00 00  00 00";
    assert_golden!(request.clone(), 0, &format!("0000ea60 {topics}"));
    assert_golden!(request, 1, &format!("0000ea60 01 {topics}"));
}

#[test]
fn no_reassignments_are_an_empty_list() {
    let all = list_partition_reassignments::ListPartitionReassignmentsRequest::default();
    assert_golden!(all, 0, "0000ea60 00 00");
    let none = list_partition_reassignments::ListPartitionReassignmentsResponse::default();
    assert_golden!(none, 0, "00000000 0000 00 01 00");
}

#[test]
fn resources_have_a_type_from_version_1_on() {
    let request = list_config_resources::ListConfigResourcesRequest { resource_types: vec![2] };
    assert_golden!(list_config_resources::ListConfigResourcesRequest::default(), 0, "00");
    assert_golden!(request, 1, "02 02 00");
    let of = |resource_type| list_config_resources::ListConfigResourcesResponse {
        config_resources: vec![list_config_resources::ConfigResource { resource_name: "t", resource_type }],
        ..Default::default()
    };
    assert_golden!(of(16), 0, "00000000 0000  02 02 74 00  00");
    assert_golden!(of(2), 1, "00000000 0000  02 02 74 02 00  00");
}

#[test]
fn a_cursor_is_there_or_not_by_a_byte_of_its_own() {
    let request = describe_topic_partitions::DescribeTopicPartitionsRequest {
        topics: vec![describe_topic_partitions::TopicRequest { name: "t" }],
        ..Default::default()
    };
    assert_golden!(request.clone(), 0, "02 02 74 00  000007d0 ff 00");
    let cursor = describe_topic_partitions::Cursor { topic_name: "t", partition_index: 3 };
    let from = describe_topic_partitions::DescribeTopicPartitionsRequest { cursor: Some(cursor.clone()), ..request };
    assert_golden!(from, 0, "02 02 74 00  000007d0 01 02 74 00000003 00 00");

    let partition = describe_topic_partitions::DescribeTopicPartitionsResponsePartition {
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        eligible_leader_replicas: Some(Vec::new()),
        ..Default::default()
    };
    let topic = describe_topic_partitions::DescribeTopicPartitionsResponseTopic {
        name: Some("t"),
        topic_id: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
        partitions: vec![partition],
        ..Default::default()
    };
    let response = describe_topic_partitions::DescribeTopicPartitionsResponse {
        topics: vec![topic],
        next_cursor: Some(cursor),
        ..Default::default()
    };
    assert_golden!(
        response,
        0,
        "00000000  02 0000 02 74 00112233445566778899aabbccddeeff 00
         02 0000 00000000 00000001 ffffffff  02 00000001  02 00000001  01 00 01 00
         80000000 00  01 02 74 00000003 00  00"
    );
}
