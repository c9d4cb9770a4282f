//! What bad input gets: the error that Kafka names, or a logged close with the peer's address. The broker and its other connections go on.

mod broker;

use broker::{Broker, batch, metric, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::record_batch::{BASE_OFFSET_AT, CRC_AT, MAGIC_AT, RECORD_COUNT_AT};

const UNKNOWN_TOPIC: i16 = ErrorCode::UnknownTopicOrPartition as i16;

/// A broker with topic `t`, and a bystander whose connection must not notice anything.
fn with_bystander(settings: &[&str], misbehave: impl FnOnce(&Broker)) {
    let broker = Broker::start(settings);
    let mut bystander = broker.connect();
    assert_eq!(bystander.create_topic("t", 1, &[]), 0);
    assert_eq!(bystander.produce("t", 0, &batch(&["before"])), (0, 0));
    misbehave(&broker);
    assert_eq!(bystander.produce("t", 0, &batch(&["after"])).0, 0);
    let (error, _, bytes) = bystander.fetch("t", 0, 0);
    assert_eq!(error, 0);
    let read = values(&bytes);
    assert_eq!(read.first().map(|(_, value)| value.as_str()), Some("before"));
    assert_eq!(read.last().map(|(_, value)| value.as_str()), Some("after"));
}

/// These bytes end the connection, and the log says why and who.
fn closes(bytes: &[u8], reason: &str) {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_raw(bytes);
        assert!(client.is_closed());
        broker.wait_for_log(&["closing a connection", "127.0.0.1:", reason]);
    });
}

#[test]
fn a_frame_longer_than_the_limit_is_closed_before_memory_is_given() {
    with_bystander(&["socket.request.max.bytes=1048576"], |broker| {
        let before = broker.resident_bytes();
        let mut clients: Vec<_> = (0..50).map(|_| broker.connect()).collect();
        for client in &mut clients {
            client.send_raw(&1_048_577_i32.to_be_bytes());
            assert!(client.is_closed());
        }
        broker.wait_for_log(&["closing a connection", "frame length 1048577 is not acceptable"]);
        assert!(broker.resident_bytes() < before + (16 << 20));
    });
}

#[test]
fn a_negative_or_tiny_length_is_closed() {
    closes(&(-5_i32).to_be_bytes(), "frame length -5");
    closes(&i32::MIN.to_be_bytes(), "frame length -2147483648");
    closes(&7_i32.to_be_bytes(), "frame length 7");
}

#[test]
fn a_lying_length_takes_no_memory_while_the_bytes_do_not_come() {
    with_bystander(&[], |broker| {
        let before = broker.resident_bytes();
        let mut liars: Vec<_> = (0..40).map(|_| broker.connect()).collect();
        for liar in &mut liars {
            liar.send_raw(&(50_i32 << 20).to_be_bytes());
            liar.send_raw(&[0; 100]);
        }
        // Both shards have many of them, and still serve.
        for mut client in [broker.connect(), broker.connect()] {
            assert_eq!(client.produce("t", 0, &batch(&[&"x".repeat(500_000)])).0, 0);
            assert_eq!(client.fetch("t", 0, 0).0, 0);
        }
        assert!(broker.resident_bytes() < before + (16 << 20));
    });
}

#[test]
fn half_a_frame_and_silence_is_closed_when_its_client_goes() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_raw(&100_i32.to_be_bytes());
        client.send_raw(&[0; 10]);
        drop(client);
        broker.wait_for_log(&["closing a connection", "127.0.0.1:", "inside a frame"]);
    });
}

#[test]
fn a_count_larger_than_the_bytes_is_closed() {
    // Metadata version 1 whose array of topics claims two thousand million.
    let body = [&[0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff][..], &2_000_000_000_i32.to_be_bytes()].concat();
    let frame = [&(body.len() as i32).to_be_bytes()[..], &body].concat();
    closes(&frame, "an array of 2000000000 elements");
}

#[test]
fn bytes_behind_a_request_are_passed_over_as_kafka_does() {
    // librdkafka's Metadata request for all topics ends with three.
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_frame(&[&[0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff][..], &0_i32.to_be_bytes(), b"more"].concat());
        let frame = client.receive().expect("an answer");
        assert_eq!(frame[..4], 9_i32.to_be_bytes());
        assert_eq!(client.fetch("t", 0, 0).0, 0);
    });
}

