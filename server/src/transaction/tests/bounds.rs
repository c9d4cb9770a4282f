//! What is bounded, and what is forgotten.

use super::*;
use crate::limits::{
    TRANSACTION_PARTITION_BYTES_MAX, TRANSACTIONAL_ID_BYTES_MAX, TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX,
    TRANSACTIONAL_IDS_PER_COORDINATOR_MAX,
};

fn init_of(world: &mut World, id: &str, timeout_ms: i32) -> Result<ProducerIdentity, TransactionError> {
    let token = world.token();
    let transactional_id = id.to_owned();
    let request = InitRequest { transactional_id, timeout_ms, expected: None, fresh_producer_id: 1 };
    world.handle(Event::Init(token, request));
    world.sync();
    match world.reply_to(token) {
        Some(Response::Init(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn timeouts_and_ids_have_bounds() {
    let mut world = World::new();
    for wrong in [0, -1, config().timeout_max_ms + 1] {
        assert_eq!(init_of(&mut world, ID, wrong), Err(TransactionError::InvalidTransactionTimeout));
    }
    assert!(init_of(&mut world, ID, config().timeout_max_ms).is_ok());
    let longest = "i".repeat(TRANSACTIONAL_ID_BYTES_MAX);
    assert!(init_of(&mut world, &longest, 1).is_ok());
    for wrong in ["", &(longest + "i")] {
        assert_eq!(init_of(&mut world, wrong, 1), Err(TransactionError::InvalidRequest));
    }
}

#[test]
fn a_transaction_takes_no_more_partitions_than_its_record_holds() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    let many: Vec<_> = (0..TRANSACTION_PARTITION_BYTES_MAX as i32 / 4).map(|partition| ("topic", partition)).collect();
    assert_eq!(world.add(producer, &many), Err(TransactionError::InvalidRequest));
    assert_eq!(world.status(), Status::Empty, "nothing of it was taken");
    assert_eq!(world.add(producer, &many[..many.len() - 8]), Ok(()));
    assert_eq!(world.add(producer, &many[many.len() - 8..]), Err(TransactionError::InvalidRequest));
    let snapshot = world.coordinator.snapshot(world.now_ms);
    assert!(snapshot.iter().all(|batch| batch.len() <= crate::limits::TRANSACTIONS_BATCH_BYTES_MAX));
    assert_eq!(world.end(producer, true), Ok(()));
}

#[test]
fn a_full_coordinator_refuses_new_ids_and_serves_those_that_it_has() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    for at in 1..TRANSACTIONAL_IDS_PER_COORDINATOR_MAX {
        init_of(&mut world, &at.to_string(), 1).unwrap();
    }
    assert_eq!(init_of(&mut world, "one more", 1), Err(TransactionError::CoordinatorNotAvailable));
    assert_eq!(world.add(producer, &[("a", 0)]), Ok(()));

    let mut world = World::new();
    let producer = world.init().unwrap();
    assert!(world.coordinator.memory_bytes() > 0);
    world.coordinator.refuse_growth(true);
    assert_eq!(init_of(&mut world, "one more", 1), Err(TransactionError::CoordinatorNotAvailable));
    assert_eq!(world.init().map(|next| next.id), Ok(producer.id));
}

#[test]
fn without_memory_transactions_stay_small() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    let many: Vec<_> = (0..1_000).map(|partition| ("topic", partition)).collect();
    world.coordinator.refuse_growth(true);
    assert_eq!(world.add(producer, &many[..100]), Ok(()));
    assert_eq!(world.add(producer, &many), Err(TransactionError::CoordinatorNotAvailable));
    assert_eq!(world.add(producer, &many[..100]), Ok(()), "it has these");
    world.coordinator.refuse_growth(false);
    assert_eq!(world.add(producer, &many), Ok(()));
    assert_eq!(world.end(producer, true), Ok(()));
}

#[test]
fn an_id_is_forgotten_after_its_time_but_never_with_an_open_transaction() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    let hour_ms = 60 * 60 * 1_000;
    world.pass(config().expiration_ms - hour_ms);
    assert!(world.appends.is_empty());
    world.add(producer, &[("a", 0)]).unwrap();
    world.pass(config().expiration_ms);
    world.sync();
    assert_eq!(world.status(), Status::PrepareAbort, "it has timed out, and is not forgotten");
    world.pass(config().expiration_ms);
    assert!(world.appends.is_empty(), "some partition does not know yet");
    world.tell();
    world.pass(config().expiration_ms - hour_ms);
    assert_eq!(world.status(), Status::CompleteAbort);
    world.pass(hour_ms);
    assert_eq!(world.init(), Err(TransactionError::ConcurrentTransactions), "it is on its way out");
    world.sync();
    assert_eq!(world.description(), Err(TransactionError::TransactionalIdNotFound));
    assert_ne!(world.init().unwrap().id, producer.id);
}

#[test]
fn many_ids_are_forgotten_some_at_a_time() {
    let mut world = World::new();
    let count = TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX + 500;
    for at in 0..count {
        init_of(&mut world, &at.to_string(), 1).unwrap();
    }
    world.pass(config().expiration_ms);
    assert_eq!(world.appends.len(), TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX);
    world.sync();
    let next_ms = world.coordinator.next_deadline_ms().unwrap() - world.now_ms;
    world.pass(next_ms);
    assert_eq!((world.appends.len(), next_ms < 60_000), (500, true), "the rest need not wait for the next hour");
    world.sync();
    assert!(world.coordinator.snapshot(world.now_ms).is_empty());
}

#[test]
fn an_id_whose_first_record_cannot_be_written_is_unknown() {
    let mut world = World::new();
    let token = world.send_init(None);
    assert_eq!(world.description(), Err(TransactionError::TransactionalIdNotFound));
    let again = world.send_init(None);
    assert_eq!(world.reply_to(again), Some(Response::Init(Err(TransactionError::ConcurrentTransactions))));
    world.fail_appends();
    assert_eq!(world.reply_to(token), Some(Response::Init(Err(TransactionError::CoordinatorNotAvailable))));
    assert!(world.coordinator.snapshot(world.now_ms).is_empty());
    assert_eq!(world.init().map(|producer| producer.epoch), Ok(0));
}
