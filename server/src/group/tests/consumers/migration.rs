//! Groups that go from one protocol to the other while members are in them.

use protocol::messages::consumer_offsets::encode_versioned;
use protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolPartitions, ConsumerProtocolSubscription,
};

use super::*;

fn subscription(topics: &[&'static str], has: &[i32]) -> Bytes {
    let owned_partitions = if has.is_empty() {
        Vec::new()
    } else {
        vec![ConsumerProtocolPartitions { topic: "t", partitions: has.to_vec() }]
    };
    encode_versioned(
        &ConsumerProtocolSubscription { topics: topics.to_vec(), owned_partitions, ..Default::default() },
        1,
    )
}

fn assignment(has: &[i32]) -> Bytes {
    let assigned_partitions = vec![ConsumerProtocolPartitions { topic: "t", partitions: has.to_vec() }];
    encode_versioned(&ConsumerProtocolAssignment { assigned_partitions, user_data: None }, 1)
}

fn joins_classic(member_id: &str, uuid: u128, has: &[i32]) -> JoinRequest {
    JoinRequest {
        protocols: vec![JoinProtocol { name: "range".to_owned(), metadata: subscription(&["t"], has) }],
        new_member_uuid: Uuid::from_u128(uuid),
        ..join(member_id)
    }
}

fn syncs(member_id: &str, generation_id: i32, assignments: &[(&str, Bytes)]) -> SyncRequest {
    let assignments = assignments.iter().map(|(id, bytes)| ((*id).to_owned(), bytes.clone())).collect();
    SyncRequest { assignments, ..sync(member_id, generation_id, &[]) }
}

impl Broker {
    /// A classic group of one consumer that has both partitions of a topic, in generation 1.
    fn classic() -> (Self, String) {
        let mut broker = Self::with_topics(&[("t", 2)]);
        let token = broker.join(joins_classic("", 1, &[]));
        let joined = broker.joined(token);
        let id = joined.member_id;
        let token = broker.sync(syncs(&id, joined.generation_id, &[(&id, assignment(&[0, 1]))]));
        broker.persist();
        assert!(broker.synced_bytes(token).is_ok());
        (broker, id)
    }

    fn synced_bytes(&mut self, token: ReplyToken) -> Result<Bytes, GroupError> {
        match self.answer(token) {
            Some(Response::Sync(outcome)) => outcome.map(|response| response.assignment),
            other => panic!("no sync answer: {other:?}"),
        }
    }

    /// A member of the classic protocol joins again and syncs: generation, and what it is assigned.
    fn rejoins(&mut self, id: &str, has: &[i32]) -> (i32, Result<Bytes, GroupError>) {
        let token = self.join(joins_classic(id, 1, has));
        self.persist();
        let joined = self.joined(token);
        assert_eq!(joined.error, None);
        let token = self.sync(syncs(id, joined.generation_id, &[]));
        self.persist();
        (joined.generation_id, self.synced_bytes(token))
    }
}

/// A group of a classic member and one of the consumer protocol, a partition each, in epoch 2.
fn mixed() -> (Broker, String) {
    let (mut broker, id) = Broker::classic();
    let (epoch, nothing) = broker.assigned(joins("m1", &["t"]));
    assert_eq!((epoch, nothing), (2, Partitions::new()));
    let described = broker.described().unwrap();
    assert_eq!(described.members.len(), 2);
    assert!(described.members.iter().any(|(name, member)| *name == id && member.profile.classic.is_some()));
    // The old member is told by its heartbeat, gives up by joining again twice.
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::RebalanceInProgress));
    let (generation_id, left) = broker.rejoins(&id, &[0, 1]);
    assert_eq!(generation_id, 1, "it has something to give up first");
    let left = left.unwrap();
    assert!(left == assignment(&[0]) || left == assignment(&[1]));
    let keeps = i32::from(left != assignment(&[0]));
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::RebalanceInProgress));
    assert_eq!(broker.hear(beats_with("m1", 2, &Partitions::new())).unwrap().assignment, None);
    assert_eq!(broker.rejoins(&id, &[keeps]), (2, Ok(left)));
    let (_, got) = broker.assigned(beats("m1", 2));
    assert_eq!(got, partitions(&[("t", &[1 - keeps])]));
    assert_eq!(broker.heartbeat(&id, 2), Ok(()));
    assert_eq!(broker.stands(), (GroupState::Stable, 2, 2));
    (broker, id)
}

