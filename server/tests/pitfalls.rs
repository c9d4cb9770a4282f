//! What has bitten other brokers that speak Kafka's protocol and no other test shows. docs/PITFALLS.md has all of them, and every test that it
//! names exists.

mod broker;

use std::path::Path;

use broker::configs::{SET, TOPIC, alter};
use broker::requests::{find_offset, producer_id};
use broker::{Broker, Client, batch, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResponse, AlterableConfig,
};
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::record_batch::{BatchBuilder, ProducerFields};

/// Key, the lowest version that some client in use insists on, and the version that the newest-only clients (librdkafka, Sarama, platformatic)
/// insist on.
const INSISTED_ON: &[(ApiKey, i16, i16)] = &[
    // librdkafka before 2.11.1 compresses nothing where Produce does not begin at 0.
    (ApiKey::Produce, 0, 7),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 5),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::OffsetCommit, 1, 8),
    (ApiKey::OffsetFetch, 1, 8),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 6),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 4),
    (ApiKey::SyncGroup, 0, 4),
    (ApiKey::DescribeGroups, 2, 5),
    (ApiKey::ListGroups, 1, 4),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 1, 2),
    (ApiKey::InitProducerId, 0, 3),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AddPartitionsToTxn, 0, 3),
    (ApiKey::AddOffsetsToTxn, 0, 1),
    (ApiKey::EndTxn, 0, 3),
    (ApiKey::TxnOffsetCommit, 0, 3),
    (ApiKey::DescribeConfigs, 1, 2),
    (ApiKey::AlterConfigs, 1, 2),
    (ApiKey::DescribeLogDirs, 1, 2),
    (ApiKey::CreatePartitions, 1, 2),
    (ApiKey::DeleteGroups, 1, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 0),
];

#[test]
fn every_range_of_versions_holds_what_some_client_insists_on() {
    let broker = Broker::start(&[]);
    let frame = broker.connect().call(0, &ApiVersionsRequest::default());
    let (_, response): (_, ApiVersionsResponse<'_>) =
        decode_response(&frame, ApiKey::ApiVersions, 0).expect("an answer");
    for (api, lowest, highest) in INSISTED_ON {
        let told = response.api_keys.iter().find(|told| told.api_key == *api as i16).expect("it is told");
        assert!(told.min_version <= *lowest && told.max_version >= *highest, "{api:?}: {told:?}");
    }
}

#[test]
fn an_idempotent_producer_writes_a_compacted_topic_and_a_forgotten_one_goes_on() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[("cleanup.policy", "compact")]), 0);
    let keyed = |producer_id, base_sequence| {
        let fields = ProducerFields { producer_id, producer_epoch: 0, base_sequence };
        let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, fields);
        builder.append_payload(1_700_000_000_000, Some(b"k"), b"v");
        builder.finish()
    };
    let id = producer_id(&mut client);
    assert_eq!(client.produce("t", 0, &keyed(id, 0)), (0, 0));
    assert_eq!(client.produce("t", 0, &keyed(id, 0)), (0, 0), "again, and no duplicate");
    assert_eq!(client.produce("t", 0, &keyed(id, 1)), (0, 1));
    let gap = ErrorCode::OutOfOrderSequenceNumber.code();
    assert_eq!(client.produce("t", 0, &keyed(id, 7)), (gap, -1));
    // Nobody knows this one, as if its state had been given up for others': librdkafka takes a refusal for fatal.
    assert_eq!(client.produce("t", 0, &keyed(id + 1_000, 41)), (0, 2));
}

#[test]
fn a_time_behind_all_records_is_no_offset_and_no_error_and_so_is_any_time_of_an_empty_partition() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["a", "b"])), (0, 0));
    assert_eq!(find_offset(&mut client, "t", 0, 1_700_000_000_001), (1, 1_700_000_000_001), "a record, not its batch");
    assert_eq!(find_offset(&mut client, "t", 0, 1_700_000_000_002), (-1, -1));
    assert_eq!(find_offset(&mut client, "t", 1, 0), (-1, -1));
    assert_eq!(find_offset(&mut client, "t", 1, -3), (-1, -1));
    assert_eq!(find_offset(&mut client, "t", 1, -1), (0, -1));
}

#[test]
fn a_first_batch_above_every_limit_is_given_whole_and_the_limits_of_many_partitions_count_together() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 50, &[]), 0);
    let large = batch(&[&"x".repeat(100_000)]);
    for partition in 0..50 {
        assert_eq!(client.produce("t", partition, &large), (0, 0));
    }
    let mut ask = |max_bytes, partition_max_bytes| {
        let partition = |partition| FetchPartition { partition, partition_max_bytes, ..Default::default() };
        let topics =
            vec![FetchTopic { topic: "t", partitions: (0..50).map(partition).collect(), ..Default::default() }];
        let frame = client.call(12, &FetchRequest { min_bytes: 1, max_bytes, topics, ..Default::default() });
        let (_, response): (_, FetchResponse<'_>) = decode_response(&frame, ApiKey::Fetch, 12).expect("an answer");
        let partitions = &response.responses[0].partitions;
        assert!(partitions.iter().all(|partition| partition.error_code == 0 && partition.high_watermark == 1));
        let sizes = partitions.iter().map(|one| one.records.as_ref().map_or(0, protocol::Records::len));
        sizes.filter(|bytes| *bytes > 0).collect::<Vec<_>>()
    };
    assert_eq!(ask(1, 1), [large.len()], "one batch, or a reader never goes on");
    let some = ask(350_000, 1 << 20);
    assert_eq!(some, vec![large.len(); some.len()]);
    assert!((1..=4).contains(&some.len()), "{some:?}");
}

