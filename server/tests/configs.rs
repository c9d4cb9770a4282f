//! Configurations change while the broker serves, act at once, and survive a restart; records are deleted up to an offset.

mod broker;

use broker::configs::{APPEND, BROKER, DELETE, SET, SUBTRACT, TOPIC, alter, altered, described};
use broker::requests::{delete_topic, earliest, find_offset};
use broker::{Broker, Client, FETCH, batch, fetch_request, fetched};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResponse, AlterableConfig,
};
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
/// Deletes below an offset; gives the error code and the low watermark.
fn delete_records(client: &mut Client, topic: &str, partition: i32, offset: i64) -> (i16, i64) {
    client.send(2, &deletion(topic, partition, offset));
    received_deletion(client)
}

fn deletion(topic: &str, partition: i32, offset: i64) -> DeleteRecordsRequest<'_> {
    let partitions = vec![DeleteRecordsPartition { partition_index: partition, offset }];
    DeleteRecordsRequest { topics: vec![DeleteRecordsTopic { name: topic, partitions }], timeout_ms: 30_000 }
}

fn received_deletion(client: &mut Client) -> (i16, i64) {
    let frame = client.receive().expect("an answer");
    let (_, response): (_, DeleteRecordsResponse<'_>) =
        decode_response(&frame, ApiKey::DeleteRecords, 2).expect("an answer");
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.low_watermark)
}

fn replace_all(client: &mut Client, topic: &str, configs: &[(&str, &str)]) -> i16 {
    let configs = configs.iter().map(|(name, value)| AlterableConfig { name, value: Some(value) }).collect();
    let resource = AlterConfigsResource { resource_type: TOPIC, resource_name: topic, configs };
    let frame = client.call(2, &AlterConfigsRequest { resources: vec![resource], validate_only: false });
    let (_, response): (_, AlterConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::AlterConfigs, 2).expect("an answer");
    response.responses[0].error_code
}

