//! The log: its records, its replay, its snapshots.

use protocol::record_batch::{BatchHeader, HEADER_BYTES, records};

use super::*;

#[test]
fn groups_hash_to_partitions_as_in_java() {
    // Java: "abc".hashCode() == 96354, "polygenelubricants" is Integer.MIN_VALUE, U+1F600 is two units.
    assert_eq!(partition_for("abc", 50), 96_354 % 50);
    assert_eq!(partition_for("polygenelubricants", 50), 0);
    assert_eq!(partition_for("\u{1f600}", i32::MAX), 1_772_899);
    assert_eq!(partition_for("", 50), 0);
}

#[test]
fn a_commit_is_written_in_kafkas_bytes() {
    let mut broker = Broker::new(0);
    broker.now_ms = 0x0102;
    broker.commit(commit("", -1, 7));
    let batch = &broker.appends[0].1;
    let header = BatchHeader::parse(batch).expect("whole");
    assert!(header.crc_is_valid(batch));
    let record = records(&header, &batch[HEADER_BYTES..]).next().expect("one record").expect("well formed");
    assert_eq!(record.key, Some(b"\0\x01\0\x05group\0\x05topic\0\0\0\0".as_slice()));
    let value = b"\0\x03\0\0\0\0\0\0\0\x07\0\0\0\x03\0\x04note\0\0\0\0\0\0\x01\x02";
    assert_eq!(record.value, Some(value.as_slice()));
}

#[test]
fn unknown_key_versions_are_skipped_and_malformed_ones_named() {
    assert_eq!(OffsetsRecord::decode(b"\0\x63anything", Some(b"")), Ok(None));
    assert_eq!(OffsetsRecord::decode(b"", None), Ok(None));
    assert!(OffsetsRecord::decode(b"\0\x01\0\x05gro", None).is_err());
    assert!(OffsetsRecord::decode(b"\0\x02\0\x01g", Some(b"\0\x03")).is_err());
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 7));
    broker.persist();
    let mut coordinator = Coordinator::new(config(0));
    let last = broker.log.len() - 1;
    broker.log[last] ^= 1;
    assert!(matches!(coordinator.load(&broker.log), Err(LoadError::WrongCrc { base_offset: 0 })));
}

#[test]
fn flexible_values_are_read() {
    // Version 4: offset 7, epoch 3, compact "note", timestamp 258, no tags.
    let value = b"\0\x04\0\0\0\0\0\0\0\x07\0\0\0\x03\x05note\0\0\0\0\0\0\x01\x02\0";
    let key = b"\0\x01\0\x05group\0\x05topic\0\0\0\0";
    let expected =
        CommittedOffset { offset: 7, leader_epoch: 3, metadata: "note".to_owned(), commit_timestamp_ms: 258 };
    let Ok(Some(OffsetsRecord::Offset { value: Some(read), .. })) = OffsetsRecord::decode(key, Some(value)) else {
        panic!("not read");
    };
    assert_eq!(read, expected);
}

#[test]
fn a_loading_coordinator_answers_that_it_loads() {
    let mut coordinator = Coordinator::new(config(0));
    let token = ReplyToken(1);
    let events = [
        Event::Join(token, join("")),
        Event::Sync(token, sync("m", 1, &[])),
        Event::Heartbeat(token, heartbeat("m", 1)),
        Event::Leave(token, leave(&[("m", None)])),
        Event::Commit(token, commit("", -1, 1)),
        Event::Markers(token),
        Event::OffsetFetch(
            token,
            OffsetFetchRequest { group_id: GROUP.to_owned(), member: None, topics: None, requires_stable: false },
        ),
        Event::Describe(token, GROUP.to_owned()),
        Event::List(token),
        Event::Delete(token, GROUP.to_owned()),
    ];
    for event in events {
        let effects = coordinator.handle(event, 0);
        assert_eq!(effects.len(), 1);
        assert!(format!("{effects:?}").contains("CoordinatorLoadInProgress"), "{effects:?}");
    }
    assert_eq!(coordinator.handle(Event::Tick, 0), []);
    assert_eq!(coordinator.next_deadline_ms(), None);
}

#[test]
fn a_stable_group_goes_on_after_a_restart() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    broker.commit(commit(&ids[0], generation_id, 42));
    broker.persist();
    let mut restarted = broker.restarted();
    assert_eq!(restarted.describe(), broker.describe());
    assert_eq!(restarted.fetched(), broker.fetched());
    assert_eq!(restarted.heartbeat(&ids[0], generation_id), Ok(()));
    let token = restarted.join(join(&ids[1]));
    assert_eq!(restarted.joined(token).generation_id, generation_id, "a follower rejoins without a rebalance");
    restarted.pass(i64::from(SESSION_MS));
    assert_eq!(restarted.describe().members.len(), 0, "who is never heard again is dropped");
}

