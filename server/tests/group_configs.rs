//! Settings of single groups: told, listed and acting where they are set, refused out of their bounds, and there after a restart.

mod broker;

use broker::configs::{DELETE, SET, alter, altered, described};
use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use protocol::messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};

const GROUP: i8 = 32;
const SESSION: &str = "consumer.session.timeout.ms";
const INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SOURCE_DEFAULT: i8 = 5;
const SOURCE_GROUP: i8 = 8;

/// The interval that a member is told; asks again while the coordinator loads.
fn told_interval(client: &mut Client, epoch: i32) -> i32 {
    let joins = epoch == 0;
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "m",
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 30_000 } else { -1 },
        subscribed_topic_names: joins.then(|| vec!["t"]),
        topic_partitions: joins.then(Vec::new),
        ..Default::default()
    };
    loop {
        let frame = client.call(1, &request);
        let (_, response): (_, ConsumerGroupHeartbeatResponse<'_>) =
            decode_response(&frame, ApiKey::ConsumerGroupHeartbeat, 1).expect("an answer");
        if response.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
            assert_eq!(response.error_code, 0);
            return response.heartbeat_interval_ms;
        }
    }
}

fn listed(client: &mut Client) -> Vec<String> {
    let frame = client.call(1, &ListConfigResourcesRequest { resource_types: vec![GROUP] });
    let (_, response): (_, ListConfigResourcesResponse<'_>) =
        decode_response(&frame, ApiKey::ListConfigResources, 1).expect("an answer");
    response.config_resources.iter().map(|resource| resource.resource_name.to_owned()).collect()
}

#[test]
fn settings_of_a_group_act_are_listed_and_survive() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(listed(&mut client), [""; 0]);
    assert_eq!(described(&mut client, GROUP, "g", INTERVAL).1, SOURCE_DEFAULT);
    assert_eq!(told_interval(&mut client, 0), 5_000);
    assert_eq!(alter(&mut client, GROUP, "g", &[(INTERVAL, SET, Some("7000"))], true), 0, "only asked");
    assert_eq!(told_interval(&mut client, 1), 5_000);
    assert_eq!(alter(&mut client, GROUP, "g", &[(INTERVAL, SET, Some("7000"))], false), 0);
    assert_eq!(alter(&mut client, GROUP, "not-there", &[(SESSION, SET, Some("50000"))], false), 0);
    assert_eq!(told_interval(&mut client, 1), 7_000);

    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(told_interval(&mut client, 1), 7_000);
    assert_eq!(listed(&mut client), ["g", "not-there"]);
    let told = described(&mut client, GROUP, "g", INTERVAL);
    assert_eq!(told, ("7000".to_owned(), SOURCE_GROUP, vec![(INTERVAL.to_owned(), SOURCE_GROUP)]));
    assert_eq!(alter(&mut client, GROUP, "g", &[(INTERVAL, DELETE, None)], false), 0);
    assert_eq!(told_interval(&mut client, 1), 5_000);
    assert_eq!(listed(&mut client), ["not-there"]);
}

#[test]
fn wrong_settings_of_a_group_are_refused() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let mut refused =
        |group: &str, name: &str, value: &str| altered(&mut client, GROUP, group, &[(name, SET, Some(value))], false);
    let invalid = |words: &str| (ErrorCode::InvalidConfig.code(), words.to_owned());
    assert_eq!(refused("g", "no.such", "1"), invalid("Unknown group config name: no.such"));
    let above = "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms";
    assert_eq!(refused("g", SESSION, "60001"), invalid(above));
    let words = "Default group resources are not allowed.".to_owned();
    assert_eq!(refused("", SESSION, "50000"), (ErrorCode::InvalidRequest.code(), words));
    assert_eq!(listed(&mut client), [""; 0]);
}
