//! Claim: recovery tells from the journal alone which files are alive. What a crash of the cleaner leaves is put away, and a clustered
//! segment that is missing or damaged is named, never replaced by what it replaced.

mod simulated_shard;

use std::path::{Path, PathBuf};

use engine::data_directory::{DataDirectory, DirectorySettings, OpenError};
use engine::io::Io;
use engine::io::sim::{Crash, SimDisk, SimIo};
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset, ShardId};
use engine::partition::config::LogConfig;
use engine::recovery::cases::{Action, Case};
use engine::recovery::verify::check;
use engine::recovery::{Recovered, recover};
use simulated_shard::{Machine, batch};

/// A disk on which log 1 lies in a clustered segment, and its path.
fn cleaned() -> (SimDisk, PathBuf) {
    let mut machine = Machine::start(SimDisk::default(), 1, SEGMENT_BYTES_MIN, 64 << 10);
    for log in 1..=2 {
        machine.configure(log, LogConfig::default());
    }
    for stamp in 0..40 {
        machine.append_durably(1, &batch(1, 700, stamp));
        machine.append_durably(2, &batch(1, 30_000, stamp));
    }
    let (_, commit) = machine.change(|shard| shard.raise_log_start(LogId(2), Offset(40))).expect("raised");
    machine.until_durable(commit);
    machine.io.advance_ns(2_000_000_000);
    machine.until(|shard| (shard.cleaner_stats().swaps > 0).then_some(()));
    machine.settle();
    let disk = machine.io.crash(Crash::Kill);
    let path = disk.files().into_iter().find(|path| path.extension().is_some_and(|found| found == "clustered"));
    (disk, path.expect("it was cleaned"))
}

fn open(io: &mut SimIo) -> DataDirectory {
    let settings = DirectorySettings { shards: 1, segment_bytes: SEGMENT_BYTES_MIN };
    DataDirectory::open_or_create(io, Path::new("/data"), settings).expect("opens")
}

fn start(disk: &SimDisk) -> (Result<Recovered, OpenError>, SimDisk) {
    let mut io = SimIo::new(1, disk.clone());
    let directory = open(&mut io);
    let recovered = recover(&mut io, &directory, ShardId(0));
    (recovered, io.crash(Crash::Kill))
}

fn refused(disk: &SimDisk) -> Case {
    let (recovered, after) = start(disk);
    let case = match recovered.map(|recovered| recovered.cases) {
        Err(OpenError::Damaged { case, .. }) => case,
        other => panic!("{other:?} instead of a refusal"),
    };
    assert_eq!(case.action(), Action::Refuse);
    assert_eq!(after.files(), disk.files(), "a refusal changes nothing");
    case
}

fn with_io(disk: &SimDisk, change: impl FnOnce(&mut SimIo)) -> SimDisk {
    let mut io = SimIo::new(1, disk.clone());
    change(&mut io);
    io.crash(Crash::Kill)
}

fn without_index(disk: &SimDisk, clustered: &Path) -> SimDisk {
    with_io(disk, |io| io.remove_file(&clustered.with_extension("index")).expect("removed"))
}

#[test]
fn a_victims_file_is_free_after_the_swap() {
    let (disk, _) = cleaned();
    let (recovered, _) = start(&disk);
    let recovered = recovered.expect("a start");
    assert!(recovered.cases.contains(&Case::SegmentDead), "{:?}", recovered.cases);
    assert!(
        recovered.cases.iter().all(|case| matches!(case, Case::SegmentDead | Case::CleanEnd)),
        "{:?}",
        recovered.cases
    );
    assert_eq!(recovered.segments.iter().filter(|segment| segment.generation > 0).count(), 1);
    assert_eq!(recovered.logs[&LogId(1)].next, Offset(40));
    assert!(!recovered.free_slots.is_empty());
}

#[test]
fn what_no_journal_names_is_removed() {
    let (disk, clustered) = cleaned();
    let unfinished = clustered.with_file_name("0000000099.clustered");
    let stray_index = unfinished.with_extension("index");
    let disk = with_io(&disk, |io| {
        io.create_file(&unfinished, 1 << 16).expect("made");
        io.replace_file(&stray_index, &[1; 4096]).expect("made");
    });
    let (recovered, after) = start(&disk);
    assert!(recovered.expect("a start").cases.contains(&Case::ClusteredOrphan));
    let files = after.files();
    assert!(!files.contains(&unfinished) && !files.contains(&stray_index) && files.contains(&clustered));
}

#[test]
fn a_missing_clustered_segment_is_named() {
    let (disk, clustered) = cleaned();
    let lost = with_io(&disk, |io| io.remove_file(&clustered).expect("removed"));
    assert_eq!(refused(&lost), Case::ClusteredMissing);
    let mut damaged = disk;
    assert!(damaged.damage(&clustered, 33, 0x20));
    assert_eq!(refused(&damaged), Case::ClusteredMissing);
}

#[test]
fn a_lost_index_is_rebuilt_from_whole_commits_alone() {
    let (disk, clustered) = cleaned();
    let disk = without_index(&disk, &clustered);
    let (recovered, after) = start(&disk);
    let recovered = recovered.expect("a start");
    assert!(recovered.cases.contains(&Case::IndexMissing));
    let segment = recovered.segments.iter().find(|segment| segment.generation > 0).expect("it is alive");
    assert_eq!(
        segment.summaries.iter().find(|summary| summary.log == LogId(1)).expect("in it").first_offset,
        Offset(0)
    );
    assert!(after.files().contains(&clustered.with_extension("index")));

    let mut damaged = disk;
    assert!(damaged.damage(&clustered, 4096 + 200, 1));
    assert_eq!(refused(&damaged), Case::ClusteredDamaged);
}

#[test]
fn a_journal_that_is_gone_leaves_the_clustered_segments() {
    let (disk, _) = cleaned();
    let journal = disk.files().into_iter().filter(|path| path.extension().is_some_and(|found| found == "segment"));
    let gone = with_io(&disk, |io| journal.for_each(|path| io.remove_file(&path).expect("removed")));
    assert_eq!(refused(&gone), Case::CheckpointMissing);
}

#[test]
fn a_check_reads_clustered_segments_as_well() {
    let (disk, clustered) = cleaned();
    let mut io = SimIo::new(1, disk.clone());
    let directory = open(&mut io);
    let report = check(io, &directory, ShardId(0)).expect("a start would do");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    assert!(report.batches >= 40);
    let mut damaged = disk;
    assert!(damaged.damage(&clustered, 4096 + 300, 1));
    let mut io = SimIo::new(1, damaged);
    let directory = open(&mut io);
    let report = check(io, &directory, ShardId(0)).expect("a start does not read it");
    assert!(report.damage.iter().any(|damage| damage.path == clustered), "{:?}", report.damage);
}
