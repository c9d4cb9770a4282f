//! Joining: ids, votes, bounds, delays and what starts a rebalance.

use super::*;

#[test]
fn a_member_without_an_id_is_first_given_one() {
    let mut broker = Broker::new(0);
    let token = broker.join(JoinRequest { requires_known_member_id: true, ..join("") });
    let refused = broker.joined(token);
    assert_eq!(refused.error, Some(GroupError::MemberIdRequired));
    assert_eq!(refused.member_id, format!("client-{}", Uuid::nil()));
    assert_eq!(broker.state(), GroupState::Empty);
    let token = broker.join(JoinRequest { requires_known_member_id: true, ..join(&refused.member_id) });
    let joined = broker.joined(token);
    assert_eq!((joined.error, joined.generation_id), (None, 1));
    assert_eq!(joined.leader, refused.member_id);
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(broker.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_pending_id_that_is_never_used_is_forgotten_with_its_group() {
    let mut broker = Broker::new(0);
    let token = broker.join(JoinRequest { requires_known_member_id: true, ..join("") });
    let member_id = broker.joined(token).member_id;
    broker.pass(i64::from(SESSION_MS));
    assert_eq!(broker.state(), GroupState::Dead);
    let token = broker.join(join(&member_id));
    assert_eq!(broker.joined(token).error, Some(GroupError::UnknownMemberId));
    assert!(broker.appends.is_empty(), "nothing was worth writing");
}

#[test]
fn a_rebalance_waits_for_a_pending_member_and_goes_on_when_it_expires() {
    let (mut broker, ids, _) = Broker::stable(1);
    let pending = JoinRequest {
        requires_known_member_id: true,
        new_member_uuid: Uuid::from_u128(9),
        session_timeout_ms: 7_000,
        ..join("")
    };
    let token = broker.join(pending);
    assert_eq!(broker.joined(token).error, Some(GroupError::MemberIdRequired));
    let token = broker.join(join(&ids[0]));
    broker.pass(6_000);
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    assert_eq!(broker.answer(token), None);
    broker.pass(1_000);
    assert_eq!(broker.joined(token).error, None);
}

#[test]
fn the_first_join_waits_for_company() {
    let mut broker = Broker::new(3_000);
    let first = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(1), ..join("") });
    broker.pass(2_999);
    let second = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(2), ..join("") });
    broker.pass(1);
    assert_eq!(broker.answer(first), None, "a join during the delay extends it");
    broker.pass(3_000);
    let (first, second) = (broker.joined(first), broker.joined(second));
    assert_eq!((first.generation_id, second.generation_id), (1, 1));
    assert_eq!(first.leader, first.member_id);
    assert_eq!(second.leader, first.member_id);
    assert_eq!(first.members.len(), 2);
    assert_eq!(first.members[0].metadata, Bytes::from_static(b"topics"));
    assert!(second.members.is_empty(), "only the leader sees the others");
}

#[test]
fn the_initial_delay_ends_with_the_rebalance_timeout() {
    let mut broker = Broker::new(3_000);
    let first = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(100), ..join("") });
    for second in 0..20 {
        broker.pass(1_000);
        if second < 18 {
            broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(second), ..join("") });
        }
    }
    assert!(broker.answer(first).is_some());
    assert_eq!(broker.now_ms, i64::from(REBALANCE_MS));
}

#[test]
fn session_timeouts_are_bounded() {
    let mut broker = Broker::new(0);
    for session_timeout_ms in [5_999, 30 * 60 * 1_000 + 1, -1] {
        let token = broker.join(JoinRequest { session_timeout_ms, ..join("") });
        assert_eq!(broker.joined(token).error, Some(GroupError::InvalidSessionTimeout));
    }
    assert_eq!(broker.state(), GroupState::Dead, "a refused join leaves no group behind");
}

#[test]
fn an_empty_group_id_is_invalid() {
    let mut broker = Broker::new(0);
    let token = broker.join(JoinRequest { group_id: String::new(), ..join("") });
    assert_eq!(broker.joined(token).error, Some(GroupError::InvalidGroupId));
}

#[test]
fn a_protocol_that_not_all_speak_is_refused() {
    let (mut broker, _, _) = Broker::stable(1);
    for request in [
        JoinRequest { protocols: vec![protocol("sticky", "")], ..join("") },
        JoinRequest { protocol_type: "connect".to_owned(), ..join("") },
        JoinRequest { protocols: Vec::new(), ..join("") },
    ] {
        let token = broker.join(request);
        assert_eq!(broker.joined(token).error, Some(GroupError::InconsistentGroupProtocol));
    }
    assert_eq!(broker.state(), GroupState::Stable);
}

