//! Claim: the cleaner gives back the space of what died beside live data, and loses nothing, whatever it does and whenever the power goes:
//! reads during and after see the same bytes, files are given back only when the journal durably says what stands in their place.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::io::sim::{Crash, Faults, SimDisk, SimIo};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, batch, body};

const TAIL_BYTES: usize = 64 << 10;
const SECOND_NS: u64 = 1_000_000_000;

fn machine(seed: u64) -> Machine {
    let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, TAIL_BYTES);
    for log in 1..=3 {
        machine.configure(log, LogConfig::default());
    }
    machine
}

/// Small batches of log 1 between large ones of log 2, over several segments; log 2 then lets go of nearly all.
fn with_mostly_dead_segments(seed: u64) -> Machine {
    let mut machine = machine(seed);
    for stamp in 0..60 {
        machine.append_durably(1, &batch(1, 700, stamp));
        machine.append_durably(2, &batch(1, 30_000, 1_000 + stamp));
    }
    let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(2), Offset(58))).expect("raised");
    machine.until_durable(commit);
    machine
}

fn clean_for(machine: &mut Machine, seconds: u64) {
    for _ in 0..seconds {
        machine.io.advance_ns(SECOND_NS);
        for _ in 0..150 {
            machine.tick();
        }
    }
}

fn check_log_1(machine: &mut Machine, what: &str) {
    let found = machine.read_all(1);
    assert_eq!(found.len(), 60, "{what}");
    for stamp in 0..60 {
        assert_eq!(found[&(stamp as i64)], body(&batch(1, 700, stamp)), "{what}");
    }
}

#[test]
fn a_little_live_data_does_not_hold_many_segments() {
    let mut machine = with_mostly_dead_segments(1);
    let before = machine.disk_bytes();
    clean_for(&mut machine, 20);
    let stats = machine.shard.cleaner_stats();
    assert!(stats.swaps > 0 && stats.bytes_freed > 4 * SEGMENT_BYTES_MIN, "{stats:?}");
    assert!(stats.bytes_written < stats.bytes_freed / 4, "{stats:?}");
    assert!(machine.live_segments() <= 4, "{} segments hold 60 small batches", machine.live_segments());
    check_log_1(&mut machine, "cleaned");
    // The files of the journal stay as spares.
    assert!(machine.disk_bytes() <= before + SEGMENT_BYTES_MIN, "{} {before}", machine.disk_bytes());
    for crash in [Crash::PowerCut, Crash::Kill] {
        machine = machine.crash(crash);
        check_log_1(&mut machine, "after a crash");
    }
    // Nothing is left of what was never or is no more alive.
    let named = machine.live_segments();
    assert!(machine.clustered_files() <= named, "{} files, {named} segments", machine.clustered_files());
}

#[test]
fn a_crash_at_any_step_of_a_swap_loses_nothing() {
    let (mut step, mut swapped) = (0, 0);
    // Every step of the first swaps, then sparser.
    while step < 600 {
        for crash in [Crash::PowerCut, Crash::Kill] {
            let mut machine = with_mostly_dead_segments(7);
            machine.io.advance_ns(2 * SECOND_NS);
            for _ in 0..step {
                machine.tick();
            }
            swapped += machine.shard.cleaner_stats().swaps;
            let mut machine = machine.crash(crash);
            check_log_1(&mut machine, &format!("{crash:?} at step {step}"));
            assert_eq!(machine.read_all(2).len(), 2);
            // What the crash left is cleaned as well.
            clean_for(&mut machine, 4);
            check_log_1(&mut machine, &format!("cleaned after {crash:?} at step {step}"));
        }
        step += if step < 120 { 1 } else { 17 };
    }
    assert!(swapped > 10, "{swapped}");
}

#[test]
fn clustered_segments_are_merged_and_dropped() {
    let mut machine = machine(3);
    for round in 0..8_u64 {
        for stamp in 0..30 {
            machine.append_durably(1, &batch(1, 700, round * 100 + stamp));
            machine.append_durably(2, &batch(1, 30_000, stamp));
        }
        let end = machine.shard.view(LogId(2)).expect("is there").high_watermark;
        machine.change(|shard| shard.raise_log_start(LogId(2), end)).expect("raised");
        clean_for(&mut machine, 6);
    }
    assert!(machine.clustered_files() <= 6, "{} clustered files", machine.clustered_files());
    assert_eq!(machine.read_all(1).len(), 240);
    let end = machine.shard.view(LogId(1)).expect("is there").high_watermark;
    machine.change(|shard| shard.raise_log_start(LogId(1), end)).expect("raised");
    clean_for(&mut machine, 20);
    assert_eq!(machine.clustered_files(), 0, "nothing is alive");
    let machine = machine.crash(Crash::PowerCut);
    assert_eq!(machine.shard.view(LogId(1)).expect("is there").start, end);
}

