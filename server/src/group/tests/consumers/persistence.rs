//! What the log says of groups of the consumer protocol, and what is left of them after a crash.

use super::*;
use crate::group::OffsetsRecord;
use crate::group::consumer::ConsumerState;
use protocol::record_batch::{HEADER_BYTES, batches, records};

fn state(broker: &Broker) -> ConsumerState {
    broker.coordinator.groups[GROUP].consumers.as_ref().expect("a group of consumers").state().clone()
}

#[test]
fn the_log_holds_the_state_in_force() {
    let mut broker = Broker::with_topics(&[("t", 4)]);
    let (_, all) = broker.assigned(joins_as("m1", "i1", &["t"]));
    broker.assigned(ConsumerHeartbeatRequest {
        regex: Some("t.*".into()),
        rack_id: Some("r".into()),
        ..joins("m2", &[])
    });
    let request = ConsumerHeartbeatRequest { instance_id: Some("i1".to_owned()), ..beats_with("m1", 1, &all) };
    broker.assigned(request);
    let before = state(&broker);
    broker.come_back();
    assert_eq!(state(&broker), before);
    // And so does the snapshot, which is all that is left of the log.
    broker.log = broker.coordinator.snapshot(0).concat();
    broker.come_back();
    assert_eq!(state(&broker), before);
    assert_eq!(broker.stands(), (GroupState::Reconciling, 2, 2));
}

#[test]
fn members_go_on_after_a_crash_and_get_a_whole_session_to_be_heard() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let (_, all) = broker.assigned(joins("m1", &["t"]));
    broker.pass(44_000);
    broker.come_back();
    broker.pass(44_000);
    assert_eq!(broker.hear(beats_with("m1", 1, &all)).unwrap().member_epoch, 1);
    assert_eq!(broker.stands(), (GroupState::Stable, 1, 1));
}

#[test]
fn who_held_a_partition_before_the_crash_holds_it_until_it_gives_it_up() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let (_, all) = broker.assigned(joins("m1", &["t"]));
    broker.assigned(joins("m2", &["t"]));
    broker.come_back();
    assert_eq!(broker.hear(beats_with("m2", 2, &Partitions::new())).unwrap().assignment, None);
    let (_, kept) = broker.assigned(beats_with("m1", 1, &all));
    broker.come_back();
    assert_eq!(broker.hear(beats_with("m2", 2, &Partitions::new())).unwrap().assignment, None);
    broker.hear(beats_with("m1", 1, &kept)).unwrap();
    assert!(broker.hear(beats("m2", 2)).unwrap().assignment.is_some());
}

#[test]
fn a_change_that_is_not_durable_is_not_made_and_the_log_is_told_all_before_the_next() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins("m1", &["t"]));
    let token = broker.say(joins("m2", &["t"]));
    // It may be in the log all the same.
    let failed: Vec<u8> = broker.appends.iter().flat_map(|(_, batch)| batch.clone()).collect();
    broker.fail_appends();
    assert_eq!(broker.said(token).unwrap_err().error, GroupError::CoordinatorNotAvailable);
    assert_eq!(broker.stands(), (GroupState::Stable, 1, 1));
    broker.log.extend(failed);
    assert_eq!(broker.hear(beats("m1", 1)), Err(GroupError::CoordinatorNotAvailable), "the log is told first");
    assert!(broker.hear(beats("m1", 1)).is_ok());
    let before = state(&broker);
    broker.come_back();
    assert_eq!(state(&broker), before);
    assert!(!before.members.contains_key("m2"));
}

#[test]
fn a_group_whose_first_change_failed_is_not_there_and_can_be_made_again() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let token = broker.say(joins("m1", &["t"]));
    broker.fail_appends();
    assert_eq!(broker.said(token).unwrap_err().error, GroupError::CoordinatorNotAvailable);
    assert_eq!(broker.hear(joins("m1", &["t"])), Err(GroupError::CoordinatorNotAvailable), "the log is told first");
    assert_eq!(broker.assigned(joins("m1", &["t"])).0, 1);
}

#[test]
fn a_snapshot_holds_a_change_that_is_on_its_way() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins("m1", &["t"]));
    let token = broker.say(joins("m2", &["t"]));
    let snapshot = broker.coordinator.snapshot(0).concat();
    broker.persist();
    broker.said(token).unwrap();
    let before = state(&broker);
    broker.log = snapshot;
    broker.come_back();
    assert_eq!(state(&broker), before);
}

#[test]
fn offsets_of_an_empty_group_expire_and_the_group_with_them() {
    let mut broker = Broker::with_topics(&[("topic", 1)]);
    broker.assigned(joins("m1", &["topic"]));
    broker.is_committed(commit("m1", 1, 5)).unwrap();
    let retention_ms = broker.coordinator.config.offsets_retention_ms;
    for _ in 0..3 {
        broker.pass(retention_ms / 2);
        broker.persist();
        let request = joins("m1", &["topic"]);
        broker.hear(request).unwrap();
        assert_eq!(broker.fetched().offset, 5, "with members nothing expires");
    }
    broker.hear(beats("m1", -1)).unwrap();
    broker.pass(retention_ms + 2 * broker.coordinator.config.offsets_retention_check_interval_ms);
    broker.persist();
    assert_eq!(broker.fetched().offset, -1);
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
    broker.come_back();
    assert!(broker.coordinator.groups.is_empty());
}

#[test]
fn records_are_read_as_they_were_written() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins_as("m1", "i1", &["t"]));
    broker.hear(ConsumerHeartbeatRequest { instance_id: Some("i1".to_owned()), ..beats("m1", -1) }).unwrap();
    let mut read = 0;
    for batch in batches(&broker.log) {
        let (header, batch) = batch.unwrap();
        for record in records(&header, &batch[HEADER_BYTES..]) {
            let record = record.unwrap();
            let decoded = OffsetsRecord::decode(record.key.unwrap(), record.value).unwrap().expect("ours");
            let OffsetsRecord::Consumer { group_id, record: decoded } = decoded else { panic!("{decoded:?}") };
            let (key, value) = decoded.encode(&group_id);
            assert_eq!((Some(&key[..]), value.as_deref()), (record.key, record.value));
            read += 1;
        }
    }
    assert!(read >= 9, "{read}");
}