#[test]
fn the_protocol_with_most_votes_among_those_all_speak_wins() {
    let mut broker = Broker::new(100);
    let lists = [&["only-mine", "sticky", "range"][..], &["sticky", "range"], &["range", "sticky"]];
    let tokens: Vec<_> = (1..)
        .zip(lists)
        .map(|(uuid, names)| {
            let protocols = names.iter().map(|name| protocol(name, name)).collect();
            broker.join(JoinRequest { protocols, new_member_uuid: Uuid::from_u128(uuid), ..join("") })
        })
        .collect();
    broker.pass(1_000);
    for token in tokens {
        assert_eq!(broker.joined(token).protocol_name.as_deref(), Some("sticky"));
    }
}

#[test]
fn a_full_group_refuses_new_members_only() {
    let mut broker = Broker::with_config(GroupConfig { members_max: 1, ..config(0) });
    let token = broker.join(join(""));
    let member_id = broker.joined(token).member_id;
    let token = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(2), ..join("") });
    assert_eq!(broker.joined(token).error, Some(GroupError::GroupMaxSizeReached));
    let token = broker.join(join(&member_id));
    assert_eq!(broker.joined(token).error, None);
}

#[test]
fn metadata_beyond_the_bound_is_refused() {
    let mut broker = Broker::new(0);
    let metadata = "m".repeat(crate::limits::GROUP_MEMBER_METADATA_BYTES_MAX + 1);
    let token = broker.join(JoinRequest { protocols: vec![protocol("range", &metadata)], ..join("") });
    assert_eq!(broker.joined(token).error, Some(GroupError::InvalidRequest));
}

#[test]
fn an_unknown_id_may_not_join() {
    let mut broker = Broker::new(0);
    let token = broker.join(join("stranger"));
    assert_eq!(broker.joined(token).error, Some(GroupError::UnknownMemberId));
    let (mut broker, _, _) = Broker::stable(1);
    let token = broker.join(join("stranger"));
    assert_eq!(broker.joined(token).error, Some(GroupError::UnknownMemberId));
}

#[test]
fn a_second_member_rebalances_the_group() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let second = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(2), ..join("") });
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Err(GroupError::RebalanceInProgress));
    let token = broker.sync(sync(&ids[0], generation_id, &[]));
    assert_eq!(broker.synced(token), Err(GroupError::RebalanceInProgress));
    let first = broker.join(join(&ids[0]));
    let (first, second) = (broker.joined(first), broker.joined(second));
    assert_eq!(first.generation_id, generation_id + 1);
    assert_eq!(first.leader, ids[0], "the leader stays");
    assert_eq!(first.members.len(), 2);
    broker.sync_all(&[first.member_id, second.member_id], generation_id + 1);
}

#[test]
fn a_leader_that_joins_again_rebalances_and_who_does_not_follow_is_dropped() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    let leader = broker.join(join(&ids[0]));
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    // Heartbeats keep the follower's session alive, but it does not join again.
    for _ in 0..4 {
        broker.pass(5_000);
        let _ = broker.heartbeat(&ids[1], generation_id);
    }
    let joined = broker.joined(leader);
    assert_eq!((joined.error, joined.generation_id), (None, generation_id + 1));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(broker.heartbeat(&ids[1], generation_id), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_follower_that_joins_again_unchanged_hears_the_current_generation() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    let token = broker.join(join(&ids[1]));
    let joined = broker.joined(token);
    assert_eq!((joined.error, joined.generation_id), (None, generation_id));
    assert_eq!(joined.leader, ids[0]);
    assert!(joined.members.is_empty());
    assert_eq!(broker.state(), GroupState::Stable);
}

#[test]
fn a_follower_with_new_metadata_rebalances() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    let token = broker.join(JoinRequest { protocols: vec![protocol("range", "more")], ..join(&ids[1]) });
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    let leader = broker.join(join(&ids[0]));
    assert_eq!(broker.joined(token).generation_id, generation_id + 1);
    let metadata: Vec<_> = broker.joined(leader).members.into_iter().map(|member| member.metadata).collect();
    assert!(metadata.contains(&Bytes::from_static(b"more")));
}

#[test]
fn a_cooperative_rebalance_is_two_generations() {
    // After the first assignment the followers revoke, and one of them joins again with other owned partitions.
    let (mut broker, ids, generation_id) = Broker::stable(2);
    for round in 1..=2 {
        let owned = vec![protocol("range", &format!("owned in round {round}"))];
        let follower = broker.join(JoinRequest { protocols: owned, ..join(&ids[1]) });
        assert_eq!(broker.heartbeat(&ids[0], generation_id + round - 1), Err(GroupError::RebalanceInProgress));
        let leader = broker.join(join(&ids[0]));
        assert_eq!(broker.joined(leader).generation_id, generation_id + round);
        assert_eq!(broker.joined(follower).generation_id, generation_id + round);
        broker.sync_all(&ids, generation_id + round);
    }
}

