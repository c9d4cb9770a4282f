//! A test for each row of the decision table.

use std::path::Path;

use super::super::Recovered;
use super::super::cases::{Action, Case};
use super::writer::Writer;
use super::{SHARD, index_file, read_log, root, segment_file, shard_file, start, start_on};
use crate::data_directory::{CleanEnd, OpenError};
use crate::io::Io;
use crate::io::sim::{Crash, SimDisk, SimIo};
use crate::journal::superblock::SUPERBLOCK_NAME;
use crate::limits::{BLOCK_BYTES, SEGMENT_BYTES_MIN};
use crate::offset::{CommitSequence, LogId, Offset, SegmentSequence};

/// A journal of a few flushed commits in one segment. The last commit is a watermark that proves all before it.
pub(super) fn short_journal() -> Writer {
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    for log in [0, 1, 0, 1] {
        writer.append(&[log], 300);
        writer.settle();
    }
    writer.watermark();
    writer.settle();
    writer
}

/// A journal of several segments.
fn long_journal() -> Writer {
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    while writer.segments.len() < 5 {
        writer.append(&[0, 1], 10_000);
        writer.settle();
    }
    writer.append(&[0, 1], 100);
    writer.settle();
    writer.watermark();
    writer.settle();
    writer
}

pub(super) fn disk_of(writer: Writer) -> SimDisk {
    writer.io.crash(Crash::Kill)
}

pub(super) fn refused(disk: &SimDisk) -> Case {
    let mut io = SimIo::new(1, disk.clone());
    let case = match start(&mut io).map(|(_, recovered)| recovered.cases) {
        Err(OpenError::Damaged { case, .. }) => case,
        other => panic!("{other:?} instead of a refusal"),
    };
    assert_eq!(case.action(), Action::Refuse);
    // A refusal changes nothing: the next start gives the same.
    let again = start_on(&io.crash(Crash::Kill));
    assert!(matches!(again, Err(OpenError::Damaged { case: second, .. }) if second == case));
    case
}

pub(super) fn recovered(disk: &SimDisk) -> Recovered {
    start_on(disk).expect("a start")
}

pub(super) fn overwrite(disk: &mut SimDisk, path: &Path, place: usize, bytes: usize, value: u8) {
    let old = disk.content(path).expect("the file").to_vec();
    for (at, byte) in old[place..place + bytes].iter().enumerate() {
        if *byte != value {
            assert!(disk.damage(path, place + at, byte ^ value));
        }
    }
}

pub(super) fn flip(disk: &mut SimDisk, path: &Path, place: usize) {
    assert!(disk.damage(path, place, 0x10));
}

fn with_io(disk: &SimDisk, change: impl FnOnce(&mut SimIo)) -> SimDisk {
    let mut io = SimIo::new(1, disk.clone());
    change(&mut io);
    io.crash(Crash::Kill)
}

/// A copy of a file under another name.
fn copy(io: &mut SimIo, from: &Path, to: &Path) {
    let (file, bytes) = io.open_file(from).expect("open");
    let content = io.read_at(file, 0, bytes as usize).expect("read");
    let made = io.create_file(to, bytes).expect("made");
    io.write_at(made, 0, &content, bytes as usize).expect("written");
    io.sync_data(made).expect("flushed");
}

#[test]
fn fresh_shard() {
    let recovered = recovered(&SimDisk::default());
    assert_eq!(recovered.cases, [Case::FreshShard]);
    assert_eq!(recovered.next_commit, CommitSequence(1));
    assert!(recovered.segments.is_empty() && !recovered.cut && !recovered.clean);
}

#[test]
fn clean_end() {
    let recovered = recovered(&disk_of(short_journal()));
    assert_eq!(recovered.cases, [Case::CleanEnd]);
    assert_eq!(recovered.logs[&LogId(0)].next, Offset(4));
    assert!(!recovered.cut && !recovered.clean);
}

#[test]
fn torn_tail() {
    let mut writer = short_journal();
    writer.append(&[0], 6000);
    writer.settle();
    let (last, mut disk) = (writer.commits.last().expect("appended").clone(), disk_of(writer));
    overwrite(&mut disk, &segment_file(1), last.place as usize + 2 * BLOCK_BYTES, BLOCK_BYTES, 0);
    let recovered = recovered(&disk);
    assert_eq!(recovered.cases, [Case::TornTail]);
    assert!(recovered.cut);
    assert_eq!(recovered.next_commit, last.sequence);
    assert_eq!(recovered.segments[0].end_place, last.place);
}