#[test]
fn records_below_an_offset_go_and_stay_gone() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    for at in 0..10 {
        assert_eq!(client.produce("t", 1, &batch(&[&format!("value-{at}")])), (0, at));
    }
    assert_eq!(delete_records(&mut client, "t", 1, 4), (0, 4));
    assert_eq!(delete_records(&mut client, "t", 1, 2), (0, 4), "it never falls");
    assert_eq!(earliest(&mut client, "t", 1), 4);
    assert_eq!(client.fetch("t", 1, 3).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(client.fetch("t", 1, 4).0, 0);

    let refused = |code: ErrorCode| (code.code(), -1);
    assert_eq!(delete_records(&mut client, "t", 1, 11), refused(ErrorCode::OffsetOutOfRange));
    assert_eq!(delete_records(&mut client, "t", 1, -2), refused(ErrorCode::OffsetOutOfRange));
    assert_eq!(delete_records(&mut client, "t", 2, 0), refused(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(delete_records(&mut client, "none", 0, 0), refused(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(client.create_topic("keys", 1, &[("cleanup.policy", "compact")]), 0);
    assert_eq!(delete_records(&mut client, "keys", 0, -1), refused(ErrorCode::PolicyViolation));

    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(earliest(&mut client, "t", 1), 4);
    assert_eq!(delete_records(&mut client, "t", 1, -1), (0, 10), "up to the high watermark");
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(earliest(&mut client, "t", 1), 10);
    assert_eq!(client.produce("t", 1, &batch(&["next"])), (0, 10));
}

/// An offset that was answered with acks=1 was refused as out of range until the flush that was under way had ended; Kafka's high watermark has
/// moved by the time of the answer. The deletion goes out with the produce, so that it begins right when that is answered.
#[test]
fn records_go_as_soon_as_they_are_acknowledged_with_acks_1() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    for end in 1..=50 {
        for partition in [0, 1] {
            client.send_produce("t", partition, &batch(&["value"]), 1);
            client.send(2, &deletion("t", partition, if end % 2 == 0 { -1 } else { end }));
            assert_eq!(client.receive_produced(), (0, end - 1));
            assert_eq!(received_deletion(&mut client), (0, end));
        }
    }
    let beyond = (ErrorCode::OffsetOutOfRange.code(), -1);
    client.send_produce("t", 0, &batch(&["value"]), 1);
    client.send(2, &deletion("t", 0, 52));
    assert_eq!(
        (client.receive_produced(), received_deletion(&mut client)),
        ((0, 50), beyond),
        "nobody has written that far"
    );
}

/// A reader that asked for more bytes than there are waits; records that are deleted under it are no silence.
#[test]
fn a_reader_that_waits_below_a_new_log_start_is_told() {
    let broker = Broker::start(&[]);
    let (mut client, mut waiting) = (broker.connect(), broker.connect());
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    for at in 0..5 {
        assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, at));
    }
    let mut request = fetch_request("t", 0, 1, 60_000);
    request.min_bytes = 1 << 20;
    waiting.send(FETCH, &request);
    // The answer may come before or after the wait began: both must say it.
    assert_eq!(delete_records(&mut client, "t", 0, 3), (0, 3));
    assert_eq!(fetched(&waiting.receive().expect("an answer")).0, ErrorCode::OffsetOutOfRange.code());
}

#[test]
fn topic_configs_change_live_and_survive() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("segment.ms", "70000")]), 0);
    let large = batch(&[&"x".repeat(5_000)]);
    assert_eq!(client.produce("t", 0, &large).0, 0);
    let set = [("max.message.bytes", SET, Some("1000"))];
    assert_eq!(alter(&mut client, TOPIC, "t", &set, true), 0, "only asked");
    assert_eq!(client.produce("t", 0, &large).0, 0);
    assert_eq!(alter(&mut client, TOPIC, "t", &set, false), 0);
    assert_eq!(client.produce("t", 0, &large).0, ErrorCode::MessageTooLarge.code());
    assert_eq!(described(&mut client, TOPIC, "t", "max.message.bytes").0, "1000");
    assert_eq!(described(&mut client, TOPIC, "t", "segment.ms").0, "70000");

    assert_eq!(alter(&mut client, TOPIC, "t", &[("cleanup.policy", APPEND, Some("compact"))], false), 0);
    assert_eq!(described(&mut client, TOPIC, "t", "cleanup.policy").0, "delete,compact");
    assert_eq!(alter(&mut client, TOPIC, "t", &[("cleanup.policy", SUBTRACT, Some("compact"))], false), 0);
    assert_eq!(described(&mut client, TOPIC, "t", "cleanup.policy").0, "delete");

    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(client.produce("t", 0, &large).0, ErrorCode::MessageTooLarge.code());
    assert_eq!(alter(&mut client, TOPIC, "t", &[("max.message.bytes", DELETE, None)], false), 0);
    assert_eq!(client.produce("t", 0, &large).0, 0);
    assert_eq!(replace_all(&mut client, "t", &[("retention.ms", "60000")]), 0);
    assert_eq!(described(&mut client, TOPIC, "t", "retention.ms").0, "60000");
    assert_eq!(described(&mut client, TOPIC, "t", "segment.ms").0, "604800000", "what is not named has its default");
}

