//! What a sealed segment holds, log by log: a cache that is never trusted over the journal (see FORMAT.md).
//!
//! A start reads only the header and the summaries; the runs are read when somebody reads the log.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::field::{array_at, i32_at, i64_at, u32_at, u64_at};
pub use super::run::Run;
use super::segment::is_clustered;
use crate::limits::{BLOCK_BYTES, INDEX_RUN_BYTES_MAX, LOGS_PER_SHARD_MAX};
use crate::offset::{CommitSequence, LogId, Offset, SegmentSequence, ShardId};

const MAGIC: [u8; 8] = *b"PHINDEX2";
const HEADER_BYTES: usize = 64;
const SUMMARY_BYTES: usize = 48;
const RUN_BYTES: usize = 36;
/// Bytes of journal that the smallest run stands for: an empty batch and its entry.
const JOURNAL_BYTES_PER_RUN_MIN: u64 = 61 + 64;

/// One log's part of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The log.
    pub log: LogId,
    /// First offset in the segment.
    pub first_offset: Offset,
    /// Last offset in the segment.
    pub last_offset: Offset,
    /// Bytes of batches.
    pub bytes: u64,
    /// Newest record, ms.
    pub max_timestamp: i64,
    /// Where its runs begin among the segment's runs.
    pub first_run: u32,
    /// Number of its runs.
    pub run_count: u32,
}

/// The batches of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentIndex {
    /// The segment.
    pub segment: SegmentSequence,
    /// Place of the byte after its last commit.
    pub end_place: u32,
    /// Its first commit.
    pub first_commit: CommitSequence,
    summaries: Vec<Summary>,
    runs: Vec<Run>,
}

/// What a start needs of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexSummaries {
    /// Place of the byte after the segment's last commit.
    pub end_place: u32,
    /// The segment's first commit.
    pub first_commit: CommitSequence,
    /// One a log, sorted by log.
    pub summaries: Vec<Summary>,
}

/// Why an index is not used. It is rebuilt from the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IndexError {
    /// The bytes end too early, or a CRC or a field is wrong.
    #[error("the index is damaged")]
    Damaged,
    /// It describes another segment, shard or directory.
    #[error("the index belongs to another segment")]
    Foreign,
}

/// Gathers the runs of a segment while it is written or scanned.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct IndexBuilder {
    logs: BTreeMap<LogId, Vec<Run>>,
    /// Of a clustered segment: the offsets of each log that it stands for, also where no batch is left.
    covered: BTreeMap<LogId, (Offset, Offset)>,
}

impl IndexBuilder {
    /// Adds a batch, in offset order within its log. Batches that continue the log's last run in offsets and in bytes join it;
    /// commits are parted by their headers, so a run never leaves its commit.
    ///
    /// # Panics
    /// When offsets of a log do not rise.
    pub fn add(&mut self, log: LogId, run: Run) {
        let runs = self.logs.entry(log).or_default();
        if let Some(last) = runs.last_mut() {
            assert!(last.last_offset() < run.base_offset, "log {log}: {run:?} after {last:?}");
            if let Some(joined) = join(last, &run) {
                *last = joined;
                return;
            }
        }
        runs.push(run);
    }

    /// The segment stands for these offsets of a log, first and last, whatever batches are left of them.
    pub fn cover(&mut self, log: LogId, first: Offset, last: Offset) {
        self.logs.entry(log).or_default();
        self.covered.insert(log, (first, last));
    }

    /// Whether a batch may be added: its offsets lie above the log's last.
    pub fn rises(&self, log: LogId, base_offset: Offset) -> bool {
        self.runs(log).last().is_none_or(|last| last.last_offset() < base_offset)
    }

