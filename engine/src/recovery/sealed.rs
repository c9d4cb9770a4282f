//! What the sealed segments before the base hold: from their index files, or by a scan where an index cannot be used.

use std::path::Path;

use super::cases::Case;
use super::replay::add_to_index;
use super::scan::{Chain, Journal, SegmentReader, Step, damaged, malformed};
use super::slots::SegmentSlot;
use super::{Findings, RecoveredSegment};
use crate::data_directory::OpenError;
use crate::io::Io;
use crate::journal::index::{
    IndexBuilder, IndexError, IndexSummaries, SegmentIndex, decode_summaries, summaries_bytes,
};
use crate::journal::segment::{FIRST_COMMIT_PLACE, clustered_chain, index_name};
use crate::limits::BLOCK_BYTES;
use crate::offset::Incarnation;

/// Learns what each sealed segment holds. `next` is the segment behind the last of them.
pub(super) fn read(
    io: &mut impl Io,
    journal: &Journal,
    folder: &Path,
    sealed: &[SegmentSlot],
    next: Option<&SegmentSlot>,
    findings: &mut Findings,
) -> Result<Vec<RecoveredSegment>, OpenError> {
    let mut recovered = Vec::with_capacity(sealed.len());
    for (index, segment) in sealed.iter().enumerate() {
        let path = folder.join(index_name(segment.at.number));
        let (end_place, summaries, index) = match read_summaries(io, journal, segment, &path)? {
            Ok(head) => (head.end_place, head.summaries, None),
            Err(case) => {
                findings.note(case, &path, 0);
                let (built, is_whole) = rebuild(io, journal, segment, sealed.get(index + 1).or(next))?;
                if !is_whole && segment.generation > 0 {
                    // What it covers says nothing of what it holds: compaction leaves holes.
                    let detail = format!("its commits end here instead of at byte {}", segment.clustered_end);
                    return Err(damaged(Case::ClusteredDamaged, &segment.at.path, built.end_place, detail));
                }
                if !is_whole {
                    findings.note(Case::SealedSegmentDamaged, &segment.at.path, built.end_place);
                }
                (built.end_place, built.summaries().to_vec(), Some(built))
            }
        };
        recovered.push(RecoveredSegment {
            sequence: segment.sequence,
            generation: segment.generation,
            file_bytes: segment.at.bytes,
            slot: segment.at.number,
            file: segment.at.file,
            end_place,
            index,
            summaries,
        });
    }
    Ok(recovered)
}

/// Reads the head of an index file, or says why it is not used.
fn read_summaries(
    io: &mut impl Io,
    journal: &Journal,
    segment: &SegmentSlot,
    path: &Path,
) -> Result<Result<IndexSummaries, Case>, OpenError> {
    let (file, bytes) = match io.open_file(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Err(Case::IndexMissing));
        }
        Err(error) => return Err(OpenError::of_io("open", path, error)),
    };
    let head = read_head(io, file, bytes, SegmentIndex::file_bytes_max(journal.geometry.segment_bytes()));
    io.close(file);
    let Some(head) = head.map_err(|error| OpenError::of_io("read", path, error))? else {
        return Ok(Err(Case::IndexDamaged));
    };
    let first = segment.first().map(|first| first.sequence);
    Ok(match decode_summaries(&head, segment.sequence, journal.shard, journal.directory_id) {
        Ok(head) if Some(head.first_commit) == first => Ok(head),
        Ok(_) | Err(IndexError::Foreign) => Err(Case::IndexForeign),
        Err(IndexError::Damaged) => Err(Case::IndexDamaged),
    })
}

/// The blocks of an index file that hold header and summaries; None if it is too short for what it says.
fn read_head(
    io: &mut impl Io,
    file: crate::io::FileId,
    file_bytes: u64,
    file_bytes_max: u64,
) -> std::io::Result<Option<Vec<u8>>> {
    let is_index_sized = (BLOCK_BYTES as u64..=file_bytes_max).contains(&file_bytes);
    if !is_index_sized || !file_bytes.is_multiple_of(BLOCK_BYTES as u64) {
        return Ok(None);
    }
    let block = io.read_at(file, 0, BLOCK_BYTES)?;
    let Some(bytes) = summaries_bytes(&block[..BLOCK_BYTES]) else {
        return Ok(None);
    };
    let rounded = bytes.next_multiple_of(BLOCK_BYTES);
    if rounded as u64 > file_bytes {
        return Ok(None);
    }
    let head = io.read_at(file, 0, rounded)?;
    Ok(Some(head[..rounded].to_vec()))
}

/// Scans a sealed segment, and says whether it is as whole as it was when it was sealed. One that is dead need not be: its file may have
/// been recycled by writes whose header was lost before the flush. What live logs need is checked for them all.
fn rebuild(
    io: &mut impl Io,
    journal: &Journal,
    segment: &SegmentSlot,
    next: Option<&SegmentSlot>,
) -> Result<(SegmentIndex, bool), OpenError> {
    let path = &segment.at.path;
    let is_clustered = segment.generation > 0;
    let mut reader = SegmentReader::new(journal, &segment.at);
    let mut builder = IndexBuilder::default();
    let mut chain = Chain { next: None, incarnation: Incarnation(0) };
    let (mut place, mut first_commit) = (FIRST_COMMIT_PLACE, None);
    if is_clustered {
        chain.next = Some(clustered_chain(segment.generation));
    }
    while let Step::Commit(header, entries, commit) = reader.step(io, chain, segment, place)? {
        for entry in &entries {
            add_to_index(&mut builder, entry, entry.payload(commit).unwrap_or_default(), place)
                .map_err(|what| malformed(path, place, &header, &what))?;
        }
        first_commit.get_or_insert(header.sequence);
        chain = Chain { next: Some(header.sequence.next()), incarnation: header.incarnation };
        place += header.length;
    }
    let first_commit_known = first_commit.unwrap_or_default();
    if is_clustered {
        let is_whole = place == segment.clustered_end;
        return Ok((builder.build(segment.sequence, first_commit_known, place), is_whole));
    }
    let follower = next
        .filter(|next| next.sequence.0 == segment.sequence.0 + 1)
        .and_then(SegmentSlot::first)
        .map(|first| first.sequence);
    let mut is_whole = first_commit.is_some() && (follower.is_none() || follower == chain.next);
    let mut later = place;
    while is_whole && u64::from(later) < segment.at.bytes {
        is_whole = !reader.header_at(io, later)?.is_some_and(|found| segment.owns(&found));
        later += BLOCK_BYTES as u32;
    }
    Ok((builder.build(segment.sequence, first_commit_known, place), is_whole))
}
