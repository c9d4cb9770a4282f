//! What a crash leaves: the log decides.

use super::*;

#[test]
fn a_decided_transaction_is_carried_through_after_a_crash() {
    for commits in [true, false] {
        let mut world = World::new();
        let producer = world.init().unwrap();
        world.add(producer, &[("a", 0), ("b", 1)]).unwrap();
        world.send_end(producer, commits);
        world.sync();
        let before = world.markers.clone();
        for _ in 0..2 {
            world.restart();
            assert_eq!(world.markers, before, "told once more, until the log says that all know");
        }
        assert_eq!(world.add(producer, &[("a", 0)]), Err(TransactionError::ConcurrentTransactions));
        world.tell();
        world.restart();
        assert!(world.markers.is_empty());
        assert_eq!(world.end(producer, commits), Ok(()), "its answer was lost, it asks again");
    }
}

#[test]
fn an_undecided_transaction_stays_open_with_its_time() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0)]).unwrap();
    world.now_ms += 1_000;
    // A decision that did not reach the disk is none.
    world.send_end(producer, true);
    world.restart();
    assert_eq!(world.status(), Status::Ongoing);
    assert_eq!(world.coordinator.next_deadline_ms(), Some(START_MS + i64::from(TIMEOUT_MS)));
    assert_eq!(world.end(producer, true), Ok(()));
}

#[test]
fn a_snapshot_replaces_the_log_whatever_is_under_way() {
    let mut world = World::new();
    let producer = world.init().unwrap();
    world.add(producer, &[("a", 0)]).unwrap();
    world.send_add(producer, &[("b", 7)]);
    // The append lies before the snapshot in the log, and is dropped with all that lies there.
    let snapshot = world.coordinator.snapshot(world.now_ms);
    world.sync();
    world.log = snapshot;
    let described = world.description();
    world.restart();
    assert_eq!(world.description(), described);
    assert_eq!(described.unwrap().partitions, partitions(&[("a", 0), ("b", 7)]));
}

#[test]
fn a_forgotten_id_is_not_in_a_snapshot_and_stays_forgotten() {
    let mut world = World::new();
    world.init().unwrap();
    world.pass(config().expiration_ms);
    assert!(world.coordinator.snapshot(world.now_ms).is_empty());
    world.sync();
    assert_eq!(world.description(), Err(TransactionError::TransactionalIdNotFound));
    world.restart();
    assert_eq!(world.description(), Err(TransactionError::TransactionalIdNotFound));
}

#[test]
fn nothing_is_served_while_the_log_is_replayed() {
    let mut world = World::new();
    world.coordinator = Coordinator::new(config());
    let token = world.send_init(None);
    assert_eq!(world.reply_to(token), Some(Response::Init(Err(TransactionError::CoordinatorLoadInProgress))));
    assert_eq!(world.coordinator.next_deadline_ms(), None);
}

#[test]
fn a_record_of_an_unknown_status_is_refused_and_named() {
    let mut coordinator = Coordinator::new(config());
    let key = [0, 0, 0, 1, b'a'];
    let mut value = [0; 37];
    value[16] = 77;
    let refused = coordinator.load(Some(&key), Some(&value)).unwrap_err();
    assert_eq!(refused, "unknown transaction status 77");
    assert!(coordinator.load(Some(&[9, 9]), Some(&value)).unwrap_err().starts_with("key:"));
    assert!(coordinator.load(Some(&key), Some(&value[..20])).unwrap_err().starts_with("value:"));
}