    /// The runs of a log, by offset.
    pub fn runs(&self, log: LogId) -> &[Run] {
        self.logs.get(&log).map_or(&[], Vec::as_slice)
    }

    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        self.logs.values().map(|runs| size_of::<(LogId, Vec<Run>)>() + runs.capacity() * size_of::<Run>()).sum()
    }

    /// Place among [`IndexBuilder::runs`] of the first run that ends at or above `offset`.
    pub fn find(&self, log: LogId, offset: Offset) -> Option<usize> {
        find(self.runs(log), offset)
    }

    /// The index as it stands.
    pub fn build(&self, segment: SegmentSequence, first_commit: CommitSequence, end_place: u32) -> SegmentIndex {
        let mut index = SegmentIndex {
            segment,
            end_place,
            first_commit,
            summaries: Vec::with_capacity(self.logs.len()),
            runs: Vec::with_capacity(self.logs.values().map(Vec::len).sum()),
        };
        for (&log, runs) in &self.logs {
            let first_run = index.runs.len();
            index.summaries.extend(summarise(log, first_run, runs, self.covered.get(&log).copied()));
            index.runs.extend_from_slice(runs);
        }
        index
    }
}

impl From<&SegmentIndex> for IndexBuilder {
    /// Goes on with a segment that was recovered.
    fn from(index: &SegmentIndex) -> IndexBuilder {
        let runs_of = |summary: &Summary| (summary.log, index.runs_of(summary).to_vec());
        let covered = index.summaries.iter().filter(|_| index.is_clustered());
        IndexBuilder {
            logs: index.summaries.iter().map(runs_of).collect(),
            covered: covered.map(|summary| (summary.log, (summary.first_offset, summary.last_offset))).collect(),
        }
    }
}

impl SegmentIndex {
    /// One summary a log, sorted by log.
    pub fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    /// The runs of a log, by offset.
    pub fn runs(&self, log: LogId) -> &[Run] {
        match self.summaries.binary_search_by_key(&log, |summary| summary.log) {
            Ok(found) => self.runs_of(&self.summaries[found]),
            Err(_) => &[],
        }
    }

    /// Place among [`SegmentIndex::runs`] of the first run that ends at or above `offset`.
    pub fn find(&self, log: LogId, offset: Offset) -> Option<usize> {
        find(self.runs(log), offset)
    }

    /// Bytes of memory that holding it costs.
    pub fn memory_bytes(&self) -> usize {
        self.summaries.len() * size_of::<Summary>() + self.runs.len() * size_of::<Run>()
    }

    /// Largest file that an index of a segment of this size can need.
    pub fn file_bytes_max(segment_bytes: u64) -> u64 {
        let runs = segment_bytes / JOURNAL_BYTES_PER_RUN_MIN;
        let summaries = runs.min(LOGS_PER_SHARD_MAX as u64);
        (HEADER_BYTES as u64 + summaries * SUMMARY_BYTES as u64 + runs * RUN_BYTES as u64)
            .next_multiple_of(BLOCK_BYTES as u64)
    }

    /// The file's content.
    pub fn encode(&self, shard: ShardId, directory_id: Uuid) -> Vec<u8> {
        let summaries_end = HEADER_BYTES + self.summaries.len() * SUMMARY_BYTES;
        let bytes = (summaries_end + self.runs.len() * RUN_BYTES).next_multiple_of(BLOCK_BYTES);
        let mut into = Vec::with_capacity(bytes);
        into.resize(HEADER_BYTES, 0);
        self.summaries.iter().for_each(|summary| summary.encode(&mut into));
        self.runs.iter().for_each(|run| run.encode(&mut into));
        let runs_crc = checksum::crc32c(&into[summaries_end..]);
        into[0..8].copy_from_slice(&MAGIC);
        into[12..16].copy_from_slice(&shard.0.to_le_bytes());
        into[16..32].copy_from_slice(directory_id.as_bytes());
        into[32..40].copy_from_slice(&self.segment.0.to_le_bytes());
        into[40..44].copy_from_slice(&self.end_place.to_le_bytes());
        into[44..48].copy_from_slice(&(self.summaries.len() as u32).to_le_bytes());
        into[48..52].copy_from_slice(&(self.runs.len() as u32).to_le_bytes());
        into[52..56].copy_from_slice(&runs_crc.to_le_bytes());
        into[56..64].copy_from_slice(&self.first_commit.0.to_le_bytes());
        let crc = checksum::crc32c(&into[12..summaries_end]);
        into[8..12].copy_from_slice(&crc.to_le_bytes());
        into.resize(bytes, 0);
        into
    }