/// Four commits in flight, of which the first never reaches the disk.
fn with_lost_write() -> (SimDisk, CommitSequence) {
    let mut writer = short_journal();
    let lost = writer.append(&[0], 300);
    let place = writer.commits.last().expect("appended").place as usize;
    for _ in 0..3 {
        writer.append(&[1], 300);
    }
    writer.io.run_until_idle();
    let mut disk = disk_of(writer);
    overwrite(&mut disk, &segment_file(1), place, BLOCK_BYTES, 0);
    (disk, lost)
}

#[test]
fn lost_write() {
    let (disk, lost) = with_lost_write();
    let mut io = SimIo::new(1, disk);
    let (_, recovered) = start(&mut io).expect("a start");
    assert_eq!(recovered.cases, [Case::LostWrite]);
    assert_eq!((recovered.next_commit, recovered.cut), (lost, true));
    // What followed the hole must not come back to life behind new commits.
    let disk = io.crash(Crash::PowerCut);
    let end = recovered.segments[0].end_place as usize;
    let behind = &disk.content(&segment_file(1)).expect("the file")[end..];
    assert!(behind.iter().all(|byte| *byte == 0));
}

#[test]
fn stale_commit() {
    // 1. Start 3 writes two commits and dies. 2. Another history, in which start 4 writes only the first of them.
    // 3. A late write of start 3 brings its second commit: its sequence fits, its incarnation does not.
    let disk = disk_of(short_journal());
    let mut third = Writer::start(SimIo::new(1, disk.clone()));
    third.append(&[0], 300);
    third.append(&[0], 300);
    third.settle();
    let stale = third.commits[1].clone();
    let content = disk_of(third).content(&segment_file(1)).expect("there").to_vec();

    let disk = with_io(&disk, |io| drop(start(io).expect("start 3")));
    let mut fourth = Writer::start(SimIo::new(1, disk));
    fourth.append(&[0], 300);
    fourth.settle();
    let mut disk = disk_of(fourth);
    let place = stale.place as usize;
    for (at, byte) in content[place..place + BLOCK_BYTES].iter().enumerate().filter(|(_, byte)| **byte != 0) {
        assert!(disk.damage(&segment_file(1), place + at, *byte));
    }
    let mut io = SimIo::new(1, disk);
    let (_, recovered) = start(&mut io).expect("a start");
    assert_eq!(recovered.cases, [Case::StaleCommit]);
    assert_eq!((recovered.next_commit, recovered.cut), (stale.sequence, true));
    assert_eq!(start_on(&io.crash(Crash::PowerCut)).expect("another start").cases, [Case::CleanEnd]);
}

#[test]
fn segment_without_a_commit() {
    let writer = long_journal();
    let last = writer.segments.last().copied().expect("segments");
    let in_last = |commit: &&super::writer::Submitted| commit.segment == last.0;
    let first = writer.commits.iter().find(in_last).expect("rolled").sequence;
    let mut disk = disk_of(writer);
    let bytes = SEGMENT_BYTES_MIN as usize - BLOCK_BYTES;
    overwrite(&mut disk, &segment_file(last.1), BLOCK_BYTES, bytes, 0);
    let mut io = SimIo::new(1, disk);
    let (_, recovered) = start(&mut io).expect("a start");
    assert!(recovered.cases.ends_with(&[Case::CleanEnd, Case::SegmentUnused]), "{:?}", recovered.cases);
    assert_eq!(recovered.next_commit, first);
    assert!(recovered.free_slots.iter().any(|(slot, _)| *slot == last.1));
    let mut writer = Writer::start(SimIo::new(1, io.crash(Crash::PowerCut)));
    writer.append(&[0, 1], 50_000);
    writer.settle();
    assert_eq!(writer.segments.last().map(|segment| segment.0), Some(last.0), "the sequence is used again");
}

#[test]
fn unfinished_checkpoint() {
    let writer = long_journal();
    let last = writer.segments.last().copied().expect("segments");
    let in_last: Vec<_> = writer.commits.iter().filter(|commit| commit.segment == last.0).cloned().collect();
    let mut disk = disk_of(writer);
    let second = in_last[1].place as usize;
    overwrite(&mut disk, &segment_file(last.1), second, SEGMENT_BYTES_MIN as usize - second, 0);
    let recovered = recovered(&disk);
    assert!(recovered.cases.contains(&Case::CheckpointUnfinished), "{:?}", recovered.cases);
    assert_eq!(recovered.next_commit, in_last[0].sequence);
    assert_eq!(recovered.segments.last().map(|segment| segment.sequence.0), Some(last.0.0 - 1));
}

