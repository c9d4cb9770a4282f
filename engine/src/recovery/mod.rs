//! CONTRACT: turns whatever is on disk into valid partitions or a named refusal.
//!
//! First everything is read and judged against [`cases`]; a refusal changes nothing. Then what lies behind the end is zeroed, everything
//! recovered is flushed (it may be in the page cache alone, after a kill), and last the incarnation rises. Interrupted at any point,
//! the next recovery comes to the same end.

mod base;
pub mod cases;
mod cut;
mod end;
mod live;
mod replay;
mod scan;
mod sealed;
mod slots;
pub mod verify;

use std::collections::BTreeMap;
use std::path::Path;

use self::cases::{Action, Case};
use self::end::Judged;
use self::live::{Named, Resolved};
use self::replay::Replayed;
use self::scan::{Journal, Miss, damaged};
use self::slots::Slots;
use crate::data_directory::{DataDirectory, OpenError};
use crate::io::{FileId, Io};
use crate::journal::index::{SegmentIndex, Summary};
use crate::journal::segment::{FIRST_COMMIT_PLACE, index_name, segment_name};
use crate::journal::superblock::{SUPERBLOCK_NAME, SuperblockError, SuperblockFile};
use crate::offset::{CommitSequence, Incarnation, JournalPosition, LogId, SegmentSequence, ShardId};
use crate::partition::log_state::LogState;

/// A shard as its journal has it, durable, ready to be appended to.
#[derive(Debug)]
pub struct Recovered {
    /// This start's number; flushed.
    pub incarnation: Incarnation,
    /// Every log with its state.
    pub logs: BTreeMap<LogId, LogState>,
    /// Every segment of the journal, oldest first. The last one may go on at its `end_place`.
    pub segments: Vec<RecoveredSegment>,
    /// Slots whose files hold nothing.
    pub free_slots: Vec<(u32, FileId)>,
    /// The first slot number that no file has.
    pub next_slot: u32,
    /// The highest generation of a clustered segment that anything names.
    pub last_generation: u32,
    /// The sequence of the next commit.
    pub next_commit: CommitSequence,
    /// Something at the end was not whole and was cut off.
    pub cut: bool,
    /// The last stop was clean and nothing changed since. Otherwise commits that were never flushed may be gone without a trace.
    pub clean: bool,
    /// Rows of the decision table that applied, in the order found.
    pub cases: Vec<Case>,
    /// Bytes of segments that were read: heads of all, and of the newest what a crash may have left unfinished.
    pub scanned_bytes: u64,
}

/// A segment of the journal.
#[derive(Clone, Debug)]
pub struct RecoveredSegment {
    /// Its number in the journal.
    pub sequence: SegmentSequence,
    /// 0, or that of a clustered segment.
    pub generation: u32,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// The slot of its file.
    pub slot: u32,
    /// Its file.
    pub file: FileId,
    /// Place of the byte after its last commit.
    pub end_place: u32,
    /// Its index, if it was scanned; otherwise it is in the index file.
    pub index: Option<SegmentIndex>,
    /// What it holds, by log.
    pub summaries: Vec<Summary>,
}

/// The rows that applied; each is logged when it is found.
pub(crate) struct Findings {
    shard: ShardId,
    cases: Vec<Case>,
}

impl Findings {
    fn note(&mut self, case: Case, path: &Path, place: u32) {
        let (shard, case_name, path) = (self.shard.0, case.name(), path.display());
        if case == Case::FreshShard {
            // A new directory is nothing that an operator must judge.
            tracing::debug!(shard, case = case_name, "recovery");
        } else if case.action() == Action::Accept {
            tracing::info!(shard, case = case_name, %path, place, "recovery");
        } else {
            tracing::warn!(shard, case = case_name, %path, place, "recovery");
        }
        self.cases.push(case);
    }
}

