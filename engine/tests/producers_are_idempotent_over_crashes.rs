//! Claim: a batch of an idempotent producer is stored once, however often it is sent and whatever crashes between; the answer to a
//! duplicate names the commit of its original, so that an ack waits for that.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::error::AppendError;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{CommitSequence, LogId};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, batch, batch_of, body};

const PRODUCERS: u64 = 3;

fn numbered(producer: i64, number: i32) -> Vec<u8> {
    batch_of(2, 3_000, producer as u64 * 1_000_000 + number as u64, (producer, 0, number * 2), 0)
}

fn machine(seed: u64) -> Machine {
    let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
    let commit = machine.configure(1, LogConfig::default());
    machine.until_durable(commit);
    machine
}

#[test]
fn a_duplicate_waits_for_the_commit_of_its_original() {
    let mut machine = machine(1);
    machine.append_durably(1, &numbered(7, 0));
    let original = machine.append(1, &numbered(7, 1)).expect("appends");
    let duplicate = machine.append(1, &numbered(7, 1)).expect("is known");
    assert_eq!(original, duplicate);
    assert!(duplicate.commit > machine.shard.ends().durable, "the test wants an original on its way");
    machine.until_durable(duplicate.commit);
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!(machine.read_all(1).len(), 2);
    let after = machine.append(1, &numbered(7, 1)).expect("is known after the crash");
    assert_eq!(after.appended.base_offset, original.appended.base_offset);
    assert!(after.commit <= machine.shard.ends().durable, "what recovery shows is durable");
}

#[test]
fn the_last_five_batches_of_a_producer_are_known_after_every_kind_of_stop() {
    for rolls in [false, true] {
        for stop in 0..3 {
            let mut machine = machine(10 + stop);
            for number in 0..8 {
                machine.append_durably(1, &numbered(7, number));
            }
            if rolls {
                // The table is in the checkpoints of later segments; the segments with the batches themselves are given back.
                for stamp in 0..60 {
                    machine.append_durably(1, &batch(1, 20_000, stamp));
                }
                let end = machine.shard.view(LogId(1)).expect("is there").high_watermark;
                let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(1), end)).expect("raises");
                machine.until_durable(commit);
                for stamp in 0..60 {
                    machine.append_durably(1, &batch(1, 20_000, 100 + stamp));
                }
            }
            let mut machine = match stop {
                0 => machine.restart(),
                1 => machine.crash(Crash::PowerCut),
                _ => machine.crash(Crash::Kill),
            };
            let end = machine.shard.view(LogId(1)).expect("is there").high_watermark;
            for number in 3..8 {
                let receipt = machine.append(1, &numbered(7, number)).expect("one of the last five");
                assert_eq!(receipt.appended.base_offset.0, i64::from(number) * 2, "rolls {rolls} stop {stop}");
            }
            assert_eq!(machine.shard.view(LogId(1)).expect("is there").high_watermark, end);
            let forgotten = machine.append(1, &numbered(7, 2));
            assert_eq!(forgotten, Err(AppendError::OutOfOrderSequence { expected: 16, got: 4 }));
            let gap = machine.append(1, &numbered(7, 9));
            assert_eq!(gap, Err(AppendError::OutOfOrderSequence { expected: 16, got: 18 }));
            let next = machine.append(1, &numbered(7, 8)).expect("goes on");
            assert_eq!(next.appended.base_offset, end);
        }
    }
}

/// A producer as Kafka's clients are: up to five batches on their way, each sent again in order until it is acked.
#[derive(Default)]
struct Client {
    acked: i32,
    commits: BTreeMap<i32, CommitSequence>,
}

#[test]
fn retries_over_crashes_store_every_batch_once() {
    for seed in 0..30 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = machine(seed * 100);
        let mut clients: BTreeMap<i64, Client> = (0..PRODUCERS as i64).map(|id| (id, Client::default())).collect();
        for _ in 0..6 {
            machine.set_faults(Faults { delay: 50, ..Faults::default() });
            for _ in 0..random.next_u64() % 250 {
                let id = (random.next_u64() % PRODUCERS) as i64;
                let client = clients.get_mut(&id).expect("known");
                // Any of the window, also one that was sent already: the first that is not sent yet is always the next.
                let sent = client.commits.len() as i32;
                let number = client.acked + (random.next_u64() % 5).min(sent as u64) as i32;
                match machine.shard.append(LogId(1), &numbered(id, number)) {
                    Ok(receipt) => {
                        let known = client.commits.entry(number).or_insert(receipt.commit);
                        assert!(receipt.commit == *known, "seed {seed}: the duplicate names another commit");
                    }
                    Err(Refusal::Wait) => {}
                    Err(Refusal::Error(error)) => panic!("seed {seed} batch {number}: {error}"),
                }
                if random.next_u64().is_multiple_of(2) {
                    machine.tick();
                }
                let durable = machine.shard.ends().durable;
                while client.commits.get(&client.acked).is_some_and(|commit| *commit <= durable) {
                    client.commits.remove(&client.acked);
                    client.acked += 1;
                }
            }
            let crash = if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill };
            machine = machine.crash(crash);
            for client in clients.values_mut() {
                client.commits.clear();
            }
        }
        let found = machine.read_all(1);
        for (id, client) in clients {
            for number in 0..client.acked {
                let bytes = body(&numbered(id, number));
                let times = found.values().filter(|known| **known == bytes).count();
                assert_eq!(times, 1, "seed {seed}: batch {number} of producer {id}");
            }
        }
    }
}

#[test]
fn more_producers_than_a_checkpoint_holds_are_forgotten_oldest_first() {
    // Story: nothing bounded the producers of a shard, and a checkpoint larger than its segment was an assertion.
    let mut machine = machine(5);
    for log in 2..=4 {
        machine.configure(log, LogConfig::default());
    }
    let hello = |id: i64| batch_of(1, 10, id as u64, (id, 0, 0), 0);
    for id in 0..2_000 {
        machine.append(1 + id as u64 % 4, &hello(id)).expect("appends");
        machine.io.advance_ns(2_000_000);
    }
    for stamp in 0..30 {
        machine.append_durably(1, &batch(1, 60_000, stamp));
    }
    let mut machine = machine.crash(Crash::PowerCut);
    let end = machine.shard.view(LogId(4)).expect("is there").high_watermark;
    let newest = machine.append(4, &hello(1_999)).expect("is known");
    assert!(newest.appended.base_offset < end, "the newest producer was forgotten");
    let oldest = machine.append(4, &hello(3)).expect("counts as new");
    assert_eq!(oldest.appended.base_offset, end);
}
