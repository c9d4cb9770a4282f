//! Commits in transactions: pending until the marker, and what a crash, a snapshot and other commits make of them.

use engine::shard::core::{MarkerKind, TransactionMarker};
use proptest::prelude::*;

use super::*;
use crate::transaction::ProducerIdentity;

const PRODUCER: ProducerIdentity = ProducerIdentity { id: 7, epoch: 2 };
const OTHER: ProducerIdentity = ProducerIdentity { id: 8, epoch: 0 };

pub(super) fn marker(ended: &EndedTransaction) -> Vec<u8> {
    let marker = TransactionMarker {
        producer_id: ended.producer.id,
        producer_epoch: ended.producer.epoch,
        coordinator_epoch: ended.coordinator_epoch,
        kind: if ended.commits { MarkerKind::Commit } else { MarkerKind::Abort },
    };
    marker.batch(0).to_vec()
}

impl Broker {
    fn commit_in(&mut self, producer: ProducerIdentity, commit: CommitRequest) -> ReplyToken {
        let seen = self.markers_seen();
        self.commit_in_after(producer, seen, commit)
    }

    fn commit_in_after(&mut self, producer: ProducerIdentity, seen: MarkersSeen, commit: CommitRequest) -> ReplyToken {
        self.send(|token| Event::CommitInTransaction(token, TransactionalCommitRequest { producer, seen, commit }))
    }

    fn markers_seen(&mut self) -> MarkersSeen {
        let token = self.send(Event::Markers);
        match self.answer(token) {
            Some(Response::Markers(Ok(seen))) => seen,
            other => panic!("no answer about markers: {other:?}"),
        }
    }

    /// As [`Broker::commit_in`], durable and acknowledged.
    fn committed_in(&mut self, producer: ProducerIdentity, offset: i64) {
        let token = self.commit_in(producer, commit("", -1, offset));
        self.persist();
        assert_eq!(self.committed(token), Ok(()));
    }

    fn send_end(&mut self, producer: ProducerIdentity, commits: bool) -> ReplyToken {
        self.send(|token| Event::TransactionEnded(token, EndedTransaction { producer, coordinator_epoch: 0, commits }))
    }

    fn end(&mut self, producer: ProducerIdentity, commits: bool) {
        let token = self.send_end(producer, commits);
        self.persist();
        assert_eq!(self.answer(token), Some(Response::Ended(Ok(()))));
    }

    /// The offset for readers that want none but stable ones.
    fn stable_offset(&mut self) -> Option<i64> {
        let topics = vec![TopicPartitions { topic: "topic".to_owned(), partitions: vec![0] }];
        let request = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            member: None,
            topics: Some(topics),
            requires_stable: true,
        };
        let token = self.send(|token| Event::OffsetFetch(token, request));
        match self.answer(token) {
            Some(Response::OffsetFetch(Ok(response))) => {
                let fetched = &response.topics[0].partitions[0];
                (!fetched.is_unstable).then_some(fetched.offset)
            }
            other => panic!("no fetch answer: {other:?}"),
        }
    }

    fn snapshot_as_log(&mut self) {
        let snapshot = self.coordinator.snapshot(self.now_ms).concat();
        // Appends on their way lie before the snapshot, and are dropped with all that lies there.
        self.persist();
        self.log = snapshot;
    }
}

#[test]
fn a_commit_in_a_transaction_is_seen_at_its_commit_and_never_after_an_abort() {
    for commits in [true, false] {
        let mut broker = Broker::new(0);
        let token = broker.commit(commit("", -1, 5));
        broker.persist();
        broker.committed(token).unwrap();

        let token = broker.commit_in(PRODUCER, commit("", -1, 42));
        assert_eq!(broker.answer(token), None, "not durable");
        assert_eq!(broker.stable_offset(), None, "from now on it may move");
        broker.persist();
        assert_eq!(broker.committed(token), Ok(()));
        assert_eq!((broker.fetched().offset, broker.stable_offset()), (5, None));

        let end = broker.send_end(PRODUCER, commits);
        assert_eq!((broker.fetched().offset, broker.stable_offset()), (5, None), "the marker is not durable");
        broker.persist();
        assert_eq!(broker.answer(end), Some(Response::Ended(Ok(()))));
        let offset = if commits { 42 } else { 5 };
        for _ in 0..2 {
            assert_eq!((broker.fetched().offset, broker.stable_offset()), (offset, Some(offset)));
            broker = broker.restarted();
        }
    }
}

