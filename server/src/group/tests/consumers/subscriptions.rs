//! What members read: names, patterns, and topics that come, grow and go.

use super::*;

fn reads_like(member_id: &str, pattern: &str) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { topics: None, regex: Some(pattern.to_owned()), ..joins(member_id, &[]) }
}

#[test]
fn new_partitions_and_topics_made_anew_mean_a_new_epoch_at_the_next_heartbeat() {
    let mut broker = Broker::with_topics(&[("t", 1), ("u", 1)]);
    let (_, has) = broker.assigned(joins("m1", &["t", "later"]));
    assert_eq!(has, partitions(&[("t", &[0])]));
    broker.set_topics(&[("t", 1), ("u", 2)]);
    assert_eq!(broker.hear(beats("m1", 1)).unwrap().member_epoch, 1, "nobody reads what has changed");
    broker.set_topics(&[("t", 2), ("later", 1)]);
    let (epoch, has) = broker.assigned(beats_with("m1", 1, &has));
    assert_eq!((epoch, &has), (2, &partitions(&[("t", &[0, 1]), ("later", &[0])])));
    // A topic that is gone is taken back.
    broker.set_topics(&[("later", 1)]);
    let (epoch, left) = broker.assigned(beats_with("m1", 2, &has));
    assert_eq!((epoch, &left), (2, &partitions(&[("later", &[0])])));
    assert_eq!(broker.hear(beats_with("m1", 2, &left)).unwrap().member_epoch, 3);
    assert_eq!(broker.stands(), (GroupState::Stable, 3, 3));
}

#[test]
fn another_subscription_takes_effect_at_once() {
    let mut broker = Broker::with_topics(&[("t", 1), ("u", 1)]);
    let (_, has) = broker.assigned(joins("m1", &["t"]));
    let request = ConsumerHeartbeatRequest { topics: Some(vec!["u".to_owned()]), ..beats_with("m1", 1, &has) };
    let (epoch, none) = broker.assigned(request);
    assert_eq!((epoch, &none), (1, &Partitions::new()), "it gives up first");
    assert_eq!(broker.assigned(beats_with("m1", 1, &none)), (2, partitions(&[("u", &[0])])));
}

#[test]
fn patterns_find_topics_that_are_there_and_that_come() {
    let mut broker = Broker::with_topics(&[("orders-1", 1), ("orders-2", 1), ("notes", 1)]);
    broker.now_ms = 1_000_000;
    let (_, has) = broker.assigned(reads_like("m1", "orders-.*"));
    assert_eq!(has, partitions(&[("orders-1", &[0]), ("orders-2", &[0])]));
    broker.set_topics(&[("orders-1", 1), ("orders-2", 1), ("orders-3", 1), ("notes", 1)]);
    assert_eq!(broker.hear(beats("m1", 1)).unwrap().member_epoch, 1, "topics are not looked through at every change");
    broker.pass(1_000);
    let (epoch, has) = broker.assigned(beats_with("m1", 1, &has));
    assert_eq!((epoch, has.len()), (2, 3));
    // Names and patterns together.
    let request = ConsumerHeartbeatRequest { topics: Some(vec!["notes".to_owned()]), ..beats_with("m1", 2, &has) };
    assert_eq!(broker.assigned(request).1.len(), 4);
    let request = ConsumerHeartbeatRequest { regex: Some(String::new()), ..beats("m1", 3) };
    assert_eq!(broker.assigned(request).1, partitions(&[("notes", &[0])]), "an empty pattern is none");
}

#[test]
fn a_pattern_that_is_none_changes_nothing() {
    let mut broker = Broker::with_topics(&[("t", 1)]);
    broker.assigned(joins("m1", &["t"]));
    let request = ConsumerHeartbeatRequest { regex: Some("a{5000}{5000}".to_owned()), ..beats("m1", 1) };
    assert_eq!(broker.hear(request), Err(GroupError::InvalidRegularExpression));
    assert_eq!(broker.stands(), (GroupState::Stable, 1, 1));
}

#[test]
fn offsets_of_topics_that_are_read_are_not_deleted() {
    let mut broker = Broker::with_topics(&[("topic", 1), ("other", 1)]);
    broker.assigned(reads_like("m1", "top.*"));
    broker.is_committed(commit("m1", 1, 5)).unwrap();
    let asked = vec![TopicPartitions { topic: "topic".to_owned(), partitions: vec![0] }];
    let token = broker.send(|token| Event::DeleteOffsets(token, GROUP.to_owned(), asked));
    let Some(Response::DeleteOffsets(Ok(outcomes))) = broker.answer(token) else { panic!("no answer") };
    assert_eq!(outcomes.topics[0].partitions[0].1, Err(GroupError::GroupSubscribedToTopic));
}
