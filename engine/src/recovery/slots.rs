//! The files of a shard's folder: which hold a segment of the journal, which are free, and which contradict themselves.

use std::path::{Path, PathBuf};

use super::Findings;
use super::cases::Case;
use super::scan::{Journal, SegmentReader, damaged};
use crate::data_directory::OpenError;
use crate::io::{FileId, Io};
use crate::journal::commit::CommitHeader;
use crate::journal::live_segments::SegmentName;
use crate::journal::segment::{
    FIRST_COMMIT_PLACE, SegmentHeader, SegmentHeaderError, clustered_name, clustered_slot, segment_name, segment_slot,
};
use crate::limits::BLOCK_BYTES;
use crate::offset::{Incarnation, SegmentSequence};

/// A segment file.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub number: u32,
    pub file: FileId,
    pub bytes: u64,
    pub path: PathBuf,
    /// The first commit's header, whatever life of the file it is of.
    pub first: Option<CommitHeader>,
}

/// A file whose header block names a segment of the journal.
#[derive(Clone, Debug)]
pub(super) struct SegmentSlot {
    pub at: Slot,
    pub sequence: SegmentSequence,
    /// The start that opened it.
    pub incarnation: Incarnation,
    /// 0 for a segment of the journal.
    pub generation: u32,
    /// Of a clustered segment: where its commits end.
    pub clustered_end: u32,
}

impl SegmentSlot {
    /// Which life of the segment this is.
    pub fn name(&self) -> SegmentName {
        SegmentName { sequence: self.sequence, generation: self.generation }
    }

    /// Whether a commit in the file is of the segment, not of an earlier life of the file. A segment that was given back may have left
    /// commits of the same sequence, but only of earlier starts.
    pub fn owns(&self, commit: &CommitHeader) -> bool {
        commit.segment == self.sequence && commit.incarnation >= self.incarnation
    }

    /// Its first commit.
    pub fn first(&self) -> Option<&CommitHeader> {
        self.at.first.as_ref().filter(|first| self.owns(first))
    }
}

/// A file without a usable header block.
#[derive(Clone, Debug)]
pub(super) struct FreeSlot {
    pub at: Slot,
    /// The block is not zero, which no crash explains.
    pub header_is_damaged: bool,
}

/// All files of a shard.
#[derive(Clone, Default, Debug)]
pub(super) struct Slots {
    /// By sequence, each once.
    pub segments: Vec<SegmentSlot>,
    /// By slot number.
    pub free: Vec<FreeSlot>,
    /// Clustered segments, alive or not.
    pub clustered: Vec<SegmentSlot>,
    /// Files of clustered segments that are not whole enough to say what they are.
    pub unfinished: Vec<Slot>,
}

/// Opens every segment file and reads its header block and its first commit's header.
pub(super) fn read(
    io: &mut impl Io,
    journal: &Journal,
    folder: &Path,
    findings: &mut Findings,
) -> Result<Slots, OpenError> {
    let names = io.list_directory(folder).map_err(|error| OpenError::of_io("list directory", folder, error))?;
    let mut slots = Slots::default();
    for slot in names.iter().filter_map(|name| segment_slot(name)) {
        let path = folder.join(segment_name(slot));
        let Some(file) = open(io, journal, &path, findings)? else {
            continue;
        };
        let bytes = journal.geometry.segment_bytes();
        let (at, header) = look(io, journal, Slot { number: slot, file, bytes, path, first: None })?;
        match header {
            Ok(header) => {
                check_identity(journal, &header, &at.path)?;
                let first = at.first;
                // A recycled file whose new header was lost before its flush: what the old header names was dead already.
                if first.is_some_and(|first| first.segment > header.sequence) {
                    slots.free.push(FreeSlot { at, header_is_damaged: false });
                } else {
                    slots.segments.push(segment_slot_of(at, &header));
                }
            }
            Err(error) => slots.free.push(FreeSlot { at, header_is_damaged: error == SegmentHeaderError::Damaged }),
        }
    }
    for slot in names.iter().filter_map(|name| clustered_slot(name)) {
        read_clustered(io, journal, folder, slot, &mut slots)?;
    }
    slots.segments.sort_by_key(|segment| segment.sequence);
    if let Some(pair) = slots.segments.windows(2).find(|pair| pair[0].sequence == pair[1].sequence) {
        let detail = format!("segment {} is in {} too", pair[0].sequence.0, pair[0].at.path.display());
        return Err(damaged(Case::SegmentDuplicate, &pair[1].at.path, 0, detail));
    }
    Ok(slots)
}