#[test]
fn a_pending_commit_survives_a_crash_and_a_snapshot_and_is_decided_then() {
    for commits in [true, false] {
        for snapshot in [true, false] {
            let mut broker = Broker::new(0);
            broker.committed_in(PRODUCER, 42);
            if snapshot {
                broker.snapshot_as_log();
            }
            let mut broker = broker.restarted();
            assert_eq!((broker.fetched().offset, broker.stable_offset()), (-1, None));
            broker.end(PRODUCER, commits);
            assert_eq!(broker.stable_offset(), Some(if commits { 42 } else { -1 }));
        }
    }
}

#[test]
fn a_snapshot_while_the_marker_is_on_its_way_knows_the_decision() {
    for commits in [true, false] {
        let mut broker = Broker::new(0);
        broker.committed_in(PRODUCER, 42);
        broker.committed_in(OTHER, 50);
        broker.end(OTHER, false);
        broker.send_end(PRODUCER, commits);
        broker.snapshot_as_log();
        let mut broker = broker.restarted();
        assert_eq!(broker.stable_offset(), Some(if commits { 42 } else { -1 }), "no marker follows the snapshot");
    }
}

#[test]
fn a_marker_ends_the_transaction_of_its_producer_alone_and_in_every_group() {
    let mut broker = Broker::new(0);
    broker.committed_in(PRODUCER, 42);
    let elsewhere = CommitRequest { group_id: "another".to_owned(), ..commit("", -1, 43) };
    broker.commit_in(PRODUCER, elsewhere);
    broker.persist();
    broker.end(OTHER, true);
    assert_eq!(broker.stable_offset(), None);
    broker.end(ProducerIdentity { epoch: 3, ..PRODUCER }, true);
    assert_eq!(broker.stable_offset(), Some(42));
    let request =
        OffsetFetchRequest { group_id: "another".to_owned(), member: None, topics: None, requires_stable: true };
    let token = broker.send(|token| Event::OffsetFetch(token, request));
    let Some(Response::OffsetFetch(Ok(fetched))) = broker.answer(token) else { panic!("no answer") };
    assert_eq!(fetched.topics[0].partitions[0].offset, 43);
    assert!(broker.coordinator.transactions.is_empty());
}

#[test]
fn a_later_commit_without_a_transaction_is_not_undone() {
    for snapshot in [true, false] {
        let mut broker = Broker::new(0);
        broker.committed_in(PRODUCER, 42);
        broker.commit(commit("", -1, 60));
        if snapshot {
            broker.snapshot_as_log();
        } else {
            broker.persist();
        }
        broker.end(PRODUCER, true);
        assert_eq!(broker.fetched().offset, 60);
        assert_eq!(broker.restarted().fetched().offset, 60);
    }
}

#[test]
fn a_commit_that_is_not_durable_or_fenced_leaves_nothing_behind() {
    let mut broker = Broker::new(0);
    let token = broker.commit_in(PRODUCER, commit("", -1, 42));
    broker.fail_appends();
    assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    let token = broker.commit_in(PRODUCER, commit("", -1, 43));
    let (then, _) = broker.appends.remove(0);
    broker.handle(Event::AppendFenced(then));
    assert_eq!(broker.committed(token), Err(GroupError::InvalidProducerEpoch));
    assert_eq!(broker.stable_offset(), Some(-1));
    assert!(broker.coordinator.groups.is_empty() && broker.coordinator.transactions.is_empty());
}

