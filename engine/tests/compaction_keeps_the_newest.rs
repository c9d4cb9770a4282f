//! Claim: a compacted log keeps the newest record of every key, at its offset, through crashes at any time; what is superseded goes in
//! the end, tombstones after their time, and readers find their way over the holes.

mod keyed_records;
mod simulated_shard;

use std::collections::BTreeMap;

use engine::batch::walk;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use keyed_records::{CODEC, TOMBSTONE, keyed, records_of};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, NOBODY};

const SECOND_NS: u64 = 1_000_000_000;

fn compacted() -> LogConfig {
    LogConfig { compact: true, delete: false, delete_retention_ms: 60_000, ..LogConfig::default() }
}

fn prepare(machine: &mut Machine) {
    machine.shard.set_record_codec(CODEC);
    machine.configure(1, compacted());
    machine.configure(2, LogConfig::default());
}

fn clean_for(machine: &mut Machine, seconds: u64) {
    for _ in 0..seconds {
        machine.io.advance_ns(SECOND_NS);
        for _ in 0..150 {
            machine.tick();
        }
    }
}

/// Every record that a reader finds, by offset, holes and all.
fn read_records(machine: &mut Machine) -> BTreeMap<i64, (u32, u64)> {
    let view = machine.shard.view(LogId(1)).expect("the log is there");
    let (mut offset, mut found) = (view.start, BTreeMap::new());
    while offset < view.high_watermark {
        let batches = machine.read(1, Goal::Offset(offset), 20_000).expect("readable");
        assert!(batches.bytes > 0, "stuck at {offset} of {}", view.high_watermark);
        let bytes = batches.slices.concat();
        for (at, header) in walk(&bytes) {
            let whole = &bytes[at..at + header.total_bytes().expect("whole")];
            found.extend(records_of(whole));
            offset = Offset(header.base_offset() + i64::from(header.last_offset_delta()) + 1);
        }
    }
    found
}

/// The newest record of each key up to an end.
fn newest(written: &BTreeMap<i64, (u32, u64)>, end: i64) -> BTreeMap<u32, (i64, u64)> {
    written.range(..end).map(|(&offset, &(key, value))| (key, (offset, value))).collect()
}

fn check(machine: &mut Machine, written: &BTreeMap<i64, (u32, u64)>, what: &str) -> usize {
    let end = machine.shard.view(LogId(1)).expect("is there").high_watermark.0;
    let found = read_records(machine);
    for (offset, record) in &found {
        assert_eq!(written.get(offset), Some(record), "{what}: offset {offset}");
    }
    for (key, (offset, value)) in newest(written, end) {
        let is_there = found.contains_key(&offset);
        assert!(is_there || value == TOMBSTONE, "{what}: the newest value of key {key} at {offset} is gone");
        // A deleted key never shows an older value again.
        let old = found.iter().find(|(at, (found, _))| **at < offset && *found == key && !is_there);
        assert_eq!(old, None, "{what}: key {key} is back");
    }
    found.len()
}

#[test]
fn what_is_superseded_goes_and_the_newest_stays() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    prepare(&mut machine);
    let mut written = BTreeMap::new();
    for round in 0..120_u64 {
        let records: Vec<(u32, u64)> =
            (0..10).map(|at| ((round as u32 * 7 + at * 3) % 50, round * 10 + u64::from(at))).collect();
        let base = machine.append_durably(1, &keyed(&records, NOBODY, 5)).0;
        written.extend((base..).zip(records));
    }
    clean_for(&mut machine, 30);
    let stats = machine.shard.cleaner_stats();
    assert!(stats.passes > 0 && stats.records_removed > 500, "{stats:?}");
    let left = check(&mut machine, &written, "cleaned");
    assert!(left < 500, "{left} of 1200 records are left");
    let mut machine = machine.crash(Crash::PowerCut);
    prepare(&mut machine);
    assert_eq!(check(&mut machine, &written, "after a crash"), left);
}

