//! Who is a member: joins, leaves, epochs, instance ids, sessions.

use super::*;

const CONSUMER_SESSION_MS: i64 = 45_000;

#[test]
fn the_first_member_gets_everything_in_epoch_1_once_that_is_durable() {
    let mut broker = Broker::with_topics(&[("t", 3)]);
    let token = broker.say(joins("m1", &["t"]));
    assert_eq!(broker.answer(token), None, "nothing is told before it is durable");
    broker.persist();
    let heard = broker.said(token).unwrap();
    assert_eq!((heard.member_id.as_str(), heard.member_epoch, heard.heartbeat_interval_ms), ("m1", 1, 5_000));
    assert_eq!(heard.assignment, Some(partitions(&[("t", &[0, 1, 2])])));
    assert_eq!(broker.stands(), (GroupState::Stable, 1, 1));
    // Nothing is new, nothing is written.
    let token = broker.say(beats("m1", 1));
    assert_eq!(broker.said(token).unwrap().assignment, None);
}

#[test]
fn a_member_without_an_id_is_given_one() {
    let mut broker = Broker::with_topics(&[("t", 1)]);
    let heard = broker.hear(ConsumerHeartbeatRequest { makes_its_id: false, ..joins("", &["t"]) }).unwrap();
    assert_eq!(heard.member_id, Uuid::from_u128(99).to_string());
}

