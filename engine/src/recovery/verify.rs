//! Reads every live commit of a stopped shard and says what is not whole. Recovery looks at the newest segments only; this looks at all.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::cases::Case;
use super::replay::add_to_index;
use super::scan::{Chain, Journal, Miss, SegmentReader, Step};
use super::slots::{self, SegmentSlot};
use super::{Findings, Recovered, RecoveredSegment, recover};
use crate::data_directory::{DataDirectory, OpenError};
use crate::io::Io;
use crate::io::read_only::ReadOnlyIo;
use crate::journal::commit::{CommitHeader, EntryKind, check_payload, decode_entries};
use crate::journal::index::{IndexBuilder, SegmentIndex};
use crate::journal::segment::{FIRST_COMMIT_PLACE, index_name};
use crate::journal::superblock::{SUPERBLOCK_NAME, SuperblockFile};
use crate::limits::BLOCK_BYTES;
use crate::offset::{Incarnation, LogId, SegmentSequence, ShardId};

/// What a check found in a shard that a start would accept.
#[derive(Debug)]
pub struct ShardReport {
    /// Rows of the decision table that a start would apply.
    pub cases: Vec<Case>,
    /// Its logs.
    pub logs: usize,
    /// Segments with live data, and the one that is written to.
    pub segments: usize,
    /// Commits in them.
    pub commits: u64,
    /// Batches in them.
    pub batches: u64,
    /// Bytes of these batches.
    pub batch_bytes: u64,
    /// What is not whole.
    pub damage: Vec<Damage>,
}

/// A place that is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Place in it.
    pub place: u32,
    /// What is wrong.
    pub what: String,
    /// The logs whose batches lie there, as far as the entry table says.
    pub logs: Vec<LogId>,
}

/// Checks a shard of a directory that no broker uses, and changes nothing. An error is what a start would refuse with.
pub fn check<I: Io>(io: I, directory: &DataDirectory, shard: ShardId) -> Result<ShardReport, OpenError> {
    let mut io = ReadOnlyIo::new(io);
    let recovered = recover(&mut io, directory, shard)?;
    let folder = directory.shard_path(shard);
    let superblock_path = folder.join(SUPERBLOCK_NAME);
    let superblock = SuperblockFile::read(&mut io, &superblock_path, shard, directory.id)
        .map_err(|error| OpenError::of_io("read", &superblock_path, std::io::Error::other(error)))?;
    let journal = Journal::of(directory, shard, superblock.incarnation_max());
    let slots = slots::read(&mut io, &journal, &folder, &mut Findings { shard, cases: Vec::new() })?;
    let mut report = ShardReport {
        cases: recovered.cases.clone(),
        logs: recovered.logs.len(),
        segments: 0,
        commits: 0,
        batches: 0,
        batch_bytes: 0,
        damage: Vec::new(),
    };
    let live = live_segments(&recovered);
    for segment in recovered.segments.iter().filter(|segment| live.contains(&segment.sequence)) {
        let Some(slot) = slots.segments.iter().chain(&slots.clustered).find(|slot| slot.at.number == segment.slot)
        else {
            continue;
        };
        report.segments += 1;
        let built = check_segment(&mut io, &journal, slot, segment, &mut report)?;
        check_index(&mut io, &journal, slot, segment, &built, &mut report)?;
    }
    Ok(report)
}

/// A segment that no log needs may have been overwritten in part already; the newest one counts always.
fn live_segments(recovered: &Recovered) -> BTreeSet<SegmentSequence> {
    let spans = recovered.logs.values().flat_map(|log| &log.spans).map(|span| span.segment);
    spans.chain(recovered.segments.last().map(|newest| newest.sequence)).collect()
}