#[test]
fn an_unknown_api_or_version_is_closed() {
    let frame = |key: i16, version: i16| {
        let body = [&key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 1, 0xff, 0xff]].concat();
        [&(body.len() as i32).to_be_bytes()[..], &body].concat()
    };
    closes(&frame(999, 0), "api key 999 version 0 is not supported");
    closes(&frame(0, 2), "api key 0 version 2 is not supported");
    closes(&frame(1, 99), "api key 1 version 99 is not supported");
}

#[test]
fn api_versions_is_answered_in_every_version() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_frame(&[0, 18, 0, 77, 0, 0, 0, 5, 0xff, 0xff]);
        let frame = client.receive().expect("never a close");
        let (correlation_id, response): (_, ApiVersionsResponse<'_>) =
            decode_response(&frame, ApiKey::ApiVersions, 0).expect("version 0");
        assert_eq!((correlation_id, response.error_code), (5, ErrorCode::UnsupportedVersion.code()));
        assert_eq!(response.api_keys[0].api_key, 18);

        let request = ApiVersionsRequest { client_software_name: "test", client_software_version: "1" };
        for version in 0..=4 {
            let frame = client.call(version, &request);
            let (_, response): (_, ApiVersionsResponse<'_>) =
                decode_response(&frame, ApiKey::ApiVersions, version).expect("an answer");
            let produce = response.api_keys.iter().find(|api| api.api_key == 0).expect("produce is served");
            // librdkafka before 2.11.1 sends no compression otherwise.
            assert_eq!((produce.min_version, produce.max_version), (0, 11));
        }
        let nameless = ApiVersionsRequest { client_software_name: "", client_software_version: "1" };
        let frame = client.call(3, &nameless);
        let (_, response): (_, ApiVersionsResponse<'_>) =
            decode_response(&frame, ApiKey::ApiVersions, 3).expect("an answer");
        assert_eq!((response.error_code, response.api_keys.len()), (ErrorCode::InvalidRequest.code(), 0));
    });
}

#[test]
fn garbage_is_named_in_the_log() {
    closes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "it looks like an HTTP request");
    closes(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03], "it looks like a TLS handshake");
}

/// Each connection that brought garbage had a line of its own: a scanner filled the disk of the log.
#[test]
fn a_scanner_does_not_fill_the_log() {
    const CONNECTIONS: u64 = 200;
    let mut broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
    for _ in 0..CONNECTIONS {
        let mut scanner = broker.connect();
        scanner.send_raw(b"GET / HTTP/1.1\r\n\r\n");
        assert!(scanner.is_closed());
    }
    let counted = metric(&broker, "posthaste_connections_ended_total").into_iter();
    let counted = counted.filter(|(labels, _)| labels.contains("frame length")).map(|(_, count)| count);
    assert_eq!(counted.sum::<f64>() as u64, CONNECTIONS);
    assert_eq!(broker.terminate().code(), Some(0));
    let log = broker.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN") && line.contains("clos")).collect();
    let rest =
        |line: &&str| line.split_once(" more connections").and_then(|(head, _)| head.rsplit(' ').next()?.parse().ok());
    let rest: Vec<u64> = warnings.iter().filter_map(rest).collect();
    let own = (warnings.len() - rest.len()) as u64;
    assert!(own > 0 && own < CONNECTIONS, "{own} lines");
    assert_eq!(own + rest.iter().sum::<u64>(), CONNECTIONS, "each has a line or is counted");
}

/// A change to a good batch, and the error that it earns.
fn produce_error(change: impl FnOnce(&mut Vec<u8>)) -> i16 {
    let mut error = 0;
    with_bystander(&[], |broker| {
        let mut bad = batch(&["bad"]);
        change(&mut bad);
        let mut client = broker.connect();
        error = client.produce("t", 0, &bad).0;
        // The connection goes on, and nothing of it was stored.
        assert_eq!(client.produce("t", 0, &batch(&["good"])), (0, 1));
    });
    error
}

#[test]
fn a_wrong_crc_is_corrupt() {
    assert_eq!(produce_error(|batch| batch[CRC_AT] ^= 1), ErrorCode::CorruptMessage.code());
    assert_eq!(produce_error(|batch| batch[61] ^= 1), ErrorCode::CorruptMessage.code());
}

#[test]
fn old_magics_are_invalid() {
    assert_eq!(produce_error(|batch| batch[MAGIC_AT] = 0), ErrorCode::InvalidRecord.code());
    assert_eq!(produce_error(|batch| batch[MAGIC_AT] = 1), ErrorCode::InvalidRecord.code());
}

