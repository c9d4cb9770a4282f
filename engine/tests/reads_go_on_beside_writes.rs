//! Claim: a read behind the tail gives what is visible and nothing else, whatever the journal does meanwhile.
//!
//! Story: the plan of a read took every run that the active segment's index knew, also those of commits on their way to the
//! disk. Their old bytes came back, failed the CRC, and a healthy log was called damaged.

mod simulated_shard;

use engine::batch::walk;
use engine::error::ReadError;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::partition::transactions::Isolation;
use engine::shard::reads::{ReadRequest, ReadStart};
use simulated_shard::{Machine, NOBODY, batch, batch_of, body};

const LOG: LogId = LogId(1);

fn whole_batches(slices: &[bytes::Bytes]) -> Vec<(i64, Vec<u8>)> {
    let bytes = slices.concat();
    walk(&bytes)
        .map(|(at, header)| (header.base_offset(), body(&bytes[at..at + header.total_bytes().expect("whole")])))
        .collect()
}

#[test]
fn a_reader_just_behind_the_tail_never_meets_unwritten_commits() {
    for seed in 0..30 {
        // No tail at all: every durable commit is read from the disk.
        let mut machine = Machine::start(SimDisk::default(), seed, 1 << 20, 0);
        machine.configure(1, LogConfig::default());
        machine.set_faults(Faults { delay: 200, ..Faults::default() });
        let mut sent = Vec::new();
        let mut reads = Vec::new();
        for stamp in 0..150 {
            let bytes = batch(1, 3_000, stamp);
            machine.append(1, &bytes).expect("appends");
            sent.push(body(&bytes));
            for _ in 0..3 {
                machine.tick();
                let end = machine.shard.view(LOG).expect("is there").high_watermark;
                let offset = Offset((end.0 - 3).max(0));
                let request = ReadRequest {
                    log: LOG,
                    goal: Goal::Offset(offset),
                    bytes_max: 1 << 20,
                    first_whole: true,
                    one_step: false,
                    isolation: Isolation::Uncommitted,
                };
                if let ReadStart::Pending(id) = machine.shard.read(request).expect("in range") {
                    reads.push((id, offset));
                }
                for (id, outcome) in machine.shard.take_finished_reads() {
                    let at = reads.iter().position(|(known, _)| *known == id).expect("asked for once");
                    let (_, offset) = reads.swap_remove(at);
                    let batches = outcome.expect("a healthy log is readable");
                    let found = whole_batches(&batches.slices);
                    assert_eq!(found[0].0, offset.0);
                    for (offset, bytes) in found {
                        assert_eq!(bytes, sent[offset as usize], "seed {seed} offset {offset}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_deleted_under_a_reader_answers_and_its_segments_come_back() {
    for seed in 0..20 {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 0);
        machine.configure(1, LogConfig::default());
        machine.configure(2, LogConfig::default());
        for stamp in 0..40 {
            machine.append_durably(1, &batch(1, 20_000, stamp));
        }
        let files_before = machine.segment_files();
        machine.set_faults(Faults { delay: 300, ..Faults::default() });
        let request = ReadRequest {
            log: LOG,
            goal: Goal::Offset(Offset(0)),
            bytes_max: 1 << 20,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let ReadStart::Pending(id) = machine.shard.read(request).expect("in range") else { panic!("from the disk") };
        machine.change(|shard| shard.delete_log(LOG)).expect("deletes");
        assert!(matches!(machine.shard.read(request), Err(ReadError::UnknownLog(LOG))));
        // Writers fill whatever is given back: a leased segment must not be.
        for stamp in 0..60 {
            machine.append_durably(2, &batch(1, 20_000, 1_000 + stamp));
        }
        let (_, outcome) =
            machine.until(|shard| shard.take_finished_reads().into_iter().find(|(found, _)| *found == id));
        match outcome {
            Err(ReadError::UnknownLog(LOG)) => {}
            Ok(batches) => assert_eq!(whole_batches(&batches.slices)[0].1, body(&batch(1, 20_000, 0))),
            Err(error) => panic!("seed {seed}: {error}"),
        }
        assert!(machine.segment_files() <= files_before + 3, "the deleted log's segments were used again");
    }
}

#[test]
fn a_slow_reader_of_a_segment_that_died_reads_what_was_there() {
    // The read waits for its index while the log start passes it, the segment dies, and writers ask for recycled ones.
    for seed in 0..20 {
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 0);
        machine.configure(1, LogConfig::default());
        for stamp in 0..40 {
            machine.append_durably(1, &batch(1, 20_000, stamp));
        }
        machine.set_faults(Faults { delay: 500, ..Faults::default() });
        let request = ReadRequest {
            log: LOG,
            goal: Goal::Offset(Offset(2)),
            bytes_max: 1,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let ReadStart::Pending(id) = machine.shard.read(request).expect("in range") else { panic!("from the disk") };
        machine.change(|shard| shard.raise_log_start(LOG, Offset(30))).expect("raises");
        let mut outcome = None;
        for stamp in 40..80 {
            machine.append_durably(1, &batch(1, 20_000, stamp));
            outcome = outcome.or(machine.shard.take_finished_reads().pop());
        }
        let (found, outcome) = outcome.expect("the read ended meanwhile");
        assert_eq!(found, id);
        if let Ok(batches) = outcome {
            for (offset, bytes) in whole_batches(&batches.slices) {
                assert_eq!(bytes, body(&batch(1, 20_000, offset as u64)), "seed {seed}");
            }
        }
        assert!(matches!(machine.read(1, Goal::Offset(Offset(29)), 1), Err(ReadError::OutOfRange { .. })));
    }
}

#[test]
fn a_time_is_found_in_visible_batches_only() {
    // Story: with the only batches of the time still in the open commit the log was called damaged, and a batch below the
    // log start was given as the first of its time.
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 0);
    machine.configure(1, LogConfig::default());
    let stamped = |time| batch_of(1, 20_000, time as u64, NOBODY, time);
    machine.append(1, &stamped(500)).expect("appends");
    let early = machine.read(1, Goal::Timestamp(400), 1).expect("no damage");
    assert!(early.bytes == 0 || whole_batches(&early.slices)[0].0 == 0);
    for time in [900, 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220, 800, 230] {
        machine.append_durably(1, &stamped(time));
    }
    let first_at = |machine: &mut Machine, time| {
        let batches = machine.read(1, Goal::Timestamp(time), 1).expect("readable");
        whole_batches(&batches.slices).first().map(|(offset, _)| *offset)
    };
    assert_eq!(first_at(&mut machine, 700), Some(1));
    // 900 and 500 lie below the start now, in a segment that goes on living.
    let (_, commit) = machine.change(|shard| shard.raise_log_start(LOG, Offset(3))).expect("raises");
    machine.until_durable(commit);
    assert_eq!(first_at(&mut machine, 700), Some(15));
    assert_eq!(first_at(&mut machine, 850), None);
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!(first_at(&mut machine, 700), Some(15));
    assert_eq!(first_at(&mut machine, 105), Some(3));
}

#[test]
fn what_a_reader_saw_survives_a_power_cut() {
    for seed in 0..60 {
        let mut machine = Machine::start(SimDisk::default(), seed, 1 << 20, 64 << 10);
        let commit = machine.configure(1, LogConfig::default());
        machine.until_durable(commit);
        machine.set_faults(Faults { delay: 100, ..Faults::default() });
        let mut seen = Offset(0);
        for stamp in 0..20 + seed {
            machine.append(1, &batch(1, 3_000, stamp)).expect("appends");
            machine.tick();
            seen = machine.shard.view(LOG).expect("is there").high_watermark;
        }
        let machine = machine.crash(Crash::PowerCut);
        let end = machine.shard.view(LOG).expect("is there").high_watermark;
        assert!(end >= seen, "seed {seed}: a reader saw {seen}, the log ends at {end}");
    }
}
