//! Judges the end of the journal: what stands there and behind it, and whether anything proves that more was durable.

use std::path::Path;

use super::Findings;
use super::cases::Case;
use super::replay::Replayed;
use super::scan::{Journal, Miss, SegmentReader, damaged};
use super::slots::{SegmentSlot, Slot, Slots};
use crate::data_directory::{CleanEnd, OpenError};
use crate::io::Io;
use crate::journal::commit::CommitHeader;
use crate::journal::segment::FIRST_COMMIT_PLACE;
use crate::limits::BLOCK_BYTES;
use crate::offset::{Incarnation, JournalPosition, SegmentSequence};

/// What must be overwritten behind the end.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Leftovers {
    /// In the segment of the end: zeros from the end up to here.
    pub end_segment_upto: Option<u32>,
    /// Segments behind it, each with the end of its last leftover: they become free.
    pub segments: Vec<(usize, u32)>,
    /// Files without a header that hold commits behind the end: they stay free.
    pub free: Vec<(usize, u32)>,
}

/// The end as recovery left it.
pub(super) struct Judged {
    pub leftovers: Leftovers,
    /// The journal was cut: something of it was not whole.
    pub cut: bool,
    /// The last stop was clean, and this is its end.
    pub clean: bool,
}

/// Looks behind the end and decides between clean, cut and refusal. Changes nothing.
pub(super) fn judge(
    io: &mut impl Io,
    journal: &Journal,
    slots: &Slots,
    replayed: &Replayed,
    clean_end: Option<CleanEnd>,
    newest_incarnation: Incarnation,
    findings: &mut Findings,
) -> Result<Judged, OpenError> {
    let mut search = Search::new(journal, slots, replayed);
    let leftovers = search.leftovers(io, slots, replayed)?;
    let path = slots.segments.get(replayed.end_index).map(|segment| segment.at.path.as_path());
    if let Some(proof) = &search.proof {
        return Err(proven_damage(journal, slots, replayed, proof));
    }
    let clean = check_clean_end(replayed, clean_end, newest_incarnation, path, findings)?;
    for &(index, _) in &leftovers.free {
        let free = &slots.free[index];
        if free.header_is_damaged {
            let detail = "its header block is neither a header nor zero, and commits follow it".to_owned();
            return Err(damaged(Case::SegmentHeaderDamaged, &free.at.path, 0, detail));
        }
        findings.note(Case::SegmentHeaderLost, &free.at.path, 0);
    }
    let case = end_case(replayed, search.found > 0);
    findings.note(case, path.unwrap_or(Path::new("")), replayed.end_place);
    for &(index, _) in &leftovers.segments {
        findings.note(Case::SegmentUnused, &slots.segments[index].at.path, FIRST_COMMIT_PLACE);
    }
    let cut = case.action() == super::cases::Action::Cut;
    Ok(Judged { leftovers, cut, clean })
}

/// The highest place that a commit behind the end proves; 0 if none is there.
pub(super) fn proven_upto(
    io: &mut impl Io,
    journal: &Journal,
    slots: &Slots,
    replayed: &Replayed,
) -> Result<JournalPosition, OpenError> {
    let mut search = Search::new(journal, slots, replayed);
    search.leftovers(io, slots, replayed)?;
    Ok(search.proven_upto)
}

fn end_position(journal: &Journal, slots: &Slots, replayed: &Replayed) -> JournalPosition {
    slots
        .segments
        .get(replayed.end_index)
        .map_or(JournalPosition(0), |segment| journal.geometry.position(segment.sequence, replayed.end_place))
}

fn end_case(replayed: &Replayed, has_later_commits: bool) -> Case {
    match replayed.miss {
        _ if has_later_commits => Case::LostWrite,
        Miss::Torn(_) | Miss::Payload(_) => Case::TornTail,
        Miss::Stale => Case::StaleCommit,
        Miss::Full | Miss::Zero | Miss::Other if replayed.segments.is_empty() => Case::FreshShard,
        Miss::Full | Miss::Zero | Miss::Other => Case::CleanEnd,
    }
}

/// The commit that proves the end.
struct Proof {
    header: CommitHeader,
    path: std::path::PathBuf,
}

fn proven_damage(journal: &Journal, slots: &Slots, replayed: &Replayed, proof: &Proof) -> OpenError {
    let detail = format!(
        "commit {} in {} proves that the journal was durable up to position {}",
        proof.header.sequence.0,
        proof.path.display(),
        proof.header.durable_upto.0
    );
    let Some(segment) = slots.segments.get(replayed.end_index) else {
        return damaged(Case::SegmentMissing, &proof.path, 0, detail);
    };
    let next = SegmentSequence(segment.sequence.0 + 1);
    let next_is_there = slots.segments.iter().any(|segment| segment.sequence == next);
    let case = match replayed.miss {
        _ if proof.header.segment > segment.sequence && !next_is_there => Case::SegmentMissing,
        Miss::Zero => Case::DurableCommitZeroed,
        _ => Case::DurableCommitDamaged,
    };
    let position = journal.geometry.position(segment.sequence, replayed.end_place).0;
    damaged(case, &segment.at.path, replayed.end_place, format!("journal position {position}: {detail}"))
}

