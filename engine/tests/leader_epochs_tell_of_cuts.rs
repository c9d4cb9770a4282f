//! Claim: a leader epoch that readers were shown never comes again for other records and never goes down, so that a reader whose records
//! were cut learns it from the epochs; a clean stop changes nothing.

mod simulated_shard;

use engine::batch::walk;
use engine::io::sim::{Crash, Faults, SimDisk};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use simulated_shard::{Machine, batch, body};

const LOG: LogId = LogId(1);

/// The last batch that a reader took: its body, its leader epoch, its offset, and the offset behind it.
struct Taken {
    body: Vec<u8>,
    epoch: i32,
    offset: i64,
    position: Offset,
}

fn epoch(machine: &Machine) -> i32 {
    machine.shard.view(LOG).expect("is there").leader_epoch
}

/// Reads on from `position` to the high watermark.
fn take(machine: &mut Machine, position: Offset) -> Option<Taken> {
    let end = machine.shard.view(LOG).expect("is there").high_watermark;
    let (mut position, mut taken) = (position, None);
    while position < end {
        let bytes = machine.read(1, Goal::Offset(position), 20_000).expect("readable").slices.concat();
        for (at, header) in walk(&bytes) {
            position = Offset(header.base_offset() + i64::from(header.last_offset_delta()) + 1);
            taken = Some(Taken {
                body: body(&bytes[at..at + header.total_bytes().expect("whole")]),
                epoch: header.leader_epoch(),
                offset: header.base_offset(),
                position,
            });
        }
    }
    taken
}

/// Whether the epochs let a reader go on behind what it took, as clients judge the answer to `OffsetForLeaderEpoch`.
fn may_go_on(machine: &Machine, taken: &Taken) -> bool {
    machine.shard.epoch_end(LOG, taken.epoch).is_some_and(|(found, end)| found == taken.epoch && end >= taken.position)
}

#[test]
fn a_reader_whose_records_were_cut_is_told() {
    let mut told = 0;
    for seed in 0..200 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut machine = Machine::start(SimDisk::default(), seed * 100, SEGMENT_BYTES_MIN, 64 << 10);
        // Readers see what is written: only so can a power cut take back what they were shown.
        let written = LogConfig { written_is_enough: true, ..LogConfig::default() };
        let made = machine.configure(1, written);
        machine.until_durable(made);
        let mut readers: Vec<Taken> = Vec::new();
        for _ in 0..6 {
            machine.configure(1, written);
            machine.set_faults(Faults { delay: 30, ..Faults::default() });
            let mut position = machine.shard.view(LOG).expect("is there").start;
            for _ in 0..random.next_u64() % 60 {
                if random.next_u64().is_multiple_of(3) {
                    let _ = machine.shard.append(LOG, &batch(2, 500, random.next_u64()));
                } else {
                    machine.tick();
                }
                if let Some(taken) = take(&mut machine, position) {
                    position = taken.position;
                    readers.push(taken);
                }
            }
            let shown = epoch(&machine);
            machine = machine.crash(Crash::PowerCut);
            assert!(epoch(&machine) > shown, "seed {seed}: epoch {} after {shown}", epoch(&machine));
            let found = machine.read_all(1);
            readers.retain(|taken| {
                let is_there = found.get(&taken.offset) == Some(&taken.body);
                assert_eq!(
                    may_go_on(&machine, taken),
                    is_there,
                    "seed {seed}: offset {} of epoch {}, the log is at {}",
                    taken.offset,
                    taken.epoch,
                    epoch(&machine)
                );
                told += u32::from(!is_there);
                is_there
            });
        }
    }
    assert!(told >= 30, "only {told} records were cut: this claims little");
}

#[test]
fn a_clean_stop_leaves_the_epoch_and_a_kill_raises_it() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    machine.append_durably(1, &batch(1, 100, 1));
    assert_eq!(epoch(&machine), 0);
    machine = machine.restart();
    assert_eq!(epoch(&machine), 0);
    machine = machine.crash(Crash::Kill);
    let raised = epoch(&machine);
    assert!(raised > 0);
    assert_eq!(machine.shard.epoch_end(LOG, 0), Some((0, Offset(1))));
    machine.append_durably(1, &batch(1, 100, 2));
    machine = machine.restart();
    assert_eq!(epoch(&machine), raised);
    assert_eq!(machine.shard.epoch_end(LOG, 0), Some((0, Offset(1))));
    assert_eq!(machine.shard.epoch_end(LOG, raised), Some((raised, Offset(2))));
    assert_eq!(machine.shard.epoch_end(LOG, raised + 1), None);
    machine.change(|shard| shard.raise_log_start(LOG, Offset(2))).expect("raises");
    assert_eq!(machine.shard.epoch_end(LOG, 0), Some((0, Offset(2))), "not before the log start");
}

#[test]
fn a_stop_before_a_raised_epoch_is_written_is_no_clean_one() {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    machine.configure(1, LogConfig::default());
    machine.append_durably(1, &batch(1, 100, 1));
    machine = machine.crash(Crash::Kill);
    // It is shown, and a full disk may have no room for it in all this life.
    let raised = epoch(&machine);
    assert!(raised > 0);
    assert_eq!(machine.shard.clean_end(), None);
    machine = machine.crash(Crash::PowerCut);
    assert!(epoch(&machine) > raised, "never again for other records");
    machine.settle();
    assert!(machine.shard.clean_end().is_some());
}
