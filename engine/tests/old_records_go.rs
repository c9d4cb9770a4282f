//! Claim: `retention.ms` takes what is too old and nothing else, also out of the segment that is written to; a change of
//! durability never takes back what readers were shown.

mod simulated_shard;

use engine::io::Io;
use engine::io::sim::{Crash, SimDisk};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Advance;
use simulated_shard::{Machine, NOBODY, batch, batch_of};

const LOG: LogId = LogId(1);
const HOUR_MS: i64 = 3_600_000;

fn kept_for(retention_ms: i64) -> LogConfig {
    LogConfig { retention_ms, ..LogConfig::default() }
}

fn append_at(machine: &mut Machine, log: u64, bytes: usize, timestamp: i64) {
    machine.append_durably(log, &batch_of(1, bytes, 7, NOBODY, timestamp));
}

fn start_after_a_check(machine: &mut Machine, log: LogId) -> i64 {
    machine.shard.check_retention();
    machine.settle();
    machine.shard.view(log).expect("is there").start.0
}

#[test]
fn old_spans_go_and_young_ones_stay_across_crashes() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let now = machine.io.wall_clock_ms();
    machine.configure(1, kept_for(HOUR_MS));
    machine.configure(2, kept_for(-1));
    // Five segments of old records, then some of new ones.
    for at in 0..100 {
        let timestamp = if at < 80 { now - 2 * HOUR_MS } else { now };
        append_at(&mut machine, 1, 14_000, timestamp);
        append_at(&mut machine, 2, 100, now - 2 * HOUR_MS);
    }
    let start = start_after_a_check(&mut machine, LOG);
    // A span goes as a whole: the one with the first new record stays.
    assert!((60..=80).contains(&start), "start {start}");
    assert_eq!(start_after_a_check(&mut machine, LogId(2)), 0, "without a limit nothing goes");
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!(machine.shard.view(LOG).expect("is there").start.0, start);
    assert_eq!(machine.read_all(1).len() as i64, 100 - start);
}

#[test]
fn a_log_that_is_all_old_becomes_empty_though_its_segment_is_written_to() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let now = machine.io.wall_clock_ms();
    machine.configure(1, kept_for(HOUR_MS));
    for _ in 0..5 {
        append_at(&mut machine, 1, 100, now - HOUR_MS - 1);
    }
    assert_eq!(start_after_a_check(&mut machine, LOG), 5);
    append_at(&mut machine, 1, 100, now);
    assert_eq!(start_after_a_check(&mut machine, LOG), 5);
    let mut machine = machine.crash(Crash::Kill);
    assert_eq!(machine.shard.view(LOG).expect("is there").start.0, 5);
    assert_eq!(machine.read_all(1).len(), 1);
    machine.io.advance_ns(2 * HOUR_MS as u64 * 1_000_000);
    machine.configure(1, kept_for(HOUR_MS));
    assert_eq!(start_after_a_check(&mut machine, LOG), 6, "age comes with time");
}

#[test]
fn records_of_the_future_without_a_time_or_of_a_compacted_log_stay() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let now = machine.io.wall_clock_ms();
    machine.configure(1, kept_for(HOUR_MS));
    machine.configure(2, kept_for(HOUR_MS));
    machine.configure(3, LogConfig { delete: false, compact: true, retention_bytes: 1, ..kept_for(HOUR_MS) });
    append_at(&mut machine, 1, 100, now + 5 * HOUR_MS);
    append_at(&mut machine, 2, 100, -1);
    append_at(&mut machine, 3, 100, now - 5 * HOUR_MS);
    for log in 1..4 {
        assert_eq!(start_after_a_check(&mut machine, LogId(log)), 0, "log {log}");
    }
}

#[test]
fn a_shorter_retention_acts_at_once() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let now = machine.io.wall_clock_ms();
    machine.configure(1, kept_for(-1));
    append_at(&mut machine, 1, 100, now - HOUR_MS);
    machine.configure(1, kept_for(HOUR_MS / 2));
    machine.settle();
    assert_eq!(machine.shard.view(LOG).expect("is there").start, Offset(1));
}

/// Story: a topic with `posthaste.durability=written` was set back to durable while records were written and not flushed;
/// the high watermark fell to the durable end, below what readers had.
#[test]
fn a_change_of_durability_never_lowers_the_high_watermark() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let written = LogConfig { written_is_enough: true, ..LogConfig::default() };
    machine.configure(1, written);
    let receipt = machine.append(1, &batch(3, 100, 1)).expect("appends");
    machine.until(|shard| (shard.ends().written >= receipt.commit).then_some(()));
    assert!(machine.shard.ends().durable < receipt.commit, "the flush is still under way");
    assert_eq!(machine.shard.view(LOG).expect("is there").high_watermark, Offset(3));
    machine.configure(1, LogConfig::default());
    assert_eq!(machine.shard.view(LOG).expect("is there").high_watermark, Offset(3));
    let next = machine.append(1, &batch(1, 100, 2)).expect("appends");
    machine.shard.await_written(next.commit);
    machine.until(|shard| (shard.ends().written >= next.commit).then_some(()));
    assert_eq!(machine.shard.view(LOG).expect("is there").high_watermark, Offset(3), "new records wait for the flush");
    let _ = machine.shard.take_advanced();
    machine.configure(1, written);
    assert_eq!(machine.shard.view(LOG).expect("is there").high_watermark, Offset(4));
    assert!(
        machine.shard.take_advanced().contains(&Advance { log: LOG, bytes: 1, stable_bytes: 1 }),
        "readers that wait are woken"
    );
}

#[test]
fn a_reader_that_waits_below_a_raised_start_is_woken() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    for stamp in 0..5 {
        machine.append_durably(1, &batch(1, 100, stamp));
    }
    let _ = machine.shard.take_advanced();
    machine.change(|shard| shard.raise_log_start(LOG, Offset(4))).expect("raises");
    assert!(
        machine.shard.take_advanced().iter().any(|advance| advance.log == LOG && advance.bytes == usize::MAX),
        "to look again"
    );
}
