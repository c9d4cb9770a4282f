//! `memory.max.bytes`: a broker refuses to start with too little, works with the least, and gives up a reader that holds what others need.

mod broker;

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};

use broker::requests::delete_topic;
use broker::{Broker, Client, FETCH, batch, command, directory, fetch_request, memory_held, metric, refusal, values};

const ONE_SHARD: [&str; 3] =
    ["posthaste.shards=1", "message.max.bytes=8388608", "posthaste.admin.listener=127.0.0.1:0"];

/// What the refusal says that a broker needs.
fn least_bytes() -> u64 {
    let files = directory();
    let settings = [&ONE_SHARD[..], &["memory.max.bytes=1000000"]].concat();
    let (code, text) = refusal(command(&files.path().join("data"), &settings));
    assert_eq!(code, Some(2), "{text}");
    let (_, needed) = text.split_once("need at least ").expect("the refusal names what is needed");
    needed.split(';').next().and_then(|number| number.parse().ok()).expect("a number of bytes")
}

fn start_with_the_least() -> (Broker, String) {
    let limit = format!("memory.max.bytes={}", least_bytes());
    let broker = Broker::start(&[&ONE_SHARD[..], &[limit.as_str()]].concat());
    let large = "x".repeat(8_000_000);
    assert_eq!(broker.connect().create_topic("t", 1, &[]), 0);
    assert_eq!(broker.connect().produce("t", 0, &batch(&[&large])), (0, 0));
    (broker, large)
}

#[test]
fn the_least_memory_is_enough_for_the_largest_batches_and_is_reported() {
    let (broker, large) = start_with_the_least();
    for offset in 1..5 {
        assert_eq!(broker.connect().produce("t", 0, &batch(&[&large])), (0, offset));
    }
    // Behind the tail by now.
    let (error, _, bytes) = broker.connect().fetch("t", 0, 0);
    assert_eq!((error, values(&bytes)), (0, vec![(0, large)]));
    let report = broker.log();
    for line in ["memory at most", "memory of a shard's engine", "memory of a shard's server"] {
        assert!(report.contains(line), "{report}");
    }
    memory_held(&broker);
}

#[test]
fn a_reader_that_takes_nothing_is_given_up_when_another_needs_its_memory() {
    let (broker, large) = start_with_the_least();
    let mut stalled = broker.connect();
    // More than the socket buffers of both sides hold; one answer is all that the budget holds.
    for _ in 0..3 {
        stalled.send(FETCH, &fetch_request("t", 0, 0, 0));
    }
    let holds = |(purpose, bytes): &(String, f64)| purpose.contains("answers") && *bytes > 7e6;
    while !metric(&broker, "posthaste_memory_bytes").iter().any(holds) {
        std::thread::yield_now();
    }
    let (error, _, bytes) = broker.connect().fetch("t", 0, 0);
    assert_eq!((error, values(&bytes)), (0, vec![(0, large)]));
    broker.wait_for_log(&[&stalled.local_address().to_string(), "others need the memory"]);
}

fn send_join(client: &mut Client, group: &str, metadata: &[u8]) {
    let request = JoinGroupRequest {
        group_id: group,
        session_timeout_ms: 6_000,
        rebalance_timeout_ms: 6_000,
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol { name: "range", metadata }],
        ..Default::default()
    };
    client.send(3, &request);
}

fn join_error(client: &mut Client) -> i16 {
    let frame = client.receive().expect("an answer");
    let (_, response): (_, JoinGroupResponse<'_>) = decode_response(&frame, ApiKey::JoinGroup, 3).expect("an answer");
    response.error_code
}

#[test]
fn full_tables_refuse_what_is_new_until_there_is_room_again() {
    let (broker, _) = start_with_the_least();
    let metadata = vec![b'm'; 250_000];
    let mut first = broker.connect();
    loop {
        send_join(&mut first, "large", &metadata);
        match join_error(&mut first) {
            0 => break,
            error => assert_eq!(error, ErrorCode::CoordinatorLoadInProgress.code()),
        }
    }
    // They wait for the first to join again; what they brought is kept.
    let mut members: Vec<Client> = (0..80).map(|_| broker.connect()).collect();
    for member in &mut members {
        send_join(member, "large", &metadata);
    }
    broker.wait_for_log(&["the tables are full"]);
    let mut other = broker.connect();
    send_join(&mut other, "another", b"m");
    assert_eq!(join_error(&mut other), ErrorCode::CoordinatorNotAvailable.code());
    assert_eq!(other.create_topic("new", 1, &[]), ErrorCode::PolicyViolation.code());
    assert_eq!(other.produce("t", 0, &batch(&["what is there goes on"])), (0, 1));
    // The sessions end.
    broker.wait_for_log(&["the tables have room again"]);
    assert_eq!(other.create_topic("new", 1, &[]), 0);
    assert_eq!(delete_topic(&mut other, "new"), 0);
}
