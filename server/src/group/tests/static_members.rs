//! Static membership: a restart without a rebalance, and the old self fenced.

use super::*;

/// A stable group of two static members "i1" (the leader) and "i2".
fn stable() -> (Broker, Vec<String>) {
    let mut broker = Broker::new(100);
    let tokens = [broker.join(static_join("i1", 1)), broker.join(static_join("i2", 2))];
    broker.pass(300);
    let ids: Vec<_> = tokens.into_iter().map(|token| broker.joined(token).member_id).collect();
    assert!(ids[0].starts_with("i1-"));
    broker.sync_all(&ids, 1);
    (broker, ids)
}

#[test]
fn a_static_member_restarts_without_a_rebalance() {
    let (mut broker, ids) = stable();
    let token = broker.join(static_join("i2", 20));
    assert!(broker.answer(token).is_none(), "the new id is durable before it is told");
    broker.persist();
    let joined = broker.joined(token);
    assert_eq!((joined.error, joined.generation_id), (None, 1));
    assert_ne!(joined.member_id, ids[1]);
    assert_eq!(broker.state(), GroupState::Stable);
    assert_eq!(broker.heartbeat(&ids[0], 1), Ok(()));
    let token = broker.sync(sync(&joined.member_id, 1, &[]));
    assert_eq!(broker.synced(token), Ok(ids[1].clone()), "it keeps its assignment");
    let mut restarted = broker.restarted();
    assert_eq!(restarted.heartbeat(&joined.member_id, 1), Ok(()));
}

#[test]
fn the_old_id_of_a_static_member_is_fenced() {
    let (mut broker, ids) = stable();
    broker.join(static_join("i2", 20));
    broker.persist();
    let old = HeartbeatRequest { instance_id: Some("i2".to_owned()), ..heartbeat(&ids[1], 1) };
    let token = broker.send(|token| Event::Heartbeat(token, old));
    assert_eq!(broker.answer(token), Some(Response::Heartbeat(Err(GroupError::FencedInstanceId))));
    let token = broker.join(JoinRequest { member_id: ids[1].clone(), ..static_join("i2", 21) });
    assert_eq!(broker.joined(token).error, Some(GroupError::FencedInstanceId));
    let token = broker.sync(SyncRequest { instance_id: Some("i2".to_owned()), ..sync(&ids[1], 1, &[]) });
    assert_eq!(broker.synced(token), Err(GroupError::FencedInstanceId));
    let token = broker.commit(CommitRequest { instance_id: Some("i2".to_owned()), ..commit(&ids[1], 1, 5) });
    assert_eq!(broker.committed(token), Err(GroupError::FencedInstanceId));
}

#[test]
fn a_returning_static_leader_does_not_assign() {
    let (mut broker, ids) = stable();
    let token = broker.join(JoinRequest { supports_skip_assignment: true, ..static_join("i1", 10) });
    broker.persist();
    let modern = broker.joined(token);
    assert!(modern.skip_assignment);
    assert_eq!(modern.leader, modern.member_id);
    assert_eq!(modern.members.len(), 2, "it may watch the topics of all");
    let token = broker.join(static_join("i1", 11));
    broker.persist();
    let old = broker.joined(token);
    assert!(!old.skip_assignment);
    assert_ne!(old.leader, old.member_id, "an old client would assign if it were told that it leads");
    assert!(old.members.is_empty());
    assert_ne!(old.leader, ids[0]);
}

#[test]
fn a_returning_static_member_takes_its_new_timeouts() {
    let (mut broker, _) = stable();
    let request = JoinRequest { session_timeout_ms: 60_000, client_id: "renamed".to_owned(), ..static_join("i2", 20) };
    let token = broker.join(request);
    broker.persist();
    let member_id = broker.joined(token).member_id;
    broker.pass(50_000);
    let members = broker.describe().members;
    assert_eq!(members.len(), 1, "the other session has ended");
    assert_eq!((&members[0].member_id, members[0].client_id.as_str()), (&member_id, "renamed"));
}

#[test]
fn a_static_member_that_changes_the_elected_protocol_rebalances() {
    let mut broker = Broker::new(0);
    let token = broker.join(static_join("i1", 1));
    let member_id = broker.joined(token).member_id;
    broker.sync_all(&[member_id], 1);
    let protocols = vec![protocol("sticky", ""), protocol("range", "")];
    let token = broker.join(JoinRequest { protocols, ..static_join("i1", 2) });
    let joined = broker.joined(token);
    assert_eq!((joined.generation_id, joined.protocol_name.as_deref()), (2, Some("sticky")));
}

#[test]
fn a_static_member_that_returns_while_assignments_are_awaited_rebalances() {
    let (mut broker, ids) = stable();
    let leader = broker.join(JoinRequest { instance_id: Some("i1".to_owned()), ..join(&ids[0]) });
    let follower = broker.join(JoinRequest { instance_id: Some("i2".to_owned()), ..join(&ids[1]) });
    assert_eq!(broker.joined(leader).generation_id, 2);
    broker.joined(follower);
    let waiting = broker.sync(sync(&ids[1], 2, &[]));
    broker.join(static_join("i2", 20));
    assert_eq!(broker.synced(waiting), Err(GroupError::FencedInstanceId));
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
}

#[test]
fn an_answer_overtaken_by_a_rebalance_is_not_given() {
    // Found by random events: a static member came back, its session ended before the log answered, and the answer of the
    // old generation followed that of a newer one.
    let (mut broker, _) = stable();
    let token = broker.join(static_join("i2", 20));
    broker.pass(i64::from(SESSION_MS));
    broker.persist();
    assert_eq!(broker.joined(token).error, Some(GroupError::UnknownMemberId));
    let (mut broker, ids) = stable();
    let first = broker.join(static_join("i2", 20));
    let second = broker.join(static_join("i2", 21));
    broker.persist();
    assert_eq!(broker.joined(first).error, Some(GroupError::FencedInstanceId));
    let second = broker.joined(second);
    assert_eq!(second.error, None);
    assert_eq!(broker.heartbeat(&ids[0], 1), Ok(()));
}

#[test]
fn an_answer_that_cannot_be_persisted_is_an_error() {
    let (mut broker, _) = stable();
    let token = broker.join(static_join("i2", 20));
    broker.fail_appends();
    assert_eq!(broker.joined(token).error, Some(GroupError::CoordinatorNotAvailable));
}

#[test]
fn a_static_member_keeps_its_place_through_a_rebalance_until_its_session_ends() {
    let (mut broker, ids) = stable();
    let leader = broker.join(JoinRequest { instance_id: Some("i1".to_owned()), ..join(&ids[0]) });
    for _ in 0..4 {
        broker.pass(5_000);
        let _ = broker.heartbeat(&ids[1], 1);
    }
    let joined = broker.joined(leader);
    assert_eq!(joined.members.len(), 2, "it has not joined again, but it is static and alive");
    assert_eq!(joined.generation_id, 2);
}

#[test]
fn an_administrator_removes_a_static_member_by_instance_id() {
    let (mut broker, ids) = stable();
    let outcome = broker.leave(&[("", Some("i2")), ("", Some("i3")), ("wrong", Some("i1"))]);
    let expected = [Ok(()), Err(GroupError::UnknownMemberId), Err(GroupError::FencedInstanceId)];
    assert_eq!(outcome, expected);
    assert_eq!(broker.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
}
