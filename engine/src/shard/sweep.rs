//! Sweeps: how far each reader of one fetch goes behind the tail.
//!
//! Logs that are filled side by side lie side by side in the journal. Readers who stop at the same place of it find in memory what was read for
//! the others; left alone they drift apart, a little at every step, until each of them reads the journal for itself.

use super::reads::ReadRequest;
use super::state::Shard;
use crate::io::Io;
use crate::journal::reader::{Goal, Plan, Reach};
use crate::limits::{BLOCK_BYTES, INDEX_RUN_BYTES_MAX, READ_EXTENTS_MAX};
use crate::offset::SegmentSequence;

/// The step that a reader would take alone.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    segment: SegmentSequence,
    /// Every log lies by itself there, so that no place suits all.
    is_clustered: bool,
    /// Places of its runs, each with the bytes up to its end. Empty while the index is not known.
    runs: Vec<(u32, usize)>,
    /// Where the log goes on in the segment behind it.
    next_place: Option<u32>,
}

impl Step {
    fn new(segment: SegmentSequence, is_clustered: bool, plan: Option<Plan>) -> Step {
        let plan = plan.unwrap_or_default();
        let with_bytes = plan.runs.iter().scan(0, |bytes, run| {
            *bytes += run.length as usize;
            Some((run.place, *bytes))
        });
        Step { segment, is_clustered, runs: with_bytes.collect(), next_place: plan.next_place }
    }

    /// Bytes of its runs that begin before a place, at least of the first.
    fn bytes_before(&self, place: u32) -> usize {
        let count = self.runs.partition_point(|run| run.0 < place).max(1);
        self.runs.get(count - 1).map_or(INDEX_RUN_BYTES_MAX as usize, |run| run.1)
    }
}

/// What each may read, nothing where that does not fit, and else its next run or more.
///
/// Readers in the hindmost segment read up to one place, the furthest that all of them reach and where all fits. Who is ahead of it, in that
/// segment or the next, reads one run: those behind catch up, and yet nobody waits for them, who may be ill. Who is elsewhere reads alone.
fn shares(steps: &[Step], bytes_max: usize) -> Vec<usize> {
    let hindmost = steps.iter().filter(|step| !step.is_clustered).map(|step| step.segment).min();
    let is_behind = |step: &&Step| !step.is_clustered && Some(step.segment) == hindmost;
    let is_swept = |step: &&Step| !step.is_clustered && hindmost.is_some_and(|first| step.segment.0 <= first.0 + 1);
    let bytes_of = |step: &Step, end| step.bytes_before(if is_behind(&step) { end } else { 0 });
    let mut end = None;
    let mut bytes_left = bytes_max;
    let mut bytes = Vec::with_capacity(steps.len());
    for step in steps {
        let wanted = if is_swept(&step) {
            let end = *end.get_or_insert_with(|| {
                let behind: Vec<&Step> = steps.iter().filter(is_behind).collect();
                let total = |end| steps.iter().filter(is_swept).map(|step| bytes_of(step, end)).sum::<usize>();
                common_end(&behind, |end| total(end) <= bytes_left)
            });
            bytes_of(step, end)
        } else {
            step.bytes_before(u32::MAX)
        };
        let given = if wanted <= bytes_left { wanted } else { 0 };
        bytes_left -= given;
        bytes.push(given);
    }
    bytes
}

/// The furthest place that all steps reach and that `fits`, about.
fn common_end(steps: &[&Step], fits: impl Fn(u32) -> bool) -> u32 {
    let end = steps.iter().filter_map(|step| step.next_place).min().unwrap_or(u32::MAX);
    if fits(end) {
        return end;
    }
    let first = steps.iter().filter_map(|step| step.runs.first()).map(|run| run.0).min();
    let last = steps.iter().filter_map(|step| step.runs.last()).map(|run| run.0).max();
    let (mut near, mut far) = (first.unwrap_or(0), end.min(last.map_or(0, |last| last.saturating_add(1))));
    while far.saturating_sub(near) > BLOCK_BYTES as u32 {
        let middle = near + (far - near) / 2;
        if fits(middle) { near = middle } else { far = middle }
    }
    near
}

impl<I: Io> Shard<I> {
    /// Bytes that the first of `requests`, those that lie behind the tail, read beside one another in one step each, `bytes_max` in all: nothing
    /// where it does not fit. Their own bounds in bytes count too.
    pub fn sweep(&mut self, requests: impl IntoIterator<Item = ReadRequest>, bytes_max: usize) -> Vec<usize> {
        let steps: Vec<Step> = requests.into_iter().map_while(|request| self.step_of(request)).collect();
        self.operations.io.start();
        shares(&steps, bytes_max)
    }

