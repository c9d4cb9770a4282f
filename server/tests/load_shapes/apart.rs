//! Trouble in one topic, of every kind at once, beside another topic that must not notice: readers that hold the memory for answers, a flood, and
//! batches that are refused. `results/apart` measures the same on a release build. And readers that ask for far more than they take.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use protocol::error_code::ErrorCode;
use protocol::record_batch::CRC_AT;

use super::Limited;
use crate::broker::{Client, FETCH, batch, fetch_request, memory_held, metric, values};

/// An answer with one of them is more than half of the memory for answers.
const LARGE_BYTES: usize = 8_000_000;
const FLOOD_BYTES: usize = 1_000_000;
/// Requests of a connection that are sent before its first answer is read.
const AT_ONCE: usize = 8;
const STUCK_READERS: usize = 3;
const FLOODS: usize = 2;
const ROUNDS: i64 = 30;

/// Asks for more than the sockets of both sides hold, and reads nothing.
fn stuck(address: SocketAddr) -> Client {
    let mut reader = Client::connect(address);
    for _ in 0..3 {
        reader.send(FETCH, &fetch_request("logs", 0, 0, 0));
    }
    reader
}

/// Sends the same batch again and again until `done`; every answer has this error.
fn send_until(done: &AtomicBool, address: SocketAddr, records: &[u8], error: i16) -> usize {
    let mut client = Client::connect(address);
    let mut answered = 0;
    while !done.load(Ordering::Relaxed) {
        for _ in 0..AT_ONCE {
            client.send_produce("logs", 0, records, -1);
        }
        for _ in 0..AT_ONCE {
            assert_eq!(client.receive_produced().0, error);
        }
        answered += AT_ONCE;
    }
    answered
}

/// Every record of `orders` is taken and given at once, and what the broker holds stays within its bounds.
fn orders_go_on(limited: &Limited, done: &AtomicBool) {
    // Ends the troubles even when something here fails.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let _done = Done(done);
    let mut client = limited.broker.connect();
    for offset in 0..ROUNDS {
        let value = format!("order {offset}");
        assert_eq!(client.produce("orders", 0, &batch(&[&value])), (0, offset));
        let (error, _, bytes) = client.fetch("orders", 0, offset);
        assert_eq!((error, values(&bytes)), (0, vec![(offset, value)]));
        memory_held(&limited.broker);
    }
}

#[test]
fn trouble_in_one_topic_does_not_reach_another() {
    let limited = Limited::start(400 << 20, &["posthaste.shards=1", "message.max.bytes=8388608"]);
    let (broker, address) = (&limited.broker, limited.broker.address);
    let mut client = broker.connect();
    for topic in ["logs", "orders"] {
        assert_eq!(client.create_topic(topic, 1, &[]), 0);
    }
    assert_eq!(client.produce("logs", 0, &batch(&[&"x".repeat(LARGE_BYTES)])), (0, 0));
    // The first holds an answer, the others wait for the memory of theirs.
    let readers: Vec<Client> = (0..STUCK_READERS).map(|_| stuck(address)).collect();
    let holds = |(purpose, bytes): &(String, f64)| purpose.contains("\"answers\"") && *bytes >= LARGE_BYTES as f64;
    while !metric(broker, "posthaste_memory_bytes").iter().any(holds) {
        thread::yield_now();
    }
    let good = batch(&[&"x".repeat(FLOOD_BYTES)]);
    let mut poison = good.clone();
    poison[CRC_AT] ^= 1;
    let done = AtomicBool::new(false);
    let taken = thread::scope(|scope| {
        let floods: Vec<_> = (0..FLOODS).map(|_| scope.spawn(|| send_until(&done, address, &good, 0))).collect();
        let refused = scope.spawn(|| send_until(&done, address, &poison, ErrorCode::CorruptMessage.code()));
        orders_go_on(&limited, &done);
        assert!(refused.join().expect("each is refused") > 0);
        floods.into_iter().map(|flood| flood.join().expect("each is taken")).sum::<usize>()
    });
    // The topic of all the trouble holds what was taken and nothing of the poison, and goes on.
    drop(readers);
    let end = 1 + taken as i64;
    assert_eq!(client.produce("logs", 0, &batch(&["after"])), (0, end));
    let (error, _, bytes) = client.fetch("logs", 0, end);
    assert_eq!((error, values(&bytes)), (0, vec![(end, "after".to_owned())]));
    limited.peak_bytes();
}

/// Larger than the pieces that room is kept for.
const MIDDLE_BYTES: usize = 200_000;
/// A little less than as many as a connection may have unanswered.
const UNTAKEN_ANSWERS: usize = 120;

/// Asks again and again, and reads nothing.
fn takes_none(address: SocketAddr) -> Client {
    let mut reader = Client::connect(address);
    for _ in 0..UNTAKEN_ANSWERS {
        reader.send(FETCH, &fetch_request("logs", 0, 0, 0));
    }
    reader
}

/// Story: a few connections that sent many fetches and took no answer held the memory for answers up to what is kept for small ones. A reader of
/// another topic with batches of 200 KB waited until one of them was given up for it, 5 s later.
#[test]
fn readers_that_take_none_of_many_answers_keep_nobody_waiting() {
    let limited = Limited::start(400 << 20, &["posthaste.shards=1"]);
    let (broker, address) = (&limited.broker, limited.broker.address);
    let mut client = broker.connect();
    for (topic, bytes) in [("logs", MIDDLE_BYTES * 3 / 4), ("orders", MIDDLE_BYTES)] {
        assert_eq!(client.create_topic(topic, 1, &[]), 0);
        for offset in 0..10 {
            assert_eq!(client.produce(topic, 0, &batch(&[&"x".repeat(bytes)])), (0, offset));
        }
    }
    let stuck: Vec<Client> = (0..STUCK_READERS).map(|_| takes_none(address)).collect();
    let holds = |(purpose, bytes): &(String, f64)| purpose.contains("\"answers\"") && *bytes >= MIDDLE_BYTES as f64;
    while !metric(broker, "posthaste_memory_bytes").iter().any(holds) {
        thread::yield_now();
    }
    for round in 0..30 {
        for offset in 0..10 {
            let (error, _, bytes) = client.fetch("orders", 0, offset);
            assert_eq!((error, values(&bytes).first().map(|(first, _)| *first)), (0, Some(offset)), "{round}");
        }
        memory_held(broker);
    }
    let given_up = metric(broker, "posthaste_connections_ended_total").into_iter();
    let given_up: Vec<_> = given_up.filter(|(reason, _)| reason.contains("answer held too long")).collect();
    assert_eq!(given_up, [], "nobody had to wait for it");
    drop(stuck);
}
