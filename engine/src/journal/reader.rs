//! Reads behind the tail: which extents of a segment to ask for, and what whole, checked batches they hold.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::index::Run;
use super::pieces::{Pieces, Stretches};
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader, CRC_FROM};
use crate::limits::{BLOCK_BYTES, EXTENT_BYTES, READ_SPARSE_TIMES};
use crate::offset::{Offset, SegmentSequence};

/// Where a read starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// At the batch that holds this offset, or the first one after it.
    Offset(Offset),
    /// At the first batch with a record at or after this time, ms.
    Timestamp(i64),
}

impl Goal {
    /// Whether a reader with this goal begins at a run or later.
    pub fn is_beyond(self, last_offset: Offset, max_timestamp: i64) -> bool {
        match self {
            Goal::Offset(offset) => last_offset < offset,
            Goal::Timestamp(timestamp) => max_timestamp < timestamp,
        }
    }
}

/// The runs that one step of a read looks at, and where they lie.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The runs, in order.
    pub runs: Vec<Run>,
    /// Blocks that hold them, by extent, as places in the segment.
    pub extents: BTreeMap<u32, Range<u32>>,
    /// Bytes of the runs.
    pub bytes: usize,
    /// Where the next run that is visible begins.
    pub next_place: Option<u32>,
}

impl Plan {
    /// Most of its extents' bytes are not for this reader.
    pub fn is_sparse(&self) -> bool {
        self.bytes * READ_SPARSE_TIMES < self.extents.len() * EXTENT_BYTES
    }
}

/// How far a plan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Bytes of runs, about.
    pub bytes_max: usize,
    /// They count, so that a sparse log cannot ask for a whole segment.
    pub extents_max: usize,
}

/// The runs of a log within `reach` (at least one run, if one is visible), from the first run that `goal` wants.
pub fn plan(runs: &[Run], goal: Goal, visible: Range<Offset>, reach: Reach) -> Plan {
    let mut plan = Plan::default();
    let runs = &runs[runs.partition_point(|run| run.last_offset() < visible.start)..];
    let runs = &runs[..runs.partition_point(|run| run.base_offset < visible.end)];
    let is_beyond = |run: &Run| goal.is_beyond(run.last_offset(), run.max_timestamp);
    let first = match goal {
        Goal::Offset(_) => runs.partition_point(is_beyond),
        // Timestamps need not rise from run to run.
        Goal::Timestamp(_) => runs.iter().position(|run| !is_beyond(run)).unwrap_or(runs.len()),
    };
    for run in &runs[first..] {
        let blocks = blocks_of(run);
        let numbers = extents_of(&blocks);
        let more = numbers.clone().filter(|number| !plan.extents.contains_key(number)).count();
        let is_enough =
            plan.bytes + run.length as usize > reach.bytes_max || plan.extents.len() + more > reach.extents_max;
        if plan.bytes > 0 && is_enough {
            plan.next_place = Some(run.place);
            break;
        }
        plan.bytes += run.length as usize;
        plan.runs.push(*run);
        for number in numbers {
            let part = within(number, &blocks);
            let known = plan.extents.entry(number).or_insert_with(|| part.clone());
            *known = known.start.min(part.start)..known.end.max(part.end);
        }
    }
    plan
}

/// The whole blocks that hold a run. Segments are smaller than 2^32 bytes and made of blocks, so rounding up does not overflow.
fn blocks_of(run: &Run) -> Range<u32> {
    let end = (u64::from(run.place) + u64::from(run.length)).next_multiple_of(BLOCK_BYTES as u64);
    run.place - run.place % BLOCK_BYTES as u32..u32::try_from(end).unwrap_or(u32::MAX)
}

fn extents_of(blocks: &Range<u32>) -> Range<u32> {
    blocks.start / EXTENT_BYTES as u32..blocks.end.div_ceil(EXTENT_BYTES as u32)
}

fn within(number: u32, blocks: &Range<u32>) -> Range<u32> {
    let whole = extent_range(number);
    blocks.start.max(whole.start)..blocks.end.min(whole.end)
}

