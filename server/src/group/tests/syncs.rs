//! Syncing: nobody learns an assignment before it is durable, and everybody is answered.

use super::*;

/// Two members that have joined and not synced, the leader first.
fn completing() -> (Broker, Vec<String>) {
    let (mut broker, ids, _) = Broker::stable(2);
    let leader = broker.join(join(&ids[0]));
    let follower = broker.join(join(&ids[1]));
    let generation_id = broker.joined(leader).generation_id;
    assert_eq!(broker.joined(follower).generation_id, generation_id);
    assert_eq!(generation_id, 2);
    (broker, ids)
}

#[test]
fn an_administrator_sees_the_assignments_of_the_generation_before_until_the_next_are_durable() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let shown = |broker: &mut Broker| -> Vec<Bytes> {
        broker.describe().members.into_iter().map(|member| member.assignment).collect()
    };
    let own = [Bytes::from(ids[0].clone())];
    assert_eq!(shown(&mut broker), own);
    broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(9), ..join("") });
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    assert!(shown(&mut broker).contains(&own[0]));
    broker.join(join(&ids[0]));
    assert_eq!(broker.state(), GroupState::CompletingRebalance);
    assert!(shown(&mut broker).contains(&own[0]));
    broker.sync(sync(&ids[0], generation_id + 1, &[(&ids[0], "next")]));
    assert!(shown(&mut broker).contains(&own[0]));
    broker.persist();
    assert!(shown(&mut broker).contains(&Bytes::from_static(b"next")) && !shown(&mut broker).contains(&own[0]));
}

#[test]
fn nobody_is_answered_before_the_assignment_is_durable() {
    let (mut broker, ids) = completing();
    let follower = broker.sync(sync(&ids[1], 2, &[]));
    assert!(broker.appends.is_empty(), "only the leader's assignment is written");
    let leader = broker.sync(sync(&ids[0], 2, &[(&ids[0], "a"), (&ids[1], "b"), ("stranger", "c")]));
    assert_eq!(broker.appends.len(), 1);
    assert!(broker.replies.is_empty());
    assert_eq!(broker.state(), GroupState::CompletingRebalance);
    broker.persist();
    assert_eq!(broker.synced(leader).as_deref(), Ok("a"));
    assert_eq!(broker.synced(follower).as_deref(), Ok("b"));
    assert_eq!(broker.state(), GroupState::Stable);
}

#[test]
fn a_late_follower_gets_its_assignment_from_the_stable_group() {
    let (mut broker, ids) = completing();
    broker.sync(sync(&ids[0], 2, &[(&ids[1], "b")]));
    broker.persist();
    let token = broker.sync(sync(&ids[1], 2, &[]));
    assert_eq!(broker.synced(token).as_deref(), Ok("b"));
}

#[test]
fn a_member_that_the_leader_forgot_gets_an_empty_assignment() {
    let (mut broker, ids) = completing();
    let follower = broker.sync(sync(&ids[1], 2, &[]));
    broker.sync(sync(&ids[0], 2, &[(&ids[0], "a")]));
    broker.persist();
    assert_eq!(broker.synced(follower).as_deref(), Ok(""));
}

#[test]
fn an_assignment_that_cannot_be_persisted_starts_over() {
    let (mut broker, ids) = completing();
    let follower = broker.sync(sync(&ids[1], 2, &[]));
    let leader = broker.sync(sync(&ids[0], 2, &[(&ids[0], "a")]));
    broker.fail_appends();
    assert_eq!(broker.synced(leader), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(broker.synced(follower), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
}

#[test]
fn an_assignment_too_large_for_a_record_is_refused() {
    let (mut broker, ids) = completing();
    let huge = "x".repeat(crate::limits::GROUP_METADATA_BYTES_MAX);
    let leader = broker.sync(sync(&ids[0], 2, &[(&ids[0], &huge)]));
    assert_eq!(broker.synced(leader), Err(GroupError::InvalidRequest));
    assert!(broker.appends.is_empty());
}

#[test]
fn a_rebalance_overtakes_an_assignment_on_its_way() {
    let (mut broker, ids) = completing();
    let leader = broker.sync(sync(&ids[0], 2, &[(&ids[0], "a")]));
    let newcomer = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(9), ..join("") });
    assert_eq!(broker.synced(leader), Err(GroupError::RebalanceInProgress));
    broker.persist();
    assert_eq!(broker.state(), GroupState::PreparingRebalance, "the old generation's record changes nothing");
    assert_eq!(broker.answer(newcomer), None);
}

#[test]
fn a_repeated_sync_of_the_leader_writes_once_and_answers_both() {
    let (mut broker, ids) = completing();
    let first = broker.sync(sync(&ids[0], 2, &[(&ids[0], "a")]));
    let again = broker.sync(sync(&ids[0], 2, &[(&ids[0], "other")]));
    assert_eq!(broker.synced(first), Err(GroupError::RebalanceInProgress));
    assert_eq!(broker.appends.len(), 1);
    broker.persist();
    assert_eq!(broker.synced(again).as_deref(), Ok("a"), "what is durable is what counts");
}

#[test]
fn syncs_are_judged_by_member_generation_and_protocol() {
    let (mut broker, ids) = completing();
    let cases = [
        (sync("stranger", 2, &[]), GroupError::UnknownMemberId),
        (sync(&ids[1], 1, &[]), GroupError::IllegalGeneration),
        (
            SyncRequest { protocol_name: Some("sticky".to_owned()), ..sync(&ids[1], 2, &[]) },
            GroupError::InconsistentGroupProtocol,
        ),
        (
            SyncRequest { protocol_type: Some("connect".to_owned()), ..sync(&ids[1], 2, &[]) },
            GroupError::InconsistentGroupProtocol,
        ),
        (SyncRequest { group_id: "none".to_owned(), ..sync(&ids[1], 2, &[]) }, GroupError::UnknownMemberId),
        (SyncRequest { group_id: String::new(), ..sync(&ids[1], 2, &[]) }, GroupError::InvalidGroupId),
    ];
    for (request, error) in cases {
        let token = broker.sync(request);
        assert_eq!(broker.synced(token), Err(error));
    }
}

#[test]
fn who_never_syncs_is_dropped_after_the_rebalance_timeout() {
    let (mut broker, ids) = completing();
    broker.sync(sync(&ids[0], 2, &[]));
    broker.persist();
    for _ in 0..4 {
        broker.pass(5_000);
        let _ = broker.heartbeat(&ids[0], 2);
        let _ = broker.heartbeat(&ids[1], 2);
    }
    assert_eq!(broker.heartbeat(&ids[1], 2), Err(GroupError::UnknownMemberId));
    assert_eq!(broker.heartbeat(&ids[0], 2), Err(GroupError::RebalanceInProgress));
}

#[test]
fn followers_do_not_wait_for_ever_for_a_leader_that_never_syncs() {
    let (mut broker, ids) = completing();
    let follower = broker.sync(sync(&ids[1], 2, &[]));
    for _ in 0..4 {
        broker.pass(5_000);
        let _ = broker.heartbeat(&ids[0], 2);
    }
    assert_eq!(broker.synced(follower), Err(GroupError::RebalanceInProgress));
    let token = broker.join(join(&ids[1]));
    assert_eq!(broker.joined(token).leader, ids[1]);
}