#[test]
fn tombstones_stay_their_time_and_go() {
    let mut machine = Machine::start(SimDisk::default(), 2, SEGMENT_BYTES_MIN, 64 << 10);
    prepare(&mut machine);
    let mut written = BTreeMap::new();
    let mut append = |machine: &mut Machine, records: Vec<(u32, u64)>| {
        let base = machine.append_durably(1, &keyed(&records, NOBODY, 5)).0;
        written.extend((base..).zip(records));
    };
    (0..30_u32).for_each(|key| append(&mut machine, (0..10).map(|at| (key * 10 + at, 1)).collect()));
    append(&mut machine, (0..20).map(|key| (key, TOMBSTONE)).collect());
    // Of other keys, so that the segment with the tombstones is sealed.
    (0..60_u32).for_each(|round| append(&mut machine, (0..10).map(|at| (1_000 + at, u64::from(round))).collect()));
    clean_for(&mut machine, 20);
    let found = read_records(&mut machine);
    assert_eq!(found.values().filter(|(_, value)| *value == TOMBSTONE).count(), 20, "their time is not over");
    assert!(found.values().all(|(key, value)| *key >= 20 || *value == TOMBSTONE), "what they delete is gone");
    machine.io.advance_ns(100 * SECOND_NS);
    (0..80_u32).for_each(|round| append(&mut machine, (0..10).map(|at| (2_000 + at, u64::from(round))).collect()));
    clean_for(&mut machine, 30);
    let found = read_records(&mut machine);
    assert_eq!(found.values().filter(|(_, value)| *value == TOMBSTONE).count(), 0, "their time is over");
    assert!(found.values().all(|(key, _)| *key >= 20));
    check(&mut machine, &written, "in the end");
}

#[test]
fn random_lives_never_lose_the_newest_value() {
    let (mut removed, mut passes) = (0, 0);
    for seed in 0..25 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed * 100, SEGMENT_BYTES_MIN, 64 << 10);
        prepare(&mut machine);
        let commit = machine.shard.ends().appended;
        machine.until_durable(commit);
        let mut written: BTreeMap<i64, (u32, u64)> = BTreeMap::new();
        for life in 0..6 {
            machine.set_faults(Faults { delay: 30, ..Faults::default() });
            let mut promised = 0;
            let mut sent = Vec::new();
            for _ in 0..80 + random.next_u64() % 150 {
                match random.next_u64() % 8 {
                    0..4 => {
                        let count = 1 + random.next_u64() % 12;
                        let mut record = |_| {
                            let value =
                                if random.next_u64().is_multiple_of(6) { TOMBSTONE } else { random.next_u64() >> 1 };
                            ((random.next_u64() % 40) as u32, value)
                        };
                        let records: Vec<(u32, u64)> = (0..count).map(&mut record).collect();
                        if let Ok(receipt) = machine.shard.append(LogId(1), &keyed(&records, NOBODY, 5)) {
                            let base = receipt.appended.base_offset.0;
                            sent.push((base + count as i64, receipt.commit));
                            written.extend((base..).zip(records));
                        }
                    }
                    4 => machine.io.advance_ns(SECOND_NS),
                    5 => machine.io.advance_ns(if random.next_u64().is_multiple_of(10) { 70 * SECOND_NS } else { 1 }),
                    _ => (0..random.next_u64() % 40).for_each(|_| machine.tick()),
                }
            }
            let durable = machine.shard.ends().durable;
            for (end, _) in sent.into_iter().filter(|(_, commit)| *commit <= durable) {
                promised = promised.max(end);
            }
            let stats = machine.shard.cleaner_stats();
            (removed, passes) = (removed + stats.records_removed, passes + stats.passes);
            machine = machine.crash(if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill });
            prepare(&mut machine);
            let end = machine.shard.view(LogId(1)).expect("is there").high_watermark.0;
            assert!(end >= promised, "seed {seed} life {life}: the log ends at {end}");
            written.retain(|offset, _| *offset < end);
            check(&mut machine, &written, &format!("seed {seed} life {life}"));
        }
    }
    assert!(removed > 1_000 && passes > 20, "{removed} records removed in {passes} passes");
}
