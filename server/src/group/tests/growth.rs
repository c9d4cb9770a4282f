//! With no memory left nothing new is taken, and who is there goes on.

use super::*;

#[test]
fn without_memory_new_members_and_new_commits_are_refused_retriably_and_the_others_go_on() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let token = broker.commit(commit(&ids[0], generation_id, 1));
    broker.persist();
    assert_eq!(broker.committed(token), Ok(()));
    broker.coordinator.refuse_growth(true);
    let token = broker.join(join(""));
    assert_eq!(broker.joined(token).error, Some(GroupError::CoordinatorNotAvailable));
    let mut other = commit(&ids[0], generation_id, 5);
    other.topics[0].partitions[0].partition = 7;
    let token = broker.commit(other.clone());
    assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    let unknown = CommitRequest { group_id: "another".to_owned(), ..commit("", -1, 1) };
    let token = broker.commit(unknown);
    assert_eq!(broker.committed(token), Err(GroupError::CoordinatorNotAvailable));
    let token = broker.commit(commit(&ids[0], generation_id, 2));
    broker.persist();
    assert_eq!(broker.committed(token), Ok(()), "it takes the place of the last");
    assert_eq!(broker.heartbeat(&ids[0], generation_id), Ok(()));
    broker.coordinator.refuse_growth(false);
    let token = broker.commit(other);
    broker.persist();
    assert_eq!(broker.committed(token), Ok(()));
}

#[test]
fn memory_grows_with_metadata_and_commits_and_goes_with_them() {
    let (mut broker, ids, generation_id) = Broker::stable(1);
    let before = broker.coordinator.memory_bytes();
    let mut large = commit(&ids[0], generation_id, 1);
    large.topics[0].partitions[0].metadata = "m".repeat(4_000);
    broker.commit(large);
    broker.persist();
    assert!(broker.coordinator.memory_bytes() >= before + 4_000);
    let mut member = join("");
    member.new_member_uuid = Uuid::from_u128(99);
    member.protocols = vec![protocol("range", &"t".repeat(50_000))];
    broker.join(member);
    assert!(broker.coordinator.memory_bytes() >= before + 54_000);
    broker.handle(Event::TopicsDeleted(vec!["topic".to_owned()]));
    broker.persist();
    assert!(broker.coordinator.memory_bytes() < before + 54_000);
}
