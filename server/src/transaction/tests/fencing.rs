//! Who owns a transactional id: the newest producer, and nobody before it.

use super::*;

#[test]
fn a_second_producer_fences_the_first() {
    let mut world = World::new();
    let first = world.init().unwrap();
    assert_eq!(first.epoch, 0);
    let second = world.init().unwrap();
    assert_eq!(second, ProducerIdentity { epoch: 1, ..first });
    assert_eq!(world.add(first, &[("a", 0)]), Err(TransactionError::ProducerFenced));
    assert_eq!(world.end(first, true), Err(TransactionError::ProducerFenced));
    assert_eq!(world.init_as(Some(first)), Err(TransactionError::ProducerFenced));
    assert_eq!(world.add(second, &[("a", 0)]), Ok(()));
}

#[test]
fn a_second_producer_waits_until_the_open_transaction_of_the_first_is_aborted() {
    let mut world = World::new();
    let first = world.init().unwrap();
    world.add(first, &[("a", 0)]).unwrap();
    assert_eq!(world.init(), Err(TransactionError::ConcurrentTransactions));
    let fenced = ProducerIdentity { epoch: 1, ..first };
    assert_eq!((world.markers[0].producer, world.markers[0].commits), (fenced, false));
    assert_eq!(world.end(first, true), Err(TransactionError::ProducerFenced));
    assert_eq!(world.init(), Ok(ProducerIdentity { epoch: 2, ..first }), "the abort was carried out in between");
}

#[test]
fn a_producer_that_goes_on_after_an_error_gets_the_next_epoch_also_when_it_has_missed_the_answer() {
    let mut world = World::new();
    let first = world.init().unwrap();
    let second = world.init_as(Some(first)).unwrap();
    assert_eq!(second, ProducerIdentity { epoch: 1, ..first });
    assert_eq!(world.init_as(Some(first)), Ok(second), "asked again");
    world.add(second, &[("a", 0)]).unwrap();
    world.end(second, true).unwrap();
    assert_eq!(world.init_as(Some(first)), Ok(second), "asked again, late");
    // Another producer takes over: now the old identity is nobody.
    let third = world.init().unwrap();
    assert_eq!(world.init_as(Some(first)), Err(TransactionError::ProducerFenced));
    assert_eq!(world.init_as(Some(second)), Err(TransactionError::ProducerFenced));
    assert_eq!(world.init_as(Some(third)), Ok(ProducerIdentity { epoch: 3, ..first }));
}

#[test]
fn a_producer_whose_transaction_took_too_long_comes_back_with_the_epoch_of_the_abort() {
    let mut world = World::new();
    let first = world.init().unwrap();
    world.add(first, &[("a", 0)]).unwrap();
    world.now_ms += i64::from(TIMEOUT_MS);
    world.handle(Event::Tick);
    world.tell();
    assert_eq!(world.end(first, true), Err(TransactionError::ProducerFenced));
    let back = world.init_as(Some(first)).unwrap();
    assert_eq!(back, ProducerIdentity { epoch: 1, ..first });
    assert_eq!(world.init_as(Some(first)), Ok(back), "asked again");
    assert_eq!(world.add(back, &[("a", 0)]), Ok(()));
    // Where another one has taken over meanwhile it stays fenced.
    world.now_ms += i64::from(TIMEOUT_MS);
    world.handle(Event::Tick);
    world.tell();
    world.init().unwrap();
    assert_eq!(world.init_as(Some(back)), Err(TransactionError::ProducerFenced));
}

#[test]
fn a_slow_producer_of_the_last_epoch_comes_back_under_a_new_id() {
    let mut world = World::new();
    let mut producer = world.init().unwrap();
    for _ in 0..i16::MAX - 1 {
        producer = world.init().unwrap();
    }
    world.add(producer, &[("a", 0)]).unwrap();
    world.now_ms += i64::from(TIMEOUT_MS);
    world.handle(Event::Tick);
    world.tell();
    let rotated = world.init_as(Some(producer)).unwrap();
    assert_ne!(rotated.id, producer.id);
    assert_eq!(world.init_as(Some(producer)), Ok(rotated), "asked again");
}

#[test]
fn a_fenced_producer_cannot_abort_the_transaction_of_its_successor() {
    let mut world = World::new();
    let first = world.init().unwrap();
    let second = world.init().unwrap();
    world.add(second, &[("a", 0)]).unwrap();
    assert_eq!(world.init_as(Some(first)), Err(TransactionError::ProducerFenced));
    assert_eq!(world.end(second, true), Ok(()));
}

#[test]
fn a_producer_of_an_id_that_was_forgotten_begins_anew() {
    let mut world = World::new();
    let unknown = ProducerIdentity { id: 5, epoch: 9 };
    assert_eq!(world.add(unknown, &[("a", 0)]), Err(TransactionError::InvalidProducerIdMapping));
    assert_eq!(world.end(unknown, true), Err(TransactionError::InvalidProducerIdMapping));
    let given = world.init_as(Some(unknown)).unwrap();
    assert_eq!(given.epoch, 0);
    assert_ne!(given.id, unknown.id);
    assert_eq!(world.add(unknown, &[("a", 0)]), Err(TransactionError::InvalidProducerIdMapping));
}

#[test]
fn an_exhausted_epoch_gives_a_new_producer_id() {
    let mut world = World::new();
    let mut producer = world.init().unwrap();
    for _ in 0..i16::MAX - 1 {
        producer = world.init_as(Some(producer)).unwrap();
    }
    assert_eq!(producer.epoch, i16::MAX - 1);
    world.add(producer, &[("a", 0)]).unwrap();
    world.end(producer, true).unwrap();
    let rotated = world.init_as(Some(producer)).unwrap();
    assert_ne!(rotated.id, producer.id);
    assert_eq!(rotated.epoch, 0);
    assert_eq!(world.init_as(Some(producer)), Ok(rotated), "asked again");
    assert_eq!(world.add(producer, &[("a", 0)]), Err(TransactionError::InvalidProducerIdMapping));
    assert_eq!(world.add(rotated, &[("a", 0)]), Ok(()));
}

#[test]
fn an_open_transaction_of_the_last_epoch_is_aborted_before_the_id_changes() {
    let mut world = World::new();
    let mut producer = world.init().unwrap();
    for _ in 0..i16::MAX - 1 {
        producer = world.init().unwrap();
    }
    world.add(producer, &[("a", 0)]).unwrap();
    assert_eq!(world.init(), Err(TransactionError::ConcurrentTransactions));
    assert_eq!(world.markers[0].producer, ProducerIdentity { epoch: i16::MAX, ..producer });
    world.tell();
    let rotated = world.init().unwrap();
    assert_ne!(rotated.id, producer.id);
}
