//! Applies the commits of the journal from the base on, with the same function as the live path.

use std::collections::BTreeMap;

use super::RecoveredSegment;
use super::cases::Case;
use super::live::Named;
use super::scan::{Chain, Journal, Miss, SegmentReader, Step, damaged, malformed};
use super::slots::SegmentSlot;
use crate::data_directory::OpenError;
use crate::io::Io;
use crate::journal::commit::{
    CommitHeader, Entry, EntryKind, FLAG_CHECKPOINT, FLAG_CHECKPOINT_END, check_payload, decode_entries,
};
use crate::journal::index::{IndexBuilder, Run, SegmentIndex};
use crate::journal::live_segments::{LiveSegments, Replacement, decode_covered};
use crate::journal::segment::FIRST_COMMIT_PLACE;
use crate::limits::LOGS_PER_SHARD_MAX;
use crate::offset::{CommitSequence, Incarnation, JournalPosition, LogId, SegmentSequence};
use crate::partition::log_state::{LogState, span_of};

/// What the replay gave.
pub(super) struct Replayed {
    /// Which older segments are alive.
    pub named: Named,
    pub logs: BTreeMap<LogId, LogState>,
    /// The segments with at least one valid commit, in order.
    pub segments: Vec<ReplayedSegment>,
    /// Place of the last of them (or of the base) among all segments.
    pub end_index: usize,
    /// Place of the end in that segment.
    pub end_place: u32,
    /// What stands there.
    pub miss: Miss,
    /// Commits with damaged batches, below what is proven: place of the segment among all, place in it.
    pub damaged: Vec<(usize, u32)>,
}

/// A segment that was read from its first commit to its last.
pub(super) struct ReplayedSegment {
    /// Its place among all segments.
    pub index: usize,
    pub built: SegmentIndex,
    pub last_commit: CommitSequence,
    /// Its checkpoint is complete.
    pub has_checkpoint: bool,
}

impl Replayed {
    /// Nothing on disk.
    pub fn nothing() -> Replayed {
        Replayed {
            named: Named::default(),
            logs: BTreeMap::new(),
            segments: Vec::new(),
            end_index: 0,
            end_place: FIRST_COMMIT_PLACE,
            miss: Miss::Zero,
            damaged: Vec::new(),
        }
    }

    /// Puts what older segments hold of the logs before what was replayed. What was deleted since is not there any more.
    pub fn add_sealed_spans(&mut self, sealed: &[RecoveredSegment]) {
        for segment in sealed.iter().rev() {
            for summary in &segment.summaries {
                let log = self.logs.get_mut(&summary.log);
                if let Some(log) = log.filter(|log| summary.last_offset >= log.start) {
                    log.spans.push_front(span_of(segment.sequence, summary));
                }
            }
        }
    }

    /// The newest commit.
    pub fn last_commit(&self) -> CommitSequence {
        self.segments.last().map_or(CommitSequence(0), |segment| segment.last_commit)
    }
}

/// Reads all commits from the first one of `segments[base]` on. Below `proven_upto` a damaged batch does not end the journal: its log is
/// quarantined.
pub(super) fn run(
    io: &mut impl Io,
    journal: &Journal,
    segments: &[SegmentSlot],
    base: usize,
    proven_upto: JournalPosition,
) -> Result<Replayed, OpenError> {
    // The first commit of all has a known number; the base of a longer journal says itself where it goes on.
    let is_first = segments[base].sequence == SegmentSequence(1);
    let mut replay = Replay {
        journal,
        now_ms: io.wall_clock_ms(),
        proven_upto,
        chain: Chain { next: is_first.then_some(CommitSequence(1)), incarnation: Incarnation(0) },
        replayed: Replayed { end_index: base, ..Replayed::nothing() },
    };
    for index in base..segments.len() {
        let follows = index == base || segments[index - 1].sequence.0 + 1 == segments[index].sequence.0;
        if !follows || !replay.segment(io, &segments[index], index)? {
            break;
        }
    }
    Ok(replay.replayed)
}

struct Replay<'a> {
    journal: &'a Journal,
    now_ms: i64,
    proven_upto: JournalPosition,
    chain: Chain,
    replayed: Replayed,
}

