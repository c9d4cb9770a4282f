//! `memory.max.bytes`: a broker refuses to start with too little, works with the least, and gives up a reader that holds what others need.

mod broker;

use broker::{Broker, FETCH, admin_get, batch, command, directory, fetch_request, refusal, values};

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

/// Values of a metric, by the rest of the line's labels.
fn figures(broker: &Broker, name: &str) -> Vec<(String, f64)> {
    let (_, page) = admin_get(broker, "/metrics");
    let lines = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    lines.map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number"))).collect()
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
    let (held, limits) = (figures(&broker, "posthaste_memory_bytes"), figures(&broker, "posthaste_memory_limit_bytes"));
    assert!(held.len() == limits.len() && held.len() > 5, "{held:?}");
    for ((purpose, held), (limited, limit)) in held.iter().zip(&limits) {
        assert!(purpose == limited && held <= limit, "{purpose}: {held} of {limit}");
    }
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
    while !figures(&broker, "posthaste_memory_bytes").iter().any(holds) {
        std::thread::yield_now();
    }
    let (error, _, bytes) = broker.connect().fetch("t", 0, 0);
    assert_eq!((error, values(&bytes)), (0, vec![(0, large)]));
    broker.wait_for_log(&[&stalled.local_address().to_string(), "others need the memory"]);
}
