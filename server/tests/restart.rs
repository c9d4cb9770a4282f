//! What was acknowledged is there after kill -9 and after SIGTERM: records, topics, configs, producer ids, duplicates, groups and offsets.

mod broker;

use broker::requests::{commit, committed, delete_topic, producer_id, topics};
use broker::{Broker, Client, batch, idempotent_batch, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};

#[test]
fn records_topics_and_configs_survive_kill_and_stop() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(
        client.create_topic("kept", 3, &[("retention.ms", "123456789012345"), ("min.cleanable.dirty.ratio", "0.25")]),
        0
    );
    assert_eq!(client.create_topic("gone", 2, &[]), 0);
    for partition in 0..3 {
        assert_eq!(client.produce("kept", partition, &batch(&["a", "b"])), (0, 0));
    }
    assert_eq!(delete_topic(&mut client, "gone"), 0);
    let before = topics(&mut client);
    assert_eq!(before.len(), 1);

    for life in 1..4 {
        if life == 2 {
            broker.stop_and_restart();
        } else {
            broker.kill_and_restart();
        }
        let mut client = broker.connect();
        assert_eq!(topics(&mut client), before, "names, ids and partitions");
        assert_eq!(topic_config(&mut client, "kept", "retention.ms"), "123456789012345");
        assert_eq!(topic_config(&mut client, "kept", "min.cleanable.dirty.ratio"), "0.25");
        for partition in 0..3 {
            assert_eq!(client.produce("kept", partition, &batch(&["next"])), (0, life + 1));
            let (error, high_watermark, bytes) = client.fetch("kept", partition, 0);
            assert_eq!((error, high_watermark), (0, life + 2));
            assert_eq!(values(&bytes)[..2], [(0, "a".to_owned()), (1, "b".to_owned())]);
        }
        assert_eq!(client.fetch("gone", 0, 0).0, ErrorCode::UnknownTopicOrPartition.code());
    }
}

#[test]
fn a_topic_of_a_deleted_name_is_another_topic() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["old"])), (0, 0));
    let old = topics(&mut client);
    assert_eq!(delete_topic(&mut client, "t"), 0);
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.fetch("t", 0, 0), (0, 0, Vec::new()));
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(client.fetch("t", 0, 0), (0, 0, Vec::new()));
    assert_ne!(topics(&mut client), old);
}

#[test]
fn producer_ids_are_never_given_twice_not_even_after_a_crash() {
    let mut broker = Broker::start(&[]);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        // Connections of both shards, each with its own block.
        for mut client in [broker.connect(), broker.connect()] {
            for _ in 0..5 {
                assert!(seen.insert(producer_id(&mut client)));
            }
        }
        broker.kill_and_restart();
    }
}

#[test]
fn an_idempotent_duplicate_gets_the_original_offset_also_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let id = producer_id(&mut client);
    let first = idempotent_batch(id, 0, &["a", "b"]);
    let second = idempotent_batch(id, 2, &["c"]);
    for partition in 0..2 {
        assert_eq!(client.produce("t", partition, &first), (0, 0));
        assert_eq!(client.produce("t", partition, &second), (0, 2));
        assert_eq!(client.produce("t", partition, &first), (0, 0));
    }
    broker.kill_and_restart();
    let mut client = broker.connect();
    for partition in 0..2 {
        assert_eq!(client.produce("t", partition, &second), (0, 2));
        assert_eq!(client.produce("t", partition, &first), (0, 0));
        let gap = idempotent_batch(id, 9, &["x"]);
        assert_eq!(client.produce("t", partition, &gap).0, ErrorCode::OutOfOrderSequenceNumber.code());
        assert_eq!(client.produce("t", partition, &idempotent_batch(id, 3, &["d"])), (0, 3));
        assert_eq!(client.fetch("t", partition, 0).1, 4);
    }
}

#[test]
fn committed_offsets_and_their_metadata_survive_kill_and_stop() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    // Many groups, so that coordinators of both shards are used.
    let groups: Vec<String> = (0..20).map(|at| format!("group-{at}")).collect();
    for (at, group) in (0..).zip(&groups) {
        assert_eq!(commit(&mut client, group, 1, at * 10, "a note"), 0);
    }
    for kill in [true, false] {
        if kill {
            broker.kill_and_restart();
        } else {
            broker.stop_and_restart();
        }
        let mut client = broker.connect();
        for (at, group) in (0..).zip(&groups) {
            assert_eq!(committed(&mut client, group), [(1, at * 10, "a note".to_owned())]);
        }
    }
    assert_eq!(commit(&mut broker.connect(), "group-0", 7, 1, ""), ErrorCode::UnknownTopicOrPartition.code());
}

fn topic_config(client: &mut Client, topic: &str, key: &str) -> String {
    let resource = DescribeConfigsResource { resource_type: 2, resource_name: topic, configuration_keys: None };
    let frame = client.call(4, &DescribeConfigsRequest { resources: vec![resource], ..Default::default() });
    let (_, response): (_, DescribeConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeConfigs, 4).expect("an answer");
    let configs = &response.results[0].configs;
    configs.iter().find(|config| config.name == key).and_then(|config| config.value).unwrap_or_default().to_owned()
}