#[test]
fn what_is_described_of_a_topic_can_be_set_and_makes_a_topic() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let described = |client: &mut Client, name: &str| -> Vec<(String, String)> {
        let resource = DescribeConfigsResource { resource_type: TOPIC, resource_name: name, configuration_keys: None };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let frame = client.call(4, &request);
        let (_, response): (_, DescribeConfigsResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeConfigs, 4).expect("an answer");
        let configs = response.results[0].configs.iter();
        configs.map(|one| (one.name.to_owned(), one.value.expect("each has one").to_owned())).collect()
    };
    let all = described(&mut client, "t");
    assert!(all.len() > 30);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in &pairs {
        assert_eq!(alter(&mut client, TOPIC, "t", &[(name, SET, Some(value))], false), 0, "{name}={value}");
    }
    let configs = pairs.iter().map(|(name, value)| AlterableConfig { name, value: Some(value) }).collect();
    let resource = AlterConfigsResource { resource_type: TOPIC, resource_name: "t", configs };
    let frame = client.call(2, &AlterConfigsRequest { resources: vec![resource], validate_only: false });
    let (_, response): (_, AlterConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::AlterConfigs, 2).expect("an answer");
    assert_eq!(response.responses[0].error_code, 0);
    assert_eq!(client.create_topic("copy", 1, &pairs), 0);
    assert_eq!(described(&mut client, "copy"), all);
}

#[test]
fn a_topic_is_there_for_everybody_when_its_making_is_answered() {
    let broker = Broker::start(&["posthaste.shards=2"]);
    let mut clients: Vec<Client> = (0..4).map(|_| broker.connect()).collect();
    for round in 0..10 {
        let (made, asked) = (format!("made-{round}"), format!("asked-{round}"));
        assert_eq!(clients[round % 4].create_topic(&made, 2, &[]), 0);
        let topic = MetadataRequestTopic { name: Some(&asked), ..Default::default() };
        let request =
            MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: true, ..Default::default() };
        let frame = clients[round % 4].call(12, &request);
        let (_, response): (_, MetadataResponse<'_>) =
            decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
        assert_eq!(response.topics[0].error_code, 0, "no error that a client has to wait for");
        for client in &mut clients {
            assert_eq!(
                (client.produce(&made, 1, &batch(&["v"])).0, client.produce(&asked, 0, &batch(&["v"])).0),
                (0, 0)
            );
        }
    }
}

#[test]
fn transaction_timeouts_above_the_brokers_are_refused() {
    let broker = Broker::start(&["transaction.max.timeout.ms=5000"]);
    let mut client = broker.connect();
    for (timeout_ms, code) in [(5_001, ErrorCode::InvalidTransactionTimeout), (0, ErrorCode::InvalidTransactionTimeout)]
    {
        let request = InitProducerIdRequest {
            transactional_id: Some("tx"),
            transaction_timeout_ms: timeout_ms,
            producer_id: -1,
            producer_epoch: -1,
        };
        let frame = client.call(4, &request);
        let (_, response): (_, InitProducerIdResponse) =
            decode_response(&frame, ApiKey::InitProducerId, 4).expect("an answer");
        assert_eq!(response.error_code, code.code(), "{timeout_ms}");
    }
}

#[test]
fn headers_with_one_name_and_odd_times_come_back_as_they_were() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, ProducerFields::NONE);
    builder.append(1_700_000_000_000, None, Some(b"v"), &[("h", Some(b"1")), ("h", Some(b"1")), ("h", None)]);
    // Before the first one, and so far from it that the difference takes nine bytes.
    builder.append(1, Some(b""), None, &[]);
    let sent = builder.finish();
    assert_eq!(client.produce("t", 0, &sent), (0, 0));
    let (_, _, bytes) = client.fetch("t", 0, 0);
    assert_eq!(bytes[17..], sent[17..], "all that the CRC covers, and the CRC");
    assert_eq!(values(&bytes).len(), 2);
}

/// `file::test` in backticks.
fn named_tests(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| text.split_once("::")).collect()
}

#[test]
fn the_page_has_all_twenty_and_every_test_that_it_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/PITFALLS.md")).expect("the page is there");
    for number in 1..=20 {
        let row = page.lines().find(|line| line.starts_with(&format!("| {number} |"))).expect("each has a row");
        assert!(!named_tests(row).is_empty(), "{number} names no test");
    }
    for (file, test) in named_tests(&page) {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}(")), "there is no {test} in {file}");
    }
}
