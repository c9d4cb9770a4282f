//! Every prefix and every flipped byte of a small journal: recovery cuts or refuses, and never gives wrong data.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::cases::{Action, Case};
use super::writer::{Submitted, Writer};
use super::{read_log, segment_file, shard_file, start};
use crate::data_directory::OpenError;
use crate::io::sim::{Crash, SimDisk, SimIo};
use crate::journal::superblock::SUPERBLOCK_NAME;
use crate::limits::BLOCK_BYTES;
use crate::offset::{CommitSequence, LogId, Offset};

/// Seven commits of a block each; flushed one by one, the last is a watermark.
fn small_journal() -> (SimDisk, Vec<Submitted>) {
    let mut writer = Writer::start(SimIo::new(5, SimDisk::default()));
    for logs in [&[0][..], &[0, 1], &[1, 0, 0], &[1]] {
        writer.append(logs, 100);
        writer.settle();
    }
    writer.watermark();
    writer.settle();
    let commits = writer.commits.clone();
    (writer.io.crash(Crash::Kill), commits)
}

type Batches = Vec<(Offset, Vec<u8>)>;

fn batches_upto(commits: &[Submitted], last: CommitSequence) -> BTreeMap<LogId, Batches> {
    let mut logs: BTreeMap<LogId, Batches> = BTreeMap::new();
    for commit in commits.iter().filter(|commit| commit.sequence <= last) {
        for (log, base, bytes) in &commit.batches {
            logs.entry(*log).or_default().push((*base, bytes.clone()));
        }
    }
    logs
}

/// The start gives exactly the commits up to some place, or refuses, or quarantines the logs that are damaged; says which commits.
fn check(disk: SimDisk, commits: &[Submitted], what: &str) -> Result<CommitSequence, Case> {
    let mut io = SimIo::new(1, disk);
    let (directory, recovered) = match start(&mut io) {
        Ok(started) => started,
        Err(OpenError::Damaged { case, .. }) => {
            assert_eq!(case.action(), Action::Refuse, "{what}");
            return Err(case);
        }
        Err(error) => panic!("{what}: {error}"),
    };
    let last = CommitSequence(recovered.next_commit.0 - 1);
    let is_whole = |log: &LogId| recovered.logs.get(log).is_none_or(|state| !state.is_quarantined());
    let logs = recovered.logs.keys().copied().filter(is_whole);
    let found: BTreeMap<_, _> = logs.map(|log| (log, read_log(&mut io, &directory, &recovered, log))).collect();
    let mut expected = batches_upto(commits, last);
    expected.retain(|log, _| is_whole(log));
    assert!(found == expected, "{what}: wrong data, {:?}", recovered.cases);
    if recovered.cases.contains(&Case::DurableBatchDamaged) {
        let newest = commits.last().map(|commit| commit.sequence);
        assert_eq!(Some(last), newest, "{what}: nothing is cut");
        assert!(recovered.logs.keys().any(|log| !is_whole(log)), "{what}: a log is quarantined");
        return Err(Case::DurableBatchDamaged);
    }
    Ok(last)
}

#[test]
fn every_flipped_byte_of_the_journal_is_cut_refused_or_quarantined() {
    let (disk, commits) = small_journal();
    let last = commits.last().expect("some").clone();
    let end = last.place as usize + BLOCK_BYTES;
    for place in 0..end {
        // Every byte of what is written; in padding and zeros, which are many, some.
        let written = disk.content(&segment_file(1)).expect("there")[place] != 0;
        if !written && place % 37 != 0 {
            continue;
        }
        let mut flipped = disk.clone();
        assert!(flipped.damage(&segment_file(1), place, 1 << (place % 8)));
        let outcome = check(flipped, &commits, &format!("byte {place}"));
        if place < last.place as usize {
            assert!(outcome.is_err(), "byte {place} was proven durable: {outcome:?}");
        } else {
            let before = CommitSequence(last.sequence.0 - 1);
            assert_eq!(outcome, Ok(before), "byte {place}: nothing proves the last watermark itself");
        }
    }
}

