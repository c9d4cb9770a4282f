//! A check reads everything, names what is damaged, and changes nothing.

use super::super::cases::Case;
use super::super::verify::{ShardReport, check};
use super::writer::Writer;
use super::{SETTINGS, SHARD, index_file, root, segment_file, start};
use crate::data_directory::{DataDirectory, OpenError};
use crate::io::Io;
use crate::io::sim::{Crash, SimDisk, SimIo};
use crate::journal::index::SegmentIndex;
use crate::offset::{LogId, SegmentSequence};

/// Several sealed segments with index files, as a recovery left them.
fn settled_journal() -> (SimDisk, Writer) {
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    while writer.segments.len() < 5 {
        writer.append(&[0, 1], 10_000);
        writer.settle();
    }
    writer.watermark();
    writer.settle();
    let mut io = SimIo::new(1, writer.io.clone().crash(Crash::Kill));
    start(&mut io).expect("a start writes the indexes");
    (io.crash(Crash::Kill), writer)
}

fn checked(disk: &SimDisk) -> Result<ShardReport, OpenError> {
    let mut io = SimIo::new(1, disk.clone());
    let directory = DataDirectory::open_or_create(&mut io, root(), SETTINGS)?;
    let report = check(io.clone(), &directory, SHARD);
    let after = io.crash(Crash::Kill);
    for path in disk.files() {
        assert!(disk.content(&path) == after.content(&path), "{} was changed", path.display());
    }
    assert_eq!(disk.files(), after.files());
    report
}

#[test]
fn an_intact_shard_is_counted_and_left_as_it_is() {
    let (disk, writer) = settled_journal();
    let report = checked(&disk).expect("a start would accept it");
    assert_eq!(report.damage, []);
    let batches: usize = writer.commits.iter().map(|commit| commit.batches.len()).sum();
    assert_eq!((report.batches, report.logs), (batches as u64, 2));
    assert_eq!(report.segments, 5);
}

#[test]
fn a_torn_tail_is_named_and_not_cut() {
    let (disk, _) = settled_journal();
    let mut io = SimIo::new(1, disk);
    let (directory, recovered) = start(&mut io).expect("a start");
    let mut writer = Writer::resume(io, directory, recovered);
    writer.append(&[0], 9_000);
    writer.settle();
    let last = writer.commits.last().expect("appended").clone();
    let slot = writer.segments.last().expect("one").1;
    let mut disk = writer.io.crash(Crash::Kill);
    assert!(disk.damage(&segment_file(slot), last.place as usize + 5_000, 1));
    let report = checked(&disk).expect("a start would accept it");
    assert!(report.cases.contains(&Case::TornTail), "{:?}", report.cases);
    assert_eq!(report.damage, []);
}

#[test]
fn every_flipped_batch_of_a_sealed_segment_is_named_with_its_log() {
    let (disk, writer) = settled_journal();
    // The base's own segment is replayed by every start; the older ones only a check reads.
    let sealed = writer.segments[1];
    let commits = writer.commits.iter().filter(|commit| commit.segment == sealed.0 && commit.batches.len() == 2);
    let mut tried = 0;
    for commit in commits {
        tried += 1;
        let mut damaged = disk.clone();
        let first_batch = commit.place as usize + 96;
        assert!(damaged.damage(&segment_file(sealed.1), first_batch + 80, 4));
        let report = checked(&damaged).expect("a start would accept it");
        let [found] = &report.damage[..] else { panic!("{:?}", report.damage) };
        assert_eq!((found.place, &found.logs[..]), (commit.place, &[LogId(0)][..]));
        assert_eq!(found.path, segment_file(sealed.1));
    }
    assert!(tried > 2);
}

#[test]
fn a_zeroed_commit_of_a_sealed_segment_is_one_damage() {
    let (mut disk, writer) = settled_journal();
    let sealed = writer.segments[1];
    let commit = writer.commits.iter().filter(|commit| commit.segment == sealed.0).nth(2).expect("some");
    let path = segment_file(sealed.1);
    let content = disk.content(&path).expect("the file").to_vec();
    let end = (commit.end.0 - sealed.0.0 * SETTINGS.segment_bytes) as usize;
    for (at, byte) in content.iter().enumerate().take(end).skip(commit.place as usize) {
        if *byte != 0 {
            assert!(disk.damage(&path, at, *byte));
        }
    }
    let report = checked(&disk).expect("a start would accept it");
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert_eq!(report.damage[0].place, commit.place);
}

#[test]
fn an_index_that_lies_is_named() {
    let (mut disk, writer) = settled_journal();
    let slot = writer.segments[1].1;
    let runs_place = 64 + 2 * 48;
    assert!(disk.damage(&index_file(slot), runs_place + 10, 1));
    let report = checked(&disk).expect("a start would accept it");
    let [found] = &report.damage[..] else { panic!("{:?}", report.damage) };
    assert_eq!(found.path, index_file(slot));
}

/// A segment that was given back and opened again has the same number; an index of its first life must not count for its second.
#[test]
fn an_index_of_an_earlier_life_of_its_segment_is_rebuilt() {
    let (disk, _) = settled_journal();
    let mut io = SimIo::new(1, disk.clone());
    let directory = DataDirectory::open_or_create(&mut io, root(), SETTINGS).expect("opens");
    let content = io.read_file(&index_file(1), 1 << 20).expect("read").expect("there");
    let index = SegmentIndex::decode(&content, SegmentSequence(1), SHARD, directory.id).expect("intact");
    let mut earlier = index.clone();
    earlier.first_commit = index.first_commit.next();
    io.replace_file(&index_file(1), &earlier.encode(SHARD, directory.id)).expect("replaced");
    let (_, recovered) = start(&mut io).expect("a start");
    assert!(recovered.cases.contains(&Case::IndexForeign), "{:?}", recovered.cases);
    assert_eq!(recovered.segments[0].summaries, index.summaries());
}
