//! Claim: a batch that was durable and is damaged takes down its own log and nothing else: the shard starts, the other logs are whole,
//! the damaged records are refused and never skipped, and deleting them ends the quarantine.

mod simulated_shard;

use std::path::Path;

use engine::error::{AppendError, ReadError};
use engine::io::sim::{Crash, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use simulated_shard::{Machine, batch, body};

const STAMP: u64 = 0x7a7a_7a7a_7a7a_7a7a;

/// Flips a bit of the record that is filled with the stamp.
fn damage_the_stamped_record(machine: &Machine) {
    let path = Path::new("/data/shard-0000/0000000001.segment");
    machine.io.with_disk(|disk| {
        let content = disk.content(path).expect("the segment");
        let place = content.windows(8).position(|window| window == STAMP.to_be_bytes()).expect("the record");
        assert!(disk.damage(path, place, 1));
    });
}

/// Three logs of five records; the third record of log 2 is damaged on the disk.
fn damaged() -> Machine {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    for log in 1..4 {
        machine.configure(log, LogConfig::default());
    }
    for at in 0..5 {
        for log in 1..4 {
            machine.append_durably(log, &batch(1, 500, if (log, at) == (2, 2) { STAMP } else { at }));
        }
    }
    machine.settle();
    damage_the_stamped_record(&machine);
    let mut machine = machine.crash(Crash::PowerCut);
    for log in 1..4 {
        machine.configure(log, LogConfig::default());
    }
    machine
}

fn is_refused(machine: &mut Machine, log: u64) -> bool {
    let appended = machine.append(log, &batch(1, 100, 9));
    if let Err(error) = &appended {
        assert_eq!(*error, AppendError::Quarantined(Offset(3)));
    }
    appended.is_err()
}

#[test]
fn one_damaged_batch_takes_down_its_own_log_only() {
    let mut machine = damaged();
    for log in [1, 3] {
        assert_eq!(machine.read_all(log).len(), 5);
        machine.append_durably(log, &batch(1, 100, 7));
    }
    assert!(is_refused(&mut machine, 2));
    // Behind and before the damage its records are there; at it they are refused, never skipped.
    assert!(machine.read(2, Goal::Offset(Offset(3)), 1 << 20).expect("whole").bytes > 0);
    let first = machine.read(2, Goal::Offset(Offset(0)), 1).expect("whole");
    assert_eq!(body(&first.slices.concat()), body(&batch(1, 500, 0)));
    assert!(matches!(machine.read(2, Goal::Offset(Offset(2)), 1 << 20), Err(ReadError::Damaged(_))));
}

#[test]
fn the_quarantine_lasts_over_starts_and_rolls_until_the_records_are_deleted() {
    let mut machine = damaged();
    // Segments roll, and the damaged commit is behind what a start replays.
    for stamp in 0..60 {
        machine.append_durably(1, &batch(1, 15_000, stamp));
    }
    machine.settle();
    let mut machine = machine.crash(Crash::PowerCut);
    machine.configure(2, LogConfig::default());
    assert!(is_refused(&mut machine, 2));
    let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(2), Offset(3))).expect("raises");
    machine.until_durable(commit);
    assert!(!is_refused(&mut machine, 2));
    let mut machine = machine.crash(Crash::PowerCut);
    machine.configure(2, LogConfig::default());
    let last = machine.append_durably(2, &batch(1, 100, 8));
    assert!(last >= Offset(5), "offsets go on behind what was there: {last}");
    assert_eq!(machine.read_all(2).len() as i64, last.0 + 1 - 3);
}

/// Nothing follows the last batch but the watermark of an idle shard: without it recovery would take the damage for an unacknowledged tail.
#[test]
fn an_idle_shard_has_proven_its_last_batch() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    machine.append_durably(1, &batch(1, 500, STAMP));
    for _ in 0..10 {
        machine.tick();
    }
    damage_the_stamped_record(&machine);
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!(machine.shard.view(LogId(1)).expect("is there").high_watermark, Offset(1), "it is not cut");
    assert!(matches!(machine.read(1, Goal::Offset(Offset(0)), 1 << 20), Err(ReadError::Damaged(_))));
}