#[test]
fn an_empty_group_keeps_its_generation_through_a_restart() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    broker.leave(&[(&ids[0], None)]);
    broker.persist();
    let mut restarted = broker.restarted();
    assert_eq!(restarted.state(), GroupState::Empty);
    let token = restarted.join(join(""));
    restarted.pass(300);
    assert_eq!(restarted.joined(token).generation_id, generation_id + 2);
}

#[test]
fn the_load_of_a_snapshot_equals_the_state() {
    let (mut broker, ids, generation_id) = Broker::stable(2);
    for partition in 0..50 {
        let mut request = commit(&ids[0], generation_id, i64::from(partition));
        request.topics[0].partitions[0].partition = partition;
        broker.commit(request);
        broker.commit(CommitRequest {
            group_id: format!("simple-{partition}"),
            ..commit("", -1, i64::from(partition) * 2)
        });
    }
    broker.persist();
    let snapshot = broker.coordinator.snapshot(broker.now_ms).concat();
    assert!(snapshot.len() < broker.log.len());
    let mut loaded = Broker::loaded_from(&snapshot, config(100), broker.now_ms);
    assert_eq!(loaded.describe(), broker.describe());
    let list = |broker: &mut Broker| {
        let token = broker.send(Event::List);
        broker.answer(token)
    };
    assert_eq!(list(&mut loaded), list(&mut broker));
    let fetch = |broker: &mut Broker, group_id: String| {
        let request = OffsetFetchRequest { group_id, member: None, topics: None, requires_stable: false };
        let token = broker.send(|token| Event::OffsetFetch(token, request));
        broker.answer(token)
    };
    for group_id in (0..50).map(|index| format!("simple-{index}")).chain([GROUP.to_owned()]) {
        assert_eq!(fetch(&mut loaded, group_id.clone()), fetch(&mut broker, group_id));
    }
    assert_eq!(loaded.coordinator.snapshot(0), broker.coordinator.snapshot(0));
}

#[test]
fn a_snapshot_does_not_undo_commits_on_their_way() {
    let mut broker = Broker::new(0);
    broker.commit(commit("", -1, 1));
    broker.persist();
    broker.commit(commit("", -1, 2));
    let mut request = commit("", -1, 3);
    request.topics[0].partitions[0].partition = 9;
    broker.commit(request);
    // The appends on their way come before the snapshot in the log.
    let mut log: Vec<u8> = broker.log.clone();
    for (_, batch) in &broker.appends {
        log.extend_from_slice(batch);
    }
    let snapshot = broker.coordinator.snapshot(0).concat();
    let alone = Broker::loaded_from(&snapshot, config(0), 0).fetched();
    log.extend_from_slice(&snapshot);
    assert_eq!(Broker::loaded_from(&log, config(0), 0).fetched().offset, 2);
    assert_eq!(alone.offset, 2);
}

#[test]
fn a_snapshot_during_a_rebalance_holds_the_last_persisted_generation() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let token = broker.join(join(&ids[0]));
    assert_eq!(broker.joined(token).generation_id, generation_id + 1);
    let snapshot = broker.coordinator.snapshot(broker.now_ms).concat();
    let mut loaded = Broker::loaded_from(&snapshot, config(0), broker.now_ms);
    // Were the new generation in it, its member would be given an assignment that nobody made.
    assert_eq!(loaded.heartbeat(&ids[0], generation_id + 1), Err(GroupError::IllegalGeneration));
    let token = loaded.sync(sync(&ids[0], generation_id, &[]));
    assert_eq!(loaded.synced(token).as_deref(), Ok(ids[0].as_str()));
}

#[test]
fn snapshot_batches_are_bounded() {
    let mut broker = Broker::new(0);
    for index in 0..1_000 {
        let mut request = CommitRequest { group_id: format!("group-{index}"), ..commit("", -1, 1) };
        request.topics[0].partitions[0].metadata = "m".repeat(4_096);
        broker.commit(request);
    }
    broker.persist();
    let snapshot = broker.coordinator.snapshot(0);
    assert!(snapshot.len() > 10);
    for batch in &snapshot {
        assert!(batch.len() <= crate::limits::OFFSETS_BATCH_BYTES_MAX);
    }
    let loaded = Broker::loaded_from(&snapshot.concat(), config(0), 0);
    assert_eq!(loaded.coordinator.snapshot(0), snapshot);
}
