//! Reads behind the tail: which bytes of a segment to ask for, and what whole, checked batches they hold.

use std::ops::Range;

use bytes::Bytes;

use super::index::Run;
use crate::batch::{BatchHeader, crc_is_valid, walk};
use crate::limits::{BLOCK_BYTES, DISK_READ_BYTES_MAX, DISK_READ_GAP_BYTES_MAX};
use crate::offset::Offset;

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

/// One aligned request, and the runs that it covers.
#[derive(Clone, Debug)]
pub struct Part {
    /// Place in the segment, a multiple of the block.
    pub position: u64,
    /// Bytes, a multiple of the block.
    pub length: usize,
    /// The runs, in order.
    pub runs: Vec<Run>,
}

/// Requests for about `bytes_max` bytes of a log (at least one run, if one is visible), from the first run that `goal` wants. Neighbours
/// are read together; what is read in vain between them counts, so that a sparse log cannot ask for a whole segment.
pub fn plan(runs: &[Run], goal: Goal, visible: Range<Offset>, bytes_max: usize) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut planned, mut read) = (0, 0);
    let runs = &runs[runs.partition_point(|run| run.last_offset() < visible.start)..];
    let runs = &runs[..runs.partition_point(|run| run.base_offset < visible.end)];
    let is_beyond = |run: &Run| goal.is_beyond(run.last_offset(), run.max_timestamp);
    let first = match goal {
        Goal::Offset(_) => runs.partition_point(is_beyond),
        // Timestamps need not rise from run to run.
        Goal::Timestamp(_) => runs.iter().position(|run| !is_beyond(run)).unwrap_or(runs.len()),
    };
    for run in &runs[first..] {
        let (start, end) = (u64::from(run.place), u64::from(run.place) + u64::from(run.length));
        let start = start - start % BLOCK_BYTES as u64;
        let end = end.next_multiple_of(BLOCK_BYTES as u64);
        let near = parts.last_mut().filter(|part| is_near(part, start, end));
        let more = end - near.as_ref().map_or(start, |part| part.position + part.length as u64);
        let is_enough = planned + run.length as usize > bytes_max || read + more as usize > DISK_READ_BYTES_MAX;
        if planned > 0 && is_enough {
            break;
        }
        planned += run.length as usize;
        read += more as usize;
        if let Some(part) = near {
            part.length = (end - part.position) as usize;
            part.runs.push(*run);
        } else {
            parts.push(Part { position: start, length: (end - start) as usize, runs: vec![*run] });
        }
    }
    parts
}