#[test]
fn two_batches_or_none_are_invalid() {
    assert_eq!(produce_error(|batch| batch.extend(batch.clone())), ErrorCode::InvalidRecord.code());
    assert_eq!(produce_error(Vec::clear), ErrorCode::InvalidRecord.code());
}

#[test]
fn a_base_offset_or_a_count_that_lies_is_invalid() {
    assert_eq!(produce_error(|batch| batch[BASE_OFFSET_AT + 7] = 1), ErrorCode::InvalidRecord.code());
    let lying_count = |batch: &mut Vec<u8>| {
        batch[RECORD_COUNT_AT + 3] = 9;
        let crc = checksum::crc32c(&batch[21..]);
        batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    };
    assert_eq!(produce_error(lying_count), ErrorCode::InvalidRecord.code());
}

#[test]
fn a_batch_above_the_topics_limit_is_too_large() {
    with_bystander(&["message.max.bytes=2000"], |broker| {
        let mut client = broker.connect();
        let large = batch(&[&"x".repeat(3000)]);
        assert_eq!(client.produce("t", 0, &large).0, ErrorCode::MessageTooLarge.code());
        assert_eq!(client.create_topic("wide", 1, &[("max.message.bytes", "5000")]), 0);
        assert_eq!(client.produce("wide", 0, &large), (0, 0));
    });
}

#[test]
fn acks_that_do_not_exist_are_refused() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_produce("t", 0, &batch(&["v"]), 2);
        assert_eq!(client.receive_produced().0, ErrorCode::InvalidRequiredAcks.code());
    });
}

#[test]
fn acks_0_is_never_answered_and_its_failure_closes() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        client.send_produce("t", 0, &batch(&["silent"]), 0);
        assert_eq!(client.produce("t", 0, &batch(&["answered"])), (0, 2));
        client.send_produce("nothing", 0, &batch(&["lost"]), 0);
        assert!(client.is_closed());
        broker.wait_for_log(&["closing a connection", "127.0.0.1:", "acks=0"]);
    });
}

#[test]
fn unknown_topics_and_partitions_are_named() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        assert_eq!(client.produce("nothing", 0, &batch(&["v"])).0, UNKNOWN_TOPIC);
        assert_eq!(client.produce("t", 7, &batch(&["v"])).0, UNKNOWN_TOPIC);
        assert_eq!(client.produce("t", -1, &batch(&["v"])).0, UNKNOWN_TOPIC);
        assert_eq!(client.fetch("nothing", 0, 0).0, UNKNOWN_TOPIC);
        assert_eq!(client.fetch("t", 7, 0).0, UNKNOWN_TOPIC);
    });
}

#[test]
fn an_offset_out_of_range_says_so_and_gives_the_ends() {
    with_bystander(&[], |broker| {
        let mut client = broker.connect();
        assert_eq!(client.fetch("t", 0, 5), (ErrorCode::OffsetOutOfRange.code(), -1, Vec::new()));
        assert_eq!(client.fetch("t", 0, -1).0, ErrorCode::OffsetOutOfRange.code());
        assert_eq!(client.fetch("t", 0, 1), (0, 1, Vec::new()));
    });
}

#[test]
fn wrong_topics_and_configs_are_refused() {
    with_bystander(&["posthaste.partitions.max=20"], |broker| {
        let mut client = broker.connect();
        assert_eq!(client.create_topic("t", 1, &[]), ErrorCode::TopicAlreadyExists.code());
        assert_eq!(client.create_topic("a b", 1, &[]), ErrorCode::InvalidTopicException.code());
        assert_eq!(client.create_topic("zero", 0, &[]), ErrorCode::InvalidPartitions.code());
        assert_eq!(client.create_topic("many", 21, &[]), ErrorCode::PolicyViolation.code());
        assert_eq!(client.create_topic("c", 1, &[("retention.msec", "1")]), ErrorCode::InvalidConfig.code());
        assert_eq!(client.create_topic("c", 1, &[("retention.ms", "soon")]), ErrorCode::InvalidConfig.code());
        assert_eq!(client.create_topic("a.b_c", 1, &[]), 0);
        for colliding in ["a_b_c", "a.b.c", "a_b.c"] {
            let refused = client.create_topic(colliding, 1, &[]);
            assert_eq!(refused, ErrorCode::InvalidTopicException.code(), "{colliding}: one metric would be of both");
        }
        assert_eq!(client.create_topic("a-b_c", 1, &[]), 0);
        assert_eq!(client.create_topic("__consumer_offsets", 1, &[]), ErrorCode::InvalidTopicException.code());
    });
}
