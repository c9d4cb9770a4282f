//! What is worth cleaning next. A rewrite for space writes at most one byte for each that it frees; each segment of the journal is
//! re-clustered at most once; small clustered segments are merged in tiers. So write amplification is bounded whatever the load.

use std::ops::Range;

use super::job::Goal;
use crate::journal::live_segments::SegmentName;
use crate::limits::{BLOCK_BYTES, CLEANER_VICTIMS_MAX};

/// A segment that may be cleaned.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Which life of it.
    pub name: SegmentName,
    /// Bytes that its commits take.
    pub used_bytes: u64,
    /// Bytes of batches in it that logs still hold.
    pub live_bytes: u64,
    /// Logs with data in it.
    pub live_logs: usize,
    /// Nothing can be made of it for now: it has no index file, or is known to be damaged.
    pub is_barred: bool,
    /// A look showed that its batches lie together.
    pub is_clustered: bool,
}

/// Small segments that are merged: at least so many.
const MERGED_MIN: usize = 4;
/// A segment with less live data than this part of a segment is not worth a look at its runs.
const CLUSTERED_PART_MIN: u64 = 16;

impl Candidate {
    /// Bytes that a copy of what is alive takes, about.
    fn copied_bytes(&self) -> u64 {
        self.live_bytes + self.live_bytes / 16 + 2 * BLOCK_BYTES as u64 + self.live_logs as u64 * 72
    }

    fn is_mostly_dead(&self) -> bool {
        !self.is_barred && self.live_logs > 0 && self.copied_bytes() * 2 <= self.used_bytes
    }
}

/// The next job on neighbours among `candidates`, which are all segments that may be cleaned, in order. Unless the disk `is_roomy`, nothing is
/// begun that gives no space back.
pub fn choose(candidates: &[Candidate], segment_bytes: u64, is_roomy: bool) -> Option<(Goal, Range<usize>)> {
    let space = candidates
        .iter()
        .position(Candidate::is_mostly_dead)
        .map(|at| (Goal::Space, dead(candidates, at, segment_bytes)));
    if !is_roomy {
        return space;
    }
    space
        .or_else(|| Some((Goal::Space, mergeable(candidates, segment_bytes)?)))
        .or_else(|| Some((Goal::Cluster, scattered(candidates, segment_bytes)?)))
}

/// Mostly dead neighbours from `at` on whose live data fits one segment.
fn dead(candidates: &[Candidate], at: usize, segment_bytes: u64) -> Range<usize> {
    let mut bytes = 0;
    let fits = candidates[at..].iter().take(CLEANER_VICTIMS_MAX).take_while(|candidate| {
        bytes += candidate.copied_bytes();
        candidate.is_mostly_dead() && bytes <= segment_bytes / 2
    });
    at..at + fits.count().max(1)
}

/// The first window of small clustered neighbours of like size.
fn mergeable(candidates: &[Candidate], segment_bytes: u64) -> Option<Range<usize>> {
    let is_small = |candidate: &Candidate| {
        !candidate.is_barred && candidate.name.generation > 0 && candidate.copied_bytes() <= segment_bytes / 4
    };
    (0..candidates.len()).find_map(|at| {
        let (mut total, mut largest, mut count) = (0, 0, 0);
        for candidate in candidates[at..].iter().take(CLEANER_VICTIMS_MAX).take_while(|candidate| is_small(candidate)) {
            let bytes = candidate.copied_bytes();
            if total + bytes > segment_bytes / 2 {
                break;
            }
            (total, largest, count) = (total + bytes, bytes.max(largest), count + 1);
        }
        // One that is much larger than the others would be copied again and again.
        (count >= MERGED_MIN && largest * 2 <= total).then_some(at..at + count)
    })
}

fn scattered(candidates: &[Candidate], segment_bytes: u64) -> Option<Range<usize>> {
    let found = candidates.iter().position(|candidate| {
        !candidate.is_barred
            && !candidate.is_clustered
            && candidate.name.generation == 0
            && candidate.live_bytes * CLUSTERED_PART_MIN >= segment_bytes
    })?;
    Some(found..found + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset::SegmentSequence;

    const SEGMENT: u64 = 1 << 20;

    fn candidate(sequence: u64, generation: u32, used_bytes: u64, live_bytes: u64) -> Candidate {
        Candidate {
            name: SegmentName { sequence: SegmentSequence(sequence), generation },
            used_bytes,
            live_bytes,
            live_logs: 1,
            is_barred: false,
            is_clustered: true,
        }
    }

    #[test]
    fn mostly_dead_neighbours_become_one() {
        let full = candidate(1, 0, SEGMENT, SEGMENT * 9 / 10);
        let dead = |sequence| candidate(sequence, 0, SEGMENT, SEGMENT / 10);
        let all = [full, dead(2), dead(3), full, dead(5)];
        assert_eq!(choose(&all, SEGMENT, true), Some((Goal::Space, 1..3)));
        let many: Vec<_> = (1..40).map(|sequence| candidate(sequence, 0, SEGMENT, 1000)).collect();
        assert_eq!(choose(&many, SEGMENT, true), Some((Goal::Space, 0..CLEANER_VICTIMS_MAX)));
        let barred = Candidate { is_barred: true, ..dead(2) };
        assert_eq!(choose(&[full, barred], SEGMENT, true), None);
    }

    #[test]
    fn what_a_copy_leaves_is_never_mostly_dead_again() {
        for live_bytes in [0, 100, 5000, 100_000] {
            let copied = candidate(1, 0, SEGMENT, live_bytes).copied_bytes();
            assert_eq!(choose(&[candidate(1, 1, copied, live_bytes)], SEGMENT, true), None, "{live_bytes}");
        }
    }

    #[test]
    fn small_neighbours_of_like_size_are_merged() {
        let small = |sequence, bytes| candidate(sequence, 1, bytes + 8192, bytes);
        let all: Vec<_> = (0..5).map(|at| small(at + 1, 20_000)).collect();
        assert_eq!(choose(&all, SEGMENT, true), Some((Goal::Space, 0..5)));
        assert_eq!(choose(&all[..3], SEGMENT, true), None);
        let with_large = [small(1, 200_000), small(2, 10_000), small(3, 10_000), small(4, 10_000)];
        assert_eq!(choose(&with_large, SEGMENT, true), None);
    }

    #[test]
    fn each_segment_of_the_journal_is_looked_at_once() {
        let unseen = Candidate { is_clustered: false, ..candidate(1, 0, SEGMENT, SEGMENT / 2) };
        let made = Candidate { is_clustered: false, ..candidate(2, 1, SEGMENT, SEGMENT * 9 / 10) };
        assert_eq!(choose(&[made, unseen], SEGMENT, true), Some((Goal::Cluster, 1..2)));
        assert_eq!(choose(&[made, unseen], SEGMENT, false), None, "on a full disk only space counts");
        assert_eq!(choose(&[made, candidate(1, 0, SEGMENT, SEGMENT * 9 / 10)], SEGMENT, true), None);
    }
}