/// An aligned piece of a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExtentKey {
    /// The segment.
    pub segment: SegmentSequence,
    /// Its place divided by [`EXTENT_BYTES`].
    pub number: u32,
}

/// Places of an extent.
pub fn extent_range(number: u32) -> Range<u32> {
    let start = number.saturating_mul(EXTENT_BYTES as u32);
    start..start.saturating_add(EXTENT_BYTES as u32)
}

/// What a reader wants of the bytes that were read.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it starts.
    pub goal: Goal,
    /// Bytes at most, but for the first batch.
    pub bytes_max: usize,
    /// The first batch is given even if it is larger.
    pub first_whole: bool,
    /// Readers see nothing below or from its end on.
    pub visible: Range<Offset>,
}

/// What a step of a read gave.
#[derive(Default, Debug)]
pub struct Collected {
    /// Whole batches.
    pub slices: Vec<Bytes>,
    /// Sum of their lengths.
    pub bytes: usize,
    /// Offset after the last of them.
    pub next: Option<Offset>,
    /// A batch did not fit, or is not visible: nothing behind it is wanted.
    pub is_enough: bool,
}

/// The wanted batches out of what was read, as slices of it. Every batch is checked against its CRC and its run; an error names the place.
pub fn collect(runs: &[Run], read: &Stretches, wanted: &Wanted) -> Result<Collected, String> {
    let mut collected = Collected::default();
    for run in runs {
        let pieces = Pieces::of(read, run.place, run.length)
            .ok_or_else(|| format!("run at place {} was not read whole", run.place))?;
        select(run, &pieces, wanted, &mut collected)?;
        if collected.is_enough {
            break;
        }
    }
    Ok(collected)
}

/// The headers of a run are those that were written, all of them: its first batches are given only beside the others.
fn check_whole(run: &Run, pieces: &Pieces) -> Result<(), String> {
    let (mut at, mut next, mut crc_sum) = (0, run.base_offset, 0_u32);
    while let Some((header, length)) = batch_at(pieces, at) {
        next = Offset(header.base_offset().saturating_add(i64::from(header.last_offset_delta()) + 1));
        crc_sum = crc_sum.wrapping_add(header.crc());
        at += length;
    }
    if at == pieces.len() && next == run.last_offset().plus(1) && crc_sum == run.crc_sum {
        return Ok(());
    }
    Err(format!("run at place {} does not hold the batches of its index", run.place))
}

/// Adds the part of a run that a reader wants.
fn select(run: &Run, pieces: &Pieces, wanted: &Wanted, into: &mut Collected) -> Result<(), String> {
    check_whole(run, pieces)?;
    let (mut from, mut at, mut expected) = (None, 0, run.base_offset);
    while let Some((header, length)) = batch_at(pieces, at) {
        check(run, pieces, at..at + length, &header, expected)?;
        let last_offset = expected.plus(i64::from(header.last_offset_delta()));
        let is_early = last_offset < wanted.visible.start || wanted.goal.is_beyond(last_offset, header.max_timestamp());
        if from.is_some() || !is_early {
            let fits = into.bytes + length <= wanted.bytes_max || (into.bytes == 0 && wanted.first_whole);
            if !fits || last_offset >= wanted.visible.end {
                into.is_enough = true;
                into.slices.extend(pieces.parts(from.unwrap_or(at)..at));
                return Ok(());
            }
            into.bytes += length;
            into.next = Some(last_offset.plus(1));
            from.get_or_insert(at);
        }
        expected = last_offset.plus(1);
        at += length;
    }
    if let Some(from) = from {
        into.slices.extend(pieces.parts(from..at));
    }
    Ok(())
}

fn batch_at(pieces: &Pieces, at: usize) -> Option<(BatchHeader, usize)> {
    let header = BatchHeader::of_fixed_part(pieces.array::<BATCH_HEADER_BYTES>(at)?)?;
    let length = header.total_bytes().filter(|length| *length <= pieces.len() - at)?;
    Some((header, length))
}