#[test]
fn every_prefix_of_the_journal_is_a_journal() {
    let (disk, commits) = small_journal();
    let content = disk.content(&segment_file(1)).expect("there").to_vec();
    let end = commits.last().expect("some").place as usize + BLOCK_BYTES;
    for length in (BLOCK_BYTES..end).step_by(101).chain((BLOCK_BYTES..=end).step_by(BLOCK_BYTES)) {
        let mut prefix = disk.clone();
        for (place, byte) in content.iter().enumerate().take(end).skip(length).filter(|(_, byte)| **byte != 0) {
            assert!(prefix.damage(&segment_file(1), place, *byte));
        }
        // A commit survives if all its bytes that are not zero do.
        let whole = |commit: &&Submitted| {
            let bytes = &content[commit.place as usize..][..BLOCK_BYTES];
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            commit.place as usize + used <= length
        };
        let mut expected = commits.iter().take_while(whole).last().map_or(CommitSequence(0), |commit| commit.sequence);
        if expected == CommitSequence(1) {
            // Half a checkpoint is none.
            expected = CommitSequence(0);
        }
        assert_eq!(check(prefix, &commits, &format!("prefix {length}")), Ok(expected), "prefix {length}");
    }
}

#[test]
fn no_flipped_byte_of_the_superblock_loses_anything() {
    let (disk, commits) = small_journal();
    let last = commits.last().expect("some").sequence;
    for place in (0..64).chain(BLOCK_BYTES..BLOCK_BYTES + 64) {
        let mut flipped = disk.clone();
        assert!(flipped.damage(&shard_file(SUPERBLOCK_NAME), place, 1 << (place % 8)));
        assert_eq!(check(flipped, &commits, &format!("byte {place}")), Ok(last));
    }
}

/// Puts a copy of one block over another.
fn copy_block(disk: &mut SimDisk, from: usize, to: usize) {
    let content = disk.content(&segment_file(1)).expect("there").to_vec();
    for at in 0..BLOCK_BYTES {
        let mask = content[from + at] ^ content[to + at];
        if mask != 0 {
            assert!(disk.damage(&segment_file(1), to + at, mask));
        }
    }
}

#[test]
fn no_misdirected_or_duplicated_block_is_taken_for_what_it_replaced() {
    let (disk, commits) = small_journal();
    let last = commits.last().expect("some");
    let last_place = last.place as usize;
    let blocks = || (0..=last_place + 3 * BLOCK_BYTES).step_by(BLOCK_BYTES);
    for (from, to) in blocks().flat_map(|from| blocks().map(move |to| (from, to))).filter(|(from, to)| from != to) {
        let what = format!("block at {from} written over the one at {to}");
        let mut misdirected = disk.clone();
        copy_block(&mut misdirected, from, to);
        let outcome = check(misdirected, &commits, &what);
        match to.cmp(&last_place) {
            Ordering::Less => assert!(outcome.is_err(), "{what}, which was proven durable: {outcome:?}"),
            Ordering::Equal => assert_eq!(outcome, Ok(CommitSequence(last.sequence.0 - 1)), "{what}"),
            Ordering::Greater => assert_eq!(outcome, Ok(last.sequence), "{what}"),
        }
    }
}

#[test]
fn a_write_that_went_elsewhere_is_missed_where_it_belongs() {
    let (disk, commits) = small_journal();
    let last_place = commits.last().expect("some").place as usize;
    let empty = last_place + BLOCK_BYTES;
    for place in (BLOCK_BYTES..=last_place).step_by(BLOCK_BYTES) {
        // The block stands behind the end, and zeros where it should.
        let mut misdirected = disk.clone();
        copy_block(&mut misdirected, place, empty + BLOCK_BYTES);
        copy_block(&mut misdirected, empty, place);
        let outcome = check(misdirected, &commits, &format!("block at {place} written behind the end"));
        assert_eq!(outcome.is_err(), place < last_place, "block at {place}: {outcome:?}");
    }
}