fn segment_slot_of(at: Slot, header: &SegmentHeader) -> SegmentSlot {
    SegmentSlot {
        at,
        sequence: header.sequence,
        incarnation: header.incarnation,
        generation: header.generation,
        clustered_end: header.end_place,
    }
}

/// Header block and first commit of a file.
fn look(
    io: &mut impl Io,
    journal: &Journal,
    mut slot: Slot,
) -> Result<(Slot, Result<SegmentHeader, SegmentHeaderError>), OpenError> {
    let block = io.read_at(slot.file, 0, BLOCK_BYTES).map_err(|error| OpenError::of_io("read", &slot.path, error))?;
    slot.first = SegmentReader::new(journal, &slot).header_at(io, FIRST_COMMIT_PLACE)?;
    Ok((slot, SegmentHeader::decode(&block[..BLOCK_BYTES])))
}

/// A clustered segment is whole before the journal names it, so one that is not is of no use to anybody unless it is named.
fn read_clustered(
    io: &mut impl Io,
    journal: &Journal,
    folder: &Path,
    number: u32,
    slots: &mut Slots,
) -> Result<(), OpenError> {
    let path = folder.join(clustered_name(number));
    let (file, bytes) = io.open_file(&path).map_err(|error| OpenError::of_io("open", &path, error))?;
    let at = Slot { number, file, bytes, path, first: None };
    if bytes < BLOCK_BYTES as u64 || !bytes.is_multiple_of(BLOCK_BYTES as u64) {
        slots.unfinished.push(at);
        return Ok(());
    }
    let (at, header) = look(io, journal, at)?;
    match header {
        Ok(header) if header.generation > 0 && u64::from(header.end_place) <= bytes => {
            check_identity(journal, &header, &at.path)?;
            slots.clustered.push(segment_slot_of(at, &header));
        }
        _ => slots.unfinished.push(at),
    }
    Ok(())
}

/// None for a file that never became a segment.
fn open(
    io: &mut impl Io,
    journal: &Journal,
    path: &Path,
    findings: &mut Findings,
) -> Result<Option<FileId>, OpenError> {
    let (file, bytes) = io.open_file(path).map_err(|error| OpenError::of_io("open", path, error))?;
    if bytes == journal.geometry.segment_bytes() {
        return Ok(Some(file));
    }
    let has_header = bytes >= BLOCK_BYTES as u64
        && io
            .read_at(file, 0, BLOCK_BYTES)
            .map_err(|error| OpenError::of_io("read", path, error))
            .map(|block| SegmentHeader::decode(&block[..BLOCK_BYTES]) != Err(SegmentHeaderError::Zero))?;
    io.close(file);
    if has_header {
        let detail = format!("{bytes} bytes instead of {}", journal.geometry.segment_bytes());
        return Err(damaged(Case::SegmentWrongLength, path, 0, detail));
    }
    findings.note(Case::FileUnfinished, path, 0);
    io.remove_file(path).map_err(|error| OpenError::of_io("remove", path, error))?;
    Ok(None)
}

fn check_identity(journal: &Journal, header: &SegmentHeader, path: &Path) -> Result<(), OpenError> {
    let ours = header.shard == journal.shard
        && header.directory_id == journal.directory_id
        && header.segment_bytes == journal.geometry.segment_bytes();
    if !ours {
        let detail = format!(
            "its header names shard {} of directory {} with segments of {} bytes",
            header.shard, header.directory_id, header.segment_bytes
        );
        return Err(damaged(Case::SegmentForeign, path, 0, detail));
    }
    if journal.geometry.checked_position(header.sequence, u32::MAX).is_none() {
        let detail = format!("segment sequence {}", header.sequence.0);
        return Err(damaged(Case::SegmentHeaderDamaged, path, 0, detail));
    }
    if header.incarnation > journal.incarnation_max {
        let detail = format!(
            "it was opened by start {}, the superblock knows up to {}",
            header.incarnation.0, journal.incarnation_max.0
        );
        return Err(damaged(Case::IncarnationAhead, path, 0, detail));
    }
    Ok(())
}
