//! Claim: whoever is told the commit of a change and waits for it has the change after any crash, also who asked second.
//!
//! Story: the second of two equal changes (a log start, a deletion, a new log) got the newest durable commit as its answer
//! while the first was still on its way; it was acknowledged at once, and a power cut took it back.

mod simulated_shard;

use engine::io::sim::{Crash, SimDisk};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use simulated_shard::{Machine, batch};

const LOG: LogId = LogId(1);

/// A shard whose open commit holds something that no flush covers.
fn busy(seed: u64) -> Machine {
    let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    for stamp in 0..10 {
        machine.append_durably(1, &batch(1, 1_000, stamp));
    }
    machine
}

#[test]
fn the_second_who_raises_a_log_start_waits_for_the_first() {
    let mut machine = busy(1);
    let (_, first) = machine.change(|shard| shard.raise_log_start(LOG, Offset(5))).expect("raises");
    let (start, second) = machine.change(|shard| shard.raise_log_start(LOG, Offset(4))).expect("raises");
    assert_eq!((start, first > machine.shard.ends().durable), (Offset(5), true));
    assert!(second >= first, "{second:?} was durable before {first:?} raised the start");
    machine.until_durable(second);
    let machine = machine.crash(Crash::PowerCut);
    assert_eq!(machine.shard.view(LOG).expect("is there").start, Offset(5));
}

#[test]
fn the_second_who_deletes_a_log_waits_for_the_first() {
    let mut machine = busy(2);
    let first = machine.change(|shard| shard.delete_log(LOG)).expect("deletes");
    let second = machine.change(|shard| shard.delete_log(LOG)).expect("is gone");
    assert!(second >= first);
    machine.until_durable(second);
    assert!(machine.crash(Crash::PowerCut).shard.view(LOG).is_none());
}

#[test]
fn the_second_who_makes_a_log_waits_for_the_first() {
    let mut machine = busy(3);
    let first = machine.configure(2, LogConfig::default());
    let second = machine.configure(2, LogConfig::default());
    assert!(first > machine.shard.ends().durable && second >= first);
    machine.until_durable(second);
    assert!(machine.crash(Crash::PowerCut).shard.view(LogId(2)).is_some());
}

#[test]
fn the_epoch_rises_after_an_unclean_stop_before_anything_is_appended() {
    // Story: an append that came before the first turn went in under the epoch of the life before, whose lost batches may
    // have had the same offsets; a follower of epochs could not tell them apart.
    let mut machine = busy(4);
    machine.append(1, &batch(1, 1_000, 99)).expect("appends, never flushed");
    let mut machine = machine.crash(Crash::PowerCut);
    let end = machine.shard.view(LOG).expect("is there").high_watermark;
    let receipt = loop {
        match machine.shard.append(LOG, &batch(2, 1_000, 100)) {
            Ok(receipt) => break receipt,
            Err(Refusal::Wait) => machine.tick(),
            Err(Refusal::Error(error)) => panic!("refused: {error}"),
        }
    };
    assert_eq!(receipt.appended.base_offset, end);
    machine.until_durable(receipt.commit);
    let shard = &machine.shard;
    let raised = shard.view(LOG).expect("is there").leader_epoch;
    assert!(raised > 0);
    assert_eq!(shard.epoch_end(LOG, 0), Some((0, end)), "epoch 0 ends where the life ended");
    assert_eq!(shard.epoch_end(LOG, raised), Some((raised, end.plus(2))));
    assert_eq!(shard.epoch_end(LOG, raised + 1), None, "it never was");
    assert_eq!(shard.epoch_end(LOG, -1), None);

    let machine = machine.restart();
    assert_eq!(machine.shard.view(LOG).expect("is there").leader_epoch, raised, "a clean stop loses nothing");
    assert_eq!(machine.shard.epoch_end(LOG, 0), Some((0, end)));
    let mut machine = machine.crash(Crash::Kill);
    machine.settle();
    assert!(machine.shard.view(LOG).expect("is there").leader_epoch > raised);
    assert_eq!(machine.shard.epoch_end(LOG, raised), Some((raised, end.plus(2))), "an epoch without records between");
}
