//! The consumer protocol of KIP-848: its messages and its records.

use protocol::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member,
    TopicPartitions as DescribedPartitions,
};
use protocol::messages::consumer_group_heartbeat::{self as heartbeat, TopicPartitions};
use protocol::messages::consumer_group_log::{
    self as log, ClassicMemberMetadata, ClassicProtocol, ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use protocol::messages::consumer_offsets::{decode_versioned, encode_versioned};
use uuid::Uuid;

use crate::hex;

const TOPIC: Uuid = Uuid::from_u128(7);

#[test]
fn a_member_joins_with_names_and_from_version_1_with_a_regular_expression() {
    let request = heartbeat::ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "m",
        rebalance_timeout_ms: 300_000,
        subscribed_topic_names: Some(vec!["t"]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    assert_golden!(request.clone(), 0, "02 67 02 6d 00000000 00 00 000493e0 02 02 74 00 01 00");
    let request = heartbeat::ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("t*"), ..request };
    assert_golden!(request, 1, "02 67 02 6d 00000000 00 00 000493e0 02 02 74 03 742a 00 01 00");
}

#[test]
fn a_heartbeat_says_only_what_changed() {
    let request = heartbeat::ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "m",
        member_epoch: 5,
        topic_partitions: Some(vec![TopicPartitions { topic_id: TOPIC, partitions: vec![0, 1] }]),
        ..Default::default()
    };
    assert_golden!(
        request,
        1,
        "02 67 02 6d 00000005 00 00 ffffffff 00 00 00
         02 00000000000000000000000000000007 03 00000000 00000001 00 00"
    );
}

#[test]
fn an_assignment_is_null_where_it_is_no_news() {
    let response = heartbeat::ConsumerGroupHeartbeatResponse {
        member_id: Some("m"),
        member_epoch: 1,
        heartbeat_interval_ms: 5_000,
        ..Default::default()
    };
    assert_golden!(response.clone(), 1, "00000000 0000 00 02 6d 00000001 00001388 ff 00");
    let topic_partitions = vec![TopicPartitions { topic_id: TOPIC, partitions: vec![3] }];
    let response = heartbeat::ConsumerGroupHeartbeatResponse {
        assignment: Some(heartbeat::Assignment { topic_partitions }),
        ..response
    };
    assert_golden!(
        response,
        0,
        "00000000 0000 00 02 6d 00000001 00001388
         01 02 00000000000000000000000000000007 02 00000003 00 00 00"
    );
}

#[test]
fn groups_are_described_with_what_members_have_and_shall_have() {
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g"], include_authorized_operations: true };
    assert_golden!(request, 1, "02 02 67 01 00");

    let topic_partitions = vec![DescribedPartitions { topic_id: TOPIC, topic_name: "t", partitions: vec![0] }];
    let member = Member {
        member_id: "m",
        member_epoch: 2,
        client_id: "c",
        client_host: "/h",
        subscribed_topic_names: vec!["t"],
        assignment: Assignment { topic_partitions },
        ..Default::default()
    };
    let group = |member| DescribedGroup {
        group_id: "g",
        group_state: "Stable",
        group_epoch: 2,
        assignment_epoch: 2,
        assignor_name: "range",
        members: vec![member],
        ..Default::default()
    };
    let response = |member| ConsumerGroupDescribeResponse { groups: vec![group(member)], ..Default::default() };
    let head = "00000000 02 0000 00 02 67 07 537461626c65 00000002 00000002 06 72616e6765
         02 02 6d 00 00 00000002 02 63 03 2f68 02 02 74 00
         02 00000000000000000000000000000007 02 74 02 00000000 00 00  01 00";
    assert_golden!(response(member.clone()), 0, &format!("{head} 00 80000000 00 00"));
    assert_golden!(response(Member { member_type: 1, ..member }), 1, &format!("{head} 01 00 80000000 00 00"));
}

#[test]
fn records_have_kafkas_layout() {
    assert_eq!(encode_versioned(&ConsumerGroupMetadataKey { group_id: "g" }, 3), hex("0003 0001 67"));
    let key = ConsumerGroupMemberMetadataKey { group_id: "g", member_id: "m" };
    assert_eq!(encode_versioned(&key, 5), hex("0005 0001 67 0001 6d"));
    let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: "g" };
    assert_eq!(encode_versioned(&key, 6), hex("0006 0001 67"));
    let key = ConsumerGroupTargetAssignmentMemberKey { group_id: "g", member_id: "m" };
    assert_eq!(encode_versioned(&key, 7), hex("0007 0001 67 0001 6d"));
    let key = ConsumerGroupCurrentMemberAssignmentKey { group_id: "g", member_id: "m" };
    assert_eq!(encode_versioned(&key, 8), hex("0008 0001 67 0001 6d"));

    let value = ConsumerGroupMetadataValue { epoch: 3, metadata_hash: 0 };
    assert_eq!(encode_versioned(&value, 0), hex("0000 00000003 00"));
    let value = ConsumerGroupMetadataValue { epoch: 3, metadata_hash: 9 };
    let bytes = hex("0000 00000003 01 00 08 0000000000000009");
    assert_eq!(encode_versioned(&value, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, value)));
    let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: 3 };
    assert_eq!(encode_versioned(&value, 0), hex("0000 00000003 00"));
}

#[test]
fn records_of_members_have_kafkas_layout() {
    let partitions = |partition| vec![log::TopicPartitions { topic_id: TOPIC, partitions: vec![partition] }];
    let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions: partitions(1) };
    let bytes = hex("0000 02 00000000000000000000000000000007 02 00000001 00 00");
    assert_eq!(encode_versioned(&value, 0), bytes);

    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: 2,
        previous_member_epoch: 1,
        state: 1,
        assigned_partitions: partitions(1),
        partitions_pending_revocation: partitions(2),
    };
    let bytes = hex("0000 00000002 00000001 01 02 00000000000000000000000000000007 02 00000001 00
         02 00000000000000000000000000000007 02 00000002 00 00");
    assert_eq!(encode_versioned(&value, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, value)));

    let classic = ClassicMemberMetadata {
        session_timeout_ms: 10_000,
        supported_protocols: vec![ClassicProtocol { name: "range", metadata: &[1] }],
    };
    let value = ConsumerGroupMemberMetadataValue {
        client_id: "c",
        client_host: "/h",
        subscribed_topic_names: vec!["t"],
        rebalance_timeout_ms: 60_000,
        classic_member_metadata: Some(classic),
        ..Default::default()
    };
    let bytes = hex("0000 00 00 02 63 03 2f68 02 02 74 00 0000ea60 00
         01 00 10 01 00002710 02 06 72616e6765 02 01 00 00");
    assert_eq!(encode_versioned(&value, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, value)));
}