/// Recovers one shard of an opened directory.
pub fn recover<I: Io>(io: &mut I, directory: &DataDirectory, shard: ShardId) -> Result<Recovered, OpenError> {
    let folder = directory.shard_path(shard);
    let mut findings = Findings { shard, cases: Vec::new() };
    let mut superblock = open_superblock(io, directory, shard, &folder, &mut findings)?;
    let journal = Journal::of(directory, shard, superblock.incarnation_max());
    let begun_ns = io.monotonic_ns();
    // A kill while a segment was made leaves a file that a power cut takes away, however well its content is flushed.
    io.sync_directory(&folder).map_err(|error| OpenError::of_io("flush directory", &folder, error))?;
    let slots = slots::read(io, &journal, &folder, &mut findings)?;
    tracing::info!(shard = shard.0, segments = slots.segments.len() + slots.clustered.len(), "recovering");
    let (older, sealed, replayed) = replay_from_base(io, &journal, &folder, &slots, &mut findings)?;
    let newest = superblock.newest().incarnation;
    let judged = end::judge(io, &journal, &slots, &replayed, directory.clean_end(shard), newest, &mut findings)?;
    for &(index, place) in &replayed.damaged {
        findings.note(Case::DurableBatchDamaged, &slots.segments[index].at.path, place);
    }
    check_that_state_is_whole(&slots, &replayed)?;
    older.check_that_none_is_missing(&folder)?;
    replay::check_that_logs_are_whole(&journal, &folder, &replayed.logs)?;

    let recovered = settle(io, &slots, &older, sealed, replayed, &judged, &mut findings)?;
    // Not before what was replayed is flushed: after a kill the replacement that freed them may be in the page cache alone.
    older.remove_orphans(io, &mut findings)?;
    write_indexes(io, &journal, &folder, &recovered.segments);
    let lowest = recovered.segments.first().map_or(SegmentSequence(1), |segment| segment.sequence);
    let superblock_path = folder.join(SUPERBLOCK_NAME);
    let incarnation = superblock
        .raise(io, lowest)
        .map_err(|error| OpenError::of_io("raise the incarnation in", &superblock_path, error))?;
    superblock.close(io);
    let (scanned_bytes, took_ms) = (journal.scanned_bytes.get(), (io.monotonic_ns() - begun_ns) / 1_000_000);
    tracing::info!(shard = shard.0, segments = recovered.segments.len(), scanned_bytes, took_ms, "recovered");
    Ok(Recovered { incarnation, cases: findings.cases, scanned_bytes, ..recovered })
}

/// Replays from the newest base whose checkpoint holds to its last payload.
fn replay_from_base(
    io: &mut impl Io,
    journal: &Journal,
    folder: &Path,
    slots: &Slots,
    findings: &mut Findings,
) -> Result<(Resolved, Vec<RecoveredSegment>, Replayed), OpenError> {
    let mut limit = slots.segments.len();
    while let Some(base) = base::find(io, journal, &slots.segments, limit)? {
        let mut replayed = replay_over_damage(io, journal, slots, base)?;
        let holds = replayed.segments.first().is_some_and(|first| first.has_checkpoint);
        if holds || base == 0 {
            let older = live::resolve(slots, base, &replayed.named);
            let sealed = sealed::read(io, journal, folder, &older.sealed, slots.segments.get(base), findings)?;
            replayed.add_sealed_spans(&sealed);
            return Ok((older, sealed, replayed));
        }
        limit = base;
    }
    Ok((live::resolve(slots, 0, &Named::default()), Vec::new(), Replayed::nothing()))
}

/// Replays, and where damaged batches end the journal below what a later commit proves, again over them: the partitions whose batches lie
/// there are quarantined, the others are whole.
fn replay_over_damage(io: &mut impl Io, journal: &Journal, slots: &Slots, base: usize) -> Result<Replayed, OpenError> {
    let mut proven_upto = JournalPosition(0);
    loop {
        let replayed = replay::run(io, journal, &slots.segments, base, proven_upto)?;
        if !matches!(replayed.miss, Miss::Payload(_)) {
            return Ok(replayed);
        }
        let proven_now = end::proven_upto(io, journal, slots, &replayed)?;
        if proven_now <= proven_upto {
            return Ok(replayed);
        }
        proven_upto = proven_now;
    }
}

/// Without a complete checkpoint there is no state, unless the journal was only just begun.
fn check_that_state_is_whole(slots: &Slots, replayed: &Replayed) -> Result<(), OpenError> {
    let holds = replayed.segments.first().is_some_and(|first| first.has_checkpoint);
    match slots.segments.first() {
        Some(first) if !holds && first.sequence != SegmentSequence(1) => {
            let detail = "the checkpoint of the oldest segment is damaged".to_owned();
            Err(damaged(Case::CheckpointMissing, &first.at.path, replayed.end_place, detail))
        }
        // The journal that named them is gone.
        _ if !holds => slots.clustered.first().map_or(Ok(()), |clustered| {
            let detail = "clustered segments are there without a checkpoint that could name them".to_owned();
            Err(damaged(Case::CheckpointMissing, &clustered.at.path, 0, detail))
        }),
        _ => Ok(()),
    }
}

