//! The admin page of a broker that was started with `posthaste.admin.listener`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::Broker;

/// Values of a metric, each with its labels as the page has them.
pub fn metric(broker: &Broker, name: &str) -> Vec<(String, f64)> {
    let (_, page) = admin_get(broker, "/metrics");
    let lines = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    lines.map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number"))).collect()
}

/// Bytes that are held, by purpose and shard; none of them above its limit. The overdraft of a frame is not in the frames' figure.
pub fn memory_held(broker: &Broker) -> Vec<(String, f64)> {
    let (held, limits) = (metric(broker, "posthaste_memory_bytes"), metric(broker, "posthaste_memory_limit_bytes"));
    assert!(held.len() == limits.len() && held.len() > 5, "{held:?}");
    for ((purpose, held), (limited, limit)) in held.iter().zip(&limits) {
        assert!(purpose == limited && held <= limit, "{purpose}: {held} of {limit}");
    }
    held
}

/// Status and body of a page.
pub fn admin_get(broker: &Broker, path: &str) -> (u16, String) {
    let ready = std::fs::read_to_string(broker.ready_file()).expect("the broker is ready");
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("whoever sees the ready file sees all of it");
    let address: SocketAddr = ready["admin"].as_str().expect("an admin page").parse().expect("an address");
    let mut stream = TcpStream::connect(address).expect("the page is served");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}
