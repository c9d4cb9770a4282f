//! The end of a step of a read: checked batches out of its extents, where the read goes on, or its answer.

use super::found::{Found, unpin};
use super::reads::{Begun, Job, ReadRequest, Reads, Step};
use super::state::Shard;
use crate::error::ReadError;
use crate::io::Io;
use crate::journal::index::Run;
use crate::journal::pieces::Stretches;
use crate::journal::reader::{Collected, Goal, Wanted, collect};

impl<I: Io> Shard<I> {
    /// Goes on with the reads whose extents have come. The disk gets its next reads first: it works while batches are checked here.
    pub(super) fn collect_complete_steps(&mut self) {
        if self.reads.complete.is_empty() {
            return;
        }
        self.submit_reads();
        self.operations.io.start();
        for id in std::mem::take(&mut self.reads.complete) {
            self.collect_step(id);
        }
    }

    /// All extents of a step are there.
    pub(super) fn collect_step(&mut self, id: usize) -> Begun {
        let job = &mut self.reads.jobs[id];
        let mut step = std::mem::take(&mut job.step);
        if let Some(failure) = step.failure {
            return self.finish(id, Err(failure));
        }
        let wanted = Wanted {
            goal: job.goal(),
            bytes_max: job.bytes_left(),
            first_whole: job.request.first_whole && job.found.bytes == 0,
            visible: step.visible.clone(),
        };
        let read = std::mem::take(&mut step.read).into_iter();
        let stretches: Stretches = read.map(|(number, stretch)| (number, (stretch.from, stretch.bytes()))).collect();
        let collected = collect(&step.plan.runs, &stretches, &wanted);
        drop(stretches);
        match collected {
            Ok(collected) => self.go_on(id, step, collected),
            Err(reason) => {
                // The next reader asks the disk again.
                let Reads { extents, stats, .. } = &mut self.reads;
                extents.forget(step.segment, stats);
                self.finish(id, Err(ReadError::Damaged(format!("segment {}: {reason}", step.segment.0))))
            }
        }
    }

    /// Takes in what a step gave and goes on behind it, if more is wanted. A step may give nothing: no visible batch of its runs has the
    /// time that they promised, or compaction left no batch at the end of the segment.
    fn go_on(&mut self, id: usize, step: Step, mut collected: Collected) -> Begun {
        let Step { segment, plan, visible, mut aborted, .. } = step;
        if self.reads.extents.held_bytes() > self.memory.read_held_bytes() {
            self.reads.stats.copied_bytes += collected.bytes as u64;
            unpin(&mut collected.slices);
        }
        self.reads.stats.delivered_from_disk_bytes += collected.bytes as u64;
        let request = self.reads.jobs[id].request;
        let log = request.log;
        let searched_upto =
            plan.runs.last().map(Run::last_offset).or_else(|| self.span_end(log, segment)).unwrap_or(visible.end);
        aborted.retain(|aborted| collected.next.is_some_and(|next| aborted.first_offset < next));
        let job = &mut self.reads.jobs[id];
        job.found.append(Found { slices: collected.slices, bytes: collected.bytes, aborted });
        job.from = collected.next.unwrap_or(if collected.is_enough { job.from } else { searched_upto.plus(1) });
        let is_short = plan.is_sparse() || request.one_step || matches!(request.goal, Goal::Timestamp(_));
        let is_found = job.found.bytes > 0 && is_short;
        if collected.is_enough || is_found || (job.found.bytes > 0 && job.bytes_left() == 0) || job.from >= visible.end
        {
            return self.finish(id, Ok(()));
        }
        let (from, bytes_max) = (job.from, job.bytes_left());
        let first_whole = request.first_whole && job.found.bytes == 0;
        let rest = ReadRequest { bytes_max, first_whole, ..request };
        if let Goal::Offset(_) = request.goal
            && let Some(found) = self.read_tail(rest, from)
        {
            self.reads.jobs[id].found.append(found);
            return self.finish(id, Ok(()));
        }
        self.reads.waiting.push_front(id);
        Begun::Yes
    }