/// A journal whose newest segment was opened but not flushed.
fn with_unflushed_segment() -> (SimDisk, u32, CommitSequence) {
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    writer.append(&[0, 1], 60_000);
    writer.settle();
    writer.append(&[0], 100);
    writer.settle();
    let before = writer.commits.last().expect("appended").sequence;
    writer.append(&[0], 60_000);
    writer.io.run_until_idle();
    let slot = writer.segments.last().expect("rolled").1;
    assert_eq!(slot, 2);
    (disk_of(writer), slot, before.next())
}

#[test]
fn segment_header_lost_before_its_flush() {
    let (mut disk, slot, next) = with_unflushed_segment();
    overwrite(&mut disk, &segment_file(slot), 0, BLOCK_BYTES, 0);
    let mut io = SimIo::new(1, disk);
    let (_, recovered) = start(&mut io).expect("a start");
    assert!(recovered.cases.contains(&Case::SegmentHeaderLost), "{:?}", recovered.cases);
    assert_eq!((recovered.next_commit, recovered.cut), (next, true));
    let second = start_on(&io.crash(Crash::PowerCut)).expect("another start");
    assert_eq!(second.cases, [Case::CleanEnd]);
}

#[test]
fn unfinished_segment_file() {
    let disk = with_io(&disk_of(short_journal()), |io| {
        io.replace_file(&segment_file(9), &[]).expect("made");
    });
    assert_eq!(recovered(&disk).cases, [Case::FileUnfinished, Case::CleanEnd]);
}

#[test]
fn missing_damaged_and_foreign_indexes() {
    let disk = disk_of(long_journal());
    let mut io = SimIo::new(1, disk);
    let (_, first) = start(&mut io).expect("a start");
    assert!(first.cases.contains(&Case::IndexMissing));
    let indexed = io.crash(Crash::Kill);
    let second = recovered(&indexed);
    assert_eq!(second.cases, [Case::CleanEnd], "the first start wrote the indexes");
    assert!(second.segments[0].index.is_none());

    let mut damaged = indexed.clone();
    flip(&mut damaged, &index_file(1), 70);
    let foreign = with_io(&indexed, |io| {
        let content = io.read_file(&index_file(2), 1 << 20).expect("read").expect("there");
        io.replace_file(&index_file(1), &content).expect("replaced");
    });
    for (disk, case) in [(damaged, Case::IndexDamaged), (foreign, Case::IndexForeign)] {
        let rebuilt = recovered(&disk);
        assert_eq!(rebuilt.cases, [case, Case::CleanEnd]);
        assert_eq!(rebuilt.logs, second.logs);
        assert_eq!(rebuilt.segments[0].summaries, second.segments[0].summaries);
    }
}

#[test]
fn one_damaged_superblock_slot() {
    let mut disk = disk_of(short_journal());
    // The first start wrote incarnation 2 into slot 0, and the journal is of it.
    flip(&mut disk, &shard_file(SUPERBLOCK_NAME), 33);
    let mut io = SimIo::new(1, disk);
    let (_, recovered) = start(&mut io).expect("a start");
    assert_eq!(recovered.cases, [Case::SuperblockSlotDamaged, Case::CleanEnd]);
    assert_eq!((recovered.incarnation.0, recovered.next_commit), (4, CommitSequence(8)));
    assert_eq!(start_on(&io.crash(Crash::PowerCut)).expect("another start").incarnation.0, 5);
}

#[test]
fn clean_markers() {
    let mut writer = short_journal();
    let end = CleanEnd {
        shard: SHARD,
        incarnation: writer.incarnation,
        last_commit: writer.commits.last().expect("some").sequence,
    };
    writer.directory.clone().write_clean_marker(&mut writer.io, &[end]).expect("written");
    let last = writer.commits.last().expect("some").clone();
    let disk = disk_of(writer);
    let found = recovered(&disk);
    assert!(found.clean && !found.cut);

    // The marker knows that the last commit was flushed, although nothing later proves it.
    let mut lost = disk.clone();
    flip(&mut lost, &segment_file(1), last.place as usize + 50);
    assert_eq!(refused(&lost), Case::CleanEndMissing);

    // A start that did not come so far as to remove the marker: it is of an earlier incarnation.
    let stale = with_io(&disk, |io| drop(start(io).expect("a start")));
    let found = recovered(&stale);
    assert_eq!(found.cases, [Case::CleanMarkerStale, Case::CleanEnd]);
    assert!(!found.clean);

    let removed = with_io(&disk, |io| start(io).expect("a start").0.remove_clean_marker(io).expect("removed"));
    assert_eq!(recovered(&removed).cases, [Case::CleanEnd]);
}