fn is_near(part: &Part, start: u64, end: u64) -> bool {
    let gap = start.saturating_sub(part.position + part.length as u64);
    gap <= DISK_READ_GAP_BYTES_MAX as u64
        && end - part.position <= (DISK_READ_BYTES_MAX + DISK_READ_GAP_BYTES_MAX) as u64
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

/// The wanted batches out of the parts' bytes, as slices of them. Every batch is checked against its CRC and its run; an error names the place.
pub fn collect(parts: &[(Part, Bytes)], wanted: &Wanted) -> Result<Vec<Bytes>, String> {
    let mut slices = Vec::new();
    let mut taken = 0;
    for (part, bytes) in parts {
        for run in &part.runs {
            let start = (u64::from(run.place) - part.position) as usize;
            let run_bytes = bytes.slice(start..start + run.length as usize);
            let (slice, is_last) = select(run, &run_bytes, wanted, taken)?;
            taken += slice.len();
            if !slice.is_empty() {
                slices.push(slice);
            }
            if is_last {
                return Ok(slices);
            }
        }
    }
    Ok(slices)
}

/// The part of a run that a reader wants, and whether the reader has enough.
fn select(run: &Run, bytes: &Bytes, wanted: &Wanted, mut taken: usize) -> Result<(Bytes, bool), String> {
    let (mut from, mut to, mut covered) = (None, 0, 0);
    let mut expected = run.base_offset;
    for (at, header) in walk(bytes) {
        let length = check(run, &bytes[at..], &header, expected)?;
        covered = at + length;
        let last_offset = expected.plus(i64::from(header.last_offset_delta()));
        expected = last_offset.plus(1);
        let is_early = last_offset < wanted.visible.start || wanted.goal.is_beyond(last_offset, header.max_timestamp());
        if from.is_none() && is_early {
            continue;
        }
        let fits = taken + length <= wanted.bytes_max || (taken == 0 && wanted.first_whole);
        if !fits || last_offset >= wanted.visible.end {
            return Ok((bytes.slice(from.unwrap_or(at)..from.map_or(at, |_| to)), true));
        }
        taken += length;
        from.get_or_insert(at);
        to = at + length;
    }
    if covered != bytes.len() || expected != run.last_offset().plus(1) {
        return Err(format!("run at place {} does not hold the batches of its index", run.place));
    }
    Ok((from.map_or_else(Bytes::new, |from| bytes.slice(from..to)), false))
}

fn check(run: &Run, bytes: &[u8], header: &BatchHeader, expected: Offset) -> Result<usize, String> {
    let length = header.total_bytes().unwrap_or(0);
    if header.base_offset() != expected.0 || header.last_offset_delta() < 0 || header.leader_epoch() != run.leader_epoch
    {
        return Err(format!(
            "batch of run at place {} has offset {} where {expected} was written",
            run.place,
            header.base_offset()
        ));
    }
    if !crc_is_valid(&bytes[..length], header) {
        return Err(format!("batch at offset {expected}, run at place {}, fails its CRC", run.place));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

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
        };
        (run, bytes)
    }

    fn wanted(goal: Goal, bytes_max: usize) -> Wanted {
        Wanted { goal, bytes_max, first_whole: true, visible: ALL }
    }

    fn read(run: Run, bytes: &[u8], wanted: &Wanted) -> Result<Vec<i64>, String> {
        let part = plan(&[run], wanted.goal, ALL, 1 << 20).remove(0);
        let mut file = vec![0; (part.position + part.length as u64) as usize];
        file[run.place as usize..][..bytes.len()].copy_from_slice(bytes);
        let content = Bytes::from(file.split_off(part.position as usize));
        let slices = collect(&[(part, content)], wanted)?;
        Ok(slices
            .iter()
            .flat_map(|slice| walk(slice).map(|(_, header)| header.base_offset()).collect::<Vec<_>>())
            .collect())
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
            let outcome = read(run, &bad, &wanted(Goal::Offset(Offset(10)), 1 << 20));
            assert!(outcome.is_err(), "byte {at} gave {outcome:?}");
        }
    }

    #[test]
    fn neighbours_are_read_together_and_distant_runs_apart() {
        let runs: Vec<Run> = [(0, 4096), (10, 9000), (20, 4096 + (4 << 20))]
            .into_iter()
            .map(|(base, place)| run_of(base, place, 1).0)
            .collect();
        let parts = plan(&runs, Goal::Offset(Offset(0)), ALL, 1 << 20);
        assert_eq!(parts.iter().map(|part| part.runs.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(parts.iter().all(|part| part.position.is_multiple_of(4096) && part.length.is_multiple_of(4096)));
    }

    #[test]
    fn what_lies_between_sparse_runs_counts_as_read() {
        // 100-byte batches 60 KiB apart once asked for a whole segment at once: 10,000 of them are less than a fetch.
        let runs: Vec<Run> = (0..2_000).map(|at| run_of(at * 2, 4096 + at as u32 * 60 * 1024, 1).0).collect();
        let parts = plan(&runs, Goal::Offset(Offset(0)), ALL, 1 << 20);
        assert!(parts.iter().map(|part| part.length).sum::<usize>() <= DISK_READ_BYTES_MAX);
        let far: Vec<Run> = (0..2_000).map(|at| run_of(at * 2, 4096 + at as u32 * 80 * 1024, 1).0).collect();
        let parts = plan(&far, Goal::Offset(Offset(0)), ALL, 1 << 20);
        assert!(parts.iter().map(|part| part.length).sum::<usize>() <= DISK_READ_BYTES_MAX);
    }

    #[test]
    fn runs_outside_of_what_is_visible_are_not_asked_for() {
        let runs: Vec<Run> = (0..4).map(|at| run_of(at * 10, 4096 + at as u32 * 4096, 5).0).collect();
        let planned = |visible| {
            let parts = plan(&runs, Goal::Timestamp(0), visible, 1 << 20);
            parts.iter().flat_map(|part| &part.runs).map(|run| run.base_offset.0).collect::<Vec<_>>()
        };
        assert_eq!(planned(Offset(10)..Offset(30)), [10, 20]);
        assert_eq!(planned(Offset(15)..Offset(15)), [10]);
        assert!(planned(Offset(40)..Offset(50)).is_empty());
    }
}
