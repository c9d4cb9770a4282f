//! Rounds of random work, each ended by a power cut or a kill, against a model of what was submitted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::cases::Case;
use super::super::scan::READ_BYTES_FIRST;
use super::writer::{Submitted, Writer};
use super::{SEGMENT_BYTES_MIN, read_log, start, start_on};
use crate::io::sim::{Crash, SimDisk, SimIo};
use crate::offset::{CommitSequence, LogId, Offset};

const LOGS: u64 = 3;

/// xorshift: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Every batch by log and offset that the journal must or may hold.
#[derive(Default)]
struct Model {
    batches: BTreeMap<(LogId, Offset), Vec<u8>>,
}

impl Model {
    /// Takes the commits of a life, of which `survived` are the last one's sequence.
    fn end_life(&mut self, commits: &[Submitted], survived: CommitSequence) {
        for commit in commits.iter().filter(|commit| commit.sequence <= survived) {
            for (log, base, bytes) in &commit.batches {
                self.batches.insert((*log, *base), bytes.clone());
            }
        }
    }
}

fn work(writer: &mut Writer, dice: &mut Dice, turns: u64) {
    for _ in 0..turns {
        match dice.below(20) {
            0..=7 if writer.in_flight() < 4 => {
                let logs: Vec<u64> = (0..=dice.below(3)).map(|_| dice.below(LOGS)).collect();
                let record_bytes = match dice.below(4) {
                    0 => 20_000,
                    _ => 200,
                };
                writer.append(&logs, record_bytes as usize);
            }
            8 if writer.in_flight() < 4 => {
                let log = dice.below(LOGS);
                if writer.logs.contains_key(&LogId(log)) {
                    writer.raise_start(log);
                }
            }
            9 => {
                writer.watermark();
            }
            10..=13 => writer.start_flush(),
            _ => {
                writer.io.step();
            }
        }
        writer.poll();
    }
}

/// A start that may itself be cut off by a crash, several times.
fn start_through_crashes(mut disk: SimDisk, dice: &mut Dice, crash: Crash) -> Writer {
    for _ in 0..dice.below(4) {
        let mut io = SimIo::new(dice.below(u64::MAX), disk);
        io.die_after(dice.below(60));
        let _ = start(&mut io);
        disk = io.crash(crash);
    }
    Writer::start(SimIo::new(dice.below(u64::MAX), disk))
}

fn lives(seed: u64, crash: Crash) -> usize {
    let mut dice = Dice(seed | 1);
    let mut model = Model::default();
    let mut disk = SimDisk::default();
    let mut segments = 0;
    for life in 0..6 {
        let mut writer = start_through_crashes(disk, &mut dice, crash);
        let turns = 20 + dice.below(400);
        work(&mut writer, &mut dice, turns);
        segments = segments.max(writer.segments.last().map_or(0, |(segment, ..)| segment.0 as usize));
        let promised = match crash {
            Crash::PowerCut => writer.durable(),
            Crash::Kill => writer.written(),
        };
        let (commits, starts) =
            (writer.commits.clone(), promised.checked_sub(1).map(|last| writer.commits[last].sequence));
        disk = writer.io.crash(crash);

        let mut io = SimIo::new(seed, disk.clone());
        let (directory, recovered) = start(&mut io).unwrap_or_else(|error| panic!("seed {seed} life {life}: {error}"));
        let survived = CommitSequence(recovered.next_commit.0 - 1);
        // A checkpoint that was cut in half is given back, and it is never acked by itself.
        let last_data = commits.iter().take(promised).rfind(|commit| !commit.batches.is_empty());
        if let Some(last_data) = last_data {
            assert!(
                survived >= last_data.sequence,
                "seed {seed} life {life}: {survived:?} after {starts:?}, {:?}",
                recovered.cases
            );
        }
        model.end_life(&commits, survived);
        for (&log, state) in &recovered.logs {
            let found = read_log(&mut io, &directory, &recovered, log);
            let expected: Vec<_> = model
                .batches
                .range((log, Offset(0))..=(log, Offset(i64::MAX)))
                .filter(|((_, base), _)| base.plus(1) >= state.start)
                .map(|((_, base), bytes)| (*base, bytes.clone()))
                .collect();
            let bases = |batches: &[(Offset, Vec<u8>)]| batches.iter().map(|(base, _)| base.0).collect::<Vec<_>>();
            assert_eq!(bases(&found), bases(&expected), "seed {seed} life {life} log {log} {:?}", recovered.cases);
            assert!(found == expected, "seed {seed} life {life} log {log}: other bytes");
        }
        // The disk goes on as the crash left it: the check above ran on a copy.
    }
    segments
}

