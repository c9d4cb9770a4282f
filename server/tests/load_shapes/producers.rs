//! Many producers with a large request each, all at the same moment: more than memory holds, so most of them wait in their sockets.

use super::{Limited, clients::at_once};
use crate::broker::{Client, batch, memory_held};

const PARTITIONS: usize = 8;

fn at_the_same_moment(count: usize, request_bytes: usize, max_bytes: u64) -> u64 {
    let limited = Limited::start(max_bytes, &[]);
    let broker = &limited.broker;
    assert_eq!(broker.connect().create_topic("t", PARTITIONS as i32, &[]), 0);
    let records = batch(&[&"x".repeat(request_bytes)]);
    let mut answers = at_once(count, |number| {
        let partition = number % PARTITIONS;
        let (error, offset) = Client::connect(broker.address).produce("t", partition as i32, &records);
        assert_eq!(error, 0, "producer {number}");
        (partition, offset)
    });
    answers.sort_unstable();
    let wanted = (0..PARTITIONS).flat_map(|partition| {
        let producers = (0..count).filter(move |number| number % PARTITIONS == partition).count() as i64;
        (0..producers).map(move |offset| (partition, offset))
    });
    assert_eq!(answers, wanted.collect::<Vec<_>>(), "each record has its own place");
    memory_held(&limited.broker);
    limited.peak_bytes()
}

#[test]
fn large_requests_at_once_wait_for_memory_and_are_all_taken() {
    at_the_same_moment(60, 1_000_000, 700 << 20);
}

#[test]
#[ignore = "full form"]
fn producers_full() {
    let limit = 700 << 20;
    let peak = at_the_same_moment(2_000, 1_000_000, limit);
    println!("producers: 2,000 with 1 MB at once, peak {} MiB of {} MiB", peak >> 20, limit >> 20);
}
