//! How transactions end: by their producer, by time, and what is answered when.

use std::collections::BTreeSet;

use engine::offset::ShardId;

use super::*;

#[test]
fn a_commit_is_answered_when_every_partition_has_its_marker_and_the_id_is_free_then() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    assert_eq!(world.status(), Status::Empty);
    assert_eq!(world.add(producer, &[("a", 0), ("b", 3)]), Ok(()));
    assert_eq!(world.add(producer, &[("a", 1)]), Ok(()));
    assert_eq!(world.status(), Status::Ongoing);

    let end = world.send_end(producer, true);
    assert!(world.markers.is_empty(), "nobody is told before the decision is durable");
    world.sync();
    assert_eq!(world.status(), Status::PrepareCommit);
    let told = partitions(&[("a", 0), ("a", 1), ("b", 3)]);
    let (transactional_id, verified_on) = (ID.to_owned(), BTreeSet::new());
    let markers = Markers { transactional_id, producer, commits: true, partitions: told, verified_on };
    assert_eq!(world.markers, [markers]);
    assert_eq!(world.outcome(end), None);
    assert_eq!(world.add(producer, &[("a", 0)]), Err(TransactionError::ConcurrentTransactions));

    world.markers.clear();
    world.handle(Event::MarkersWritten(ID.to_owned()));
    assert_eq!(world.outcome(end), Some(Ok(())), "its own record need not be durable");
    assert_eq!(world.status(), Status::CompleteCommit);
    assert_eq!(world.description().unwrap().partitions, Partitions::new());
    assert_eq!(world.add(producer, &[("c", 0)]), Ok(()), "the next transaction has the same epoch");
    assert_eq!(world.end(producer, false), Ok(()));
    assert_eq!(world.status(), Status::CompleteAbort);
}

#[test]
fn an_end_that_is_asked_again_is_the_same_end_and_the_opposite_is_refused() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    assert_eq!(world.end(producer, true), Err(TransactionError::InvalidTxnState), "nothing was begun");
    for commits in [true, false] {
        world.add(producer, &[("a", 0)]).unwrap();
        let first = world.send_end(producer, commits);
        world.sync();
        let (same, opposite) = (world.send_end(producer, commits), world.send_end(producer, !commits));
        assert_eq!(world.outcome(same), Some(Err(TransactionError::ConcurrentTransactions)));
        assert_eq!(world.outcome(opposite), Some(Err(TransactionError::InvalidTxnState)));
        world.tell();
        assert_eq!(world.outcome(first), Some(Ok(())));
        assert_eq!(world.end(producer, commits), Ok(()));
        assert_eq!(world.end(producer, !commits), Err(TransactionError::InvalidTxnState));
        assert!(world.markers.is_empty());
    }
}

#[test]
fn a_partition_that_cannot_take_its_marker_holds_up_the_id_but_not_the_answer() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0)]).unwrap();
    let end = world.send_end(producer, true);
    world.sync();
    world.handle(Event::MarkersDelayed(ID.to_owned()));
    assert_eq!(world.outcome(end), Some(Ok(())), "the decision is durable");
    assert_eq!(world.add(producer, &[("a", 0)]), Err(TransactionError::ConcurrentTransactions));
    assert_eq!(world.init(), Err(TransactionError::ConcurrentTransactions));
    world.tell();
    assert_eq!(world.add(producer, &[("a", 0)]), Ok(()));
}

#[test]
fn a_change_is_refused_while_another_one_is_under_way_and_undone_when_it_cannot_be_written() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    let add = world.send_add(producer, &[("a", 0)]);
    let again = world.send_add(producer, &[("a", 0)]);
    let end = world.send_end(producer, true);
    let concurrent = Some(Err(TransactionError::ConcurrentTransactions));
    assert_eq!((world.outcome(again), world.outcome(end)), (concurrent, concurrent));
    world.fail_appends();
    assert_eq!(world.outcome(add), Some(Err(TransactionError::CoordinatorNotAvailable)));
    assert_eq!(world.status(), Status::Empty);

    world.add(producer, &[("a", 0)]).unwrap();
    let end = world.send_end(producer, true);
    world.fail_appends();
    assert_eq!(world.outcome(end), Some(Err(TransactionError::CoordinatorNotAvailable)));
    assert_eq!(world.status(), Status::Ongoing);
    assert!(world.markers.is_empty());
    assert_eq!(world.end(producer, true), Ok(()));
}

