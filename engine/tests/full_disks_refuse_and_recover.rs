//! Claim: on a full disk appends are refused, reads and deletions go on, deleted space serves appends again, and nothing acked is
//! lost, also over crashes.
//!
//! Story: a deletion needs room in the journal too. With the active segment filled to its end and no next one to be had, the
//! deletion that would have freed the disk was refused like any append; and after a restart no segment counted as replaced until
//! the next roll, which needed the very segment that was dead.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::error::{AppendError, ReadError};
use engine::io::sim::{Crash, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use simulated_shard::{Machine, batch, body};

/// Room for the superblock and so on, and for six segments.
const CAPACITY: u64 = SEGMENT_BYTES_MIN * 6 + (128 << 10);

/// Appends to logs 1 and 2 until the disk is full; gives what was acked, by log.
fn fill(machine: &mut Machine) -> BTreeMap<(u64, i64), Vec<u8>> {
    let mut acked = BTreeMap::new();
    for stamp in 0.. {
        let (log, bytes) = (1 + stamp % 2, batch(1, 10_000, stamp));
        match machine.append(log, &bytes) {
            Ok(receipt) => {
                machine.until_durable(receipt.commit);
                acked.insert((log, receipt.appended.base_offset.0), body(&bytes));
            }
            Err(AppendError::DiskFull) => break,
            Err(error) => panic!("refused: {error}"),
        }
        assert!(stamp < 1_000, "the disk has no end");
    }
    assert!(acked.len() > 80, "only {} batches fit", acked.len());
    acked
}

fn full(seed: u64) -> (Machine, BTreeMap<(u64, i64), Vec<u8>>) {
    let mut machine = Machine::start(SimDisk::new(CAPACITY), seed, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    machine.configure(2, LogConfig::default());
    let acked = fill(&mut machine);
    (machine, acked)
}

fn expect_all(machine: &mut Machine, acked: &BTreeMap<(u64, i64), Vec<u8>>, logs: &[u64]) {
    for &log in logs {
        let found = machine.read_all(log);
        let wanted: BTreeMap<i64, Vec<u8>> = acked
            .iter()
            .filter(|((of, _), _)| *of == log)
            .map(|((_, offset), bytes)| (*offset, bytes.clone()))
            .collect();
        assert_eq!(found, wanted, "log {log}");
    }
}

#[test]
fn a_full_disk_refuses_appends_and_reads_go_on() {
    for seed in 0..10 {
        let (mut machine, acked) = full(seed);
        expect_all(&mut machine, &acked, &[1, 2]);
        for crash in [Crash::PowerCut, Crash::Kill] {
            machine = machine.crash(crash);
            assert_eq!(machine.append(1, &batch(1, 60_000, 1)), Err(AppendError::DiskFull));
            expect_all(&mut machine, &acked, &[1, 2]);
        }
        // Somebody makes space: without a restart appends go on by themselves.
        machine.io.with_disk(|disk| disk.set_capacity_bytes(CAPACITY * 2));
        machine.io.advance_ns(1_000_000_000);
        for _ in 0..100 {
            machine.tick();
        }
        let bytes = batch(1, 60_000, 7);
        machine.append_durably(1, &bytes);
        let mut machine = machine.crash(Crash::PowerCut);
        assert!(machine.read_all(1).values().any(|found| *found == body(&bytes)));
        expect_all(&mut machine, &acked, &[2]);
    }
}

#[test]
fn a_deletion_on_a_full_disk_makes_room_for_appends() {
    for seed in 0..10 {
        for restarts_before in [false, true] {
            for crashes_after in [false, true] {
                let (mut machine, acked) = full(seed);
                if restarts_before {
                    machine = machine.crash(Crash::PowerCut);
                }
                // Half of each segment dies with log 1: nothing is free yet. The rest of the old ones dies with log 2's start.
                let commit = machine.change(|shard| shard.delete_log(LogId(1))).expect("deletes");
                machine.until_durable(commit);
                expect_all(&mut machine, &acked, &[2]);
                let end = machine.shard.view(LogId(2)).expect("is there").high_watermark;
                let (start, commit) =
                    machine.change(|shard| shard.raise_log_start(LogId(2), Offset(end.0 - 5))).expect("raises");
                machine.until_durable(commit);
                if crashes_after {
                    machine = machine.crash(Crash::Kill);
                }
                machine.settle();
                assert!(matches!(
                    machine.read(2, Goal::Offset(Offset(start.0 - 1)), 1),
                    Err(ReadError::OutOfRange { start: at, .. }) if at == start
                ));
                for stamp in 0..30 {
                    machine.append_durably(2, &batch(1, 10_000, 5_000 + stamp));
                }
                let mut machine = machine.crash(Crash::PowerCut);
                assert!(machine.shard.view(LogId(1)).is_none());
                let found = machine.read_all(2);
                assert_eq!(found.len(), 35, "seed {seed}");
                for stamp in 0..30 {
                    assert_eq!(found[&(end.0 + stamp)], body(&batch(1, 10_000, 5_000 + stamp as u64)));
                }
            }
        }
    }
}

#[test]
fn a_disk_that_is_full_at_random_moments_loses_nothing() {
    for seed in 0..20 {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        machine.configure(1, LogConfig::default());
        let mut acked = BTreeMap::new();
        for round in 0..6_u64 {
            for stamp in 0..40 {
                let odds = 1_000 * ((stamp / 10 + round) % 2);
                machine.set_faults(engine::io::sim::Faults { disk_full: odds, ..Default::default() });
                let bytes = batch(1, 20_000, round * 100 + stamp);
                match machine.append(1, &bytes) {
                    Ok(receipt) => {
                        machine.until_durable(receipt.commit);
                        acked.insert((1, receipt.appended.base_offset.0), body(&bytes));
                    }
                    Err(AppendError::DiskFull) => machine.io.advance_ns(300_000_000),
                    Err(error) => panic!("refused: {error}"),
                }
            }
            machine = machine.crash(if round % 2 == 0 { Crash::PowerCut } else { Crash::Kill });
        }
        assert!(acked.len() > 60);
        expect_all(&mut machine, &acked, &[1]);
    }
}
