//! Groups: their messages and their records.

use protocol::Message;
use protocol::messages::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue, decode_versioned,
    encode_versioned,
};
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolPartitions, ConsumerProtocolSubscription,
};
use protocol::messages::{find_coordinator, join_group, offset_commit, sync_group};
use protocol::writer::Writer;

use crate::hex;

#[test]
fn offset_commit_version_1_carries_a_timestamp() {
    let partition = offset_commit::OffsetCommitRequestPartition {
        partition_index: 3,
        committed_offset: 42,
        committed_metadata: Some("x"),
        ..Default::default()
    };
    let request = offset_commit::OffsetCommitRequest {
        group_id: "g",
        generation_id_or_member_epoch: 2,
        member_id: "m",
        topics: vec![offset_commit::OffsetCommitRequestTopic { name: "t", partitions: vec![partition] }],
        ..Default::default()
    };
    assert_golden!(
        request.clone(),
        1,
        "0001 67 00000002 0001 6d  00000001 0001 74
         00000001 00000003 000000000000002a ffffffffffffffff 0001 78"
    );
    assert_golden!(
        request,
        2,
        "0001 67 00000002 0001 6d ffffffffffffffff  00000001 0001 74
         00000001 00000003 000000000000002a 0001 78"
    );

    let partition = offset_commit::OffsetCommitResponsePartition { partition_index: 3, error_code: 0 };
    let response = offset_commit::OffsetCommitResponse {
        topics: vec![offset_commit::OffsetCommitResponseTopic { name: "t", partitions: vec![partition] }],
        ..Default::default()
    };
    assert_golden!(response, 1, "00000001 0001 74  00000001 00000003 0000");
}

#[test]
fn group_messages_carry_opaque_bytes() {
    let request = join_group::JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer",
        protocols: vec![join_group::JoinGroupRequestProtocol { name: "range", metadata: &[0, 1] }],
        ..Default::default()
    };
    assert_golden!(
        request.clone(),
        5,
        "0001 67 00002710 0000ea60 0000 ffff 0008 636f6e73756d6572
         00000001 0005 72616e6765 00000002 0001"
    );
    assert_golden!(request, 9, "02 67 00002710 0000ea60 01 00 09 636f6e73756d6572  02 06 72616e6765 03 0001 00  00 00");
    let response = sync_group::SyncGroupResponse { assignment: &[1, 2], ..Default::default() };
    assert_golden!(response, 0, "0000 00000002 0102");
    let keys = find_coordinator::FindCoordinatorRequest { coordinator_keys: vec!["g", "h"], ..Default::default() };
    assert_golden!(keys, 4, "00 03 02 67 02 68 00");
}

#[test]
fn a_null_that_a_version_lacks_is_written_empty() {
    let response = join_group::JoinGroupResponse { protocol_name: None, ..Default::default() };
    let mut writer = Writer::new();
    response.encode(&mut writer, 6);
    assert_eq!(writer.into_bytes(), hex("00000000 0000 ffffffff 01 01 01 01 00"));
    let mut writer = Writer::new();
    response.encode(&mut writer, 7);
    assert_eq!(writer.into_bytes(), hex("00000000 0000 ffffffff 00 00 01 01 01 00"));
}

#[test]
fn committed_positions_have_kafkas_layout() {
    let key = OffsetCommitKey { group: "g", topic: "t", partition: 3 };
    let bytes = hex("0001  0001 67 0001 74 00000003");
    assert_eq!(encode_versioned(&key, 1), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((1, key)));

    let value =
        OffsetCommitValue { offset: 42, leader_epoch: 1, commit_timestamp: 1_700_000_000_000, ..Default::default() };
    let bytes = hex("0003  000000000000002a 00000001 0000 0000018bcfe56800");
    assert_eq!(encode_versioned(&value, 3), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((3, value.clone())));
    let bytes = hex("0004  000000000000002a 00000001 01 0000018bcfe56800 00");
    assert_eq!(encode_versioned(&value, 4), bytes);

    let expiring = OffsetCommitValue { leader_epoch: -1, expire_timestamp: 1, ..value };
    let bytes = hex("0001  000000000000002a 0000 0000018bcfe56800 0000000000000001");
    assert_eq!(encode_versioned(&expiring, 1), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((1, expiring)));
}

#[test]
fn group_generations_have_kafkas_layout() {
    let key = GroupMetadataKey { group: "g" };
    assert_eq!(encode_versioned(&key, 2), hex("0002  0001 67"));

    let member = MemberMetadata {
        member_id: "m",
        client_id: "c",
        client_host: "/h",
        rebalance_timeout: 60_000,
        session_timeout: 10_000,
        subscription: &[0, 1],
        assignment: &[2],
        ..Default::default()
    };
    let value = GroupMetadataValue {
        protocol_type: "consumer",
        generation: 1,
        protocol: Some("range"),
        leader: Some("m"),
        current_state_timestamp: 1_700_000_000_000,
        members: vec![member],
    };
    let bytes = hex("0003  0008 636f6e73756d6572 00000001 0005 72616e6765 0001 6d 0000018bcfe56800
         00000001  0001 6d ffff 0001 63 0002 2f68 0000ea60 00002710 00000002 0001 00000001 02");
    assert_eq!(encode_versioned(&value, 3), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((3, value)));
}

#[test]
fn members_tell_each_other_in_kafkas_layout() {
    let subscription = ConsumerProtocolSubscription { topics: vec!["t"], ..Default::default() };
    let bytes = hex("0000  00000001 0001 74 ffffffff");
    assert_eq!(encode_versioned(&subscription, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, subscription.clone())));

    let partitions = vec![ConsumerProtocolPartitions { topic: "t", partitions: vec![3, 4] }];
    let owner = ConsumerProtocolSubscription { owned_partitions: partitions.clone(), ..subscription };
    let bytes = hex("0001  00000001 0001 74 ffffffff 00000001 0001 74 00000002 00000003 00000004");
    assert_eq!(encode_versioned(&owner, 1), bytes);

    let assignment = ConsumerProtocolAssignment { assigned_partitions: partitions, user_data: Some(&[7]) };
    let bytes = hex("0000  00000001 0001 74 00000002 00000003 00000004 00000001 07");
    assert_eq!(encode_versioned(&assignment, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, assignment)));
}