#[test]
fn lost_and_damaged_meta() {
    let disk = disk_of(short_journal());
    let lost = with_io(&disk, |io| io.remove_file(&root().join("meta")).expect("removed"));
    assert_eq!(refused(&lost), Case::MetaLost);
    let length = disk.content(&root().join("meta")).expect("there").len();
    for at in 0..length {
        let mut damaged = disk.clone();
        flip(&mut damaged, &root().join("meta"), at);
        let refusal = start_on(&damaged);
        assert!(
            matches!(refusal, Err(OpenError::Damaged { case: Case::MetaDamaged, .. } | OpenError::NewerFormat { .. })),
            "byte {at}: {refusal:?}"
        );
    }
}

#[test]
fn newer_and_foreign_directories() {
    let newer = with_io(&disk_of(short_journal()), |io| {
        io.replace_file(&root().join("meta"), b"format_version = 4\nanything").expect("replaced");
    });
    let refusal = start_on(&newer).expect_err("a newer format");
    assert!(matches!(refusal, OpenError::NewerFormat { found: 4, known: 3, .. }), "{refusal}");
    let foreign = with_io(&SimDisk::default(), |io| {
        io.create_directory(root()).expect("made");
        io.replace_file(&root().join("thesis.txt"), b"dear to somebody").expect("made");
    });
    assert!(matches!(start_on(&foreign), Err(OpenError::Foreign { .. })));
}

#[test]
fn lost_damaged_and_foreign_superblock() {
    let disk = disk_of(short_journal());
    let path = shard_file(SUPERBLOCK_NAME);
    let mut damaged = disk.clone();
    flip(&mut damaged, &path, 20);
    flip(&mut damaged, &path, BLOCK_BYTES + 20);
    assert_eq!(refused(&damaged), Case::SuperblockDamaged);
    let lost = with_io(&disk, |io| io.remove_file(&path).expect("removed"));
    assert_eq!(refused(&lost), Case::SuperblockDamaged);
    let other = disk_of(Writer::start(SimIo::new(99, SimDisk::default())));
    let content = other.content(&path).expect("there").to_vec();
    let foreign = with_io(&disk, |io| io.replace_file(&path, &content).expect("replaced"));
    assert_eq!(refused(&foreign), Case::SuperblockForeign);
}

#[test]
fn missing_segments() {
    let writer = long_journal();
    let segments = writer.segments.clone();
    let disk = disk_of(writer);
    for &(sequence, slot, _) in &segments[..segments.len() - 1] {
        let missing = with_io(&disk, |io| io.remove_file(&segment_file(slot)).expect("removed"));
        assert_eq!(refused(&missing), Case::LogGap, "segment {}", sequence.0);
    }
}

#[test]
fn missing_segment_inside_the_replay() {
    // Segment 2 is lost while segment 3's own checkpoint is torn: the replay begins at 1, and 3 proves that 2 was durable.
    let mut writer = Writer::start(SimIo::new(1, SimDisk::default()));
    while writer.segments.len() < 3 {
        writer.append(&[0], 60_000);
        writer.settle();
    }
    writer.watermark();
    writer.settle();
    let third = writer.commits.iter().find(|commit| commit.segment == SegmentSequence(3)).expect("rolled").clone();
    let mut disk = with_io(&disk_of(writer), |io| io.remove_file(&segment_file(2)).expect("removed"));
    flip(&mut disk, &segment_file(3), third.place as usize + 30);
    assert_eq!(refused(&disk), Case::SegmentMissing);
}

#[test]
fn damaged_segment_headers() {
    let writer = short_journal();
    let mut disk = disk_of(writer);
    flip(&mut disk, &segment_file(1), 20);
    assert_eq!(refused(&disk), Case::SegmentMissing, "the watermark proves that there was one");
    let (mut disk, slot, _) = with_unflushed_segment();
    flip(&mut disk, &segment_file(slot), 20);
    assert_eq!(refused(&disk), Case::SegmentHeaderDamaged, "no crash leaves half a header");
}

