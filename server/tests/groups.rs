//! A group over the wire: two members join, get their assignments, rebalance when one leaves, and come back after a crash.

mod broker;

use broker::requests::{commit, committed, delete_group};
use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};

const GROUP: &str = "readers";

/// What a join gave.
struct Joined {
    error: i16,
    generation: i32,
    leader: String,
    member: String,
    members: Vec<String>,
}

fn send_join(client: &mut Client, member: &str) {
    let protocols = vec![JoinGroupRequestProtocol { name: "range", metadata: b"opaque" }];
    client.send(
        9,
        &JoinGroupRequest {
            group_id: GROUP,
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            member_id: member,
            protocol_type: "consumer",
            protocols,
            ..Default::default()
        },
    );
}

fn receive_join(client: &mut Client) -> Joined {
    let frame = client.receive().expect("an answer");
    let (_, response): (_, JoinGroupResponse<'_>) = decode_response(&frame, ApiKey::JoinGroup, 9).expect("an answer");
    Joined {
        error: response.error_code,
        generation: response.generation_id,
        leader: response.leader.to_owned(),
        member: response.member_id.to_owned(),
        members: response.members.iter().map(|member| member.member_id.to_owned()).collect(),
    }
}

/// Asks again while the coordinator loads, and with the member id that it gives.
fn new_member(client: &mut Client) -> String {
    loop {
        send_join(client, "");
        let joined = receive_join(client);
        if joined.error == ErrorCode::MemberIdRequired.code() {
            return joined.member;
        }
        assert_eq!(joined.error, ErrorCode::CoordinatorLoadInProgress.code());
    }
}

fn send_sync(client: &mut Client, joined: &Joined) {
    let assignments = joined
        .members
        .iter()
        .map(|member| SyncGroupRequestAssignment { member_id: member, assignment: member.as_bytes() })
        .collect();
    client.send(
        5,
        &SyncGroupRequest {
            group_id: GROUP,
            generation_id: joined.generation,
            member_id: &joined.member,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            assignments,
            ..Default::default()
        },
    );
}

fn receive_sync(client: &mut Client) -> (i16, Vec<u8>) {
    let frame = client.receive().expect("an answer");
    let (_, response): (_, SyncGroupResponse<'_>) = decode_response(&frame, ApiKey::SyncGroup, 5).expect("an answer");
    (response.error_code, response.assignment.to_vec())
}

fn heartbeat(client: &mut Client, joined: &Joined) -> i16 {
    let request = HeartbeatRequest {
        group_id: GROUP,
        generation_id: joined.generation,
        member_id: &joined.member,
        ..Default::default()
    };
    let frame = client.call(4, &request);
    let (_, response): (_, HeartbeatResponse) = decode_response(&frame, ApiKey::Heartbeat, 4).expect("an answer");
    response.error_code
}

fn state(client: &mut Client) -> (String, usize) {
    let frame = client.call(5, &DescribeGroupsRequest { groups: vec![GROUP], ..Default::default() });
    let (_, response): (_, DescribeGroupsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeGroups, 5).expect("an answer");
    (response.groups[0].group_state.to_owned(), response.groups[0].members.len())
}

#[test]
fn members_share_a_group_rebalance_and_are_remembered_after_a_crash() {
    let mut broker = Broker::start(&[]);
    let (mut first, mut second) = (broker.connect(), broker.connect());
    assert_eq!(find_coordinator(&mut first, 0), ErrorCode::None.code());

    // The first member is alone, then the second makes it rebalance.
    let member = new_member(&mut first);
    send_join(&mut first, &member);
    let alone = receive_join(&mut first);
    assert_eq!((alone.error, &alone.leader, alone.members.len()), (0, &member, 1));
    send_sync(&mut first, &alone);
    assert_eq!(receive_sync(&mut first), (0, member.clone().into_bytes()));
    assert_eq!(heartbeat(&mut first, &alone), 0);

    let other = new_member(&mut second);
    send_join(&mut second, &other);
    while heartbeat(&mut first, &alone) != ErrorCode::RebalanceInProgress.code() {}
    send_join(&mut first, &member);
    let (leading, following) = (receive_join(&mut first), receive_join(&mut second));
    assert_eq!((leading.error, following.error), (0, 0));
    assert_eq!((leading.generation, leading.members.len()), (following.generation, 2));
    assert!(following.members.is_empty(), "only the leader is told everyone");
    send_sync(&mut second, &following);
    send_sync(&mut first, &leading);
    assert_eq!(receive_sync(&mut first), (0, member.clone().into_bytes()));
    assert_eq!(receive_sync(&mut second), (0, other.clone().into_bytes()));
    assert_eq!(state(&mut first), ("Stable".to_owned(), 2));
    assert_eq!(groups(&mut second), [GROUP]);

    // A crash does not disturb the generation: both members go on.
    broker.kill_and_restart();
    let mut first = broker.connect();
    let loaded = || ErrorCode::CoordinatorLoadInProgress.code();
    while heartbeat(&mut first, &leading) == loaded() {}
    assert_eq!(heartbeat(&mut first, &leading), 0);
    assert_eq!(heartbeat(&mut first, &following), 0);

    assert_eq!(leave(&mut first, &other), 0);
    assert_eq!(heartbeat(&mut first, &leading), ErrorCode::RebalanceInProgress.code());
    assert_eq!(heartbeat(&mut first, &following), ErrorCode::UnknownMemberId.code());
    assert_eq!(leave(&mut first, &member), 0);
    assert_eq!(state(&mut first), ("Empty".to_owned(), 0));
}

#[test]
fn what_a_member_leaves_out_or_makes_up_has_kafkas_code_in_each_version() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    // It waits until the coordinator serves.
    assert_eq!(commit(&mut client, "another", 0, 1, ""), 0);

    for (version, code) in [(4, ErrorCode::UnknownMemberId), (5, ErrorCode::InconsistentGroupProtocol)] {
        let request = SyncGroupRequest { group_id: GROUP, member_id: "stranger", ..Default::default() };
        let frame = client.call(version, &request);
        let (_, response): (_, SyncGroupResponse<'_>) =
            decode_response(&frame, ApiKey::SyncGroup, version).expect("an answer");
        assert_eq!(response.error_code, code.code());
    }
    let frame = client.call(6, &DescribeGroupsRequest { groups: vec![GROUP], ..Default::default() });
    let (_, response): (_, DescribeGroupsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeGroups, 6).expect("an answer");
    let group = &response.groups[0];
    let expected = (ErrorCode::GroupIdNotFound.code(), Some("Group readers not found."), "Dead");
    assert_eq!((group.error_code, group.error_message, group.group_state), expected);
    let members = vec![MemberIdentity { member_id: "stranger", ..Default::default() }];
    for (version, codes) in [(2, (25, vec![])), (3, (0, vec![25]))] {
        let leave = LeaveGroupRequest { group_id: GROUP, member_id: "stranger", members: members.clone() };
        let frame = client.call(version, &leave);
        let (_, response): (_, LeaveGroupResponse<'_>) =
            decode_response(&frame, ApiKey::LeaveGroup, version).expect("an answer");
        let of_members: Vec<_> = response.members.iter().map(|member| member.error_code).collect();
        assert_eq!((response.error_code, of_members), codes);
    }
    for (version, code) in [(8, ErrorCode::IllegalGeneration), (9, ErrorCode::GroupIdNotFound)] {
        let partitions = vec![OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() }];
        let request = OffsetCommitRequest {
            group_id: GROUP,
            generation_id_or_member_epoch: 4,
            member_id: "stranger",
            topics: vec![OffsetCommitRequestTopic { name: "t", partitions }],
            ..Default::default()
        };
        let frame = client.call(version, &request);
        let (_, response): (_, OffsetCommitResponse<'_>) =
            decode_response(&frame, ApiKey::OffsetCommit, version).expect("an answer");
        assert_eq!(response.topics[0].partitions[0].error_code, code.code());
    }
}

#[test]
fn a_group_is_deleted_with_its_offsets_when_it_has_no_members() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_eq!(delete_group(&mut client, GROUP), ErrorCode::GroupIdNotFound.code());
    assert_eq!(commit(&mut client, GROUP, 1, 5, ""), 0);
    assert_eq!(commit(&mut client, "another", 1, 6, ""), 0);
    let member = new_member(&mut client);
    send_join(&mut client, &member);
    let joined = receive_join(&mut client);
    send_sync(&mut client, &joined);
    assert_eq!(receive_sync(&mut client).0, 0);
    assert_eq!(delete_group(&mut client, GROUP), ErrorCode::NonEmptyGroup.code());
    assert_eq!(committed(&mut client, GROUP), [(1, 5, String::new())]);
    assert_eq!(leave(&mut client, &member), 0);
    assert_eq!(delete_group(&mut client, GROUP), 0);
    for _ in 0..2 {
        assert_eq!(committed(&mut client, GROUP), []);
        assert_eq!(committed(&mut client, "another"), [(1, 6, String::new())]);
        assert_eq!(groups(&mut client), ["another"]);
        broker.kill_and_restart();
        client = broker.connect();
    }
}

#[test]
fn a_member_that_waits_for_others_does_not_hold_up_a_stop() {
    let mut broker = Broker::start(&["group.initial.rebalance.delay.ms=1000000"]);
    let mut client = broker.connect();
    let member = new_member(&mut client);
    send_join(&mut client, &member);
    // The delay is longer than the patience of the test.
    assert_eq!(broker.terminate().code(), Some(0));
}

fn find_coordinator(client: &mut Client, key_type: i8) -> i16 {
    let frame =
        client.call(4, &FindCoordinatorRequest { key_type, coordinator_keys: vec![GROUP], ..Default::default() });
    let (_, response): (_, FindCoordinatorResponse<'_>) =
        decode_response(&frame, ApiKey::FindCoordinator, 4).expect("an answer");
    response.coordinators[0].error_code
}

fn groups(client: &mut Client) -> Vec<String> {
    let frame = client.call(5, &ListGroupsRequest::default());
    let (_, response): (_, ListGroupsResponse<'_>) = decode_response(&frame, ApiKey::ListGroups, 5).expect("an answer");
    assert_eq!(response.error_code, 0);
    response.groups.iter().map(|group| group.group_id.to_owned()).collect()
}

fn leave(client: &mut Client, member: &str) -> i16 {
    let members = vec![MemberIdentity { member_id: member, ..Default::default() }];
    let frame = client.call(5, &LeaveGroupRequest { group_id: GROUP, members, ..Default::default() });
    let (_, response): (_, LeaveGroupResponse<'_>) = decode_response(&frame, ApiKey::LeaveGroup, 5).expect("an answer");
    assert_eq!(response.error_code, 0);
    response.members[0].error_code
}