/// Whether the clean marker names this very end. One that names a commit behind it is a proof as well: it was written after the flush.
fn check_clean_end(
    replayed: &Replayed,
    clean_end: Option<CleanEnd>,
    newest_incarnation: Incarnation,
    path: Option<&Path>,
    findings: &mut Findings,
) -> Result<bool, OpenError> {
    let Some(clean_end) = clean_end else {
        return Ok(false);
    };
    let path = path.unwrap_or(Path::new(""));
    let last_commit = replayed.last_commit();
    if clean_end.incarnation == newest_incarnation && clean_end.last_commit > last_commit {
        let (marked, last) = (clean_end.last_commit.0, last_commit.0);
        let detail = format!("the clean marker names commit {marked}, the journal ends with {last}");
        return Err(damaged(Case::CleanEndMissing, path, replayed.end_place, detail));
    }
    let clean = clean_end.incarnation == newest_incarnation && clean_end.last_commit == last_commit;
    if !clean {
        findings.note(Case::CleanMarkerStale, path, replayed.end_place);
    }
    Ok(clean)
}

struct Search<'a> {
    journal: &'a Journal,
    end: JournalPosition,
    proof: Option<Proof>,
    /// The highest place that any of them proves.
    proven_upto: JournalPosition,
    /// Commits behind the end; the one that stands at it is not counted.
    found: usize,
}

impl<'a> Search<'a> {
    fn new(journal: &'a Journal, slots: &Slots, replayed: &Replayed) -> Search<'a> {
        let end = end_position(journal, slots, replayed);
        Search { journal, end, proof: None, proven_upto: JournalPosition(0), found: 0 }
    }

    fn leftovers(&mut self, io: &mut impl Io, slots: &Slots, replayed: &Replayed) -> Result<Leftovers, OpenError> {
        let mut leftovers = Leftovers::default();
        if let Some(segment) = slots.segments.get(replayed.end_index) {
            let last = self.every_block(io, segment, replayed.end_place)?;
            let torn = match replayed.miss {
                Miss::Torn(length) | Miss::Payload(length) => Some(replayed.end_place + length),
                _ => None,
            };
            leftovers.end_segment_upto = last.max(torn);
        }
        for (index, segment) in slots.segments.iter().enumerate().skip(replayed.end_index + 1) {
            let last = self.every_block(io, segment, FIRST_COMMIT_PLACE)?;
            leftovers.segments.push((index, last.unwrap_or(FIRST_COMMIT_PLACE)));
        }
        for (index, free) in slots.free.iter().enumerate() {
            if free.at.first.is_some_and(|first| first.position >= self.end) {
                leftovers.free.push((index, self.back_to_back(io, &free.at)?));
            }
        }
        Ok(leftovers)
    }

    /// Looks at every block of a segment from `from` on for commits of its present life; the end of the last one.
    fn every_block(&mut self, io: &mut impl Io, segment: &SegmentSlot, from: u32) -> Result<Option<u32>, OpenError> {
        let mut reader = SegmentReader::new(self.journal, &segment.at);
        let (mut place, mut last) = (from, None);
        while u64::from(place) < self.journal.geometry.segment_bytes() {
            let header = reader.header_at(io, place)?;
            if let Some(header) = header.filter(|header| segment.owns(header)) {
                self.note(header, &segment.at);
                last = last.max(Some(place + header.length));
            }
            place += BLOCK_BYTES as u32;
        }
        Ok(last)
    }

    /// Follows the commits of a file without a header from its first one; where they end.
    fn back_to_back(&mut self, io: &mut impl Io, slot: &Slot) -> Result<u32, OpenError> {
        let mut reader = SegmentReader::new(self.journal, slot);
        let mut place = FIRST_COMMIT_PLACE;
        while let Some(header) = reader.header_at(io, place)?.filter(|header| header.position >= self.end) {
            self.note(header, slot);
            place += header.length;
        }
        Ok(place)
    }

    fn note(&mut self, header: CommitHeader, slot: &Slot) {
        self.found += usize::from(header.position > self.end);
        self.proven_upto = self.proven_upto.max(header.durable_upto);
        if header.durable_upto > self.end && self.proof.is_none() {
            self.proof = Some(Proof { header, path: slot.path.clone() });
        }
    }
}
