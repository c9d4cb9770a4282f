//! What a job copies, and in which order: log by log, offset by offset, gathered in sweeps over the victims that fit the memory budget.

use crate::io::FileId;
use crate::journal::index::{Run, SegmentIndex};
use crate::journal::live_segments::SegmentName;
use crate::limits::{BLOCK_BYTES, DISK_READ_BYTES_MAX, DISK_READ_GAP_BYTES_MAX};
use crate::offset::{LogId, Offset};

/// A segment that a job reads.
#[derive(Clone, Copy, Debug)]
pub struct Victim {
    /// Which life of it.
    pub name: SegmentName,
    /// Number of its file name.
    pub slot: u32,
    /// Its file.
    pub file: FileId,
}

/// A step of the copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// The output stands for these offsets of a log from here on.
    Cover {
        /// The log.
        log: LogId,
        /// First offset.
        first: Offset,
        /// Last offset.
        last: Offset,
    },
    /// Batches.
    Piece {
        /// Their log.
        log: LogId,
        /// Its start: what lies below stays behind.
        start: Offset,
        /// Which victim holds them.
        victim: usize,
        /// Where.
        run: Run,
    },
}

/// One aligned read, and which items of its round lie in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PieceRead {
    /// The victim.
    pub victim: usize,
    /// Place in its file.
    pub position: u64,
    /// Bytes.
    pub length: usize,
    /// Places of the items among those of the round.
    pub items: Vec<usize>,
}

/// Everything alive in the victims, by log and offset. `start_of` gives the start of a log that is alive.
pub fn items(indexes: &[SegmentIndex], start_of: &dyn Fn(LogId) -> Option<Offset>) -> Vec<Item> {
    let mut logs: Vec<LogId> = indexes.iter().flat_map(SegmentIndex::summaries).map(|summary| summary.log).collect();
    logs.sort_unstable();
    logs.dedup();
    let mut items = Vec::new();
    for log in logs {
        let Some(start) = start_of(log) else {
            continue;
        };
        let summaries = indexes.iter().flat_map(SegmentIndex::summaries).filter(|summary| summary.log == log);
        let alive: Vec<_> = summaries.filter(|summary| summary.last_offset >= start).collect();
        let (Some(oldest), Some(newest)) = (alive.first(), alive.last()) else {
            continue;
        };
        let pieces = indexes.iter().enumerate().flat_map(|(victim, index)| {
            let runs = index.runs(log).iter().filter(|run| run.last_offset() >= start);
            runs.map(move |&run| Item::Piece { log, start, victim, run })
        });
        let mut pieces = pieces.peekable();
        // The first batch may begin below the log start.
        let first = match pieces.peek() {
            Some(Item::Piece { run, .. }) => run.base_offset.min(start.max(oldest.first_offset)),
            _ => oldest.first_offset.max(start),
        };
        items.push(Item::Cover { log, first, last: newest.last_offset });
        items.extend(pieces);
    }
    items
}

/// How many of the items one sweep takes: at least one, and no more bytes than the budget.
pub fn round(items: &[Item], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = items.iter().take_while(|item| {
        bytes += item.bytes();
        bytes <= bytes_max
    });
    fits.count().max(1).min(items.len())
}

/// The reads of a round, in the order of the victims' files; neighbours are read together.
pub fn reads(items: &[Item]) -> Vec<PieceRead> {
    let piece = |(at, item): (usize, &Item)| match *item {
        Item::Piece { victim, run, .. } => Some((victim, run.place, run.length, at)),
        Item::Cover { .. } => None,
    };
    let mut pieces: Vec<_> = items.iter().enumerate().filter_map(piece).collect();
    pieces.sort_unstable();
    let mut reads: Vec<PieceRead> = Vec::new();
    for (victim, place, length, at) in pieces {
        let position = u64::from(place) - u64::from(place) % BLOCK_BYTES as u64;
        let end = (u64::from(place) + u64::from(length)).next_multiple_of(BLOCK_BYTES as u64);
        let near = reads.last_mut().filter(|read| {
            read.victim == victim
                && position <= read.position + (read.length + DISK_READ_GAP_BYTES_MAX) as u64
                && end - read.position <= DISK_READ_BYTES_MAX as u64
        });
        if let Some(read) = near {
            read.length = read.length.max((end - read.position) as usize);
            read.items.push(at);
        } else {
            reads.push(PieceRead { victim, position, length: (end - position) as usize, items: vec![at] });
        }
    }
    reads
}