#[test]
fn wrong_edits_change_nothing() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let mut refused = |kind, name, edits: &[(&str, i8, Option<&str>)]| alter(&mut client, kind, name, edits, false);
    let (config, request) = (ErrorCode::InvalidConfig.code(), ErrorCode::InvalidRequest.code());
    assert_eq!(refused(TOPIC, "t", &[("no.such.key", SET, Some("1"))]), config);
    assert_eq!(refused(TOPIC, "t", &[("no.such.key", DELETE, None)]), 0, "it is not there, as asked");
    assert_eq!(refused(TOPIC, "t", &[("no.such.key", APPEND, Some("1"))]), config);
    assert_eq!(refused(TOPIC, "t", &[("retention.ms", SET, Some("soon"))]), config);
    assert_eq!(refused(TOPIC, "t", &[("retention.ms", APPEND, Some("5"))]), config);
    assert_eq!(refused(TOPIC, "t", &[("cleanup.policy", SET, Some("delete,shred"))]), config);
    assert_eq!(refused(TOPIC, "t", &[("retention.ms", SET, None)]), request);
    assert_eq!(refused(TOPIC, "t", &[("retention.ms", 9, Some("5"))]), request);
    let twice = [("retention.ms", SET, Some("5")), ("retention.ms", DELETE, None)];
    assert_eq!(refused(TOPIC, "t", &twice), request);
    assert_eq!(refused(TOPIC, "none", &[("retention.ms", SET, Some("5"))]), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(refused(TOPIC, "", &[("retention.ms", SET, Some("5"))]), request);
    assert_eq!(refused(TOPIC, "a/b", &[("retention.ms", SET, Some("5"))]), ErrorCode::InvalidTopicException.code());
    assert_eq!(refused(BROKER, "77", &[("log.retention.ms", SET, Some("5"))]), request);
    assert_eq!(refused(BROKER, "", &[("node.id", SET, Some("5"))]), request);
    assert_eq!(refused(BROKER, "", &[("message.max.bytes", SET, Some("-5"))]), request);
    assert_eq!(refused(BROKER, "", &[("no.such.key", SET, Some("5"))]), 0, "a plugin's, and there are none");
    assert_eq!(refused(BROKER, "one", &[("log.retention.ms", SET, Some("5"))]), request);
    assert_eq!(refused(BROKER, "1", &[("log.segment.bytes", SET, Some("5"))]), request);
    assert_eq!(refused(BROKER, "1", &[("num.io.threads", SET, Some("many"))]), request);
    let lags = [("min.compaction.lag.ms", SET, Some("9")), ("max.compaction.lag.ms", SET, Some("8"))];
    assert_eq!(refused(TOPIC, "t", &lags), config);
    assert_eq!(refused(16, "t", &[("retention.ms", SET, Some("5"))]), request);
    assert_eq!(described(&mut client, TOPIC, "t", "retention.ms").1, 4, "still what the broker was started with");
}

#[test]
fn refused_edits_have_kafkas_words() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let mut words = |kind, name, edits: &[(&str, i8, Option<&str>)]| altered(&mut client, kind, name, edits, true).1;
    let ms = |operation, value| [("retention.ms", operation, Some(value))];
    for (kind, name, edits, expected) in [
        (TOPIC, "t", ms(SET, "x"), "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        (TOPIC, "t", ms(SET, "-2"), "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        (TOPIC, "t", ms(APPEND, "1"), "Can't APPEND to key retention.ms because its type is not LIST."),
        (TOPIC, "t", ms(SUBTRACT, "1"), "Can't SUBTRACT to key retention.ms because its type is not LIST."),
        (TOPIC, "nowhere", ms(SET, "1"), "The topic 'nowhere' does not exist."),
        (TOPIC, "t", [("no.such", SET, Some("1"))], "Unknown topic config name: no.such"),
        (BROKER, "99", ms(SET, "1"), "Unexpected broker id, expected 1, but received 99"),
        (BROKER, "x", ms(SET, "1"), "Node id must be an integer, but it is: x"),
        (BROKER, "", [("node.id", SET, Some("2"))], "Cannot update these configs dynamically: Set(node.id)"),
        (
            BROKER,
            "1",
            [("log.cleanup.policy", SET, Some("shred"))],
            "Invalid value shred for configuration log.cleanup.policy: String must be one of: compact, delete",
        ),
        (3, "x", ms(SET, "1"), "Unknown resource type 3"),
    ] {
        assert_eq!(words(kind, name, &edits), expected);
    }
    let twice = [("retention.ms", SET, Some("5")), ("retention.ms", DELETE, None)];
    assert_eq!(words(TOPIC, "t", &twice), "Error due to duplicate config keys");
}