#[test]
fn a_classic_group_goes_on_as_one_of_consumers_and_its_members_work_on() {
    let (mut broker, id) = mixed();
    assert_eq!(broker.is_committed(CommitRequest { knows_member_epochs: false, ..commit(&id, 2, 5) }), Ok(()));
    assert_eq!(broker.is_committed(commit(&id, 1, 5)), Err(GroupError::IllegalGeneration));
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::IllegalGeneration));
    assert_eq!(broker.heartbeat("m1", 2), Err(GroupError::UnknownMemberId), "that one speaks the other protocol");
    assert_eq!(broker.hear(beats(&id, 2)).map(|heard| heard.member_epoch), Ok(2), "and may begin to speak it");
}

#[test]
fn a_mixed_group_survives_a_crash() {
    let (mut broker, id) = mixed();
    broker.come_back();
    assert_eq!(broker.stands(), (GroupState::Stable, 2, 2));
    assert_eq!(broker.heartbeat(&id, 2), Ok(()));
    broker.log = broker.coordinator.snapshot(0).concat();
    broker.come_back();
    assert_eq!(broker.heartbeat(&id, 2), Ok(()));
    assert!(broker.hear(beats("m1", 2)).is_ok());
}

#[test]
fn the_group_is_classic_again_when_the_last_consumer_has_gone() {
    let (mut broker, id) = mixed();
    assert_eq!(broker.hear(beats("m1", -1)).unwrap().member_epoch, -1);
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
    assert_eq!(broker.heartbeat(&id, 2), Err(GroupError::RebalanceInProgress));
    broker.come_back();
    let token = broker.join(joins_classic(&id, 1, &[0]));
    let joined = broker.joined(token);
    assert_eq!((joined.error, joined.generation_id, joined.leader.as_str()), (None, 3, id.as_str()));
    let token = broker.sync(syncs(&id, 3, &[(&id, assignment(&[0, 1]))]));
    broker.persist();
    assert_eq!(broker.synced_bytes(token), Ok(assignment(&[0, 1])));
    assert_eq!(broker.state(), GroupState::Stable);
    broker.come_back();
    assert_eq!(broker.heartbeat(&id, 3), Ok(()));
}

#[test]
fn a_silent_consumer_is_dropped_and_the_group_classic_again() {
    let (mut broker, id) = mixed();
    for _ in 0..10 {
        broker.pass(5_000);
        broker.persist();
        let _ = broker.heartbeat(&id, 2);
    }
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
}

#[test]
fn who_does_not_join_again_in_time_is_dropped() {
    let (mut broker, id) = Broker::classic();
    broker.assigned(joins("m1", &["t"]));
    for _ in 0..4 {
        assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::RebalanceInProgress));
        broker.pass(i64::from(REBALANCE_MS) / 4);
        broker.persist();
    }
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::UnknownMemberId));
    assert_eq!(broker.assigned(beats_with("m1", 2, &Partitions::new())).1, partitions(&[("t", &[0, 1])]));
}

#[test]
fn new_classic_members_join_a_group_of_consumers_and_leave_it() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let (_, all) = broker.assigned(joins("m1", &["t"]));
    let wants_id = JoinRequest { requires_known_member_id: true, ..joins_classic("", 7, &[]) };
    let token = broker.join(wants_id);
    let refused = broker.joined(token);
    assert_eq!(refused.error, Some(GroupError::MemberIdRequired));
    let id = refused.member_id;
    let (generation_id, nothing) = broker.rejoins(&id, &[]);
    assert_eq!((generation_id, nothing), (2, Ok(encode_versioned(&ConsumerProtocolAssignment::default(), 1))));
    let other = JoinRequest { protocols: vec![protocol("range", "")], ..joins_classic("", 8, &[]) };
    let token = broker.join(other);
    assert_eq!(broker.joined(token).error, Some(GroupError::InconsistentGroupProtocol));
    assert_eq!(broker.heartbeat(&id, 2), Ok(()), "others still hold what it shall have");
    let (_, kept) = broker.assigned(beats_with("m1", 1, &all));
    broker.hear(beats_with("m1", 1, &kept)).unwrap();
    assert_eq!(broker.heartbeat(&id, 2), Err(GroupError::RebalanceInProgress), "it is free now");
    let (_, has) = broker.rejoins(&id, &[]);
    assert!(has.unwrap().len() > 10);
    let request = leave(&[(&id, None), ("m1", None), ("nobody", None)]);
    let token = broker.send(|token| Event::Leave(token, request));
    broker.persist();
    let Some(Response::Leave(Ok(left))) = broker.answer(token) else { panic!("no leave answer") };
    let outcomes: Vec<_> = left.members.into_iter().map(|(_, _, outcome)| outcome).collect();
    assert_eq!(outcomes, [Ok(()), Ok(()), Err(GroupError::UnknownMemberId)], "an administrator takes out either kind");
    assert_eq!(broker.stands().0, GroupState::Empty);
}

