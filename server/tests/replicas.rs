//! One replica is kept: what topics and producers ask beyond it is refused, or taken with a setting, and never claimed.

mod broker;

use broker::{Broker, Client, batch};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};

/// Error code, message, and the number of replicas that the answer tells.
fn create(client: &mut Client, name: &str, replication_factor: i16) -> (i16, String, i16) {
    let topic = CreatableTopic { name, num_partitions: 1, replication_factor, ..Default::default() };
    let frame = client.call(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    let (_, response): (_, CreateTopicsResponse<'_>) =
        decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
    let topic = &response.topics[0];
    (topic.error_code, topic.error_message.unwrap_or_default().to_owned(), topic.replication_factor)
}

fn replicas(client: &mut Client) -> usize {
    let frame = client.call(12, &MetadataRequest { topics: None, ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    response.topics[0].partitions[0].replica_nodes.len()
}

#[test]
fn more_than_one_replica_is_refused_with_what_to_do() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let (code, message, _) = create(&mut client, "t", 3);
    assert_eq!(code, ErrorCode::InvalidReplicationFactor.code());
    assert!(message.contains("posthaste.replication.factor.max"), "{message}");
    assert_eq!(create(&mut client, "t", 0).0, ErrorCode::InvalidReplicationFactor.code());
    assert_eq!((create(&mut client, "one", 1).0, create(&mut client, "default", -1).0), (0, 0));
}

#[test]
fn a_benchmark_that_insists_on_three_replicas_gets_one_and_is_told_so() {
    let broker = Broker::start(&["posthaste.replication.factor.max=3"]);
    let mut client = broker.connect();
    let created = create(&mut client, "t", 3);
    assert_eq!((created.0, created.2, replicas(&mut client)), (0, 1, 1));
    broker.wait_for_log(&["one replica is kept"]);
    assert_eq!(create(&mut client, "four", 4).0, ErrorCode::InvalidReplicationFactor.code());
}

#[test]
fn acks_of_all_are_refused_where_more_in_sync_replicas_are_asked_than_there_are() {
    let broker = Broker::start(&["min.insync.replicas=2"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("strict", 1, &[]), 0);
    assert_eq!(client.create_topic("lenient", 1, &[("min.insync.replicas", "1")]), 0);
    let records = batch(&["one"]);
    assert_eq!(client.produce("strict", 0, &records).0, ErrorCode::NotEnoughReplicas.code());
    assert_eq!(client.produce("lenient", 0, &records), (0, 0));
    client.send_produce("strict", 0, &records, 1);
    assert_eq!(client.receive_produced(), (0, 0), "acks=1 asks no other replica");
}