/// The disk of a shard whose clustered segments are mostly dead, so that the cleaner's next swap gives back one of them, file and all.
fn with_mostly_dead_clusters() -> SimDisk {
    let mut machine = machine(13);
    for stamp in 0..60 {
        machine.append_durably(1, &batch(1, 700, stamp));
        machine.append_durably(2, &batch(1, 30_000, 1_000 + stamp));
        machine.append_durably(3, &batch(1, 9_000, 2_000 + stamp));
    }
    for log in [2, 3] {
        let end = machine.shard.view(LogId(log)).expect("is there").high_watermark;
        machine.change(|shard| shard.raise_log_start(LogId(log), end)).expect("raised");
        clean_for(&mut machine, if log == 2 { 20 } else { 0 });
    }
    assert!(machine.clustered_files() > 0);
    machine.settle();
    machine.io.crash(Crash::Kill)
}

#[test]
fn a_clustered_segment_stays_until_its_replacement_is_durable() {
    // Story: a start removed what a replacement had freed that it had read out of the page cache, and the power went before it was flushed.
    let mut machine = Machine::start(with_mostly_dead_clusters(), 17, SEGMENT_BYTES_MIN, TAIL_BYTES);
    machine.set_faults(Faults { delay: 100, ..Faults::default() });
    let clusters = machine.clustered_files();
    let (mut after_the_swap, mut died) = (0, 0);
    while after_the_swap < 8 {
        // Others append meanwhile, so that a replacement is not alone: it is written, and flushed a while later.
        if let Ok(receipt) = machine.shard.append(LogId(3), &batch(1, 3_000, 0)) {
            machine.shard.await_written(receipt.commit);
        }
        machine.tick();
        let is_swapped = machine.shard.cleaner_stats().swaps > 0;
        after_the_swap += u64::from(is_swapped);
        if !is_swapped && machine.clustered_files() == clusters {
            continue;
        }
        let disk = machine.io.with_disk(|disk| disk.clone());
        let crash = |crash, seed| SimIo::new(seed, disk.clone()).crash(crash);
        let check = |disk, what| check_log_1(&mut Machine::start(disk, 17, SEGMENT_BYTES_MIN, TAIL_BYTES), what);
        (0..2).for_each(|seed| check(crash(Crash::PowerCut, seed), "the power goes"));
        let killed = crash(Crash::Kill, 0);
        let cuts = (0..).map_while(|calls| Machine::die_starting(killed.clone(), calls, SEGMENT_BYTES_MIN, calls));
        for cut in cuts {
            check(cut, "killed, and the power goes in the start after that");
            died += 1;
        }
    }
    assert!(died > 500, "{died}");
}

#[test]
fn scattered_batches_come_to_lie_together() {
    let mut machine = Machine::start(SimDisk::default(), 5, SEGMENT_BYTES_MIN, TAIL_BYTES);
    for log in 1..=8 {
        machine.configure(log, LogConfig::default());
    }
    for stamp in 0..400 {
        machine.append_durably(1 + stamp % 8, &batch(1, 3_000, stamp));
    }
    clean_for(&mut machine, 20);
    let stats = machine.shard.cleaner_stats();
    assert!(stats.swaps > 3, "{stats:?}");
    for log in 1..=8 {
        let found = machine.read_all(log);
        assert_eq!(found.len(), 50);
        for (offset, bytes) in found {
            assert_eq!(bytes, body(&batch(1, 3_000, offset as u64 * 8 + log - 1)));
        }
    }
    clean_for(&mut machine, 20);
    assert_eq!(machine.shard.cleaner_stats().swaps, stats.swaps, "each segment is clustered once");
}

/// What was ever appended to the logs, and how much of it is promised.
#[derive(Default)]
struct Model {
    bodies: BTreeMap<(u64, i64), Vec<u8>>,
    durable_end: BTreeMap<u64, i64>,
    asked_start: BTreeMap<u64, i64>,
}

impl Model {
    fn check(&self, machine: &mut Machine, seed: u64) {
        for log in 1..=3 {
            let view = machine.shard.view(LogId(log)).expect("a log that was durably made");
            let end = self.durable_end.get(&log).copied().unwrap_or(0);
            assert!(view.high_watermark.0 >= end, "seed {seed}: log {log} ends at {}", view.high_watermark);
            let asked = self.asked_start.get(&log).copied().unwrap_or(0);
            assert!(view.start.0 <= asked, "seed {seed}: log {log} begins at {}", view.start);
            let found = machine.read_all(log);
            let first = found.keys().next().copied().unwrap_or(view.high_watermark.0);
            assert!(
                first <= view.start.0 || view.start == view.high_watermark,
                "seed {seed}: log {log} misses its start"
            );
            for (offset, bytes) in &found {
                assert_eq!(self.bodies.get(&(log, *offset)), Some(bytes), "seed {seed} log {log} offset {offset}");
            }
        }
    }
}

