//! Claims: what many readers want of one stretch is read once, what a reader in order wants next is read ahead, and
//! readers hold no more memory than is stated, however many they are and however slow.

mod simulated_shard;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use engine::batch::walk;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::{EXTENT_BYTES, READ_BYTES_MAX, READ_EXTENTS_KEPT_FEW, TAIL_PINNED_BYTES_MAX};
use engine::memory::ShardMemory;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::partition::transactions::Isolation;
use engine::shard::read_stats::ReadStats;
use engine::shard::reads::{ReadBatches, ReadId, ReadRequest, ReadStart};
use simulated_shard::{Machine, batch, body};

const SEGMENT_BYTES: u64 = 4 << 20;

/// A machine without a tail whose logs 1..=`logs` hold `rounds` batches each, interleaved.
fn interleaved(logs: u64, rounds: u64, batch_bytes: usize) -> Machine {
    let mut machine = Machine::start(SimDisk::default(), 7, SEGMENT_BYTES, 0);
    for log in 1..=logs {
        machine.configure(log, LogConfig::default());
    }
    let mut last = None;
    for round in 0..rounds {
        for log in 1..=logs {
            last = Some(machine.append(log, &batch(1, batch_bytes, stamp(log, round))).expect("appends"));
        }
    }
    machine.until_durable(last.expect("something was appended").commit);
    machine.settle();
    machine
}

fn stamp(log: u64, offset: u64) -> u64 {
    log * 1_000_000 + offset
}

fn check(log: u64, from: i64, batch_bytes: usize, batches: &ReadBatches) -> i64 {
    let bytes = batches.slices.concat();
    let mut next = from;
    for (at, header) in walk(&bytes) {
        assert_eq!(header.base_offset(), next, "log {log}");
        let found = body(&bytes[at..at + header.total_bytes().expect("whole")]);
        assert_eq!(found, body(&batch(1, batch_bytes, stamp(log, next as u64))), "log {log} offset {next}");
        next += 1;
    }
    next
}

fn request(log: u64, offset: i64, bytes_max: usize) -> ReadRequest {
    ReadRequest {
        log: LogId(log),
        goal: Goal::Offset(Offset(offset)),
        bytes_max,
        first_whole: true,
        one_step: false,
        isolation: Isolation::Uncommitted,
    }
}

#[test]
fn logs_that_lie_interleaved_are_read_once_for_all() {
    let (logs, rounds, batch_bytes) = (64, 60, 2_000);
    let mut machine = interleaved(logs, rounds, batch_bytes);
    let mut next: BTreeMap<u64, i64> = (1..=logs).map(|log| (log, 0)).collect();
    // As a consumer of all of them does: a turn for each, again and again.
    while next.values().any(|next| *next < rounds as i64) {
        for (&log, next) in &mut next {
            if *next < rounds as i64 {
                let batches = machine.read(log, Goal::Offset(Offset(*next)), 1 << 20).expect("readable");
                assert!(batches.bytes > 0, "log {log} is stuck at {next}");
                *next = check(log, *next, batch_bytes, &batches);
            }
        }
    }
    let stats = machine.shard.read_stats();
    let delivered = logs * rounds * (batch_bytes as u64 + 61);
    assert_eq!(stats.delivered_from_disk_bytes, delivered);
    // Headers, tables and padding of the commits come along, and the first look at a stretch may be at a part of it.
    assert!(stats.disk_bytes <= delivered * 2, "{} bytes were read for {delivered}", stats.disk_bytes);
}

#[test]
fn one_answer_goes_over_extents_and_segments() {
    let batch_bytes = 30_000;
    let mut machine = interleaved(1, 400, batch_bytes);
    let batches = machine.read(1, Goal::Offset(Offset(3)), 10 << 20).expect("readable");
    assert!(batches.bytes > (10 << 20) - 40_000, "only {} bytes", batches.bytes);
    assert_eq!(check(1, 3, batch_bytes, &batches), 3 + (batches.bytes / (batch_bytes + 61)) as i64);
}

#[test]
fn a_reader_in_order_finds_what_it_asks_for() {
    reader_in_order(30_000);
}

#[test]
fn a_reader_in_order_finds_what_it_asks_for_although_nothing_fits_into_what_is_left() {
    // Story: a last step that gave nothing took the reader for one that had gone further, and nothing was read ahead for it.
    reader_in_order(50_000);
}

fn reader_in_order(batch_bytes: usize) {
    let mut machine = interleaved(1, 500, batch_bytes);
    let (mut next, mut at_once, mut turns) = (0, 0, 0);
    while next < 500 {
        turns += 1;
        match machine.shard.read(request(1, next, 512 << 10)).expect("in range") {
            ReadStart::Done(batches) => {
                at_once += 1;
                next = check(1, next, batch_bytes, &batches);
            }
            ReadStart::Pending(id) => next = check(1, next, batch_bytes, &ended(&mut machine, id)),
        }
        // The socket takes its time, and the disk works meanwhile.
        for _ in 0..40 {
            machine.tick();
        }
    }
    let stats = machine.shard.read_stats();
    assert!(at_once * 10 >= turns * 7, "{at_once} of {turns} reads were ready");
    assert!(stats.read_ahead_hits > 20, "{stats:?}");
    assert!(stats.read_ahead_wasted <= 2, "{stats:?}");
    assert!(stats.disk_bytes <= 500 * (batch_bytes as u64 + 1_000) * 11 / 10, "{stats:?}");
}

