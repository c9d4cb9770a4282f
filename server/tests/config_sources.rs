//! What `DescribeConfigs` says of where a value comes from, of brokers and of what a key does; and whom a change of brokers is for.

mod broker;

use broker::configs::{APPEND, BROKER, DELETE, SET, TOPIC, alter, described};
use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use protocol::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResource, IncrementalAlterConfigsResponse,
    IncrementalAlterableConfig,
};

/// One setting of an answer: name, value, read-only, sensitive, type, documentation.
type Setting = (String, Option<String>, bool, bool, i8, Option<String>);

/// Error code, and all settings of one resource.
fn all(
    client: &mut Client,
    resource_type: i8,
    resource_name: &str,
    include_documentation: bool,
) -> (i16, Vec<Setting>) {
    let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
    let request = DescribeConfigsRequest { resources: vec![resource], include_synonyms: false, include_documentation };
    let frame = client.call(4, &request);
    let (_, response): (_, DescribeConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeConfigs, 4).expect("an answer");
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let settings = response.results[0].configs.iter().map(|one| {
        assert!(one.synonyms.is_empty(), "nobody asked");
        let documentation = owned(one.documentation);
        (one.name.to_owned(), owned(one.value), one.read_only, one.is_sensitive, one.config_type, documentation)
    });
    (response.results[0].error_code, settings.collect())
}

fn places(names: &[(&str, i8)]) -> Vec<(String, i8)> {
    names.iter().map(|(name, source)| ((*name).to_owned(), *source)).collect()
}