#[test]
fn segments_of_another_directory() {
    let mut other = Writer::start(SimIo::new(77, SimDisk::default()));
    other.append(&[0], 100);
    other.settle();
    let content = disk_of(other).content(&segment_file(1)).expect("there").to_vec();
    let foreign = with_io(&disk_of(short_journal()), |io| io.replace_file(&segment_file(2), &content).expect("made"));
    assert_eq!(refused(&foreign), Case::SegmentForeign);
}

#[test]
fn the_same_segment_twice() {
    let twice = with_io(&disk_of(short_journal()), |io| copy(io, &segment_file(1), &segment_file(2)));
    assert_eq!(refused(&twice), Case::SegmentDuplicate);
}

#[test]
fn segment_of_a_wrong_length() {
    let disk = disk_of(short_journal());
    let content = disk.content(&segment_file(1)).expect("there").to_vec();
    let short = with_io(&disk, |io| io.replace_file(&segment_file(1), &content[..8 * BLOCK_BYTES]).expect("cut"));
    assert_eq!(refused(&short), Case::SegmentWrongLength);
}

#[test]
fn missing_checkpoint() {
    let writer = long_journal();
    let segments = writer.segments.clone();
    let last = segments.last().copied().expect("segments");
    let mut disk = with_io(&disk_of(writer), |io| {
        for (_, slot, _) in &segments[..segments.len() - 1] {
            io.remove_file(&segment_file(*slot)).expect("removed");
        }
    });
    flip(&mut disk, &segment_file(last.1), BLOCK_BYTES + 30);
    assert_eq!(refused(&disk), Case::CheckpointMissing);
}

#[test]
fn incarnation_ahead_of_the_superblock() {
    let disk = disk_of(short_journal());
    let old = disk.content(&shard_file(SUPERBLOCK_NAME)).expect("there").to_vec();
    let newer = with_io(&disk, |io| {
        for _ in 0..3 {
            let mut writer = Writer::start(io.clone());
            writer.append(&[0], 100);
            writer.settle();
        }
        io.replace_file(&shard_file(SUPERBLOCK_NAME), &old).expect("an old backup");
    });
    assert_eq!(refused(&newer), Case::IncarnationAhead);
}

#[test]
fn malformed_commit() {
    // A batch below the end of its log, with right CRCs: this engine never writes it.
    let mut writer = short_journal();
    writer.logs.get_mut(&LogId(0)).expect("there").next = Offset(0);
    writer.append(&[0], 100);
    writer.settle();
    assert_eq!(refused(&disk_of(writer)), Case::CommitMalformed);
}

#[test]
fn sealed_segment_not_whole_is_a_gap_if_a_log_needs_it() {
    let writer = long_journal();
    let place = writer.commits.iter().find(|commit| !commit.batches.is_empty()).expect("some").place as usize;
    let mut disk = disk_of(writer);
    flip(&mut disk, &segment_file(1), place + 200);
    assert_eq!(refused(&disk), Case::LogGap);
}

#[test]
fn dead_sealed_segment_need_not_be_whole() {
    let mut writer = long_journal();
    for log in [0, 1] {
        writer.raise_start(log);
    }
    writer.settle();
    let place = writer.commits.iter().find(|commit| !commit.batches.is_empty()).expect("some").place as usize;
    let mut disk = disk_of(writer);
    flip(&mut disk, &segment_file(1), place + 200);
    let found = recovered(&disk);
    assert!(found.cases.contains(&Case::SealedSegmentDamaged), "{:?}", found.cases);
}

#[test]
fn deleted_logs_stay_deleted() {
    let mut writer = long_journal();
    writer.delete(1);
    writer.settle();
    let mut io = SimIo::new(1, disk_of(writer));
    let (directory, recovered) = start(&mut io).expect("a start");
    assert_eq!(recovered.logs.keys().collect::<Vec<_>>(), [&LogId(0)]);
    let batches = read_log(&mut io, &directory, &recovered, LogId(0));
    assert_eq!(batches.len() as i64 * 2, recovered.logs[&LogId(0)].next.0);
}

#[test]
fn every_row_has_its_own_name() {
    let names: std::collections::BTreeSet<_> = Case::ALL.iter().map(|case| case.name()).collect();
    assert_eq!(names.len(), Case::ALL.len());
}