/// Reads all commits up to the segment's end; behind damage it goes on at the next commit of the segment.
fn check_segment(
    io: &mut impl Io,
    journal: &Journal,
    slot: &SegmentSlot,
    segment: &RecoveredSegment,
    report: &mut ShardReport,
) -> Result<IndexBuilder, OpenError> {
    let mut reader = SegmentReader::new(journal, &slot.at);
    let mut builder = IndexBuilder::default();
    let mut chain = Chain { next: None, incarnation: Incarnation(0) };
    let mut place = FIRST_COMMIT_PLACE;
    while place < segment.end_place {
        match reader.step(io, chain, slot, place)? {
            Step::Commit(header, entries, commit) => {
                report.commits += 1;
                for entry in &entries {
                    let is_batch = entry.kind == EntryKind::Batch;
                    report.batches += u64::from(is_batch);
                    report.batch_bytes += if is_batch { u64::from(entry.length) } else { 0 };
                    // What recovery refuses of an entry it has refused already.
                    let _ = add_to_index(&mut builder, entry, entry.payload(commit).unwrap_or_default(), place);
                }
                chain = Chain { next: Some(header.sequence.next()), incarnation: header.incarnation };
                place += header.length;
            }
            Step::Miss(miss) => {
                let header = reader.header_at(io, place)?.filter(|header| slot.owns(header));
                let (what, logs) = match &header {
                    Some(header) if matches!(miss, Miss::Payload(_)) => {
                        damaged_payloads(reader.commit(io, place, header)?, header)
                    }
                    _ => (name(miss).to_owned(), Vec::new()),
                };
                report.damage.push(Damage { path: slot.at.path.clone(), place, what, logs });
                chain = Chain { next: None, ..chain };
                place += header.map_or(BLOCK_BYTES as u32, |header| header.length);
                while place < segment.end_place
                    && !reader.header_at(io, place)?.is_some_and(|header| slot.owns(&header))
                {
                    place += BLOCK_BYTES as u32;
                }
            }
        }
    }
    Ok(builder)
}

fn name(miss: Miss) -> &'static str {
    match miss {
        Miss::Full => "the segment ends before its last commit",
        Miss::Zero => "a commit is zeroed",
        Miss::Other => "no commit stands where one was written",
        Miss::Payload(_) => "a payload of a commit is not what was written",
        Miss::Torn(_) => "header, entry table or padding entry table of a commit is not what was written",
        Miss::Stale => "a commit that does not continue the one before it",
    }
}

/// Which payloads of a commit with an intact header and table are not what was written.
fn damaged_payloads(commit: &[u8], header: &CommitHeader) -> (String, Vec<LogId>) {
    let table = &commit[header.table_place as usize..header.table_end()];
    let entries = decode_entries(header, table).unwrap_or_default();
    let damaged: Vec<_> = entries.iter().filter(|entry| check_payload(commit, entry).is_err()).collect();
    if damaged.is_empty() {
        return ("the padding of a commit is not zero".to_owned(), Vec::new());
    }
    let places: Vec<String> = damaged
        .iter()
        .map(|entry| format!("{:?} of log {} at offset {}", entry.kind, entry.log, entry.base_offset))
        .collect();
    let logs: BTreeSet<LogId> = damaged.iter().map(|entry| entry.log).collect();
    (format!("commit {}: {}", header.sequence.0, places.join(", ")), logs.into_iter().collect())
}

/// An index file must say what its segment holds. One that a start would rebuild was noted by recovery.
fn check_index(
    io: &mut impl Io,
    journal: &Journal,
    slot: &SegmentSlot,
    segment: &RecoveredSegment,
    built: &IndexBuilder,
    report: &mut ShardReport,
) -> Result<(), OpenError> {
    let first_commit = slot.first().map(|first| first.sequence);
    let (None, Some(first_commit)) = (&segment.index, first_commit) else {
        return Ok(());
    };
    let folder = slot.at.path.parent().expect("a segment lies in its shard's folder");
    let path = folder.join(index_name(segment.slot));
    let bytes_max = SegmentIndex::file_bytes_max(journal.geometry.segment_bytes()) as usize;
    let content = io.read_file(&path, bytes_max).map_err(|error| OpenError::of_io("read", &path, error))?;
    let decoded =
        SegmentIndex::decode(&content.unwrap_or_default(), segment.sequence, journal.shard, journal.directory_id);
    let is_damaged = report.damage.iter().any(|damage| damage.path == slot.at.path);
    let what = match decoded {
        Err(error) => format!("{}: {error}", Case::IndexDamaged),
        Ok(index) if !is_damaged && index != built.build(segment.sequence, first_commit, segment.end_place) => {
            format!("{}: it does not say what the segment holds", Case::IndexForeign)
        }
        Ok(_) => return Ok(()),
    };
    report.damage.push(Damage { path, place: 0, what, logs: Vec::new() });
    Ok(())
}