    /// Reads a whole file.
    pub fn decode(
        bytes: &[u8],
        segment: SegmentSequence,
        shard: ShardId,
        directory_id: Uuid,
    ) -> Result<SegmentIndex, IndexError> {
        let head = decode_summaries(bytes, segment, shard, directory_id)?;
        let summaries_end = HEADER_BYTES + head.summaries.len() * SUMMARY_BYTES;
        let runs_end = summaries_end + u32_at(bytes, 48) as usize * RUN_BYTES;
        let runs = bytes.get(summaries_end..runs_end).ok_or(IndexError::Damaged)?;
        if checksum::crc32c(runs) != u32_at(bytes, 52) {
            return Err(IndexError::Damaged);
        }
        let index = SegmentIndex {
            segment,
            end_place: head.end_place,
            first_commit: head.first_commit,
            summaries: head.summaries,
            runs: runs.chunks_exact(RUN_BYTES).map(Run::decode).collect(),
        };
        if index.is_consistent() { Ok(index) } else { Err(IndexError::Damaged) }
    }

    fn is_clustered(&self) -> bool {
        is_clustered(self.first_commit)
    }

    /// Every summary is the sum of its runs: a later reader need not ask again.
    fn is_consistent(&self) -> bool {
        let mut next_run = 0;
        for summary in &self.summaries {
            let runs = self.runs_of(summary);
            let covered = self.is_clustered().then_some((summary.first_offset, summary.last_offset));
            if summarise(summary.log, next_run, runs, covered) != Some(*summary)
                || runs.first().is_some_and(|run| run.base_offset < summary.first_offset)
                || runs.last().is_some_and(|run| run.last_offset() > summary.last_offset)
                || runs.windows(2).any(|pair| pair[0].last_offset() >= pair[1].base_offset)
                || runs.iter().any(|run| u64::from(run.place) + u64::from(run.length) > u64::from(self.end_place))
            {
                return false;
            }
            next_run += runs.len();
        }
        next_run == self.runs.len()
    }

    fn runs_of(&self, summary: &Summary) -> &[Run] {
        let first = summary.first_run as usize;
        self.runs.get(first..first + summary.run_count as usize).unwrap_or(&[])
    }
}

/// How many bytes from the start of the file [`decode_summaries`] needs, once the header is there.
pub fn summaries_bytes(header: &[u8]) -> Option<usize> {
    let known = header.len() >= HEADER_BYTES && header[0..8] == MAGIC;
    let count = known.then(|| u32_at(header, 44) as usize)?;
    (count <= LOGS_PER_SHARD_MAX).then_some(HEADER_BYTES + count * SUMMARY_BYTES)
}

/// Reads header and summaries from the first bytes of a file.
pub fn decode_summaries(
    bytes: &[u8],
    segment: SegmentSequence,
    shard: ShardId,
    directory_id: Uuid,
) -> Result<IndexSummaries, IndexError> {
    let summaries_end = summaries_bytes(bytes).ok_or(IndexError::Damaged)?;
    let head = bytes.get(..summaries_end).ok_or(IndexError::Damaged)?;
    if checksum::crc32c(&head[12..]) != u32_at(head, 8) {
        return Err(IndexError::Damaged);
    }
    let belongs =
        u32_at(head, 12) == shard.0 && array_at(head, 16) == *directory_id.as_bytes() && u64_at(head, 32) == segment.0;
    if !belongs {
        return Err(IndexError::Foreign);
    }
    let rows = head[HEADER_BYTES..].chunks_exact(SUMMARY_BYTES);
    let summaries: Vec<Summary> = rows.map(Summary::decode).collect();
    let sane = summaries.iter().all(|summary| {
        summary.first_offset.0 >= 0 && summary.first_offset <= summary.last_offset && summary.last_offset.0 < i64::MAX
    }) && summaries.windows(2).all(|pair| pair[0].log < pair[1].log);
    if !sane {
        return Err(IndexError::Damaged);
    }
    Ok(IndexSummaries { end_place: u32_at(head, 40), first_commit: CommitSequence(u64_at(head, 56)), summaries })
}

