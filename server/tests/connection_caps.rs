//! `max.connections.per.ip` and its overrides: a client that opens too many keeps what it has, and the next ones are closed.

mod broker;

use broker::configs::{BROKER, SET, alter};
use broker::{Broker, admin_get, batch};

#[test]
fn an_address_gets_no_more_connections_than_its_limit() {
    let broker = Broker::start(&["max.connections.per.ip=100", "max.connections.per.ip.overrides=127.0.0.1:3"]);
    let mut clients: Vec<_> = (0..3).map(|_| broker.connect()).collect();
    assert_eq!(clients[0].create_topic("t", 1, &[]), 0);
    for client in &mut clients {
        assert_eq!(client.produce("t", 0, &batch(&["v"])).0, 0);
    }
    let mut fourth = broker.connect();
    assert!(fourth.is_closed());
    broker.wait_for_log(&[&fourth.local_address().to_string(), "from its address, the limit is 3"]);
    for client in &mut clients {
        assert_eq!(client.produce("t", 0, &batch(&["v"])).0, 0, "those that were there stay");
    }
}

#[test]
fn an_idle_connection_is_closed_and_gives_its_place_back() {
    let settings = ["max.connections.per.ip=1", "connections.max.idle.ms=300", "posthaste.admin.listener=127.0.0.1:0"];
    let broker = Broker::start(&settings);
    let mut idle = broker.connect();
    assert_eq!(idle.create_topic("t", 1, &[]), 0);
    assert!(idle.is_closed(), "after connections.max.idle.ms");
    broker.wait_for_log(&[&idle.local_address().to_string(), "it was idle"]);
    // The count is given back on the shard's thread, after the line was logged.
    let mut page = String::new();
    while page.is_empty()
        || page.contains("posthaste_connections{shard=\"0\"} 1")
        || page.contains("posthaste_connections{shard=\"1\"} 1")
    {
        page = admin_get(&broker, "/metrics").1;
    }
    assert!(page.contains("reason=\"idle\"} 1"), "{page}");
    assert_eq!(broker.connect().produce("t", 0, &batch(&["v"])).0, 0);
}

#[test]
fn limits_change_live_and_are_the_same_after_a_kill() {
    let mut broker = Broker::start(&[]);
    let mut first = broker.connect();
    assert_eq!(first.create_topic("t", 1, &[]), 0);
    assert_eq!(alter(&mut first, BROKER, "", &[("max.connections.per.ip", SET, Some("1"))], false), 0);
    assert!(broker.connect().is_closed());
    let zero = [("max.connections", SET, Some("none"))];
    assert_ne!(alter(&mut first, BROKER, "", &zero, false), 0, "and who was there goes on");
    broker.kill_and_restart();
    let mut first = broker.connect();
    assert_eq!(first.produce("t", 0, &batch(&["v"])).0, 0);
    assert!(broker.connect().is_closed());
    assert_eq!(alter(&mut first, BROKER, "", &[("max.connections.per.ip", SET, Some("2"))], false), 0);
    assert_eq!(broker.connect().produce("t", 0, &batch(&["v"])).0, 0);
}

#[test]
fn overrides_are_addresses_with_a_number() {
    for wrong in ["localhost:3", "127.0.0.1", "127.0.0.1:-1", "127.0.0.1:x"] {
        let files = broker::directory();
        let setting = format!("max.connections.per.ip.overrides={wrong}");
        let (code, text) = broker::refusal(broker::command(&files.path().join("data"), &[&setting]));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("max.connections.per.ip.overrides"), "{text}");
    }
}