#[test]
fn a_read_does_not_wait_for_a_batch_that_does_not_fit() {
    // Story: batches as large as a fetch were read twice, the first time to see that they did not fit, and never ahead.
    let mut machine = interleaved(1, 12, 100_000);
    let batches = machine.read(1, Goal::Offset(Offset(0)), 250_000).expect("readable");
    assert_eq!(check(1, 0, 100_000, &batches), 2);
    assert_eq!(machine.shard.read_stats().disk_reads, 1, "the third lies over the end of the first extent");
}

/// Readers of one log, each so many bytes behind the one before it. Gives what they cost.
fn readers_in_a_row(readers: usize, distance_bytes: usize) -> ReadStats {
    let (rounds, batch_bytes) = (1_000, 30_000);
    let mut machine = interleaved(1, rounds, batch_bytes);
    let distance = (distance_bytes / batch_bytes) as i64;
    let mut next = vec![0; readers];
    while next.iter().any(|next| *next < rounds as i64) {
        for reader in 0..readers {
            let is_near = reader > 0 && next[reader - 1] < (next[reader] + distance).min(rounds as i64);
            if !is_near && next[reader] < rounds as i64 {
                let batches = machine.read(1, Goal::Offset(Offset(next[reader])), 1 << 20).expect("readable");
                next[reader] = check(1, next[reader], batch_bytes, &batches);
            }
        }
    }
    let stats = machine.shard.read_stats();
    assert_eq!(stats.delivered_from_disk_bytes, readers as u64 * rounds * (batch_bytes as u64 + 61));
    stats
}

#[test]
fn a_reader_alone_leaves_little_behind() {
    let stats = readers_in_a_row(1, 0);
    assert!(stats.read_memory_bytes <= 2 * READ_EXTENTS_KEPT_FEW * EXTENT_BYTES, "{stats:?}");
}

#[test]
fn who_follows_at_some_distance_finds_what_was_read() {
    let one = readers_in_a_row(1, 0);
    let stats = readers_in_a_row(3, 6 << 20);
    assert!(stats.disk_bytes <= one.disk_bytes * 13 / 10, "{stats:?}, one alone {one:?}");
}

#[test]
fn readers_at_random_places_read_nothing_ahead() {
    let mut machine = interleaved(1, 400, 30_000);
    for turn in 0..100_i64 {
        let offset = (turn * 7_919) % 400;
        machine.read(1, Goal::Offset(Offset(offset)), 1).expect("readable");
    }
    let stats = machine.shard.read_stats();
    assert_eq!((stats.read_ahead_hits, stats.read_ahead_wasted), (0, 0));
}

#[test]
fn many_readers_of_one_place_ask_the_disk_once() {
    let mut machine = interleaved(1, 200, 30_000);
    let ids: Vec<ReadId> = (0..50).filter_map(|_| pending(&mut machine, request(1, 0, 200_000))).collect();
    assert_eq!(ids.len(), 50, "nothing was at hand");
    let mut answered = 0;
    while answered < ids.len() {
        machine.tick();
        for (_, outcome) in machine.shard.take_finished_reads() {
            check(1, 0, 30_000, &outcome.expect("readable"));
            answered += 1;
        }
    }
    assert_eq!(machine.shard.read_stats().disk_reads, 1);
}

#[test]
fn a_thousand_readers_at_random_places_keep_the_memory_bound() {
    let batch_bytes = 30_000;
    let mut machine = interleaved(2, 400, batch_bytes);
    machine.set_faults(Faults { delay: 300, ..Faults::default() });
    let mut asked = HashMap::new();
    for reader in 0..1_000_u64 {
        let (log, offset) = (1 + reader % 2, (reader * 7_919 % 400) as i64);
        if let Some(id) = pending(&mut machine, request(log, offset, 300_000)) {
            asked.insert(id, (log, offset));
        }
        keeps_its_bounds(&machine.shard.read_stats());
    }
    assert!(asked.len() > 500, "{} readers waited", asked.len());
    let mut held: Vec<Bytes> = Vec::new();
    while !asked.is_empty() {
        machine.tick();
        keeps_its_bounds(&machine.shard.read_stats());
        for (id, outcome) in machine.shard.take_finished_reads() {
            let batches = outcome.expect("readable");
            if let Some((log, offset)) = asked.remove(&id) {
                check(log, offset, batch_bytes, &batches);
            }
            // Nobody takes what it got.
            held.extend(batches.slices);
        }
    }
    let stats = machine.shard.read_stats();
    assert!(stats.copied_bytes > 0, "the bound was met");
    assert!(stats.held_bytes <= ShardMemory::MOST.read_held_bytes(), "{stats:?}");
    drop(held);
    assert_eq!(machine.shard.read_stats().held_bytes, 0);
}

