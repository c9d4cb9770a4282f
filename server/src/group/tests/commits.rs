//! Committed offsets: who may commit when, what is seen when, and how long it is kept.

use super::*;

const MINUTE_MS: i64 = 60_000;
const RETENTION_MS: i64 = 7 * 24 * 60 * MINUTE_MS;

#[test]
fn a_commit_is_not_visible_nor_acknowledged_until_durable() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let token = broker.commit(commit(&ids[0], generation_id, 42));
    assert_eq!(broker.answer(token), None);
    assert_eq!(broker.fetched().offset, -1);
    broker.persist();
    assert_eq!(broker.committed(token), Ok(()));
    let fetched = broker.fetched();
    assert_eq!((fetched.offset, fetched.leader_epoch, fetched.metadata.as_str()), (42, 3, "note"));
}

#[test]
fn a_commit_that_is_not_durable_is_refused_and_never_seen() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let token = broker.commit(commit(&ids[0], generation_id, 42));
    broker.fail_appends();
    assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(broker.fetched().offset, -1);
}

#[test]
fn each_state_answers_a_commit_with_its_code() {
    let mut broker = Broker::new(0);
    let outcome = |broker: &mut Broker, request: CommitRequest| {
        let token = broker.commit(request);
        broker.persist();
        broker.committed(token)
    };
    // No group: an offset alone makes one, a generation cannot be right.
    assert_eq!(outcome(&mut broker, commit("m", 1, 1)), Err(GroupError::GroupIdNotFound));
    assert_eq!(outcome(&mut broker, commit("", -1, 1)), Ok(()));
    assert_eq!(broker.state(), GroupState::Empty);
    assert_eq!(outcome(&mut broker, commit("m", 1, 1)), Err(GroupError::UnknownMemberId));
    // CompletingRebalance.
    let token = broker.join(join(""));
    let member_id = broker.joined(token).member_id;
    assert_eq!(outcome(&mut broker, commit(&member_id, 1, 1)), Err(GroupError::RebalanceInProgress));
    // Stable.
    broker.sync_all(std::slice::from_ref(&member_id), 1);
    assert_eq!(outcome(&mut broker, commit(&member_id, 1, 1)), Ok(()));
    assert_eq!(outcome(&mut broker, commit(&member_id, 2, 1)), Err(GroupError::IllegalGeneration));
    assert_eq!(outcome(&mut broker, commit("stranger", 1, 1)), Err(GroupError::UnknownMemberId));
    assert_eq!(outcome(&mut broker, commit("", -1, 1)), Err(GroupError::UnknownMemberId));
    // PreparingRebalance: members commit before they join again.
    broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(5), ..join("") });
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    assert_eq!(outcome(&mut broker, commit(&member_id, 1, 2)), Ok(()));
    assert_eq!(broker.fetched().offset, 2);
}

#[test]
fn a_commit_counts_as_a_sign_of_life() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    for offset in 0..5 {
        broker.pass(i64::from(SESSION_MS) - 1);
        let token = broker.commit(commit(&ids[0], generation_id, offset));
        broker.persist();
        assert_eq!(broker.committed(token), Ok(()));
    }
}

#[test]
fn metadata_beyond_the_bound_refuses_its_partition_only() {
    let mut broker = Broker::new(0);
    let mut request = commit("", -1, 1);
    let fine = CommitPartition { partition: 1, metadata: "m".repeat(4_096), ..request.topics[0].partitions[0].clone() };
    request.topics[0].partitions[0].metadata = "m".repeat(4_097);
    request.topics[0].partitions.push(fine);
    let token = broker.commit(request);
    broker.persist();
    let Some(Response::Commit(response)) = broker.answer(token) else { panic!("no answer") };
    let expected = vec![(0, Err(GroupError::OffsetMetadataTooLarge)), (1, Ok(()))];
    assert_eq!(response.topics[0].partitions, expected);
    let token = broker.send(|token| {
        Event::OffsetFetch(
            token,
            OffsetFetchRequest { group_id: GROUP.to_owned(), member: None, topics: None, requires_stable: false },
        )
    });
    let Some(Response::OffsetFetch(Ok(all))) = broker.answer(token) else { panic!("no answer") };
    assert_eq!(all.topics.len(), 1);
    assert_eq!(all.topics[0].partitions.len(), 1);
    assert_eq!(all.topics[0].partitions[0].metadata.len(), 4_096);
}