#[test]
fn without_upgrades_a_classic_group_stays_what_it_is() {
    let (broker, id) = Broker::classic();
    let mut config = broker.coordinator.config;
    config.consumer.migration = "downgrade".parse().unwrap();
    let mut broker = Broker::loaded_from(&broker.log, config, broker.now_ms);
    broker.set_topics(&[("t", 2)]);
    assert_eq!(broker.hear(joins("m1", &["t"])), Err(GroupError::GroupIdNotFound));
    assert_eq!(broker.heartbeat(&id, 1), Ok(()));
}

#[test]
fn groups_of_other_kinds_and_with_data_of_their_own_assignor_are_not_upgraded() {
    let mut broker = Broker::with_topics(&[("t", 2)]);
    let token = broker.join(JoinRequest { protocol_type: "connect".to_owned(), ..joins_classic("", 1, &[]) });
    broker.joined(token);
    assert_eq!(broker.hear(joins("m1", &["t"])), Err(GroupError::GroupIdNotFound));

    let mut broker = Broker::with_topics(&[("t", 2)]);
    let token = broker.join(joins_classic("", 1, &[]));
    let id = broker.joined(token).member_id;
    let own = ConsumerProtocolAssignment { user_data: Some(&[1]), ..Default::default() };
    broker.sync(syncs(&id, 1, &[(&id, encode_versioned(&own, 1))]));
    broker.persist();
    assert_eq!(broker.hear(joins("m1", &["t"])), Err(GroupError::GroupIdNotFound));
}

#[test]
fn who_waits_in_a_rebalance_when_the_group_is_upgraded_is_told_to_join_again() {
    let (mut broker, id) = Broker::classic();
    let waiting = broker.join(joins_classic("", 2, &[]));
    assert_eq!(broker.state(), GroupState::PreparingRebalance);
    broker.assigned(joins("m1", &["t"]));
    assert_eq!(broker.joined(waiting).error, Some(GroupError::RebalanceInProgress));
    assert_eq!(broker.described().unwrap().members.len(), 3);
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::RebalanceInProgress));
}

#[test]
fn empty_groups_change_their_kind_at_the_first_join_and_their_epochs_go_on() {
    let (mut broker, id) = Broker::classic();
    broker.leave(&[(&id, None)]);
    broker.persist();
    let (epoch, _) = broker.assigned(joins("m1", &["t"]));
    assert_eq!(epoch, 3, "the empty group was generation 2");
    broker.hear(beats("m1", -1)).unwrap();
    assert_eq!(broker.stands().0, GroupState::Empty);
    let token = broker.join(joins_classic("unknown", 1, &[]));
    assert_eq!(broker.joined(token).error, Some(GroupError::UnknownMemberId));
    let token = broker.join(joins_classic("", 1, &[]));
    broker.persist();
    assert!(broker.joined(token).generation_id > 4);
    assert_eq!(broker.described(), Err(GroupError::GroupIdNotFound));
}

#[test]
fn an_upgrade_that_is_not_durable_leaves_a_group_that_works() {
    let (mut broker, id) = Broker::classic();
    let token = broker.say(joins("m1", &["t"]));
    broker.fail_appends();
    assert_eq!(broker.said(token).unwrap_err().error, GroupError::CoordinatorNotAvailable);
    assert_eq!(broker.heartbeat(&id, 1), Err(GroupError::CoordinatorNotAvailable), "the log is told first");
    broker.persist();
    assert_eq!(broker.heartbeat(&id, 1), Ok(()));
    broker.come_back();
    assert_eq!(broker.heartbeat(&id, 1), Ok(()));
}