#[test]
fn acked_commits_survive_power_cuts_and_nothing_else_appears() {
    let segments: usize = (1..20).map(|seed| lives(seed * 7919, Crash::PowerCut)).max().expect("rounds");
    assert!(segments > 6, "the rounds rolled over several segments: {segments}");
}

#[test]
fn written_commits_survive_kills_and_nothing_else_appears() {
    for seed in 1..20 {
        lives(seed * 104_729, Crash::Kill);
    }
}

#[test]
fn a_kill_before_the_first_segment_has_its_header_leaves_an_empty_journal() {
    // Story: the second segment's checkpoint was on disk and the first one's header was not, and the start was refused for data that nobody
    // had been promised.
    lives(1_594_420_367_699_878_504, Crash::Kill);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn any_seed_survives(seed in any::<u64>(), power in any::<bool>()) {
        lives(seed, if power { Crash::PowerCut } else { Crash::Kill });
    }
}

#[test]
fn to_recover_twice_is_to_recover_once() {
    for seed in 1..24 {
        let mut dice = Dice(seed);
        let mut writer = Writer::start(SimIo::new(seed, SimDisk::default()));
        work(&mut writer, &mut dice, 300);
        // What a kill left in the page cache alone must be durable once it was recovered.
        let disk = writer.io.crash(if seed % 2 == 0 { Crash::Kill } else { Crash::PowerCut });
        let mut io = SimIo::new(seed, disk);
        let (_, first) = start(&mut io).expect("a start");
        let (_, second) = start(&mut SimIo::new(seed, io.crash(Crash::PowerCut))).expect("another start");
        assert_eq!(first.logs, second.logs);
        assert_eq!(first.next_commit, second.next_commit);
        assert_eq!(first.incarnation.0 + 1, second.incarnation.0);
        assert!(!second.cut, "{:?} after {:?}", second.cases, first.cases);
        assert!(
            second.cases.iter().all(|case| matches!(case, Case::CleanEnd | Case::FreshShard)),
            "{:?}",
            second.cases
        );
        let shape = |recovered: &super::Recovered| {
            recovered.segments.iter().map(|segment| (segment.sequence, segment.end_place)).collect::<Vec<_>>()
        };
        assert_eq!(shape(&first), shape(&second));
    }
}

/// Bytes that a start reads after a kill with so many segments, and with what room they have.
fn scanned(segments: usize) -> u64 {
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    while writer.segments.len() < segments {
        writer.append(&[0, 1], 10_000);
        writer.settle();
    }
    // The first start after it writes the indexes that this writer does not.
    let mut io = SimIo::new(1, writer.io.crash(Crash::Kill));
    start(&mut io).expect("a start");
    start_on(&io.crash(Crash::Kill)).expect("a start").scanned_bytes
}

#[test]
fn what_a_start_scans_does_not_grow_with_the_journal() {
    let (few, many) = (scanned(5), scanned(25));
    let head = READ_BYTES_FIRST as u64;
    assert!(few > 0 && many <= few + 20 * head, "{few} bytes with 5 segments, {many} with 25");
    assert!(few <= 3 * SEGMENT_BYTES_MIN + 5 * 2 * head, "{few} bytes with 5 segments");
}