#[test]
fn a_second_commit_that_fails_leaves_the_first_one_of_the_transaction() {
    let mut broker = Broker::new(0);
    broker.committed_in(PRODUCER, 42);
    let tokens = [43, 44].map(|offset| broker.commit_in(PRODUCER, commit("", -1, offset)));
    broker.fail_appends();
    for token in tokens {
        assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    }
    assert_eq!(broker.stable_offset(), None, "the first was acknowledged");
    broker.end(PRODUCER, true);
    assert_eq!(broker.stable_offset(), Some(42));
    assert_eq!(broker.restarted().stable_offset(), Some(42));
}

#[test]
fn a_commit_whose_transaction_ends_while_it_is_verified_is_refused() {
    for is_durable in [true, false] {
        let mut broker = Broker::new(0);
        let seen = broker.markers_seen();
        broker.end(OTHER, true);
        let token = broker.commit_in_after(PRODUCER, seen, commit("", -1, 42));
        broker.persist();
        assert_eq!(broker.committed(token), Ok(()), "the end of another producer's");

        let seen = broker.markers_seen();
        broker.send_end(PRODUCER, true);
        if is_durable {
            broker.persist();
        }
        let token = broker.commit_in_after(PRODUCER, seen, commit("", -1, 43));
        assert_eq!(broker.committed(token), Err(GroupError::InvalidTxnState));
        broker.persist();
        assert_eq!(broker.stable_offset(), Some(42), "nothing is left open");
    }
}

#[test]
fn a_marker_that_is_not_durable_is_told_and_decides_nothing() {
    let mut broker = Broker::new(0);
    broker.committed_in(PRODUCER, 42);
    let end = broker.send_end(PRODUCER, true);
    broker.fail_appends();
    assert_eq!(broker.answer(end), Some(Response::Ended(Err(GroupError::CoordinatorNotAvailable))));
    assert_eq!(broker.stable_offset(), None);
    broker.end(PRODUCER, true);
    assert_eq!(broker.stable_offset(), Some(42));
}

#[test]
fn members_commit_by_generation_also_while_the_group_rebalances_and_old_clients_name_nobody() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let mut outcome = |request: CommitRequest| {
        let token = broker.commit_in(PRODUCER, request);
        broker.persist();
        broker.committed(token)
    };
    assert_eq!(outcome(commit(&ids[0], generation_id, 1)), Ok(()));
    assert_eq!(outcome(commit(&ids[0], generation_id + 1, 1)), Err(GroupError::IllegalGeneration));
    assert_eq!(outcome(commit("stranger", generation_id, 1)), Err(GroupError::UnknownMemberId));
    assert_eq!(outcome(commit("", -1, 1)), Ok(()));
    let unknown = CommitRequest { group_id: "none".to_owned(), ..commit("m", 4, 1) };
    assert_eq!(outcome(unknown), Err(GroupError::IllegalGeneration));
}

#[test]
fn a_group_with_pending_offsets_is_kept_whatever_its_age_and_deleted_with_them() {
    let mut broker = Broker::new(0);
    let token = broker.commit(commit("", -1, 5));
    broker.persist();
    broker.committed(token).unwrap();
    broker.committed_in(PRODUCER, 42);
    broker.pass(30 * 24 * 60 * 60 * 1_000);
    assert!(broker.appends.is_empty());
    let token = broker.send(|token| Event::Delete(token, GROUP.to_owned()));
    // What comes after the deletion makes the group anew.
    broker.commit_in(OTHER, commit("", -1, 50));
    broker.persist();
    assert_eq!(broker.answer(token), Some(Response::Delete(Ok(()))));
    for mut broker in [broker.restarted(), broker] {
        broker.end(PRODUCER, true);
        assert_eq!(broker.fetched().offset, -1);
        broker.end(OTHER, true);
        assert_eq!(broker.fetched().offset, 50);
    }
}

