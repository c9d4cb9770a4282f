//! Claim: retention and deletion give whole segments back, also across crashes; the log start never falls after it was durable,
//! reads below it are out of range, and the files on the disk stay bounded over a long run.

mod simulated_shard;

use std::collections::BTreeMap;

use engine::error::ReadError;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::{SEGMENT_BYTES_MIN, SPARE_SEGMENTS_MAX};
use engine::offset::{CommitSequence, LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, batch, body};

const LOG: LogId = LogId(1);

fn limited(retention_bytes: i64) -> LogConfig {
    LogConfig { retention_bytes, ..LogConfig::default() }
}

#[test]
fn retention_keeps_what_it_promises_and_the_files_bounded() {
    let keeps = 3 * SEGMENT_BYTES_MIN;
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    let mut files_max = 0;
    for round in 0..6 {
        machine.configure(1, limited(keeps as i64));
        for stamp in 0..80 {
            machine.append_durably(1, &batch(1, 15_000, round * 1_000 + stamp));
            files_max = files_max.max(machine.segment_files());
        }
        let view = machine.shard.view(LOG).expect("is there");
        assert!(view.bytes >= keeps, "round {round}: only {} bytes are left", view.bytes);
        assert!(view.bytes <= keeps + 2 * SEGMENT_BYTES_MIN, "round {round}: {} bytes are left", view.bytes);
        assert!(matches!(
            machine.read(1, Goal::Offset(Offset(view.start.0 - 1)), 1),
            Err(ReadError::OutOfRange { start, .. }) if start == view.start
        ));
        assert_eq!(machine.read_all(1).len() as i64, view.high_watermark.0 - view.start.0);
        machine = machine.crash(if round % 2 == 0 { Crash::PowerCut } else { Crash::Kill });
    }
    // What is kept, the active one, one that the next roll gives back, and the spares.
    assert!(files_max <= 3 + 3 + SPARE_SEGMENTS_MAX, "{files_max} segment files");
}

#[test]
fn a_log_start_that_was_durable_never_falls() {
    for seed in 0..30 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed * 100, SEGMENT_BYTES_MIN, 64 << 10);
        let mut bodies = BTreeMap::new();
        let mut durable_start = Offset(0);
        let mut durable_end = 0;
        for _ in 0..8 {
            machine.configure(1, LogConfig::default());
            machine.set_faults(Faults { delay: 30, ..Faults::default() });
            let mut raised: Vec<(Offset, CommitSequence)> = Vec::new();
            let mut sent: Vec<(i64, Vec<u8>, CommitSequence)> = Vec::new();
            for _ in 0..random.next_u64() % 200 {
                match random.next_u64() % 8 {
                    0..4 => {
                        let bytes = batch(1, (random.next_u64() % 30_000) as usize, random.next_u64());
                        match machine.shard.append(LOG, &bytes) {
                            Ok(receipt) => sent.push((receipt.appended.base_offset.0, body(&bytes), receipt.commit)),
                            Err(Refusal::Wait) => {}
                            Err(Refusal::Error(error)) => panic!("refused: {error}"),
                        }
                    }
                    4 => {
                        let view = machine.shard.view(LOG).expect("is there");
                        let span = (view.high_watermark.0 - view.start.0) as u64;
                        let start = Offset(view.start.0 + (random.next_u64() % (span + 1)) as i64);
                        if let Ok(done) = machine.shard.raise_log_start(LOG, start) {
                            raised.push(done);
                        }
                    }
                    _ => machine.tick(),
                }
            }
            let durable = machine.shard.ends().durable;
            let kept = raised.iter().filter(|(_, commit)| *commit <= durable).map(|(start, _)| *start);
            durable_start = kept.max().unwrap_or(durable_start).max(durable_start);
            for (offset, bytes, commit) in sent {
                if commit <= durable {
                    durable_end = durable_end.max(offset + 1);
                }
                bodies.insert(offset, bytes);
            }
            let highest_asked =
                raised.iter().map(|(start, _)| *start).max().unwrap_or(durable_start).max(durable_start);
            machine = machine.crash(if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill });
            let Some(view) = machine.shard.view(LOG) else {
                assert_eq!(durable_end, 0, "seed {seed}: the log is gone");
                continue;
            };
            assert!(view.start >= durable_start, "seed {seed}: the log start fell to {}", view.start);
            assert!(view.start <= highest_asked, "seed {seed}: nobody raised the log start to {}", view.start);
            assert!(view.high_watermark.0 >= durable_end, "seed {seed}: the log ends at {}", view.high_watermark);
            durable_start = view.start;
            durable_end = view.high_watermark.0;
            let found = machine.read_all(1);
            for (offset, bytes) in &found {
                assert_eq!(bodies.get(offset), Some(bytes), "seed {seed} offset {offset}");
            }
            assert_eq!(found.len() as i64, view.high_watermark.0 - view.start.0, "seed {seed}");
        }
    }
}