fn check(
    run: &Run,
    pieces: &Pieces,
    batch: Range<usize>,
    header: &BatchHeader,
    expected: Offset,
) -> Result<(), String> {
    if header.base_offset() != expected.0 || header.last_offset_delta() < 0 || header.leader_epoch() != run.leader_epoch
    {
        return Err(format!(
            "batch of run at place {} has offset {} where {expected} was written",
            run.place,
            header.base_offset()
        ));
    }
    if pieces.crc(batch.start + CRC_FROM..batch.end) != header.crc() {
        return Err(format!("batch at offset {expected}, run at place {}, fails its CRC", run.place));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;
    use crate::batch::walk;

    const ALL: Range<Offset> = Offset(0)..Offset(i64::MAX);

    /// Batches of 2 records back to back from `base`, and the run that describes them at `place`.
    fn run_of(base: i64, place: u32, batches: usize) -> (Run, Vec<u8>) {
        let mut bytes = Vec::new();
        for index in 0..batches as i64 {
            let raw = batch(2, 100, (-1, -1, -1), 1_000 + base + index * 2);
            let mut header = BatchHeader::parse(&raw).expect("whole batch");
            header.place_at(base + index * 2, 0);
            bytes.extend_from_slice(header.bytes());
            bytes.extend_from_slice(&raw[61..]);
        }
        let run = Run {
            base_offset: Offset(base),
            last_offset_delta: batches as u32 * 2 - 1,
            place,
            length: bytes.len() as u32,
            leader_epoch: 0,
            max_timestamp: 1_000 + base + batches as i64 * 2 - 2,
            crc_sum: walk(&bytes).fold(0, |sum, (_, header)| sum.wrapping_add(header.crc())),
        };
        (run, bytes)
    }

    fn up_to(bytes_max: usize, extents_max: usize) -> Reach {
        Reach { bytes_max, extents_max }
    }

    fn wanted(goal: Goal, bytes_max: usize) -> Wanted {
        Wanted { goal, bytes_max, first_whole: true, visible: ALL }
    }

    fn read(run: Run, bytes: &[u8], wanted: &Wanted) -> Result<Vec<i64>, String> {
        let plan = plan(&[run], wanted.goal, ALL, up_to(1 << 20, 16));
        let mut file = vec![0; plan.extents.values().last().map_or(0, |range| range.end as usize)];
        file[run.place as usize..][..bytes.len()].copy_from_slice(bytes);
        let read = plan.extents.iter().map(|(number, range)| {
            let content = Bytes::copy_from_slice(&file[range.start as usize..range.end as usize]);
            (*number, (range.start, content))
        });
        let collected = collect(&plan.runs, &read.collect(), wanted)?;
        assert_eq!(collected.bytes, collected.slices.iter().map(Bytes::len).sum::<usize>());
        let whole = collected.slices.concat();
        Ok(walk(&whole).map(|(_, header)| header.base_offset()).collect())
    }

    #[test]
    fn a_read_starts_with_the_batch_that_holds_the_offset() {
        let (run, bytes) = run_of(10, 5000, 4);
        assert_eq!(read(run, &bytes, &wanted(Goal::Offset(Offset(13)), 1 << 20)), Ok(vec![12, 14, 16]));
        assert_eq!(read(run, &bytes, &wanted(Goal::Timestamp(1_013), 1 << 20)), Ok(vec![14, 16]));
    }

    #[test]
    fn the_first_batch_is_whole_and_later_ones_obey_the_limit() {
        let (run, bytes) = run_of(10, 5000, 4);
        assert_eq!(read(run, &bytes, &wanted(Goal::Offset(Offset(10)), 1)), Ok(vec![10]));
        assert_eq!(read(run, &bytes, &wanted(Goal::Offset(Offset(10)), 261 * 2)), Ok(vec![10, 12]));
        let strict = Wanted { first_whole: false, ..wanted(Goal::Offset(Offset(10)), 1) };
        assert_eq!(read(run, &bytes, &strict), Ok(vec![]));
    }

    #[test]
    fn nothing_at_or_above_the_visible_end_is_given() {
        let (run, bytes) = run_of(10, 5000, 4);
        let limited = Wanted { visible: Offset(0)..Offset(14), ..wanted(Goal::Offset(Offset(10)), 1 << 20) };
        assert_eq!(read(run, &bytes, &limited), Ok(vec![10, 12]));
    }

    #[test]
    fn every_flipped_byte_that_matters_is_named() {
        let (run, bytes) = run_of(10, 5000, 2);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            // Also where a flipped header says that the batch is not visible: a read that gives nothing would leave its reader where it is.
            for visible in [ALL, Offset(0)..Offset(14)] {
                let outcome = read(run, &bad, &Wanted { visible, ..wanted(Goal::Offset(Offset(10)), 1 << 20) });
                assert!(outcome.is_err(), "byte {at} gave {outcome:?}");
            }
        }
    }

    #[test]
    fn a_valid_batch_of_another_log_is_not_taken_for_what_was_written() {
        let (run, bytes) = run_of(0, 5000, 3);
        let other = |records: i32, record_bytes: usize| {
            let raw = batch(records, record_bytes, (-1, -1, -1), 77);
            let mut header = BatchHeader::parse(&raw).expect("whole batch");
            header.place_at(0, 0);
            [header.bytes(), &raw[61..]].concat()
        };
        // One of the same size and offsets, and a shorter one that covers more: a read must neither give them nor end early.
        for foreign in [other(2, 100), other(9, 10)] {
            let mut bad = bytes.clone();
            bad[..foreign.len()].copy_from_slice(&foreign);
            for bytes_max in [1, 1 << 20] {
                let visible = Wanted { visible: Offset(0)..Offset(6), ..wanted(Goal::Offset(Offset(0)), bytes_max) };
                let outcome = read(run, &bad, &visible);
                assert!(outcome.is_err(), "{outcome:?}");
            }
        }
    }

    #[test]
    fn a_batch_over_the_border_of_two_extents_is_read_whole() {
        let (run, bytes) = run_of(10, EXTENT_BYTES as u32 - 300, 4);
        assert_eq!(read(run, &bytes, &wanted(Goal::Offset(Offset(10)), 1 << 20)), Ok(vec![10, 12, 14, 16]));
        assert_eq!(read(run, &bytes, &wanted(Goal::Offset(Offset(13)), 1 << 20)), Ok(vec![12, 14, 16]));
    }

    #[test]
    fn what_lies_between_sparse_runs_counts() {
        // 100-byte batches 60 KiB apart once asked for a whole segment at once: 10,000 of them are less than a fetch.
        let runs: Vec<Run> = (0..2_000).map(|at| run_of(at * 2, 4096 + at as u32 * 60 * 1024, 1).0).collect();
        let sparse = plan(&runs, Goal::Offset(Offset(0)), ALL, up_to(1 << 20, 8));
        assert_eq!(sparse.extents.len(), 8);
        assert!(sparse.is_sparse());
        assert!(sparse.extents.iter().all(|(number, range)| {
            let whole = extent_range(*number);
            whole.start <= range.start && range.end <= whole.end && range.start.is_multiple_of(4096)
        }));
    }

    #[test]
    fn a_run_larger_than_the_bound_is_planned_alone() {
        let (mut run, _) = run_of(0, 4096, 1);
        run.length = 3 << 20;
        let runs = [run, Run { base_offset: Offset(9), ..run }];
        let planned = plan(&runs, Goal::Offset(Offset(0)), ALL, up_to(1, 2));
        assert_eq!((planned.runs.len(), planned.extents.len()), (1, 13));
    }

    #[test]
    fn runs_outside_of_what_is_visible_are_not_asked_for() {
        let runs: Vec<Run> = (0..4).map(|at| run_of(at * 10, 4096 + at as u32 * 4096, 5).0).collect();
        let planned = |visible| {
            let planned = plan(&runs, Goal::Timestamp(0), visible, up_to(1 << 20, 16));
            planned.runs.iter().map(|run| run.base_offset.0).collect::<Vec<_>>()
        };
        assert_eq!(planned(Offset(10)..Offset(30)), [10, 20]);
        assert_eq!(planned(Offset(15)..Offset(15)), [10]);
        assert!(planned(Offset(40)..Offset(50)).is_empty());
    }
}
