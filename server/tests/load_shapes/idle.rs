//! Connections that do nothing, or begin a request and never end it.

use std::io::Write;
use std::net::TcpStream;

use protocol::messages::api_versions::ApiVersionsRequest;

use super::Limited;
use crate::broker::{Client, batch, memory_held};

/// Connections that have asked once and are silent since: what each of them costs.
fn idle(count: usize, max_bytes: u64) -> f64 {
    let limited = Limited::start(max_bytes, &[]);
    let broker = &limited.broker;
    let greet = || -> Client {
        let mut client = broker.connect();
        client.call(3, &ApiVersionsRequest { client_software_name: "t", client_software_version: "1" });
        client
    };
    // What the first ones make stays: it is no cost of the others.
    let _warm: Vec<_> = (0..50).map(|_| greet()).collect();
    let before = broker.resident_bytes();
    let connections: Vec<_> = (0..count).map(|_| greet()).collect();
    let after = broker.resident_bytes();
    assert_eq!(connections[0].local_address().ip(), broker.address.ip());
    let held = memory_held(&limited.broker);
    let frames: f64 =
        held.iter().filter(|(purpose, _)| purpose.contains("received frames")).map(|(_, bytes)| bytes).sum();
    assert!(frames < 1e6, "an idle connection owns no receive buffer: {held:?}");
    let mut active = broker.connect();
    assert_eq!(active.create_topic("t", 1, &[]), 0);
    assert_eq!(active.produce("t", 0, &batch(&["served beside them"])), (0, 0));
    limited.peak_bytes();
    after.saturating_sub(before) as f64 / count as f64
}

#[test]
fn idle_connections_own_no_buffer() {
    idle(300, 1 << 30);
}

#[test]
#[ignore = "full form"]
fn idle_full() {
    let each = idle(9_900, 1 << 30);
    println!("idle: 9,900 connections, {each:.0} bytes each");
    assert!(each < 8_192.0);
}

/// Half a frame and silence, or a byte now and then: all are closed at the deadline of a frame, and the others are served.
fn half_open(count: usize) {
    let limited = Limited::start(1 << 30, &["posthaste.frame.deadline.ms=3000"]);
    let broker = &limited.broker;
    let mut active = broker.connect();
    assert_eq!(active.create_topic("t", 1, &[]), 0);
    let mut silent: Vec<Client> = (0..count).map(|_| broker.connect()).collect();
    for client in &mut silent {
        client.send_raw(&1_000_000_i32.to_be_bytes());
        client.send_raw(&[0; 100]);
    }
    let mut slow: Vec<TcpStream> =
        (0..count).map(|_| TcpStream::connect(broker.address).expect("it listens")).collect();
    for stream in &mut slow {
        stream.write_all(&1_000_000_i32.to_be_bytes()).expect("it is read");
    }
    let mut offset = 0;
    // Each round is a byte of each; a client that is closed stays closed.
    while !slow.is_empty() {
        slow.retain_mut(|stream| stream.write_all(&[0]).is_ok());
        assert_eq!(active.produce("t", 0, &batch(&["served beside them"])), (0, offset));
        offset += 1;
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(silent.iter_mut().all(Client::is_closed));
    memory_held(&limited.broker);
    limited.peak_bytes();
}

#[test]
fn half_open_connections_are_reaped() {
    half_open(50);
}

#[test]
#[ignore = "full form"]
fn half_open_full() {
    half_open(1_000);
    println!("half open: 1,000 silent and 1,000 slow ones reaped");
}