fn open_superblock(
    io: &mut impl Io,
    directory: &DataDirectory,
    shard: ShardId,
    folder: &Path,
    findings: &mut Findings,
) -> Result<SuperblockFile, OpenError> {
    let path = folder.join(SUPERBLOCK_NAME);
    let superblock = SuperblockFile::read(io, &path, shard, directory.id).map_err(|error| {
        let case = match &error {
            SuperblockError::Damaged => Case::SuperblockDamaged,
            SuperblockError::Foreign => Case::SuperblockForeign,
            SuperblockError::Io(source) if source.kind() == std::io::ErrorKind::NotFound => Case::SuperblockDamaged,
            SuperblockError::Io(_) => {
                let SuperblockError::Io(source) = error else { unreachable!("matched above") };
                return OpenError::of_io("read", &path, source);
            }
        };
        damaged(case, &path, 0, error.to_string())
    })?;
    if superblock.other_is_damaged() {
        findings.note(Case::SuperblockSlotDamaged, &path, 0);
    }
    Ok(superblock)
}

/// Makes the disk agree with what was judged: zeros behind the end, unfinished segments given back, the rest flushed.
fn settle(
    io: &mut impl Io,
    slots: &Slots,
    older: &Resolved,
    sealed: Vec<RecoveredSegment>,
    mut replayed: Replayed,
    judged: &Judged,
    findings: &mut Findings,
) -> Result<Recovered, OpenError> {
    let mut leftovers = judged.leftovers.clone();
    // A segment that ends inside its checkpoint says nothing new: the journal goes on at the end of the one before it.
    let unfinished = replayed.segments.pop_if(|last| !last.has_checkpoint);
    if let Some(segment) = &unfinished {
        let path = &slots.segments[segment.index].at.path;
        findings.note(Case::CheckpointUnfinished, path, segment.built.end_place);
        let upto = leftovers.end_segment_upto.take().unwrap_or(0).max(segment.built.end_place);
        leftovers.segments.push((segment.index, upto));
    }
    if replayed.segments.is_empty() {
        // Only the first segment of all can be without a complete checkpoint: it held nothing that was acked.
        replayed.logs.clear();
        if let (None, Some(_)) = (&unfinished, slots.segments.get(replayed.end_index)) {
            let upto = leftovers.end_segment_upto.take().unwrap_or(FIRST_COMMIT_PLACE);
            leftovers.segments.push((replayed.end_index, upto));
        }
    }
    cut::run(io, slots, replayed.end_index, replayed.end_place, &leftovers)?;
    let next_commit = replayed.last_commit().next();
    let mut segments = sealed;
    for segment in replayed.segments {
        let slot = &slots.segments[segment.index];
        io.sync_data(slot.at.file).map_err(|error| OpenError::of_io("flush", &slot.at.path, error))?;
        segments.push(RecoveredSegment {
            sequence: slot.sequence,
            generation: 0,
            file_bytes: slot.at.bytes,
            slot: slot.at.number,
            file: slot.at.file,
            end_place: segment.built.end_place,
            summaries: segment.built.summaries().to_vec(),
            index: Some(segment.built),
        });
    }
    let given_back = leftovers.segments.iter().map(|&(index, _)| &slots.segments[index].at);
    let mut free_slots: Vec<_> = slots
        .free
        .iter()
        .map(|free| &free.at)
        .chain(given_back)
        .chain(&older.dead)
        .map(|slot| (slot.number, slot.file))
        .collect();
    free_slots.sort_unstable();
    flush_spares(io, judged, &free_slots)?;
    let used = segments.iter().map(|segment| segment.slot).chain(free_slots.iter().map(|&(slot, _)| slot));
    Ok(Recovered {
        incarnation: Incarnation(0),
        logs: replayed.logs,
        next_slot: used.max().map_or(1, |slot| slot + 1),
        segments,
        free_slots,
        last_generation: older.last_generation,
        next_commit,
        cut: judged.cut || unfinished.is_some(),
        clean: judged.clean,
        cases: Vec::new(),
        scanned_bytes: 0,
    })
}

/// A kill while a spare was made leaves a file whose length a power cut takes away, and with it what is written there next.
fn flush_spares(io: &mut impl Io, judged: &Judged, free_slots: &[(u32, FileId)]) -> Result<(), OpenError> {
    let spares = if judged.clean { &[] } else { free_slots };
    for &(slot, file) in spares {
        io.sync_data(file).map_err(|error| OpenError::of_io("flush", Path::new(&segment_name(slot)), error))?;
    }
    Ok(())
}

/// Indexes of the sealed segments that were scanned. They are durable and complete; without its index a segment is only scanned again.
fn write_indexes(io: &mut impl Io, journal: &Journal, folder: &Path, segments: &[RecoveredSegment]) {
    let Some((_, sealed)) = segments.split_last() else {
        return;
    };
    for segment in sealed {
        let Some(index) = &segment.index else {
            continue;
        };
        let path = folder.join(index_name(segment.slot));
        if let Err(error) = io.replace_file(&path, &index.encode(journal.shard, journal.directory_id)) {
            tracing::warn!(shard = journal.shard.0, path = %path.display(), %error, "index not written");
        }
    }
}

#[cfg(test)]
mod tests;
