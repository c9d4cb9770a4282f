//! Claim: compaction never lets an aborted record supersede another one, drops aborted records with what is said of them, keeps markers, and
//! leaves alone what is not decided.

mod keyed_records;
mod simulated_shard;

use std::collections::{BTreeMap, BTreeSet};

use engine::batch::walk;
use engine::io::sim::{Crash, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::partition::marker::MarkerKind;
use keyed_records::{CODEC, keyed, records_of};
use simulated_shard::{Machine, NOBODY, transactional};

const LOG: LogId = LogId(1);
const SECOND_NS: u64 = 1_000_000_000;
const PRODUCER: i64 = 7;

fn prepare(machine: &mut Machine) {
    machine.shard.set_record_codec(CODEC);
    machine.configure(1, LogConfig { compact: true, delete: false, ..LogConfig::default() });
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

/// What the log still holds up to an end: records by offset, and the offsets of markers.
fn held(machine: &mut Machine, from: i64, end: i64) -> (BTreeMap<i64, (u32, u64)>, BTreeSet<i64>) {
    let (mut records, mut markers, mut offset) = (BTreeMap::new(), BTreeSet::new(), from);
    while offset < end {
        let batches = machine.read(1, Goal::Offset(Offset(offset)), 20_000).expect("readable");
        let bytes = batches.slices.concat();
        for (at, header) in walk(&bytes) {
            if header.is_control() {
                markers.insert(header.base_offset());
            } else {
                records.extend(records_of(&bytes[at..at + header.total_bytes().expect("whole")]));
            }
            offset = header.base_offset() + i64::from(header.last_offset_delta()) + 1;
        }
    }
    (records, markers)
}

/// What a client of what is decided makes of the log: the newest value of each key.
fn decided(machine: &mut Machine) -> BTreeMap<u32, u64> {
    let end = machine.shard.view(LOG).expect("is there").last_stable_offset.0;
    let (mut values, mut offset) = (BTreeMap::new(), 0);
    while offset < end {
        let read = machine.read_committed(1, offset, 20_000);
        let bytes = read.slices.concat();
        for (at, header) in walk(&bytes) {
            let base = header.base_offset();
            let is_aborted = read.aborted.iter().any(|aborted| {
                header.producer_id() == aborted.producer_id
                    && (aborted.first_offset.0..aborted.last_offset.0).contains(&base)
            });
            if !header.is_control() && !is_aborted {
                values.extend(
                    records_of(&bytes[at..]).into_iter().take(header.record_count() as usize).map(|(_, record)| record),
                );
            }
            offset = base + i64::from(header.last_offset_delta()) + 1;
        }
    }
    values
}

/// A transaction of one batch with a value for some keys; the sequence goes on in one epoch.
fn transact(
    machine: &mut Machine,
    sequence: &mut i32,
    keys: std::ops::Range<u32>,
    value: u64,
    kind: MarkerKind,
) -> (i64, i64) {
    let records: Vec<(u32, u64)> = keys.map(|key| (key, value)).collect();
    let batch = transactional(keyed(&records, (PRODUCER, 0, *sequence), 5));
    *sequence += records.len() as i32;
    let base = machine.append_durably(1, &batch).0;
    (base, machine.mark_durably(1, (PRODUCER, 0), kind).0)
}

/// Of keys that nothing else has, so that what lies before is sealed.
fn fill(machine: &mut Machine) {
    for round in 0..40_u32 {
        let records: Vec<(u32, u64)> = (0..10).map(|at| (1_000 + at, u64::from(round))).collect();
        machine.append_durably(1, &keyed(&records, NOBODY, 5));
    }
}

#[test]
fn an_aborted_record_never_counts_as_the_newest_of_its_key() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    prepare(&mut machine);
    let mut sequence = 0;
    transact(&mut machine, &mut sequence, 0..10, 1, MarkerKind::Commit);
    // The bytes of a marker's key, as a client's.
    let as_marker =
        machine.append_durably(1, &keyed(&[(u32::from_le_bytes([0, 0, 0, 0]), 1), (0x0100_0000, 5)], NOBODY, 5)).0;
    let (aborted, abort) = transact(&mut machine, &mut sequence, 0..10, 2, MarkerKind::Abort);
    let (_, commit) = transact(&mut machine, &mut sequence, 5..10, 3, MarkerKind::Commit);
    fill(&mut machine);
    let expected: BTreeMap<u32, u64> = decided(&mut machine);
    assert_eq!((expected[&1], expected[&7], expected[&0x0100_0000]), (1, 3, 5));
    clean_for(&mut machine, 30);
    assert!(machine.shard.cleaner_stats().passes > 0);
    assert_eq!(decided(&mut machine), expected);
    let (records, markers) = held(&mut machine, 0, commit + 1);
    assert!(records.contains_key(&(as_marker + 1)), "a marker's key is none of a client's");
    assert!(records.keys().all(|offset| !(aborted..abort).contains(offset)), "aborted records go");
    assert!(markers.contains(&abort) && markers.contains(&commit), "markers stay");
    let mut machine = machine.crash(Crash::PowerCut);
    prepare(&mut machine);
    assert_eq!(decided(&mut machine), expected);
    // What was aborted is forgotten with its records, at the next checkpoint.
    fill(&mut machine);
    assert_eq!(machine.read_committed(1, 0, 1 << 20).aborted, []);
    assert_eq!(decided(&mut machine).get(&7), Some(&3));
}

#[test]
fn nothing_from_the_last_stable_offset_on_is_compacted() {
    let mut machine = Machine::start(SimDisk::default(), 2, SEGMENT_BYTES_MIN, 64 << 10);
    prepare(&mut machine);
    machine.append_durably(1, &keyed(&[(1, 1)], NOBODY, 5));
    let open = machine.append_durably(1, &transactional(keyed(&[(1, 2)], (PRODUCER, 0, 0), 5))).0;
    fill(&mut machine);
    fill(&mut machine);
    let end = machine.shard.view(LOG).expect("is there").high_watermark.0;
    let before = held(&mut machine, 0, end);
    clean_for(&mut machine, 30);
    assert_eq!(held(&mut machine, 0, end), before, "all of it waits for one transaction");
    assert_eq!(machine.shard.view(LOG).expect("is there").last_stable_offset.0, open);
    machine.mark_durably(1, (PRODUCER, 0), MarkerKind::Abort);
    fill(&mut machine);
    clean_for(&mut machine, 30);
    let (records, _) = held(&mut machine, 0, end);
    assert!(records.len() * 2 < before.0.len(), "{} of {} records are left", records.len(), before.0.len());
    assert_eq!((records.get(&0), records.get(&open)), (Some(&(1, 1)), None));
}

#[test]
fn a_reader_of_what_is_decided_always_finds_its_end() {
    // Story: compaction took the last batch below the last stable offset, and who had to read up to there waited for it.
    let mut machine = Machine::start(SimDisk::default(), 4, SEGMENT_BYTES_MIN, 64 << 10);
    prepare(&mut machine);
    for value in 0..20 {
        machine.append_durably(1, &keyed(&[(1, value)], NOBODY, 5));
    }
    let aborted = machine.append_durably(1, &transactional(keyed(&[(1, 77), (2, 77)], (PRODUCER, 0, 0), 5))).0;
    let open = machine.append_durably(1, &transactional(keyed(&[(3, 1)], (PRODUCER + 1, 0, 0), 5))).0;
    machine.mark_durably(1, (PRODUCER, 0), MarkerKind::Abort);
    fill(&mut machine);
    fill(&mut machine);
    clean_for(&mut machine, 30);
    let stats = machine.shard.cleaner_stats();
    assert!(stats.records_removed >= 19, "{stats:?}");
    let read = machine.read_committed(1, 0, 1 << 20);
    let last = walk(&read.slices.concat()).last().map(|(_, header)| header.base_offset());
    assert_eq!((last, read.view.last_stable_offset.0), (Some(aborted), open));
    assert_eq!(decided(&mut machine), BTreeMap::from([(1, 19)]));
}

#[test]
fn a_reader_of_the_tail_still_learns_of_what_compaction_dropped() {
    // Story: the tail holds the batches as they were written, also when compaction has dropped them from the disk.
    let mut machine = Machine::start(SimDisk::default(), 3, SEGMENT_BYTES_MIN, 64 << 20);
    prepare(&mut machine);
    let mut sequence = 0;
    transact(&mut machine, &mut sequence, 0..10, 1, MarkerKind::Commit);
    transact(&mut machine, &mut sequence, 0..10, 2, MarkerKind::Abort);
    for _ in 0..3 {
        fill(&mut machine);
        clean_for(&mut machine, 10);
    }
    let stats = machine.shard.cleaner_stats();
    assert!(stats.passes > 0 && stats.records_removed >= 10, "{stats:?}");
    let read = machine.read_committed(1, 0, 30_000);
    let offsets: Vec<i64> = walk(&read.slices.concat()).map(|(_, header)| header.base_offset()).collect();
    assert!(offsets.starts_with(&[0, 10, 11]), "the tail holds all: {offsets:?}");
    assert_eq!(read.aborted.len(), 1);
    assert_eq!(decided(&mut machine).get(&3), Some(&1));
}