#[test]
fn partitions_that_the_transaction_has_already_cost_no_append() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0), ("a", 1)]).unwrap();
    let again = world.send_add(producer, &[("a", 1)]);
    assert!(world.appends.is_empty());
    assert_eq!(world.outcome(again), Some(Ok(())));
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted_and_its_producer_fenced() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0)]).unwrap();
    world.pass(i64::from(TIMEOUT_MS) - 1);
    world.add(producer, &[("a", 1)]).unwrap();
    assert_eq!(world.coordinator.next_deadline_ms(), Some(world.now_ms + 1), "the clock runs since it began");

    world.pass(1);
    world.fail_appends();
    assert_eq!(world.status(), Status::Ongoing);
    let retry_ms = world.coordinator.next_deadline_ms().unwrap() - world.now_ms;
    assert!(retry_ms > 0, "a disk that is full is not asked without end");
    world.pass(retry_ms);
    world.sync();
    let fenced = ProducerIdentity { epoch: producer.epoch + 1, ..producer };
    assert_eq!((world.markers[0].producer, world.markers[0].commits), (fenced, false));
    assert_eq!(world.end(producer, true), Err(TransactionError::ProducerFenced));
    world.tell();
    assert_eq!(world.status(), Status::CompleteAbort);
    let next = world.init().unwrap();
    assert_eq!(next, ProducerIdentity { epoch: producer.epoch + 2, ..producer });
    world.pass(i64::from(TIMEOUT_MS) * 2);
    assert!(world.appends.is_empty(), "nothing is open");
}

fn verification(
    producer: ProducerIdentity,
    topic: &str,
    partition: i32,
    remembered_on: Option<ShardId>,
) -> VerifyRequest {
    VerifyRequest { transactional_id: ID.to_owned(), producer, topic: topic.to_owned(), partition, remembered_on }
}

#[test]
fn the_end_names_the_shards_that_remember_the_transaction_and_no_others() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    let verify = |world: &mut World, partition, shard: Option<u32>| {
        let token = world.token();
        world.handle(Event::Verify(token, verification(producer, "a", partition, shard.map(ShardId))));
        world.outcome(token).unwrap()
    };
    let told = |world: &mut World| {
        world.send_end(producer, true);
        world.sync();
        let told = world.markers[0].verified_on.iter().map(|shard| shard.0).collect::<Vec<_>>();
        world.tell();
        told
    };
    world.add(producer, &[("a", 0)]).unwrap();
    for (partition, shard) in [(0, Some(2)), (0, Some(1)), (0, Some(2)), (0, None)] {
        assert_eq!(verify(&mut world, partition, shard), Ok(()));
    }
    assert_eq!(verify(&mut world, 1, Some(3)), Err(TransactionError::InvalidTxnState));
    assert_eq!(told(&mut world), [1, 2]);
    world.add(producer, &[("a", 0)]).unwrap();
    assert!(told(&mut world).is_empty(), "they have forgotten it");
}

#[test]
fn only_a_partition_of_the_open_transaction_is_verified() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0)]).unwrap();
    let mut verify = |producer, topic: &str, partition| {
        let token = world.token();
        world.handle(Event::Verify(token, verification(producer, topic, partition, None)));
        world.outcome(token).unwrap()
    };
    assert_eq!(verify(producer, "a", 0), Ok(()));
    assert_eq!(verify(producer, "a", 1), Err(TransactionError::InvalidTxnState));
    assert_eq!(verify(producer, "b", 0), Err(TransactionError::InvalidTxnState));
    let older = ProducerIdentity { epoch: producer.epoch - 1, ..producer };
    assert_eq!(verify(older, "a", 0), Err(TransactionError::ProducerFenced));
    let request = verification(producer, "a", 0, None);
    let again = |world: &mut World| {
        let token = world.token();
        world.handle(Event::Verify(token, request.clone()));
        world.outcome(token).unwrap()
    };
    world.send_end(producer, true);
    assert_eq!(again(&mut world), Err(TransactionError::ConcurrentTransactions), "the decision is on its way");
    world.sync();
    assert_eq!(again(&mut world), Err(TransactionError::ConcurrentTransactions), "and the markers are");
    world.tell();
    assert_eq!(again(&mut world), Err(TransactionError::InvalidTxnState));
}
