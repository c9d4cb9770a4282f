//! From what members have to what they shall have.

use super::*;

/// Two members of a group of four partitions, the second on its way.
fn two() -> (Broker, Partitions, i32) {
    let mut broker = Broker::with_topics(&[("t", 4)]);
    let (_, all) = broker.assigned(joins("m1", &["t"]));
    let (epoch, nothing) = broker.assigned(joins("m2", &["t"]));
    assert_eq!((epoch, nothing), (2, Partitions::new()));
    assert_eq!(broker.stands(), (GroupState::Reconciling, 2, 2));
    (broker, all, epoch)
}

fn count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

#[test]
fn what_one_gives_up_the_other_gets_when_it_was_said() {
    let (mut broker, all, epoch) = two();
    let (told_epoch, kept) = broker.assigned(beats_with("m1", 1, &all));
    assert_eq!((told_epoch, count(&kept)), (1, 2), "it stays in its epoch until it gave up");
    assert_eq!(broker.hear(beats_with("m2", epoch, &Partitions::new())).unwrap().assignment, None);
    // A heartbeat that does not say what is owned says nothing of what was given up.
    assert_eq!(broker.hear(beats("m1", 1)).unwrap().member_epoch, 1);
    assert_eq!(broker.hear(beats_with("m1", 1, &all)).unwrap().member_epoch, 1);
    assert_eq!(broker.hear(beats_with("m1", 1, &kept)).unwrap().member_epoch, 2);
    let (_, got) = broker.assigned(beats("m2", epoch));
    assert_eq!(count(&got), 2);
    assert!(got.iter().all(|(id, some)| kept[id].is_disjoint(some)));
    assert_eq!(broker.stands(), (GroupState::Stable, 2, 2));
}

#[test]
fn who_does_not_give_up_in_time_is_dropped() {
    let (mut broker, all, epoch) = two();
    broker.assigned(beats_with("m1", 1, &all));
    for _ in 0..4 {
        broker.pass(i64::from(REBALANCE_MS) / 4 - 1);
        assert!(broker.hear(beats("m1", 1)).is_ok(), "it lives");
        assert!(broker.hear(beats("m2", epoch)).is_ok());
    }
    broker.pass(4);
    broker.persist();
    assert_eq!(broker.hear(beats_with("m1", 1, &all)), Err(GroupError::UnknownMemberId));
    let (_, got) = broker.assigned(beats_with("m2", epoch, &Partitions::new()));
    assert_eq!(count(&got), 4);
}

#[test]
fn who_waits_for_others_is_not_hurried() {
    let (mut broker, all, epoch) = two();
    broker.assigned(beats_with("m1", 1, &all));
    broker.pass(i64::from(REBALANCE_MS) - 1);
    assert!(broker.hear(beats("m2", epoch)).is_ok());
    let (_, kept) = {
        let heard = broker.hear(ConsumerHeartbeatRequest {
            rebalance_timeout_ms: REBALANCE_MS,
            topics: Some(vec!["t".to_owned()]),
            ..beats_with("m1", 1, &all)
        });
        let heard = heard.unwrap();
        (heard.member_epoch, heard.assignment.expect("who says all is told all"))
    };
    assert!(broker.hear(beats_with("m1", 1, &kept)).is_ok());
    broker.pass(i64::from(REBALANCE_MS));
    broker.persist();
    assert_eq!(broker.described().unwrap().members.len(), 2);
}

#[test]
fn a_member_that_joins_again_in_the_middle_keeps_what_is_its_own() {
    let (mut broker, all, _) = two();
    broker.assigned(beats_with("m1", 1, &all));
    let (epoch, kept) = broker.assigned(joins("m1", &["t"]));
    assert_eq!((epoch, count(&kept)), (2, 2), "who joins owns nothing, so it gave up all");
}

#[test]
fn no_change_is_made_while_another_is_on_its_way() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let first = broker.say(joins("m1", &["t"]));
    let second = broker.say(joins("m2", &["t"]));
    let third = broker.say(beats("m1", 1));
    assert_eq!(broker.appends.len(), 1);
    assert!(broker.replies.is_empty());
    for _ in 0..3 {
        broker.persist();
    }
    assert_eq!(broker.said(first).unwrap().member_epoch, 1);
    assert_eq!(broker.said(second).unwrap().member_epoch, 2);
    assert_eq!(broker.said(third).unwrap().member_epoch, 1, "it has something to give up first");
}

#[test]
fn the_assignor_that_most_want_is_taken() {
    let mut broker = Broker::with_topics(&[("a", 3), ("b", 3)]);
    let range = |member_id: &str| ConsumerHeartbeatRequest {
        assignor: Some("range".to_owned()),
        ..joins(member_id, &["a", "b"])
    };
    broker.assigned(range("m1"));
    broker.assigned(joins("m2", &["a", "b"]));
    let described = broker.described().unwrap();
    assert_eq!(described.assignor, "range");
    assert_eq!(described.members[0].1.target, partitions(&[("a", &[0, 1]), ("b", &[0, 1])]));
    assert_eq!(described.members[1].1.target, partitions(&[("a", &[2]), ("b", &[2])]));
}