#[test]
fn a_lost_join_answer_is_repeated_while_assignments_are_awaited() {
    let mut broker = Broker::new(0);
    let token = broker.join(join(""));
    let first = broker.joined(token);
    let token = broker.join(join(&first.member_id));
    assert_eq!(broker.joined(token), first);
    assert_eq!(broker.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_superseded_join_is_answered_too() {
    let (mut broker, ids, _) = Broker::stable(2);
    let lost = broker.join(join(&ids[0]));
    let again = broker.join(join(&ids[0]));
    assert_eq!(broker.joined(lost).error, Some(GroupError::RebalanceInProgress));
    assert_eq!(broker.answer(again), None);
}

#[test]
fn a_silent_member_is_dropped_after_its_session() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    broker.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Ok(()));
    broker.pass(1);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Err(GroupError::RebalanceInProgress));
    assert_eq!(broker.heartbeat(&ids[1], generation_id), Err(GroupError::UnknownMemberId));
    let token = broker.join(join(&ids[0]));
    assert_eq!(broker.joined(token).members.len(), 1);
}

#[test]
fn a_waiting_join_counts_as_alive() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    let token = broker.join(join(&ids[0]));
    for _ in 0..3 {
        broker.pass(6_000);
        assert_eq!(broker.heartbeat(&ids[1], generation_id), Err(GroupError::RebalanceInProgress));
    }
    broker.pass(2_000);
    assert_eq!(broker.joined(token).error, None, "18 seconds without a heartbeat, but waiting");
}

#[test]
fn heartbeats_are_judged_by_member_and_generation() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Ok(()));
    assert_eq!(broker.heartbeat(&ids[0], generation_id + 1), Err(GroupError::IllegalGeneration));
    assert_eq!(broker.heartbeat("stranger", generation_id), Err(GroupError::UnknownMemberId));
    let mut broker = Broker::new(0);
    assert_eq!(broker.heartbeat("stranger", 1), Err(GroupError::UnknownMemberId));
    let nowhere = HeartbeatRequest { group_id: String::new(), ..heartbeat("stranger", 1) };
    let token = broker.send(|token| Event::Heartbeat(token, nowhere));
    assert_eq!(broker.answer(token), Some(Response::Heartbeat(Err(GroupError::InvalidGroupId))));
    let token = broker.join(join(""));
    let member_id = broker.joined(token).member_id;
    assert_eq!(broker.heartbeat(&member_id, 1), Ok(()), "completing a rebalance is fine");
}

#[test]
fn the_last_member_to_leave_empties_the_group() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    assert_eq!(broker.leave(&[(&ids[0], None), ("stranger", None)]), [Ok(()), Err(GroupError::UnknownMemberId)]);
    assert_eq!(broker.state(), GroupState::Empty);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Err(GroupError::UnknownMemberId));
    broker.persist();
    let token = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(7), ..join("") });
    broker.pass(300);
    assert!(broker.joined(token).generation_id > generation_id + 1, "the generation goes on");
}

#[test]
fn a_member_that_leaves_rebalances_the_rest() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    assert_eq!(broker.leave(&[(&ids[0], None)]), [Ok(())]);
    assert_eq!(broker.heartbeat(&ids[1], generation_id), Err(GroupError::RebalanceInProgress));
    let token = broker.join(join(&ids[1]));
    assert_eq!(broker.joined(token).leader, ids[1], "the leader left");
}

#[test]
fn nobody_leaves_a_group_that_is_not_there_and_each_hears_it_for_itself() {
    let mut broker = Broker::new(0);
    let unknown = Err(GroupError::UnknownMemberId);
    assert_eq!(broker.leave(&[("stranger", None), ("", Some("instance"))]), [unknown, unknown]);
    // Offsets may be committed under the empty id: it is still no group to be a member of.
    broker.commit(CommitRequest { group_id: String::new(), ..commit("", -1, 1) });
    broker.persist();
    let nameless = LeaveRequest { group_id: String::new(), ..leave(&[("stranger", None)]) };
    let token = broker.send(|token| Event::Leave(token, nameless));
    assert_eq!(broker.answer(token), Some(Response::Leave(Err(GroupError::InvalidGroupId))));
    let token = broker.send(|token| Event::DeleteOffsets(token, String::new(), Vec::new()));
    assert_eq!(broker.answer(token), Some(Response::DeleteOffsets(Err(GroupError::InvalidGroupId))));
}

#[test]
fn a_pending_member_may_leave() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let token = broker.join(JoinRequest { requires_known_member_id: true, ..join("") });
    let pending = broker.joined(token).member_id;
    assert_eq!(broker.leave(&[(&pending, None)]), [Ok(())]);
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Ok(()), "nobody else is disturbed");
}