    /// Answers a read. After an error it gives what it found before, if anything: the next read meets the error.
    pub(super) fn finish(&mut self, id: usize, outcome: Result<(), ReadError>) -> Begun {
        let Job { id, request, from, found, used_ahead, .. } = self.reads.jobs.remove(id);
        if let Err(error @ (ReadError::Damaged(_) | ReadError::Failed(_))) = &outcome {
            tracing::error!(shard = self.id.0, log = request.log.0, %error, "read behind the tail failed");
        }
        let view = self.view(request.log).ok_or(ReadError::UnknownLog(request.log));
        let bytes = found.bytes;
        let outcome = if bytes > 0 { Ok(()) } else { outcome };
        let outcome = outcome.and_then(|()| Ok(found.into_batches(view?)));
        self.reads.finished.push((id, outcome));
        if let Goal::Offset(start) = request.goal
            && bytes > 0
        {
            self.read_ahead(request.log, start, from, used_ahead);
        }
        Begun::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::transactional;
    use crate::offset::Offset;
    use crate::partition::marker::{MarkerKind, TransactionMarker};
    use crate::partition::transactions::Isolation;
    use crate::shard::driven::{Driven, LOG};
    use crate::shard::reads::ReadStart;

    impl Driven {
        /// Ten offsets follow the last span that no batch has, as compaction leaves them.
        fn leave_a_hole(&mut self) {
            let state = &mut self.shard.partitions.get_mut(&LOG).expect("is there").state;
            state.next = state.next.plus(10);
            state.spans.back_mut().expect("has data").last_offset = state.next.plus(-1);
        }
    }

    /// Batches, a hole at the end of a segment, batches in the next one. Gives the first offsets of the hole and behind it.
    fn with_a_hole(driven: &mut Driven) -> (Offset, Offset) {
        let segment = |driven: &Driven| driven.shard.journal.active_segment();
        driven.append();
        let first = segment(driven);
        loop {
            let hole = driven.shard.partitions[&LOG].state.next;
            driven.leave_a_hole();
            driven.append();
            if segment(driven) != first {
                return (hole, hole.plus(10));
            }
        }
    }

    #[test]
    fn a_read_in_a_hole_at_a_segments_end_goes_on_to_the_next() {
        let mut driven = Driven::with_log(0);
        let (hole, behind) = with_a_hole(&mut driven);
        for offset in [hole, hole.plus(4), hole.plus(9), behind] {
            assert_eq!(driven.first_from(Goal::Offset(offset)), Some(behind.0), "from {offset}");
        }
        assert_eq!(driven.first_from(Goal::Offset(Offset(2))), Some(11), "a hole inside a segment");
        assert_eq!(driven.first_from(Goal::Timestamp(5)), Some(0));
    }

    #[test]
    fn a_segment_that_is_read_is_not_given_away_before_its_bytes_are_there() {
        let mut driven = Driven::with_log(0);
        driven.append();
        let first = driven.shard.journal.active_segment().expect("has data");
        while driven.shard.journal.active_segment() == Some(first) {
            driven.append();
        }
        // Its index is on disk, and after a read in memory too: the next one asks for its bytes alone.
        driven.settle();
        driven.first_from(Goal::Offset(Offset(0)));
        let Reads { extents, stats, .. } = &mut driven.shard.reads;
        extents.forget(first, stats);
        let request = ReadRequest {
            log: LOG,
            goal: Goal::Offset(Offset(0)),
            bytes_max: 1,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let ReadStart::Pending(_) = driven.shard.read(request).expect("in range") else { panic!("nothing is cached") };
        let leases = |driven: &Driven| driven.shard.journal.segments.get(first).map(|segment| segment.leases);
        assert_eq!(leases(&driven), Some(1), "while it is read");
        let end = driven.shard.view(LOG).expect("is there").high_watermark;
        driven.until(|shard| shard.raise_log_start(LOG, end).ok());
        // Whatever completes first: it stays until the read is back, and goes then.
        driven.until(|shard| {
            let is_kept = shard.journal.segments.get(first).is_some();
            let is_read = !shard.take_finished_reads().is_empty();
            assert!(is_kept || is_read, "given away under the reader");
            is_read.then_some(())
        });
        driven.until(|shard| shard.journal.segments.get(first).is_none().then_some(()));
    }

    #[test]
    fn a_reader_learns_of_what_was_aborted_although_the_log_start_passes_it_meanwhile() {
        // Story: the log forgets what was aborted below its start, and the read that was on its way gave the records without saying so.
        let mut driven = Driven::with_log(0);
        let bytes = transactional(1, 20_000, (7, 0, 0), 5);
        driven.until(|shard| shard.append(LOG, &bytes).ok());
        let kind = MarkerKind::Abort;
        let marker = TransactionMarker { producer_id: 7, producer_epoch: 0, coordinator_epoch: 0, kind };
        driven.until(|shard| shard.append_marker(LOG, &marker).ok());
        driven.append();
        let first = driven.shard.journal.active_segment().expect("has data");
        while driven.shard.journal.active_segment() == Some(first) {
            driven.append();
        }
        // Its index is on disk, and after a read in memory too: the next one asks for its bytes alone.
        driven.settle();
        driven.first_from(Goal::Offset(Offset(0)));
        let Reads { extents, stats, .. } = &mut driven.shard.reads;
        extents.forget(first, stats);
        let (goal, isolation) = (Goal::Offset(Offset(0)), Isolation::Committed);
        let request = ReadRequest { log: LOG, goal, bytes_max: 1, first_whole: true, one_step: false, isolation };
        let ReadStart::Pending(_) = driven.shard.read(request).expect("in range") else { panic!("nothing is cached") };
        driven.shard.raise_log_start(LOG, Offset(3)).expect("there is room");
        let (_, read) = driven.until(|shard| shard.take_finished_reads().pop());
        let read = read.expect("it was planned before");
        let told: Vec<i64> = read.aborted.iter().map(|aborted| aborted.producer_id).collect();
        assert!(read.bytes > 0 && told == [7], "{read:?}");
    }

    #[test]
    fn a_read_in_a_hole_before_the_tail_goes_on_in_the_tail() {
        let mut driven = Driven::with_log(100_000);
        let (hole, behind) = with_a_hole(&mut driven);
        assert_eq!(driven.first_from(Goal::Offset(hole)), Some(behind.0));
    }
}
