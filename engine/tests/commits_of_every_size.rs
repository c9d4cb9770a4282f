//! Claim: a commit of several ring writes, the largest batches, and thousands of logs with their checkpoints survive like small ones.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::io::sim::{Crash, Faults, SimDisk};
use engine::limits::{BATCH_BYTES_MAX, COMMIT_BYTES_TARGET, SEGMENT_BYTES_DEFAULT};
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, batch, body};

#[test]
fn batches_of_up_to_eight_mebibytes_survive_power_cuts() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_DEFAULT, 8 << 20);
    machine.configure(1, LogConfig::default());
    let sizes = [BATCH_BYTES_MAX - 61, 1, 600 << 10, COMMIT_BYTES_TARGET, 65_536 - 96 - 61, BATCH_BYTES_MAX - 62];
    let mut sent = BTreeMap::new();
    for (stamp, &size) in sizes.iter().cycle().take(14).enumerate() {
        let bytes = batch(3, size, stamp as u64);
        let receipt = machine.append(1, &bytes).expect("appends");
        sent.insert(receipt.appended.base_offset.0, (body(&bytes), receipt.commit));
    }
    assert!(machine.append(1, &batch(3, BATCH_BYTES_MAX - 60, 0)).is_err(), "a byte more than a batch may have");
    let last = sent.values().map(|(_, commit)| *commit).max().expect("sent");
    machine.until_durable(last);
    let from_tail_or_disk = machine.read_all(1);
    let mut machine = machine.crash(Crash::PowerCut);
    let after = machine.read_all(1);
    for (offset, (bytes, _)) in sent {
        assert!(from_tail_or_disk.get(&offset) == Some(&bytes), "offset {offset} before the cut");
        assert!(after.get(&offset) == Some(&bytes), "offset {offset} after the cut");
    }
}

#[test]
fn a_commit_of_several_writes_is_durable_only_with_all_of_them() {
    for seed in 0..25 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed, 8 << 20, 64 << 10);
        let commit = machine.configure(1, LogConfig::default());
        machine.until_durable(commit);
        machine.set_faults(Faults { delay: 30, ..Faults::default() });
        let mut sent = Vec::new();
        for stamp in 0..12 {
            let bytes = batch(1, 300_000 + (random.next_u64() % 1_500_000) as usize, stamp);
            match machine.shard.append(LogId(1), &bytes) {
                Ok(receipt) => sent.push((receipt.appended.base_offset.0, body(&bytes), receipt.commit)),
                Err(Refusal::Wait) => {}
                Err(Refusal::Error(error)) => panic!("refused: {error}"),
            }
            for _ in 0..random.next_u64() % 12 {
                machine.tick();
            }
        }
        let kill = random.next_u64().is_multiple_of(2);
        let ends = machine.shard.ends();
        let survives = if kill { ends.written } else { ends.durable };
        let mut machine = machine.crash(if kill { Crash::Kill } else { Crash::PowerCut });
        let found = machine.read_all(1);
        for (offset, bytes, commit) in sent {
            assert!(commit > survives || found.get(&offset) == Some(&bytes), "seed {seed} offset {offset}");
        }
    }
}

#[test]
fn two_thousand_logs_go_through_several_segments() {
    const LOGS: u64 = 2_000;
    let mut machine = Machine::start(SimDisk::default(), 3, 4 << 20, 256 << 10);
    for log in 1..=LOGS {
        machine.configure(log, LogConfig::default());
    }
    let small = |log: u64, round: u64| batch(1, 1_500, log * 100 + round);
    for round in 0..5 {
        for log in 1..=LOGS {
            machine.append(log, &small(log, round)).expect("appends");
        }
        machine.settle();
        machine = match round {
            1 => machine.crash(Crash::PowerCut),
            3 => machine.restart(),
            _ => machine,
        };
    }
    machine = machine.crash(Crash::PowerCut);
    assert!(machine.segment_files() >= 4, "several segments were wanted");
    assert_eq!(machine.shard.logs().len() as u64, LOGS);
    for log in 1..=LOGS {
        assert_eq!(machine.shard.view(LogId(log)).expect("is there").high_watermark, Offset(5));
    }
    for log in (1..=LOGS).step_by(97) {
        let found = machine.read_all(log);
        assert!((0..5).all(|round| found[&(round as i64)] == body(&small(log, round))), "log {log}");
    }
}