#[test]
fn a_value_of_the_broker_goes_before_that_of_the_cluster_and_both_before_the_start() {
    let mut broker = Broker::start(&["message.max.bytes=5000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("max.message.bytes", "4000")]), 0);
    let value = |client: &mut Client| described(client, TOPIC, "t", "max.message.bytes");
    let edit = |client: &mut Client, name: &str, operation, value| {
        assert_eq!(alter(client, BROKER, name, &[("message.max.bytes", operation, value)], false), 0);
    };
    edit(&mut client, "", SET, Some("3000"));
    edit(&mut client, "1", SET, Some("2000"));
    broker.kill_and_restart();
    let mut client = broker.connect();
    let key = "message.max.bytes";
    let all = places(&[("max.message.bytes", 1), (key, 2), (key, 3), (key, 4), (key, 5)]);
    assert_eq!(value(&mut client), ("4000".to_owned(), 1, all.clone()));
    assert_eq!(alter(&mut client, TOPIC, "t", &[("max.message.bytes", DELETE, None)], false), 0);
    assert_eq!(value(&mut client), ("2000".to_owned(), 2, all[1..].to_vec()));
    assert_eq!(described(&mut client, BROKER, "1", key), ("2000".to_owned(), 2, all[1..].to_vec()));
    assert_eq!(described(&mut client, BROKER, "", key), ("3000".to_owned(), 3, all[2..3].to_vec()));
    edit(&mut client, "1", DELETE, None);
    assert_eq!(value(&mut client), ("3000".to_owned(), 3, all[2..].to_vec()));
    edit(&mut client, "", DELETE, None);
    assert_eq!(value(&mut client), ("5000".to_owned(), 4, all[3..].to_vec()));
}

#[test]
fn keys_that_stand_in_for_each_other_are_named() {
    let broker = Broker::start(&["log.roll.hours=5"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let roll = described(&mut client, TOPIC, "t", "segment.ms");
    assert_eq!(roll, ("18000000".to_owned(), 5, places(&[])), "Kafka names them only behind the key itself");
    // The broker of tests keeps records for ever.
    let retention = described(&mut client, TOPIC, "t", "retention.ms");
    assert_eq!(retention, ("-1".to_owned(), 4, places(&[("log.retention.ms", 4), ("log.retention.hours", 5)])));
    let alone = described(&mut client, TOPIC, "t", "preallocate");
    assert_eq!(alone, ("false".to_owned(), 5, places(&[("log.preallocate", 5)])));
    let nowhere = described(&mut client, TOPIC, "t", "remote.log.copy.disable");
    assert_eq!(nowhere, ("false".to_owned(), 5, places(&[])), "the broker has no key for it");
    let of_broker = described(&mut client, BROKER, "1", "log.retention.ms");
    assert_eq!(of_broker, ("-1".to_owned(), 4, places(&[("log.retention.ms", 4), ("log.retention.hours", 5)])));
    assert_eq!(described(&mut client, BROKER, "1", "log.retention.minutes"), (String::new(), 5, places(&[])));
    let hours = described(&mut client, BROKER, "1", "log.retention.hours");
    assert_eq!(hours, ("168".to_owned(), 5, places(&[("log.retention.hours", 5)])));
    assert_eq!(described(&mut client, BROKER, "1", "node.id").2, places(&[]), "a node has no id by default");
}

#[test]
fn a_broker_says_all_of_kafkas_keys_with_their_types_and_only_when_asked_what_they_do() {
    let broker = Broker::start(&["num.io.threads=3"]);
    let mut client = broker.connect();
    let (error, settings) = all(&mut client, BROKER, "1", true);
    assert_eq!(error, 0);
    let find = |name: &str| settings.iter().find(|setting| setting.0 == name).expect("it is told");
    let told = |name: &str| (find(name).1.as_deref(), find(name).2, find(name).4);
    assert_eq!(told("num.io.threads"), (Some("3"), false, 3));
    assert_eq!(told("node.id"), (Some("1"), true, 3));
    assert_eq!(told("broker.id"), (Some("1"), true, 3));
    assert!(told("log.dirs").0.is_some_and(|path| path.starts_with('/')) && told("log.dirs").2 == 2);
    assert!(
        told("listeners").0.is_some_and(|all| all.starts_with("PLAINTEXT://127.0.0.1:")),
        "{:?}",
        told("listeners")
    );
    assert_eq!((told("listeners").2, told("advertised.listeners")), (2, (None, true, 2)));
    assert_eq!(told("max.connections.per.ip.overrides"), (Some(""), false, 2));
    assert_eq!(told("log.retention.hours"), (Some("168"), true, 3));
    assert_eq!(told("log.retention.minutes"), (None, true, 3));
    assert_eq!(told("log.segment.bytes"), (Some("1073741824"), false, 3));
    assert_eq!(told("default.replication.factor"), (Some("1"), true, 3));
    assert_eq!(told("delete.topic.enable"), (Some("true"), true, 1));
    assert_eq!(told("log.cleanup.policy"), (Some("delete"), false, 7));
    assert!(settings.iter().all(|setting| setting.5.as_ref().is_some_and(|text| !text.is_empty())));
    assert!(settings.iter().all(|setting| !setting.3), "no secret is taken, so none is told");
    assert!(all(&mut client, BROKER, "1", false).1.iter().all(|setting| setting.5.is_none()));
}

#[test]
fn the_cluster_has_only_what_was_changed_for_it() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(all(&mut client, BROKER, "", false), (0, Vec::new()));
    // A list grows from the broker's own value, and what does not act is kept and told all the same.
    let edits = [("log.cleanup.policy", APPEND, Some("compact")), ("log.cleaner.threads", SET, Some("2"))];
    assert_eq!(alter(&mut client, BROKER, "", &edits, false), 0);
    let names: Vec<_> = all(&mut client, BROKER, "", false).1.into_iter().map(|one| (one.0, one.1)).collect();
    let expected = [("log.cleanup.policy", "delete,compact"), ("log.cleaner.threads", "2")];
    assert_eq!(names, expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
    assert_eq!(described(&mut client, BROKER, "1", "log.cleaner.threads").1, 3);
}

#[test]
fn resources_that_have_no_configuration_here_are_refused_as_kafka_refuses_what_it_does_not_know() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let request = ErrorCode::InvalidRequest.code();
    // Loggers, client metrics, and a kind that nobody has.
    for kind in [8, 16, 99] {
        assert_eq!(all(&mut client, kind, "1", false), (request, Vec::new()), "{kind}");
        assert_eq!(alter(&mut client, kind, "1", &[("x", SET, Some("1"))], false), request, "{kind}");
    }
    assert_eq!(all(&mut client, BROKER, "77", false).0, request);
    assert_eq!(all(&mut client, BROKER, "one", false).0, request);
    assert_eq!(all(&mut client, TOPIC, "none", false).0, ErrorCode::UnknownTopicOrPartition.code());
    for impossible in ["", "a/b"] {
        assert_eq!(all(&mut client, TOPIC, impossible, false).0, ErrorCode::InvalidTopicException.code());
    }
}

#[test]
fn a_resource_that_is_named_twice_is_not_changed() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!((client.create_topic("t", 1, &[]), client.create_topic("u", 1, &[])), (0, 0));
    let resource = |resource_name, value| {
        let configs =
            vec![IncrementalAlterableConfig { name: "segment.ms", config_operation: SET, value: Some(value) }];
        IncrementalAlterConfigsResource { resource_type: TOPIC, resource_name, configs }
    };
    let resources = vec![resource("t", "5"), resource("u", "6"), resource("t", "7")];
    let frame = client.call(1, &IncrementalAlterConfigsRequest { resources, validate_only: false });
    let (_, response): (_, IncrementalAlterConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::IncrementalAlterConfigs, 1).expect("an answer");
    let codes: Vec<i16> = response.responses.iter().map(|one| one.error_code).collect();
    let refused = ErrorCode::InvalidRequest.code();
    assert_eq!(codes, [refused, 0, refused]);
    assert_eq!(described(&mut client, TOPIC, "t", "segment.ms").1, 5);
    assert_eq!(described(&mut client, TOPIC, "u", "segment.ms").0, "6");
}