#[test]
fn what_is_malformed_is_refused_before_any_group_is_made() {
    let mut broker = Broker::with_topics(&[("t", 1)]);
    let right = joins("m1", &["t"]);
    let text = |text: &str| Some(text.to_owned());
    for (wrong, error) in [
        (ConsumerHeartbeatRequest { group_id: " ".into(), ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { member_id: String::new(), ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { instance_id: text(""), ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { rack_id: text(""), ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { rebalance_timeout_ms: -1, ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { owned: None, ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { topics: None, ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { member_epoch: -2, ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { member_epoch: -3, ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { rack_id: Some("r".repeat(1_025)), ..right.clone() }, GroupError::InvalidRequest),
        (ConsumerHeartbeatRequest { assignor: text("mine"), ..right.clone() }, GroupError::UnsupportedAssignor),
        (ConsumerHeartbeatRequest { regex: text("("), ..right.clone() }, GroupError::InvalidRegularExpression),
        (beats("m1", 1), GroupError::GroupIdNotFound),
        (beats("m1", -1), GroupError::GroupIdNotFound),
    ] {
        assert_eq!(broker.hear(wrong.clone()), Err(error), "{wrong:?}");
    }
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
    assert!(broker.log.is_empty());
}

#[test]
fn an_epoch_that_is_not_the_members_is_fenced_unless_it_missed_an_answer() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let (_, all) = broker.assigned(joins("m1", &["t"]));
    assert_eq!(broker.hear(beats("m2", 1)), Err(GroupError::UnknownMemberId));
    assert_eq!(broker.hear(beats("m1", 2)), Err(GroupError::FencedMemberEpoch));
    // Another topic to read means another epoch, which the member may not have heard of.
    broker.set_topics(&[("t", 3)]);
    let (epoch, more) = broker.assigned(beats_with("m1", 1, &all));
    assert_eq!((epoch, more), (2, partitions(&[("t", &[0, 1, 2])])));
    assert_eq!(broker.hear(beats_with("m1", 1, &all)).unwrap().member_epoch, 2);
    assert_eq!(broker.hear(beats("m1", 1)), Err(GroupError::FencedMemberEpoch), "it does not say what it owns");
    let too_much = partitions(&[("t", &[0, 7])]);
    assert_eq!(broker.hear(beats_with("m1", 1, &too_much)), Err(GroupError::FencedMemberEpoch));
    assert_eq!(broker.hear(beats_with("m1", 2, &all)).unwrap().assignment, None);
    // Whoever is fenced joins again under its id.
    assert_eq!(broker.assigned(joins("m1", &["t"])), (2, partitions(&[("t", &[0, 1, 2])])));
}

#[test]
fn a_member_that_leaves_or_is_silent_makes_room() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins("m1", &["t"]));
    let (_, nothing) = broker.assigned(joins("m2", &["t"]));
    assert_eq!(nothing, Partitions::new());
    let left = broker.hear(beats("m1", -1)).unwrap();
    assert_eq!((left.member_epoch, left.assignment), (-1, None));
    assert_eq!(broker.stands(), (GroupState::Assigning, 3, 2));
    assert_eq!(broker.assigned(beats_with("m2", 2, &nothing)), (3, partitions(&[("t", &[0, 1])])));
    broker.pass(CONSUMER_SESSION_MS - 1);
    broker.persist();
    assert_eq!(broker.stands().0, GroupState::Stable);
    broker.pass(1);
    broker.persist();
    assert_eq!(broker.stands(), (GroupState::Empty, 4, 3));
    assert_eq!(broker.hear(beats("m2", 3)), Err(GroupError::UnknownMemberId));
    // Epochs go on where they were.
    assert_eq!(broker.assigned(joins("m3", &["t"])).0, 5);
}

#[test]
fn a_full_group_takes_nobody_more() {
    let mut config = config(0);
    config.consumer.members_max = 1;
    let mut broker = Broker::with_config(config);
    broker.set_topics(&[("t", 2)]);
    broker.assigned(joins("m1", &["t"]));
    assert_eq!(broker.hear(joins("m2", &["t"])), Err(GroupError::GroupMaxSizeReached));
    assert!(broker.hear(joins("m1", &["t"])).is_ok(), "who is in already may join again");
}

#[test]
fn without_memory_nobody_new_comes_and_who_is_there_goes_on() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins("m1", &["t"]));
    let before = broker.coordinator.memory_bytes();
    assert!(before > 0);
    broker.coordinator.refuse_growth(true);
    assert_eq!(broker.hear(joins("m2", &["t"])), Err(GroupError::CoordinatorNotAvailable));
    assert!(broker.hear(beats("m1", 1)).is_ok());
    assert!(broker.hear(joins("m1", &["t"])).is_ok());
    broker.coordinator.refuse_growth(false);
    broker.assigned(joins("m2", &["t"]));
    assert!(broker.coordinator.memory_bytes() > before);
}

#[test]
fn a_static_member_that_leaves_for_a_while_finds_all_again() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins_as("m1", "i1", &["t"]));
    let (epoch, _) = broker.assigned(joins_as("m2", "i2", &["t"]));
    let kept = broker.assigned(beats_with("m1", 1, &partitions(&[("t", &[0, 1])]))).1;
    assert_eq!(kept.values().next().map(BTreeSet::len), Some(1));
    // It reports what it gave up, and the other gets it.
    let instance = |id: &str| Some(id.to_owned());
    let request = ConsumerHeartbeatRequest { instance_id: instance("i1"), ..beats_with("m1", 1, &kept) };
    assert_eq!(broker.hear(request).unwrap().member_epoch, epoch);
    let request =
        ConsumerHeartbeatRequest { instance_id: instance("i2"), ..beats_with("m2", epoch, &Partitions::new()) };
    assert_eq!(broker.assigned(request).1.values().next().map(BTreeSet::len), Some(1));

    let before = broker.stands();
    assert_eq!(broker.hear(joins_as("m3", "i1", &["t"])), Err(GroupError::UnreleasedInstanceId));
    let leaves = ConsumerHeartbeatRequest { instance_id: instance("i1"), ..beats("m1", -2) };
    assert_eq!(broker.hear(leaves).unwrap().member_epoch, -2);
    assert_eq!(broker.assigned(joins_as("m3", "i1", &["t"])), (epoch, kept));
    assert_eq!(broker.stands(), before, "nobody else was disturbed");
    let old = ConsumerHeartbeatRequest { instance_id: instance("i1"), ..beats("m1", epoch) };
    assert_eq!(broker.hear(old), Err(GroupError::FencedInstanceId));
    let unknown = ConsumerHeartbeatRequest { instance_id: instance("i9"), ..beats("m1", epoch) };
    assert_eq!(broker.hear(unknown), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_static_member_that_does_not_come_back_is_dropped_at_the_end_of_its_session() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    broker.assigned(joins_as("m1", "i1", &["t"]));
    let leaves = ConsumerHeartbeatRequest { instance_id: Some("i1".to_owned()), ..beats("m1", -2) };
    broker.hear(leaves).unwrap();
    broker.pass(CONSUMER_SESSION_MS);
    broker.persist();
    assert_eq!(broker.stands().0, GroupState::Empty);
}

#[test]
fn offsets_are_committed_and_read_in_the_members_epoch() {
    let mut broker = Broker::with_topics(&[("topic", 1)]);
    broker.assigned(joins("m1", &["topic"]));
    assert_eq!(broker.is_committed(commit("m1", 1, 5)), Ok(()));
    assert_eq!(broker.is_committed(commit("m1", 0, 6)), Err(GroupError::StaleMemberEpoch));
    assert_eq!(broker.is_committed(commit("m2", 1, 6)), Err(GroupError::UnknownMemberId));
    assert_eq!(broker.is_committed(commit("", -1, 6)), Err(GroupError::UnknownMemberId));
    let old = CommitRequest { knows_member_epochs: false, ..commit("m1", 1, 6) };
    assert_eq!(broker.is_committed(old), Err(GroupError::UnsupportedVersion));
    assert_eq!(broker.fetched().offset, 5);
    for (member, outcome) in [
        (None, Ok(())),
        (Some(("m1".to_owned(), 1)), Ok(())),
        (Some(("m1".to_owned(), 2)), Err(GroupError::StaleMemberEpoch)),
        (Some(("m2".to_owned(), 1)), Err(GroupError::UnknownMemberId)),
    ] {
        let request = OffsetFetchRequest { group_id: GROUP.into(), member, topics: None, requires_stable: false };
        let token = broker.send(|token| Event::OffsetFetch(token, request));
        match broker.answer(token) {
            Some(Response::OffsetFetch(answer)) => assert_eq!(answer.map(drop), outcome),
            other => panic!("no fetch answer: {other:?}"),
        }
    }
    // An administrator commits when nobody is there.
    broker.hear(beats("m1", -1)).unwrap();
    assert_eq!(broker.is_committed(commit("", -1, 9)), Ok(()));
}

#[test]
fn administrators_see_a_group_that_is_not_classic() {
    let mut broker = Broker::with_topics(&[("t", 1)]);
    broker.assigned(joins("m1", &["t"]));
    let described = broker.describe();
    assert_eq!((described.state, described.is_of_consumers), (GroupState::Dead, true));
    let token = broker.send(Event::List);
    let Some(Response::List(Ok(listed))) = broker.answer(token) else { panic!("no list") };
    assert_eq!((listed[0].state, listed[0].is_of_consumers), (GroupState::Stable, true));
    let token = broker.send(|token| Event::Delete(token, GROUP.to_owned()));
    assert_eq!(broker.answer(token), Some(Response::Delete(Err(GroupError::NonEmptyGroup))));
    let described = broker.described().unwrap();
    assert_eq!((described.assignor, described.members[0].0.as_str()), ("uniform", "m1"));

    broker.hear(beats("m1", -1)).unwrap();
    let token = broker.send(|token| Event::Delete(token, GROUP.to_owned()));
    broker.persist();
    assert_eq!(broker.answer(token), Some(Response::Delete(Ok(()))));
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
    broker.come_back();
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
}
