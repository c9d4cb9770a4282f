//! Elections, reassignments, and the lists of what there is.

use protocol::messages::elect_leaders;

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
