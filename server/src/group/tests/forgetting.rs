//! Deleted groups and deleted topics.

use super::*;

fn delete(broker: &mut Broker) -> ReplyToken {
    broker.send(|token| Event::Delete(token, GROUP.to_owned()))
}

fn deleted(broker: &mut Broker, token: ReplyToken) -> Result<(), GroupError> {
    match broker.answer(token) {
        Some(Response::Delete(outcome)) => outcome,
        other => panic!("no delete answer: {other:?}"),
    }
}

#[test]
fn a_group_is_deleted_once_its_tombstones_are_durable() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    broker.persist();
    let token = delete(&mut broker);
    assert_eq!(broker.answer(token), None, "not before it is durable");
    assert_eq!(broker.fetched().offset, 7);
    broker.persist();
    assert_eq!(deleted(&mut broker, token), Ok(()));
    for mut broker in [broker.restarted(), broker] {
        assert_eq!(broker.fetched().offset, -1);
        assert_eq!(broker.state(), GroupState::Dead);
        let again = delete(&mut broker);
        assert_eq!(deleted(&mut broker, again), Err(GroupError::GroupIdNotFound));
    }
}

#[test]
fn a_commit_on_its_way_is_deleted_with_its_group() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    let token = delete(&mut broker);
    broker.persist();
    assert_eq!(deleted(&mut broker, token), Ok(()));
    assert_eq!(broker.fetched().offset, -1);
    assert_eq!(broker.restarted().fetched().offset, -1);
}

#[test]
fn a_group_with_members_is_not_deleted_and_one_that_they_left_is() {
    let (mut broker, ids, _) = Broker::stable(1);
    let token = delete(&mut broker);
    assert_eq!(deleted(&mut broker, token), Err(GroupError::NonEmptyGroup));
    broker.leave(&[(&ids[0], None)]);
    let token = delete(&mut broker);
    broker.persist();
    assert_eq!(deleted(&mut broker, token), Ok(()));
    assert_eq!(broker.restarted().state(), GroupState::Dead);
}

#[test]
fn a_delete_that_is_not_durable_changes_nothing_and_says_so() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    broker.persist();
    let token = delete(&mut broker);
    broker.fail_appends();
    assert_eq!(deleted(&mut broker, token), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(broker.fetched().offset, 7);
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten_also_those_on_their_way() {
    let mut broker = Broker::new(0);
    let mut other = commit("", -1, 5);
    other.topics[0].topic = "other".to_owned();
    broker.commit(other);
    broker.commit(commit("", -1, 7));
    broker.persist();
    let mut late = commit("", -1, 8);
    late.topics[0].partitions[0].partition = 3;
    broker.commit(late);
    broker.handle(Event::TopicsDeleted(vec!["topic".to_owned()]));
    broker.persist();
    for broker in [broker.restarted(), broker] {
        assert_eq!(broker.coordinator.committed_topics().into_iter().collect::<Vec<_>>(), ["other"]);
    }
}

#[test]
fn a_snapshot_does_not_bring_back_a_group_whose_deletion_is_on_its_way() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    broker.commit(commit(&ids[0], generation_id, 7));
    broker.leave(&[(&ids[0], None)]);
    broker.persist();
    delete(&mut broker);
    // The tombstones come before the snapshot in the log.
    let mut log = broker.log.clone();
    for (_, batch) in &broker.appends {
        log.extend_from_slice(batch);
    }
    log.extend_from_slice(&broker.coordinator.snapshot(broker.now_ms).concat());
    let mut loaded = Broker::loaded_from(&log, config(0), broker.now_ms);
    assert_eq!(loaded.state(), GroupState::Dead);
    assert_eq!(loaded.fetched().offset, -1);
}

#[test]
fn a_snapshot_holds_a_group_that_was_made_anew_behind_its_deletion() {
    let (mut broker, ids, _) = Broker::stable(1);
    broker.leave(&[(&ids[0], None)]);
    broker.persist();
    delete(&mut broker);
    let token = broker.join(join(""));
    broker.pass(300);
    let joined = broker.joined(token);
    broker.sync(sync(&joined.member_id, joined.generation_id, &[(&joined.member_id, "all")]));
    let snapshot = broker.coordinator.snapshot(broker.now_ms).concat();
    let mut loaded = Broker::loaded_from(&snapshot, config(0), broker.now_ms);
    assert_eq!(loaded.heartbeat(&joined.member_id, joined.generation_id), Ok(()));
}

fn delete_offsets(broker: &mut Broker, topic: &str, partitions: Vec<i32>) -> ReplyToken {
    let asked = vec![TopicPartitions { topic: topic.to_owned(), partitions }];
    broker.send(|token| Event::DeleteOffsets(token, GROUP.to_owned(), asked))
}

type Outcomes = Vec<(i32, Result<(), GroupError>)>;

fn offsets_deleted(broker: &mut Broker, token: ReplyToken) -> Result<Outcomes, GroupError> {
    match broker.answer(token) {
        Some(Response::DeleteOffsets(outcome)) => outcome.map(|outcomes| outcomes.topics[0].partitions.clone()),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn single_offsets_are_forgotten_once_that_is_durable_and_the_group_stays() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    broker.persist();
    let token = delete_offsets(&mut broker, "topic", vec![0, 5]);
    assert_eq!((broker.answer(token), broker.fetched().offset), (None, 7), "not before it is durable");
    broker.persist();
    assert_eq!(offsets_deleted(&mut broker, token), Ok(vec![(0, Ok(())), (5, Ok(()))]));
    assert_eq!(broker.fetched().offset, -1);
    assert_eq!(broker.restarted().fetched().offset, -1);
    let token = delete_offsets(&mut broker, "topic", vec![0]);
    assert_eq!(offsets_deleted(&mut broker, token), Ok(vec![(0, Ok(()))]));
    let mut broker = broker.restarted();
    let token = delete_offsets(&mut broker, "topic", vec![0]);
    assert_eq!(offsets_deleted(&mut broker, token), Err(GroupError::GroupIdNotFound), "nothing was left of it");
}

#[test]
fn a_commit_on_its_way_is_forgotten_and_a_forgetting_that_fails_says_so() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    let token = delete_offsets(&mut broker, "topic", vec![0]);
    broker.persist();
    assert_eq!(offsets_deleted(&mut broker, token), Ok(vec![(0, Ok(()))]));
    assert_eq!(broker.fetched().offset, -1);
    broker.commit(commit("", -1, 8));
    broker.persist();
    let token = delete_offsets(&mut broker, "topic", vec![0]);
    broker.fail_appends();
    assert_eq!(offsets_deleted(&mut broker, token), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(broker.fetched().offset, 8);
}

#[test]
fn offsets_of_a_topic_that_a_member_may_read_stay() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    broker.commit(commit(&ids[0], generation_id, 7));
    broker.persist();
    // Its metadata says nothing that could be read.
    let token = delete_offsets(&mut broker, "topic", vec![0]);
    assert_eq!(offsets_deleted(&mut broker, token), Ok(vec![(0, Err(GroupError::GroupSubscribedToTopic))]));
    assert_eq!(broker.fetched().offset, 7);
    let mut connect = Broker::new(0);
    connect.join(JoinRequest { protocol_type: "connect".to_owned(), ..join("") });
    let token = delete_offsets(&mut connect, "topic", vec![0]);
    assert_eq!(offsets_deleted(&mut connect, token), Err(GroupError::NonEmptyGroup));
}