#[test]
fn a_group_stays_until_the_next_check_when_all_that_it_has_committed_is_gone() {
    let mut broker = Broker::new(0);
    broker.committed_in(PRODUCER, 42);
    broker.end(PRODUCER, false);
    assert_eq!(broker.state(), GroupState::Empty);
    broker.pass(24 * 60 * 60 * 1_000);
    assert_eq!(broker.state(), GroupState::Dead);
    assert!(broker.coordinator.groups.is_empty());

    broker.commit(commit("", -1, 5));
    broker.persist();
    let topics = vec![TopicPartitions { topic: "topic".to_owned(), partitions: vec![0] }];
    broker.send(|token| Event::DeleteOffsets(token, GROUP.to_owned(), topics));
    broker.persist();
    assert_eq!((broker.fetched().offset, broker.state()), (-1, GroupState::Empty));
    let token = broker.send(|token| Event::Delete(token, GROUP.to_owned()));
    broker.persist();
    assert_eq!(broker.answer(token), Some(Response::Delete(Ok(()))));
    assert!(broker.coordinator.groups.is_empty());
}

#[test]
fn without_memory_no_more_is_pending_than_is_committed() {
    let mut broker = Broker::new(0);
    let token = broker.commit(commit("", -1, 5));
    broker.persist();
    broker.committed(token).unwrap();
    let before = broker.coordinator.memory_bytes();
    broker.coordinator.refuse_growth(true);
    broker.committed_in(PRODUCER, 42);
    assert!(broker.coordinator.memory_bytes() > before);
    broker.committed_in(PRODUCER, 43);
    let token = broker.commit_in(OTHER, commit("", -1, 50));
    assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    broker.end(PRODUCER, true);
    assert_eq!(broker.coordinator.memory_bytes(), before);
    broker.committed_in(OTHER, 50);
}

#[test]
fn pending_offsets_of_a_deleted_topic_are_forgotten() {
    let mut broker = Broker::new(0);
    broker.committed_in(PRODUCER, 42);
    assert!(broker.coordinator.committed_topics().contains("topic"));
    broker.handle(Event::TopicsDeleted(vec!["topic".to_owned()]));
    broker.pass(24 * 60 * 60 * 1_000);
    assert!(broker.coordinator.groups.is_empty());
    broker.end(PRODUCER, true);
    assert_eq!(broker.fetched().offset, -1);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Commit(i64),
    End(bool),
    /// How the oldest append ends.
    Append(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0i64..100).prop_map(Step::Commit),
        1 => any::<bool>().prop_map(Step::End),
        4 => proptest::bool::weighted(0.7).prop_map(Step::Append),
    ]
}

proptest! {
    #[test]
    fn what_was_acknowledged_last_in_a_transaction_is_what_its_commit_makes_of_it(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut broker = Broker::new(0);
        let mut under_way = std::collections::VecDeque::new();
        let (mut pending, mut committed) = (None, -1);
        for step in steps {
            match step {
                Step::Commit(offset) => {
                    broker.commit_in(PRODUCER, commit("", -1, offset));
                }
                Step::End(commits) => {
                    broker.send_end(PRODUCER, commits);
                }
                Step::Append(is_durable) => {
                    let Some(ended) = under_way.pop_front() else { continue };
                    let (then, batch) = broker.appends.remove(0);
                    if is_durable {
                        broker.log.extend_from_slice(&batch);
                        broker.handle(Event::Appended(then));
                        match ended {
                            Step::End(true) => committed = pending.take().unwrap_or(committed),
                            Step::End(false) => pending = None,
                            Step::Commit(offset) => pending = Some(offset),
                            Step::Append(_) => unreachable!("it is no append"),
                        }
                    } else {
                        broker.handle(Event::AppendFailed(then));
                    }
                }
            }
            if !matches!(step, Step::Append(_)) {
                under_way.push_back(step);
            }
            prop_assert_eq!(broker.fetched().offset, committed);
            let is_open = pending.is_some() || under_way.iter().any(|step| matches!(step, Step::Commit(_)));
            prop_assert_eq!(broker.stable_offset(), (!is_open).then_some(committed));
        }
        let mut broker = broker.restarted();
        prop_assert_eq!(broker.fetched().offset, committed);
        broker.end(PRODUCER, true);
        prop_assert_eq!(broker.fetched().offset, pending.unwrap_or(committed));
    }
}
