//! Claim: on a full disk appends of records are refused; reads, deletions and the broker's own state go on; space that comes back serves
//! appends again, without a restart; and nothing acked is lost, also over crashes.
//!
//! Story: a deletion needs room in the journal too. With the active segment filled to its end and no next one to be had, the
//! deletion that would have freed the disk was refused like any append; and after a restart no segment counted as replaced until
//! the next roll, which needed the very segment that was dead.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::error::{AppendError, ReadError};
use engine::io::Io;
use engine::io::sim::{Crash, SimDisk};
use engine::journal::disk_space::DiskLevel;
use engine::journal::reader::Goal;
use engine::limits::{DISK_KEPT_SEGMENTS, DISK_ROOMY_SEGMENTS, SEGMENT_BYTES_MIN};
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use simulated_shard::{Machine, NOBODY, batch, batch_of, body};

/// Room for the superblock and so on, and for nine segments: five for records, two in reserve, and two that are left to the file system.
const CAPACITY: u64 = SEGMENT_BYTES_MIN * 9 + (128 << 10);

/// A log of the broker's own state.
const STATE: u64 = 9;

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
    configure_state(&mut machine);
    let acked = fill(&mut machine);
    (machine, acked)
}

/// The catalog sets this at every start.
fn configure_state(machine: &mut Machine) {
    machine.configure(STATE, LogConfig { uses_reserve: true, ..LogConfig::default() });
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
        set_capacity(&mut machine, CAPACITY * 2);
        let bytes = batch(1, 60_000, 7);
        machine.append_durably(1, &bytes);
        let mut machine = machine.crash(Crash::PowerCut);
        assert!(machine.read_all(1).values().any(|found| *found == body(&bytes)));
        expect_all(&mut machine, &acked, &[2]);
    }
}

fn set_capacity(machine: &mut Machine, bytes: u64) {
    machine.io.with_disk(|disk| disk.set_capacity_bytes(bytes));
    for _ in 0..10 {
        machine.io.advance_ns(1_000_000_000);
        machine.settle();
    }
}

#[test]
fn levels_are_left_by_themselves_when_clearly_more_is_free() {
    for seed in 0..10 {
        let (mut machine, _) = full(seed);
        assert_eq!(machine.shard.disk_level(), DiskLevel::Full);
        for bytes in [1, 100, 9_000] {
            assert_eq!(machine.append(1, &batch(1, bytes, 1)), Err(AppendError::DiskFull), "small ones do not slip in");
        }
        set_capacity(&mut machine, CAPACITY + DISK_KEPT_SEGMENTS * SEGMENT_BYTES_MIN);
        assert_eq!(machine.shard.disk_level(), DiskLevel::Full, "not enough to begin again");
        assert_eq!(machine.append(1, &batch(1, 1, 1)), Err(AppendError::DiskFull));
        set_capacity(&mut machine, CAPACITY + (1 + 2 * DISK_KEPT_SEGMENTS) * SEGMENT_BYTES_MIN);
        assert_eq!(machine.shard.disk_level(), DiskLevel::Low);
        machine.append_durably(1, &batch(1, 1, 1));
        set_capacity(&mut machine, CAPACITY + (DISK_ROOMY_SEGMENTS + 2) * SEGMENT_BYTES_MIN);
        assert_eq!(machine.shard.disk_level(), DiskLevel::Roomy);
    }
}

#[test]
fn with_little_space_retention_does_not_wait_for_its_owner() {
    const HOUR_MS: i64 = 3_600_000;
    for is_short in [false, true] {
        let mut machine = Machine::start(SimDisk::default(), 3, SEGMENT_BYTES_MIN, 64 << 10);
        machine.configure(1, LogConfig { retention_ms: HOUR_MS, ..LogConfig::default() });
        let now_ms = machine.io.wall_clock_ms();
        for stamp in 0..60 {
            machine.append_durably(1, &batch_of(1, 10_000, stamp, NOBODY, now_ms));
        }
        if is_short {
            let used = machine.disk_bytes();
            set_capacity(&mut machine, used + 6 * SEGMENT_BYTES_MIN);
            // The disk is looked at when a segment is wanted.
            while machine.shard.disk_level() == DiskLevel::Roomy {
                machine.append_durably(1, &batch_of(1, 10_000, 61, NOBODY, now_ms));
            }
            assert_eq!(machine.shard.disk_level(), DiskLevel::Low);
        }
        // Nobody appends, and nobody calls for a check.
        for _ in 0..120 {
            machine.io.advance_ns(60_000_000_000);
            machine.settle();
        }
        let start = machine.shard.view(LogId(1)).expect("is there").start;
        assert_eq!(start > Offset(0), is_short, "start {start}");
    }
}