#[test]
fn values_are_taken_and_told_as_kafka_reads_them() {
    let broker = Broker::start(&["log.preallocate=TRUE"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("retention.ms", " 5000 "), ("cleanup.policy", " compact , delete ")]), 0);
    assert_eq!(described(&mut client, TOPIC, "t", "retention.ms").0, "5000");
    assert_eq!(described(&mut client, TOPIC, "t", "cleanup.policy").0, "compact,delete");
    assert_eq!(described(&mut client, TOPIC, "t", "preallocate").0, "true");
    let edits = [("preallocate", SET, Some(" False")), ("cleanup.policy", SET, Some(""))];
    assert_eq!(alter(&mut client, TOPIC, "t", &edits, false), 0);
    assert_eq!(described(&mut client, TOPIC, "t", "preallocate").0, "false");
    assert_eq!(described(&mut client, TOPIC, "t", "cleanup.policy").0, "", "no policy is one");
    assert_eq!(alter(&mut client, BROKER, "", &[("log.retention.ms", SET, Some(" 7000 "))], false), 0);
    assert_eq!(described(&mut client, BROKER, "", "log.retention.ms").0, "7000");
}

#[test]
fn the_brokers_kind_of_timestamp_is_that_of_topics_which_set_none() {
    let mut broker = Broker::start(&["log.message.timestamp.after.max.ms=1000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let newest_ms = |client: &mut Client| find_offset(client, "t", 0, -3).1;
    assert_eq!(client.produce("t", 0, &batch(&["early"])).0, 0);
    let written_ms = newest_ms(&mut client);
    let edit = ("log.message.timestamp.type", SET, Some("LogAppendTime"));
    assert_eq!(alter(&mut client, BROKER, "", &[edit], false), 0);
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(client.produce("t", 0, &batch(&["late"])).0, 0);
    assert!(newest_ms(&mut client) > written_ms, "the broker's clock, not the batch's fixed time");
}

#[test]
fn dynamic_broker_configs_are_the_defaults_of_topics_at_once_and_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let large = batch(&[&"x".repeat(5_000)]);
    assert_eq!(alter(&mut client, BROKER, "1", &[("message.max.bytes", SET, Some("1000"))], false), 0);
    for kill in [false, true] {
        if kill {
            broker.kill_and_restart();
            client = broker.connect();
        }
        assert_eq!(client.produce("t", 0, &large).0, ErrorCode::MessageTooLarge.code());
        let places = vec![("message.max.bytes".to_owned(), 2), ("message.max.bytes".to_owned(), 5)];
        assert_eq!(described(&mut client, TOPIC, "t", "max.message.bytes"), ("1000".to_owned(), 2, places));
        let (value, source, _) = described(&mut client, BROKER, "1", "message.max.bytes");
        assert_eq!((value.as_str(), source), ("1000", 2));
    }
    assert_eq!(alter(&mut client, BROKER, "1", &[("message.max.bytes", DELETE, None)], false), 0);
    assert_eq!(client.produce("t", 0, &large).0, 0);
}

#[test]
fn retention_by_time_acts_and_a_reader_below_is_told() {
    let broker = Broker::start(&["log.retention.check.interval.ms=20"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("retention.ms", "-1")]), 0);
    for at in 0..3 {
        // The records of tests are years old.
        assert_eq!(client.produce("t", 0, &batch(&["old"])), (0, at));
    }
    assert_eq!(alter(&mut client, TOPIC, "t", &[("retention.ms", SET, Some("60000"))], false), 0);
    while earliest(&mut client, "t", 0) < 3 {}
    assert_eq!(client.fetch("t", 0, 2).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(client.produce("t", 0, &batch(&["old as well"])), (0, 3));
    while earliest(&mut client, "t", 0) < 4 {}
    assert_eq!(delete_topic(&mut client, "t"), 0);
}

#[test]
fn a_broker_whose_topics_may_not_be_deleted_says_so() {
    let mut broker = Broker::start(&["delete.topic.enable=false"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(delete_topic(&mut client, "t"), ErrorCode::TopicDeletionDisabled.code());
    assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, 0));
    broker.restart_with(&[]);
    assert_eq!(delete_topic(&mut broker.connect(), "t"), 0);
}
