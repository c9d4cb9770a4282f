//! A group of the consumer protocol over the wire: two members share a topic, hand over, and go on after a crash without two owners of a
//! partition and with epochs that never go back.

mod broker;

use std::collections::BTreeSet;

use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::messages::consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};

const GROUP: &str = "readers";
const VERSION: i16 = 1;

/// A member: what it was told last.
struct Member {
    id: &'static str,
    epoch: i32,
    has: Vec<TopicPartitions>,
}

impl Member {
    fn new(id: &'static str) -> Member {
        Member { id, epoch: 0, has: Vec::new() }
    }

    /// Speaks, says what it owns, and takes over what it hears; asks again while the coordinator loads.
    fn speak(&mut self, client: &mut Client) {
        let joins = self.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP,
            member_id: self.id,
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 30_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec!["t"]),
            topic_partitions: Some(self.has.clone()),
            ..Default::default()
        };
        loop {
            let frame = client.call(VERSION, &request);
            let (_, response): (_, ConsumerGroupHeartbeatResponse<'_>) =
                decode_response(&frame, ApiKey::ConsumerGroupHeartbeat, VERSION).expect("an answer");
            if response.error_code == ErrorCode::CoordinatorLoadInProgress.code() {
                continue;
            }
            assert_eq!((response.error_code, response.error_message), (0, None));
            assert!(response.member_epoch >= self.epoch, "an epoch went back");
            self.epoch = response.member_epoch;
            if let Some(assignment) = response.assignment {
                self.has = assignment.topic_partitions;
            }
            return;
        }
    }

    fn partitions(&self) -> BTreeSet<i32> {
        self.has.iter().flat_map(|topic| topic.partitions.iter().copied()).collect()
    }
}

/// State and epoch of the group.
fn described(client: &mut Client) -> (String, i32) {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![GROUP], ..Default::default() };
    let frame = client.call(VERSION, &request);
    let (_, response): (_, ConsumerGroupDescribeResponse<'_>) =
        decode_response(&frame, ApiKey::ConsumerGroupDescribe, VERSION).expect("an answer");
    (response.groups[0].group_state.to_owned(), response.groups[0].group_epoch)
}

fn share(client: &mut Client, members: &mut [Member; 2]) {
    while members.iter().map(|member| member.partitions().len()).ne([2, 2]) {
        for at in 0..2 {
            members[at].speak(client);
            assert!(members[0].partitions().is_disjoint(&members[1].partitions()), "a partition has two owners");
        }
    }
}

#[test]
fn members_share_and_go_on_in_their_epochs_after_a_crash() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 4, &[]), 0);
    let mut members = [Member::new("a"), Member::new("b")];
    members[0].speak(&mut client);
    assert_eq!(members[0].partitions().len(), 4);
    share(&mut client, &mut members);
    assert_eq!(described(&mut client), ("Stable".to_owned(), 2));

    broker.kill_and_restart();
    let mut client = broker.connect();
    let before = members[0].partitions();
    for member in &mut members {
        member.speak(&mut client);
    }
    assert_eq!(members[0].partitions(), before, "a crash is no rebalance");
    assert_eq!(described(&mut client), ("Stable".to_owned(), 2));
    assert_eq!(members.map(|member| member.epoch), [2, 2]);
}

#[test]
fn a_crash_in_a_hand_over_gives_no_partition_two_owners() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 4, &[]), 0);
    let mut members = [Member::new("a"), Member::new("b")];
    members[0].speak(&mut client);
    members[1].speak(&mut client);
    assert_eq!(members[1].partitions().len(), 0, "the other still holds all");

    broker.kill_and_restart();
    let mut client = broker.connect();
    members[1].speak(&mut client);
    assert_eq!(members[1].partitions().len(), 0, "the other still holds all");
    share(&mut client, &mut members);
    assert_eq!(described(&mut client).1, 2);
}

#[test]
fn the_feature_is_told_to_those_who_understand_it() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    for (version, supported) in [(3, 0), (4, 1)] {
        let request = ApiVersionsRequest { client_software_name: "test", client_software_version: "1" };
        let frame = client.call(version, &request);
        let (_, response): (_, ApiVersionsResponse<'_>) =
            decode_response(&frame, ApiKey::ApiVersions, version).expect("an answer");
        assert_eq!(response.supported_features.len(), supported);
        let finalized: Vec<_> =
            response.finalized_features.iter().map(|feature| (feature.name, feature.max_version_level)).collect();
        assert_eq!((finalized, response.finalized_features_epoch), (vec![("group.version", 1)], 0));
    }
}