impl Summary {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.log.0.to_le_bytes());
        into.extend_from_slice(&self.first_offset.0.to_le_bytes());
        into.extend_from_slice(&self.last_offset.0.to_le_bytes());
        into.extend_from_slice(&self.bytes.to_le_bytes());
        into.extend_from_slice(&self.max_timestamp.to_le_bytes());
        into.extend_from_slice(&self.first_run.to_le_bytes());
        into.extend_from_slice(&self.run_count.to_le_bytes());
    }

    fn decode(row: &[u8]) -> Summary {
        Summary {
            log: LogId(u64_at(row, 0)),
            first_offset: Offset(i64_at(row, 8)),
            last_offset: Offset(i64_at(row, 16)),
            bytes: u64_at(row, 24),
            max_timestamp: i64_at(row, 32),
            first_run: u32_at(row, 40),
            run_count: u32_at(row, 44),
        }
    }
}

impl Run {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.base_offset.0.to_le_bytes());
        into.extend_from_slice(&self.last_offset_delta.to_le_bytes());
        into.extend_from_slice(&self.place.to_le_bytes());
        into.extend_from_slice(&self.length.to_le_bytes());
        into.extend_from_slice(&self.leader_epoch.to_le_bytes());
        into.extend_from_slice(&self.max_timestamp.to_le_bytes());
        into.extend_from_slice(&self.crc_sum.to_le_bytes());
    }

    fn decode(row: &[u8]) -> Run {
        Run {
            // Bounded so that no sum of a damaged but CRC-correct row overflows; a negative one fails the comparison with the summary.
            base_offset: Offset(i64_at(row, 0).min(i64::MAX - i64::from(u32::MAX))),
            last_offset_delta: u32_at(row, 8),
            place: u32_at(row, 12),
            length: u32_at(row, 16),
            leader_epoch: i32_at(row, 20),
            max_timestamp: i64_at(row, 24),
            crc_sum: u32_at(row, 32),
        }
    }
}

fn join(last: &Run, run: &Run) -> Option<Run> {
    let continues = last.last_offset().plus(1) == run.base_offset
        && last.place.checked_add(last.length) == Some(run.place)
        && last.leader_epoch == run.leader_epoch
        && last.length.saturating_add(run.length) <= INDEX_RUN_BYTES_MAX;
    let delta = run.last_offset().0 - last.base_offset.0;
    Some(Run {
        last_offset_delta: u32::try_from(delta).ok().filter(|_| continues)?,
        length: last.length.checked_add(run.length)?,
        max_timestamp: last.max_timestamp.max(run.max_timestamp),
        crc_sum: last.crc_sum.wrapping_add(run.crc_sum),
        ..*last
    })
}

fn find(runs: &[Run], offset: Offset) -> Option<usize> {
    let found = runs.partition_point(|run| run.last_offset() < offset);
    (found < runs.len()).then_some(found)
}

/// None for a log without runs, unless the segment stands for some of its offsets.
fn summarise(log: LogId, first_run: usize, runs: &[Run], covered: Option<(Offset, Offset)>) -> Option<Summary> {
    let ends = runs.first().zip(runs.last()).map(|(first, last)| (first.base_offset, last.last_offset()));
    let (first_offset, last_offset) = covered.or(ends)?;
    Some(Summary {
        log,
        first_offset,
        last_offset,
        bytes: runs.iter().map(|run| u64::from(run.length)).sum(),
        max_timestamp: runs.iter().map(|run| run.max_timestamp).max().unwrap_or(-1),
        first_run: first_run as u32,
        run_count: runs.len() as u32,
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