#[test]
fn logs_that_come_and_go_leave_no_files_behind() {
    for seed in 0..6 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed * 100, SEGMENT_BYTES_MIN, 64 << 10);
        let mut files_max = 0;
        for log in 1..40_u64 {
            machine.configure(log, LogConfig::default());
            for stamp in 0..20 {
                machine.append_durably(log, &batch(1, 20_000, log * 100 + stamp));
            }
            if log > 2 {
                let commit = machine.change(|shard| shard.delete_log(LogId(log - 2))).expect("deletes");
                machine.until_durable(commit);
            }
            files_max = files_max.max(machine.segment_files());
            if random.next_u64().is_multiple_of(4) {
                machine =
                    machine.crash(if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill });
                assert!(
                    machine.shard.logs().iter().all(|known| known.0 + 2 > log),
                    "seed {seed}: a deleted log is back"
                );
                for stamp in 0..20 {
                    let found = machine.read_all(log);
                    assert_eq!(found[&(stamp as i64)], body(&batch(1, 20_000, log * 100 + stamp)), "seed {seed}");
                }
            }
        }
        assert!(files_max <= 8 + SPARE_SEGMENTS_MAX, "seed {seed}: {files_max} segment files");
    }
}

#[test]
fn segments_come_back_only_when_their_checkpoint_is_proven() {
    // Story: older segments were given back when the newer checkpoint was flushed. Power went before any commit said so; the
    // next start could not prove the checkpoint, wanted the older segments, and they were overwritten.
    for seed in 0..300 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        let commit = machine.configure(1, limited(0));
        machine.until_durable(commit);
        machine.set_faults(Faults { delay: 30, ..Faults::default() });
        let mut acked = Vec::new();
        for stamp in 0..20 + random.next_u64() % 60 {
            let bytes = batch(1, 40_000, stamp);
            if let Ok(receipt) = machine.shard.append(LOG, &bytes) {
                acked.push((receipt.appended.base_offset.0, body(&bytes), receipt.commit));
            }
            for _ in 0..random.next_u64() % 6 {
                machine.tick();
            }
        }
        let durable = machine.shard.ends().durable;
        let mut machine = machine.crash(Crash::PowerCut);
        let start = machine.shard.view(LOG).expect("is there").start;
        let found = machine.read_all(1);
        for (offset, bytes, commit) in acked {
            if commit <= durable && offset >= start.0 {
                assert_eq!(found.get(&offset), Some(&bytes), "seed {seed} offset {offset}");
            }
        }
    }
}

#[test]
fn a_deletion_flushed_with_a_checkpoint_keeps_what_recovery_needs() {
    // The checkpoint and the deletion that frees the segment before it become durable in one flush: nothing on the disk proves the
    // checkpoint yet, and an older segment lives on, so that recovery still wants the one between.
    for seed in 0..200 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
        machine.configure(1, LogConfig::default());
        machine.append_durably(1, &batch(1, 500, 1));
        machine.set_faults(Faults { delay: 30, ..Faults::default() });
        let mut log = 2;
        for _ in 0..30 + random.next_u64() % 30 {
            let _ = machine.shard.configure_log(LogId(log), LogConfig::default());
            for stamp in 0..random.next_u64() % 12 {
                let _ = machine.shard.append(LogId(log), &batch(1, 40_000, stamp));
            }
            if machine.shard.delete_log(LogId(log)).is_ok() {
                log += 1;
            }
            for _ in 0..random.next_u64() % 5 {
                machine.tick();
            }
        }
        let mut machine = machine.crash(Crash::PowerCut);
        assert_eq!(machine.read_all(1)[&0], body(&batch(1, 500, 1)), "seed {seed}");
    }
}
