//! Elections, reassignments, and the lists of what there is.

use protocol::messages::{
    alter_partition_reassignments, elect_leaders, list_config_resources, list_partition_reassignments,
};

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
