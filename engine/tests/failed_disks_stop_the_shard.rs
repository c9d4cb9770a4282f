//! Claim: a failed write or flush ends in an error of the turn at once; nothing after it is acked, no end moves, and a restart has
//! everything that was acked.

mod simulated_shard;

use engine::io::sim::{Crash, Faults, SimDisk};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{CommitSequence, Ends};
use engine::partition::config::LogConfig;
use simulated_shard::{Machine, batch, body};

/// Appends under faults until a turn fails; gives what was acked until then and the ends at the failure.
fn until_it_fails(machine: &mut Machine, faults: Faults) -> (Vec<(i64, Vec<u8>)>, Ends<CommitSequence>) {
    machine.set_faults(faults);
    let mut sent = Vec::new();
    for stamp in 0..5_000 {
        let bytes = batch(1, 9_000, stamp);
        if let Ok(receipt) = machine.shard.append(engine::offset::LogId(1), &bytes) {
            sent.push((receipt.appended.base_offset.0, body(&bytes), receipt.commit));
            // Some commits are written and flushed by one call, some apart.
            if stamp % 3 == 0 {
                machine.shard.await_written(receipt.commit);
            }
        }
        machine.io.step();
        machine.io.advance_ns(1_000_000);
        if let Err(failure) = machine.shard.turn() {
            assert!(failure.to_string().contains("failed"), "{failure}");
            let ends = machine.shard.ends();
            let acked = sent.into_iter().filter(|(_, _, commit)| *commit <= ends.durable);
            return (acked.map(|(offset, bytes, _)| (offset, bytes)).collect(), ends);
        }
    }
    panic!("no operation failed");
}

fn a_failure_loses_nothing(faults: Faults, crash: Crash, seed: u64) {
    let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
    let commit = machine.configure(1, LogConfig::default());
    machine.until_durable(commit);
    for stamp in 0..5 {
        machine.append_durably(1, &batch(1, 9_000, 90_000 + stamp));
    }
    let (acked, ends) = until_it_fails(&mut machine, faults);
    // Whoever is careless and turns once more is told of nothing new either: the failed operation covers it.
    assert!(ends.durable <= ends.written);
    let mut machine = machine.crash(crash);
    let found = machine.read_all(1);
    for (offset, bytes) in acked {
        assert_eq!(found.get(&offset), Some(&bytes), "seed {seed} offset {offset}");
    }
    for stamp in 0..5_u64 {
        assert_eq!(found[&(stamp as i64)], body(&batch(1, 9_000, 90_000 + stamp)));
    }
    machine.append_durably(1, &batch(1, 9_000, 1));
}

#[test]
fn a_failed_write_stops_the_shard_and_loses_nothing() {
    for seed in 0..40 {
        let faults = Faults { write_error: 30, delay: 50, ..Faults::default() };
        a_failure_loses_nothing(faults, if seed % 2 == 0 { Crash::PowerCut } else { Crash::Kill }, seed);
    }
}

#[test]
fn a_failed_flush_stops_the_shard_and_loses_nothing() {
    for seed in 0..40 {
        let faults = Faults { sync_error: 60, delay: 50, ..Faults::default() };
        a_failure_loses_nothing(faults, if seed % 2 == 0 { Crash::PowerCut } else { Crash::Kill }, seed);
    }
}

#[test]
fn the_first_failed_flush_is_told_by_the_turn_that_sees_it() {
    for (seed, is_apart) in (0..10).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        let commit = machine.configure(1, LogConfig::default());
        machine.until_durable(commit);
        machine.settle();
        machine.set_faults(Faults { sync_error: 1_000, ..Faults::default() });
        let bytes = batch(1, 100, 1);
        let receipt = machine.change(|shard| shard.append(engine::offset::LogId(1), &bytes)).expect("appends");
        if is_apart {
            machine.shard.await_written(receipt.commit);
        }
        let failed = (0..100).any(|_| {
            machine.io.step();
            machine.shard.turn().is_err()
        });
        assert!(failed && machine.shard.ends().durable < receipt.commit);
    }
}