impl Replay<'_> {
    /// Applies a segment's commits; false if its first one does not continue the journal.
    fn segment(&mut self, io: &mut impl Io, slot: &SegmentSlot, index: usize) -> Result<bool, OpenError> {
        let mut reader = SegmentReader::new(self.journal, &slot.at);
        let mut builder = IndexBuilder::default();
        let (mut place, mut first_commit, mut in_checkpoint) = (FIRST_COMMIT_PLACE, None, true);
        let miss = loop {
            let (header, entries, commit, is_damaged) = match reader.step(io, self.chain, slot, place)? {
                Step::Commit(header, entries, commit) => (header, entries, commit, false),
                Step::Miss(miss @ Miss::Payload(_)) => match self.damaged_batches(io, &mut reader, place)? {
                    Some((header, entries)) => (header, entries, reader.commit(io, place, &header)?, true),
                    None => break miss,
                },
                Step::Miss(miss) => break miss,
            };
            if is_damaged {
                self.replayed.damaged.push((index, place));
            }
            let refuse = |what: &str| malformed(&slot.at.path, place, &header, what);
            if in_checkpoint == (header.flags & FLAG_CHECKPOINT == 0) {
                return Err(refuse("a segment does not begin with one whole checkpoint"));
            }
            self.commit(&header, &entries, (commit, is_damaged), place, &mut builder).map_err(|what| refuse(&what))?;
            if header.flags & FLAG_CHECKPOINT_END != 0 {
                in_checkpoint = false;
            }
            first_commit.get_or_insert(header.sequence);
            self.chain = Chain { next: Some(header.sequence.next()), incarnation: header.incarnation };
            place += header.length;
        };
        let is_base = self.replayed.segments.is_empty() && self.replayed.end_index == index;
        let Some(first_commit) = first_commit else {
            if is_base {
                self.replayed.miss = miss;
            }
            return Ok(false);
        };
        self.replayed.segments.push(ReplayedSegment {
            index,
            built: builder.build(slot.sequence, first_commit, place),
            last_commit: self.chain.next.map_or(first_commit, |next| CommitSequence(next.0 - 1)),
            has_checkpoint: !in_checkpoint,
        });
        (self.replayed.end_index, self.replayed.end_place, self.replayed.miss) = (index, place, miss);
        Ok(true)
    }

    /// A commit that was proven durable and of which only batches are not what was written.
    fn damaged_batches(
        &self,
        io: &mut impl Io,
        reader: &mut SegmentReader<'_>,
        place: u32,
    ) -> Result<Option<(CommitHeader, Vec<Entry>)>, OpenError> {
        let Some(header) = reader.header_at(io, place)?.filter(|header| header.end() <= self.proven_upto) else {
            return Ok(None);
        };
        let commit = reader.commit(io, place, &header)?;
        let Ok(entries) = decode_entries(&header, &commit[header.table_place as usize..header.table_end()]) else {
            return Ok(None);
        };
        let only_batches =
            entries.iter().all(|entry| entry.kind == EntryKind::Batch || check_payload(commit, entry).is_ok());
        Ok(only_batches.then_some((header, entries)))
    }

    fn commit(
        &mut self,
        header: &CommitHeader,
        entries: &[Entry],
        (commit, is_damaged): (&[u8], bool),
        place: u32,
        builder: &mut IndexBuilder,
    ) -> Result<(), String> {
        for entry in entries {
            let payload = entry.payload(commit).ok_or("a payload lies outside")?;
            add_to_index(builder, entry, payload, place)?;
            let logs = &mut self.replayed.logs;
            match entry.kind {
                EntryKind::Watermark => {}
                EntryKind::Covered => return Err("what only a clustered segment holds".to_owned()),
                EntryKind::Segments => {
                    let listed = LiveSegments::decode(payload).ok_or("a malformed list of segments")?;
                    // Later checkpoints repeat what this one and the replacements say.
                    if self.replayed.segments.is_empty() {
                        self.replayed.named.listed = Some(listed);
                    }
                }
                EntryKind::Replacement => {
                    let replacement = Replacement::decode(payload).ok_or("a malformed replacement")?;
                    self.replayed.named.replacements.push(replacement);
                }
                EntryKind::LogDelete => drop(logs.remove(&entry.log)),
                _ => {
                    let log = logs.entry(entry.log).or_default();
                    let applied = if is_damaged && check_payload(commit, entry).is_err() {
                        log.apply_damaged_batch(entry, header.segment)
                    } else {
                        log.apply(entry, payload, header.sequence, header.segment, self.now_ms)
                    };
                    applied.map_err(|error| format!("log {}: {error}", entry.log))?;
                    if logs.len() > LOGS_PER_SHARD_MAX {
                        return Err(format!("more than {LOGS_PER_SHARD_MAX} logs"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Adds what an entry says of its segment's batches to the index; other entries are not in it.
pub(super) fn add_to_index(
    builder: &mut IndexBuilder,
    entry: &Entry,
    payload: &[u8],
    commit_place: u32,
) -> Result<(), String> {
    if entry.kind == EntryKind::Covered {
        let last = decode_covered(payload).filter(|last| *last >= entry.base_offset).ok_or("a malformed range")?;
        builder.cover(entry.log, entry.base_offset, last);
    }
    if entry.kind != EntryKind::Batch {
        return Ok(());
    }
    if !builder.rises(entry.log, entry.base_offset) {
        return Err(format!("log {}: offset {} twice", entry.log, entry.base_offset));
    }
    builder.add(entry.log, Run::of_batch(entry, commit_place));
    Ok(())
}

/// Every offset between a log's start and its end must be in some segment, or a segment is missing.
pub(super) fn check_that_logs_are_whole(
    journal: &Journal,
    folder: &std::path::Path,
    logs: &BTreeMap<LogId, LogState>,
) -> Result<(), OpenError> {
    for (id, log) in logs {
        let mut covered_upto = log.start;
        for span in log.spans.iter().filter(|span| span.last_offset >= log.start) {
            if span.first_offset > covered_upto {
                break;
            }
            covered_upto = covered_upto.max(span.last_offset.plus(1));
        }
        if covered_upto < log.next {
            let detail = format!(
                "shard {} log {id}: offsets from {covered_upto} on are in no segment, the log ends at {}",
                journal.shard, log.next
            );
            return Err(damaged(Case::LogGap, folder, 0, detail));
        }
    }
    Ok(())
}