    /// None where a reader would find nothing behind the tail. An index that is not known is asked for.
    fn step_of(&mut self, request: ReadRequest) -> Option<Step> {
        let Goal::Offset(offset) = request.goal else { return None };
        let view = self.view(request.log)?;
        let end = view.end_for(request.isolation);
        if offset < view.start || offset >= end || self.is_in_tail(request.log, offset) {
            return None;
        }
        let segment = self.segment_for(request.log, request.goal, offset)?;
        let reach = Reach { bytes_max: request.bytes_max, extents_max: READ_EXTENTS_MAX };
        let plan = self.plan_in(segment, request.log, request.goal, offset..end, reach);
        let is_clustered = self.journal.segments.get(segment).is_some_and(|known| known.generation > 0);
        Some(Step::new(segment, is_clustered, plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: usize = 16 << 10;
    const FIRST: SegmentSequence = SegmentSequence(7);
    const MUCH: usize = 1 << 20;

    /// A step of runs of 16 KiB at these places, in units of that size.
    fn step(segment: SegmentSequence, places: &[u32], next: Option<u32>) -> Step {
        let place = |unit: u32| unit * RUN as u32;
        let runs = places.iter().zip(1..).map(|(&unit, count)| (place(unit), count * RUN)).collect();
        Step { segment, is_clustered: false, runs, next_place: next.map(place) }
    }

    fn runs(steps: &[Step], bytes_max: usize) -> Vec<usize> {
        shares(steps, bytes_max).iter().map(|bytes| bytes / RUN).collect()
    }

    #[test]
    fn all_stop_where_the_first_of_them_would() {
        let steps = [step(FIRST, &[0, 2, 4, 6], Some(8)), step(FIRST, &[1, 3, 5], Some(7))];
        assert_eq!(runs(&steps, MUCH), [4, 3]);
        let behind = [step(FIRST, &[8, 10, 12, 14], Some(16)), step(FIRST, &[7, 9, 11, 13], Some(15))];
        assert_eq!(runs(&behind, MUCH), [4, 4]);
        let at_the_end = [step(FIRST, &[8, 10, 12, 14], None), step(FIRST, &[7, 9], None)];
        assert_eq!(runs(&at_the_end, MUCH), [4, 2]);
    }

    #[test]
    fn who_is_ahead_reads_one_run_until_the_others_are_there() {
        let ahead = step(FIRST, &[40, 42, 44], Some(46));
        let next = step(SegmentSequence(8), &[1, 3, 5], Some(7));
        let hindmost = step(FIRST, &[0, 2, 4, 6], Some(8));
        assert_eq!(runs(&[ahead.clone(), hindmost.clone(), next], MUCH), [1, 4, 1]);
        let far = step(SegmentSequence(9), &[1, 3, 5], Some(7));
        let clustered = Step { is_clustered: true, ..ahead };
        assert_eq!(
            runs(&[far, hindmost, clustered], MUCH),
            [3, 4, 3],
            "who is far ahead, or in a clustered segment, reads alone"
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened_for_all() {
        let steps = [step(FIRST, &[0, 2, 4, 6], Some(8)), step(FIRST, &[1, 3, 5, 7], Some(9))];
        assert_eq!(runs(&steps, 8 * RUN), [4, 4]);
        assert_eq!(runs(&steps, 7 * RUN), [4, 3]);
        assert_eq!(runs(&steps, 5 * RUN), [3, 2]);
        assert_eq!(runs(&steps, 2 * RUN), [1, 1]);
        assert_eq!(runs(&steps, RUN), [1, 0], "at least one run, or nothing");
        assert_eq!(runs(&steps, 0), [0, 0]);
        let clustered = Step { is_clustered: true, ..steps[0].clone() };
        let mixed = [clustered.clone(), steps[0].clone(), clustered, steps[1].clone()];
        assert_eq!(runs(&mixed, 8 * RUN), [4, 2, 0, 2]);
    }

    #[test]
    fn without_its_index_a_log_may_read_one_run() {
        let unknown = Step { segment: FIRST, is_clustered: false, runs: Vec::new(), next_place: None };
        assert_eq!(shares(&[unknown.clone(), unknown], MUCH), [INDEX_RUN_BYTES_MAX as usize; 2]);
    }
}