fn keeps_its_bounds(stats: &ReadStats) {
    assert!(stats.read_memory_bytes <= READ_BYTES_MAX, "{stats:?}");
}

fn pending(machine: &mut Machine, request: ReadRequest) -> Option<ReadId> {
    match machine.shard.read(request).expect("in range") {
        ReadStart::Pending(id) => Some(id),
        ReadStart::Done(_) => None,
    }
}

fn ended(machine: &mut Machine, id: ReadId) -> ReadBatches {
    let found = |(found, outcome)| if found == id { Some(outcome) } else { None };
    machine.until(|shard| shard.take_finished_reads().into_iter().find_map(found)).expect("readable")
}

#[test]
fn the_tail_feeds_any_number_of_readers_without_a_copy() {
    let mut machine = Machine::start(SimDisk::default(), 3, SEGMENT_BYTES, 1 << 20);
    machine.configure(1, LogConfig::default());
    machine.append_durably(1, &batch(1, 20_000, stamp(1, 0)));
    let answers: Vec<ReadBatches> =
        (0..64).map(|_| machine.read(1, Goal::Offset(Offset(0)), 1 << 20).expect("readable")).collect();
    let places: Vec<*const u8> = answers.iter().map(|batches| batches.slices[0].as_ptr()).collect();
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "one buffer serves all");
    let stats = machine.shard.read_stats();
    assert_eq!((stats.copied_bytes, stats.disk_reads), (0, 0));
    assert_eq!(stats.delivered_from_tail_bytes, 64 * 20_061);
}

#[test]
fn slow_readers_of_the_tail_pin_a_stated_number_of_bytes() {
    let tail_bytes = 1 << 20;
    let mut machine = Machine::start(SimDisk::default(), 3, 16 << 20, tail_bytes);
    machine.configure(1, LogConfig::default());
    let mut held = Vec::new();
    for round in 0..300 {
        machine.append_durably(1, &batch(1, 100_000, stamp(1, round)));
        let batches = machine.read(1, Goal::Offset(Offset(round as i64)), 1 << 20).expect("readable");
        check(1, round as i64, 100_000, &batches);
        held.push(batches);
        let pinned = machine.shard.read_stats().tail_pinned_bytes;
        assert!(pinned <= TAIL_PINNED_BYTES_MAX + tail_bytes + (1 << 20), "{pinned} bytes are pinned");
    }
    assert!(machine.shard.read_stats().copied_bytes > 0);
    for (round, batches) in held.iter().enumerate() {
        check(1, round as i64, 100_000, batches);
    }
    drop(held);
    assert_eq!(machine.shard.read_stats().tail_pinned_bytes, 0);
}

#[test]
fn failed_and_flipped_reads_are_errors_that_pass() {
    let mut machine = interleaved(2, 300, 30_000);
    machine.set_faults(Faults { read_error: 200, read_flip: 200, delay: 100, ..Faults::default() });
    let (mut failed, mut next) = (0, 0);
    while next < 300 {
        match machine.read(1, Goal::Offset(Offset(next)), 1 << 20) {
            Ok(batches) => next = check(1, next, 30_000, &batches),
            Err(_) => failed += 1,
        }
        assert!(failed < 1_000, "stuck at {next}");
    }
    assert!(failed > 0, "faults struck");
}

#[test]
fn nothing_is_served_of_an_earlier_life_of_a_segment() {
    let batch_bytes = 30_000;
    let mut machine = Machine::start(SimDisk::default(), 5, 1 << 20, 0);
    machine.configure(1, LogConfig::default());
    let mut seen = 0;
    for round in 0..300_u64 {
        machine.append_durably(1, &batch(1, batch_bytes, stamp(1, round)));
        let end = round as i64 + 1;
        // The log is kept short, so that its files live again and again; a reader follows in order.
        if end > 60 {
            let (_, commit) =
                machine.change(|shard| shard.raise_log_start(LogId(1), Offset(end - 40))).expect("raises");
            machine.until_durable(commit);
        }
        seen = seen.max(machine.shard.view(LogId(1)).expect("is there").start.0);
        let batches = machine.read(1, Goal::Offset(Offset(seen)), 200_000).expect("readable");
        seen = check(1, seen, batch_bytes, &batches);
    }
    assert!(machine.segment_files() < 12, "segments were used again");
    let mut machine = machine.crash(Crash::PowerCut);
    let start = machine.shard.view(LogId(1)).expect("is there").start.0;
    let batches = machine.read(1, Goal::Offset(Offset(start)), 8 << 20).expect("readable");
    assert_eq!(check(1, start, batch_bytes, &batches), 300);
}