fn random_life(machine: &mut Machine, model: &mut Model, random: &mut Xoshiro256PlusPlus) {
    let mut sent = Vec::new();
    for _ in 0..150 + random.next_u64() % 400 {
        match random.next_u64() % 16 {
            0..6 => {
                let log = 1 + random.next_u64() % 3;
                let bytes_max = [600, 4_000, 50_000][log as usize - 1];
                let bytes = batch(
                    1 + (random.next_u64() % 3) as i32,
                    (random.next_u64() % bytes_max) as usize + 8,
                    random.next_u64(),
                );
                match machine.shard.append(LogId(log), &bytes) {
                    Ok(receipt) => {
                        let base = receipt.appended.base_offset.0;
                        let records = i64::from(i32::from_be_bytes(bytes[57..61].try_into().expect("4 bytes")));
                        model.bodies.insert((log, base), body(&bytes));
                        sent.push((log, base + records, receipt.commit));
                    }
                    Err(Refusal::Wait) => {}
                    Err(Refusal::Error(error)) => panic!("refused: {error}"),
                }
            }
            6 => {
                let log = 2 + random.next_u64() % 2;
                let view = machine.shard.view(LogId(log)).expect("is there");
                let span = (view.high_watermark.0 - view.start.0) as u64;
                let start = view.start.0 + (random.next_u64() % (span + 1)) as i64;
                if machine.shard.raise_log_start(LogId(log), Offset(start)).is_ok() {
                    let asked = model.asked_start.entry(log).or_default();
                    *asked = start.max(*asked);
                }
            }
            7 => machine.io.advance_ns(SECOND_NS),
            8 => {
                let log = 1 + random.next_u64() % 3;
                let view = machine.shard.view(LogId(log)).expect("is there");
                let span = (view.high_watermark.0 - view.start.0) as u64;
                let offset = view.start.0 + (random.next_u64() % (span + 1)) as i64;
                let found = machine.read(log, Goal::Offset(Offset(offset)), 10_000).expect("readable");
                for (at, header) in engine::batch::walk(&found.slices.concat()) {
                    let bytes = &found.slices.concat()[at..at + header.total_bytes().expect("whole")];
                    assert_eq!(model.bodies.get(&(log, header.base_offset())), Some(&body(bytes)));
                }
            }
            _ => (0..random.next_u64() % 12).for_each(|_| machine.tick()),
        }
    }
    let durable = machine.shard.ends().durable;
    for (log, end, _) in sent.into_iter().filter(|(.., commit)| *commit <= durable) {
        let known = model.durable_end.entry(log).or_default();
        *known = end.max(*known);
    }
}

#[test]
fn random_lives_with_a_cleaner_lose_nothing() {
    let (mut swaps, mut passes) = (0, 0);
    for seed in 0..40 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = machine(seed * 100);
        let commit = machine.shard.ends().appended;
        machine.until_durable(commit);
        let mut model = Model::default();
        for _ in 0..10 {
            machine.set_faults(Faults { delay: 30, ..Faults::default() });
            random_life(&mut machine, &mut model, &mut random);
            swaps += machine.shard.cleaner_stats().swaps;
            passes += 1;
            machine = machine.crash(if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill });
            model.check(&mut machine, seed);
            for log in 1..=3 {
                let view = machine.shard.view(LogId(log)).expect("is there");
                model.bodies.retain(|(found, offset), _| *found != log || *offset < view.high_watermark.0);
                model.durable_end.insert(log, view.high_watermark.0);
            }
        }
    }
    assert!(swaps > passes / 2, "{swaps} swaps in {passes} lives");
}

#[test]
fn a_disk_that_fails_the_cleaner_fails_nothing_else() {
    let mut machine = with_mostly_dead_segments(11);
    machine.set_faults(Faults { disk_full: 1000, ..Faults::default() });
    clean_for(&mut machine, 5);
    assert_eq!(machine.shard.cleaner_stats().swaps, 0);
    check_log_1(&mut machine, "on a full disk");
    machine.set_faults(Faults { read_error: 1000, ..Faults::default() });
    clean_for(&mut machine, 12);
    let stats = machine.shard.cleaner_stats();
    assert_eq!(stats.swaps, 0, "what cannot be read is not copied: {stats:?}");
    let failures = stats.failures;
    clean_for(&mut machine, 40);
    assert!(machine.shard.cleaner_stats().failures <= failures + 8, "a damaged segment is left alone");
    machine.set_faults(Faults::default());
    check_log_1(&mut machine, "the disk is well again");
}