/// Appends state as its keepers do: all of it is live in its newest form only, which is written anew when the log has grown.
fn write_state(machine: &mut Machine, rounds: u64) {
    for round in 0..rounds {
        for stamp in 0..10 {
            machine.append_durably(STATE, &batch(1, 4_000, round * 100 + stamp));
        }
        let end = machine.shard.view(LogId(STATE)).expect("is there").high_watermark;
        let snapshot = machine.append_durably(STATE, &batch(1, 4_000, round * 100 + 99));
        assert_eq!(snapshot, end);
        let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(STATE), snapshot)).expect("raises");
        machine.until_durable(commit);
    }
}

#[test]
fn the_brokers_state_is_written_for_ever_on_a_full_disk_also_after_crashes() {
    for seed in 0..6 {
        let (mut machine, acked) = full(seed);
        for crash in [Crash::PowerCut, Crash::Kill, Crash::PowerCut] {
            // Some ten segments' worth each time.
            write_state(&mut machine, 40);
            for bytes in [1, 10_000] {
                assert_eq!(machine.append(1, &batch(1, bytes, 1)), Err(AppendError::DiskFull), "seed {seed}");
            }
            let newest = machine.append_durably(STATE, &batch(1, 500, 7));
            machine = machine.crash(crash);
            configure_state(&mut machine);
            assert_eq!(machine.read_all(STATE)[&newest.0], body(&batch(1, 500, 7)));
            assert_eq!(machine.append(2, &batch(1, 1, 1)), Err(AppendError::DiskFull), "a start makes no room");
            expect_all(&mut machine, &acked, &[1, 2]);
        }
    }
}

#[test]
fn a_start_on_a_disk_without_a_free_byte_serves_all_but_new_records() {
    for seed in 0..10 {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        machine.configure(1, LogConfig::default());
        configure_state(&mut machine);
        let mut acked = BTreeMap::new();
        for stamp in 0..60 {
            let bytes = batch(1, 10_000, stamp);
            acked.insert((1, machine.append_durably(1, &bytes).0), body(&bytes));
        }
        machine.settle();
        // Somebody else takes all there is, at once.
        machine.io.with_disk(|disk| disk.set_capacity_bytes(0));
        for crash in [Crash::Kill, Crash::PowerCut] {
            machine = machine.crash(crash);
            configure_state(&mut machine);
            for stamp in 0..10 {
                machine.append_durably(STATE, &batch(1, 4_000, stamp));
            }
            expect_all(&mut machine, &acked, &[1]);
        }
        for stamp in 100.. {
            let bytes = batch(1, 10_000, stamp);
            match machine.append(1, &bytes) {
                Ok(receipt) => acked.insert((1, receipt.appended.base_offset.0), body(&bytes)),
                Err(AppendError::DiskFull) => break,
                Err(error) => panic!("refused: {error}"),
            };
        }
        for stamp in 0..30 {
            machine.append_durably(STATE, &batch(1, 4_000, stamp));
        }
        machine.settle();
        expect_all(&mut machine, &acked, &[1]);
        let commit = machine.change(|shard| shard.delete_log(LogId(1))).expect("deletes");
        machine.until_durable(commit);
        machine.settle();
        assert_ne!(machine.shard.disk_level(), DiskLevel::Full);
        machine.configure(2, LogConfig::default());
        machine.append_durably(2, &batch(1, 10_000, 1));
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