#[test]
fn a_commit_larger_than_a_batch_is_refused_whole() {
    let mut broker = Broker::new(0);
    let mut request = commit("", -1, 1);
    let one = CommitPartition { metadata: "m".repeat(4_096), ..request.topics[0].partitions[0].clone() };
    request.topics[0].partitions = (0..300).map(|partition| CommitPartition { partition, ..one.clone() }).collect();
    let token = broker.commit(request);
    assert_eq!(broker.committed(token), Err(GroupError::InvalidCommitOffsetSize));
    assert_eq!(broker.state(), GroupState::Dead);
}

#[test]
fn a_group_cannot_commit_without_bound() {
    let mut broker = Broker::new(0);
    let mut request = commit("", -1, 1);
    let one = request.topics[0].partitions[0].clone();
    let partitions = 0..=crate::limits::GROUP_OFFSETS_MAX as i32;
    request.topics[0].partitions = partitions.map(|partition| CommitPartition { partition, ..one.clone() }).collect();
    let token = broker.commit(request);
    assert_eq!(broker.committed(token), Err(GroupError::InvalidCommitOffsetSize));
}

#[test]
fn a_late_answer_of_an_older_append_does_not_undo_a_newer_commit() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 1));
    broker.commit(commit("", -1, 2));
    for (then, _) in std::mem::take(&mut broker.appends).into_iter().rev() {
        broker.handle(Event::Appended(then));
    }
    assert_eq!(broker.fetched().offset, 2);
}

#[test]
fn offsets_outlive_the_last_member_by_the_retention() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    broker.commit(commit(&ids[0], generation_id, 42));
    broker.persist();
    broker.pass(1);
    broker.leave(&[(&ids[0], None)]);
    broker.persist();
    broker.pass(RETENTION_MS - 1);
    broker.persist();
    assert_eq!(broker.fetched().offset, 42);
    broker.pass(10 * MINUTE_MS);
    assert_eq!(broker.appends.len(), 1, "tombstones");
    assert_eq!(broker.fetched().offset, 42, "and what is not durably gone is there");
    broker.persist();
    assert_eq!(broker.fetched().offset, -1);
    assert_eq!(broker.state(), GroupState::Dead);
    assert_eq!(broker.restarted().state(), GroupState::Dead);
    assert_eq!(broker.restarted().fetched().offset, -1);
}

#[test]
fn offsets_of_a_group_with_members_are_kept() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    broker.commit(commit(&ids[0], generation_id, 42));
    broker.persist();
    // Months, with a heartbeat now and then.
    broker.coordinator.config.offsets_retention_ms = MINUTE_MS;
    for _ in 0..1_000 {
        broker.pass(5_000);
        assert_eq!(broker.heartbeat(&ids[0], generation_id), Ok(()));
    }
    assert_eq!(broker.fetched().offset, 42);
}

#[test]
fn a_commit_of_a_group_without_members_starts_its_own_retention() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 1));
    broker.persist();
    broker.pass(RETENTION_MS / 2);
    broker.commit(commit("", -1, 2));
    broker.persist();
    broker.pass(RETENTION_MS / 2 + 20 * MINUTE_MS);
    broker.persist();
    assert_eq!(broker.fetched().offset, 2);
    broker.pass(RETENTION_MS / 2);
    broker.persist();
    assert_eq!(broker.fetched().offset, -1);
}

#[test]
fn a_member_that_joins_while_tombstones_are_on_their_way_keeps_the_group() {
    let (mut broker, ids, _) = Broker::stable(1);
    broker.leave(&[(&ids[0], None)]);
    broker.persist();
    broker.pass(10 * MINUTE_MS);
    assert_eq!(broker.appends.len(), 1, "a group without offsets is forgotten at the next check");
    let token = broker.join(JoinRequest { new_member_uuid: Uuid::from_u128(6), ..join("") });
    broker.pass(300);
    let joined = broker.joined(token);
    broker.sync_all(std::slice::from_ref(&joined.member_id), joined.generation_id);
    assert_eq!(broker.state(), GroupState::Stable);
    assert_eq!(broker.restarted().heartbeat(&joined.member_id, joined.generation_id), Ok(()));
}