impl Item {
    /// Bytes of batches.
    pub fn bytes(&self) -> usize {
        match self {
            Item::Cover { .. } => 0,
            Item::Piece { run, .. } => run.length as usize,
        }
    }
}

/// What a reader of all logs pays for a segment, in bytes: what is read, and for each jump as much as a read over a gap would cost.
/// Given beside what it would pay if each log lay in one stretch.
pub fn read_costs(index: &SegmentIndex) -> (u64, u64) {
    let jump = DISK_READ_GAP_BYTES_MAX as u64;
    let (mut now, mut clustered) = (0, 0);
    for summary in index.summaries() {
        let mut end: Option<u64> = None;
        for run in index.runs(summary.log) {
            let start = u64::from(run.place) - u64::from(run.place) % BLOCK_BYTES as u64;
            let run_end = (u64::from(run.place) + u64::from(run.length)).next_multiple_of(BLOCK_BYTES as u64);
            now += match end {
                Some(end) if start <= end + jump => run_end - end.min(run_end),
                _ => run_end - start + jump,
            };
            end = Some(run_end);
        }
        clustered += summary.bytes.next_multiple_of(BLOCK_BYTES as u64) + BLOCK_BYTES as u64 + jump;
    }
    (now, clustered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::index::IndexBuilder;
    use crate::offset::{CommitSequence, SegmentSequence};

    fn run(base: i64, place: u32, length: u32) -> Run {
        Run {
            base_offset: Offset(base),
            last_offset_delta: 9,
            place,
            length,
            leader_epoch: 0,
            max_timestamp: 0,
            crc_sum: 0,
        }
    }

    fn index(sequence: u64, runs: &[(u64, Run)]) -> SegmentIndex {
        let mut builder = IndexBuilder::default();
        for &(log, run) in runs {
            builder.add(LogId(log), run);
        }
        builder.build(SegmentSequence(sequence), CommitSequence(sequence * 100), 1 << 20)
    }

    #[test]
    fn each_log_follows_in_one_piece_without_what_is_dead() {
        let first = index(1, &[(1, run(0, 4192, 100)), (2, run(0, 8288, 100)), (1, run(10, 12_384, 100))]);
        let second = index(2, &[(3, run(0, 4192, 100)), (1, run(20, 8288, 100))]);
        let start_of = |log: LogId| (log.0 != 3).then_some(Offset(if log.0 == 1 { 12 } else { 0 }));
        let items = items(&[first, second], &start_of);
        let shape: Vec<_> = items
            .iter()
            .map(|item| match item {
                Item::Cover { log, first, last } => (log.0, first.0, last.0, 9),
                Item::Piece { log, run, victim, .. } => (log.0, run.base_offset.0, run.last_offset().0, *victim),
            })
            .collect();
        assert_eq!(shape, [(1, 10, 29, 9), (1, 10, 19, 0), (1, 20, 29, 1), (2, 0, 9, 9), (2, 0, 9, 0)]);
        let reads = reads(&items);
        assert_eq!(reads.iter().map(|read| read.items.len()).collect::<Vec<_>>(), [2, 1], "{reads:?}");
        assert!(reads.iter().all(|read| read.position % 4096 == 0 && read.length % 4096 == 0));
    }

    #[test]
    fn a_round_fits_the_budget_but_for_one_item() {
        let piece = |length| Item::Piece { log: LogId(1), start: Offset(0), victim: 0, run: run(0, 4192, length) };
        let small = [piece(9 << 20), piece(7 << 20), piece(1)];
        assert_eq!(round(&small, 16 << 20), 2);
        assert_eq!(round(&[piece(40 << 20), piece(1)], 16 << 20), 1);
    }

    #[test]
    fn what_is_scattered_costs_more_than_what_lies_together() {
        let scattered: Vec<_> =
            (0..64).map(|at| (at % 8, run(at as i64 / 8 * 10, 4192 + at as u32 * 8192, 1000))).collect();
        let (now, clustered) = read_costs(&index(1, &scattered));
        assert!(now > 2 * clustered / 3, "{now} {clustered}");
        let together: Vec<_> = (0..64).map(|at| (1, run(at * 10, 4192 + at as u32 * 1100, 1000))).collect();
        let (now, clustered) = read_costs(&index(1, &together));
        assert!(now <= clustered + 8192, "{now} {clustered}");
    }
}
