//! The cleaner at work in a shard: what it may take, how its output gets into the victims' place, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::state::{Refusal, Shard};
use crate::cleaner::choose::{Candidate, choose};
use crate::cleaner::codec::RecordCodec;
use crate::cleaner::compaction::Sieve;
use crate::cleaner::job::{Ended, Goal, Job, Made};
use crate::cleaner::output::Output;
use crate::cleaner::plan::Victim;
use crate::cleaner::stats::CleanerStats;
use crate::cleaner::{Survey, Swap};
use crate::io::{Io, Op, Outcome};
use crate::journal::commit::EntryKind;
use crate::journal::disk_space::{DiskLevel, RoomFor};
use crate::journal::live_segments::{Replacement, SegmentName};
use crate::journal::operations::{CleanStep, Purpose};
use crate::journal::segment::{clustered_chain, clustered_name, index_name};
use crate::journal::segment_set::Segment;
use crate::journal::writer::{JournalFailure, plain_entry};
use crate::limits::{CLEANER_LOOK_MS, CLEANER_RETRY_MS, CLEANER_VICTIMS_MAX};
use crate::offset::{LogId, SegmentSequence};
use crate::partition::log_state::{LogSpan, span_of};

const NS_PER_MS: u64 = 1_000_000;

impl<I: Io> Shard<I> {
    /// What the cleaner did since the start.
    pub fn cleaner_stats(&self) -> CleanerStats {
        self.cleaner.stats
    }

    /// Segments of the shard, the active one included.
    pub fn segment_count(&self) -> usize {
        self.journal.segments.len()
    }

    /// Lets compacted logs be compacted; without it they only grow.
    pub fn set_record_codec(&mut self, codec: RecordCodec) {
        self.cleaner.codec = Some(codec);
    }

    /// The replacement that the journal holds already: a checkpoint must list the segments as it leaves them.
    pub(super) fn pending_replacement(&self) -> Option<&Replacement> {
        self.cleaner.pending()
    }

    /// A durable swap waits for the reads under way on its victims: no other may begin there.
    pub(super) fn is_being_swapped(&self, segment: SegmentSequence) -> bool {
        let durable = self.journal.ends().durable;
        self.cleaner.swap.as_ref().is_some_and(|swap| {
            swap.commit.is_some_and(|commit| commit <= durable)
                && swap.replacement.victims.iter().any(|victim| victim.sequence == segment)
        })
    }

    /// A little cleaning, as far as the budget goes. Nothing waits for it.
    pub(super) fn clean(&mut self) {
        let now_ns = self.operations.io.monotonic_ns();
        // Not only while one waits: a trickle waits most of the time for nothing, and yet each of them would wait behind what is done here.
        self.disk_use.appends.note(self.appended.batches, now_ns);
        self.disk_use.reads.note(self.reads.stats.disk_reads, now_ns);
        let is_used = self.disk_use.appends.is_recent(now_ns) || self.disk_use.reads.is_recent(now_ns);
        let is_slow = is_used && self.disk_level() == DiskLevel::Roomy;
        self.cleaner.budget.fill(now_ns, is_slow);
        if self.cleaner.swap.is_some() {
            self.go_on_with_swap();
        } else if self.cleaner.job.is_some() {
            self.go_on_with_job(now_ns);
        } else if now_ns >= self.cleaner.look_at_ns {
            self.look_for_work(now_ns);
        }
    }

    /// An operation of the job ended.
    pub(super) fn cleaning_completed(
        &mut self,
        step: CleanStep,
        result: std::io::Result<Outcome>,
    ) -> Result<(), JournalFailure> {
        let job = self.cleaner.job.as_mut().expect("a job stays until its operations are back");
        job.completed(&mut self.operations, &self.journal.segments, step, result, &mut self.cleaner.stats)
    }

    fn look_for_work(&mut self, now_ns: u64) {
        let now_ms = self.operations.io.wall_clock_ms();
        if self.disk_level() != DiskLevel::Roomy {
            // What is too old or too much goes now and not at the next check of the owner.
            self.check_retention();
        }
        let cleanable: BTreeSet<SegmentSequence> = self
            .journal
            .segments
            .cleanable()
            .filter(|(_, segment)| segment.has_index_file())
            .map(|(sequence, _)| sequence)
            .collect();
        let survey = self.cleaner.survey.get_or_insert_with(Survey::default);
        if !survey.step(&self.partitions, &cleanable, &self.cleaner.attempted_upto, now_ms) {
            return;
        }
        let Some(survey) = self.cleaner.survey.take() else {
            return;
        };
        let began = self.begin_drop() || self.begin_compaction(&survey, now_ms) || self.begin_copy(&survey);
        if !began {
            self.cleaner.look_at_ns = now_ns + CLEANER_LOOK_MS * NS_PER_MS;
        }
    }

    /// Clustered segments without anything alive: the journal says that they are gone, then they go.
    fn begin_drop(&mut self) -> bool {
        let is_dead = |segment: &Segment| segment.generation > 0 && segment.live_logs == 0 && segment.leases == 0;
        let dead = self.journal.segments.cleanable().filter(|(_, segment)| is_dead(segment));
        let victims: Vec<SegmentName> = dead
            .map(|(sequence, segment)| SegmentName { sequence, generation: segment.generation })
            .take(CLEANER_VICTIMS_MAX)
            .collect();
        if victims.is_empty() {
            return false;
        }
        self.lease(&victims, 1);
        self.cleaner.swap = Some(Swap { replacement: Replacement { victims, output: None }, made: None, commit: None });
        true
    }

    fn begin_copy(&mut self, survey: &Survey) -> bool {
        let candidates: Vec<Candidate> = self
            .journal
            .segments
            .cleanable()
            .map(|(sequence, segment)| {
                let name = SegmentName { sequence, generation: segment.generation };
                Candidate {
                    name,
                    used_bytes: segment.end_place.map_or(segment.file_bytes, u64::from),
                    live_bytes: survey.live_bytes.get(&sequence).copied().unwrap_or(0),
                    live_logs: segment.live_logs,
                    is_barred: !segment.has_index_file() || self.cleaner.left_alone.contains(&name),
                    is_clustered: self.cleaner.clustered.contains(&name),
                }
            })
            .collect();
        let is_roomy = self.disk_level() == DiskLevel::Roomy;
        let Some((goal, chosen)) = choose(&candidates, self.journal.segment_bytes(), is_roomy) else {
            return false;
        };
        let victims: Vec<_> = candidates[chosen].iter().map(|candidate| candidate.name).collect();
        self.begin_job(goal, &victims, None);
        true
    }

    /// Starts a job on segments that are known and have their index.
    pub(super) fn begin_job(&mut self, goal: Goal, names: &[SegmentName], sieve: Option<Sieve>) {
        self.lease(names, 1);
        let victim = |name: &SegmentName| {
            let segment = self.journal.segments.get(name.sequence).expect("a victim is known");
            Victim { name: *name, slot: segment.slot, file: segment.file }
        };
        let victims: Vec<Victim> = names.iter().map(victim).collect();
        let newest = names.last().expect("a job has a victim");
        let output = SegmentName { sequence: newest.sequence, generation: self.cleaner.next_generation };
        self.cleaner.next_generation += 1;
        let identity = self.journal.identity();
        let slot = self.journal.segments.take_slot();
        self.cleaner.job = Some(Job::new(goal, victims, identity, Output::new(identity, output), slot, sieve));
    }

    /// The cleaner needs these files, or does no longer.
    fn lease(&mut self, names: &[SegmentName], by: isize) {
        for name in names {
            let segment = self.journal.segments.get_mut(name.sequence).expect("a leased segment stays");
            segment.leases = segment.leases.checked_add_signed(by).expect("leases are given back once");
        }
    }

    fn go_on_with_job(&mut self, now_ns: u64) {
        let partitions = &self.partitions;
        let start_of = |log: LogId| partitions.get(&log).map(|partition| partition.state.start);
        let cleaner = &mut self.cleaner;
        let Some(job) = &mut cleaner.job else {
            return;
        };
        job.step(&mut self.operations, &self.journal.segments, &start_of, &mut cleaner.budget, &mut cleaner.stats);
        if let Some(ended) = job.take_ended() {
            self.end_job(ended, now_ns);
        }
    }

    fn end_job(&mut self, ended: Ended, now_ns: u64) {
        let job = self.cleaner.job.take().expect("it just ended");
        let victims: Vec<SegmentName> = job.victims.iter().map(|victim| victim.name).collect();
        self.cleaner.look_at_ns = now_ns;
        if let Ended::Made(made) = ended {
            let output = Some(job.output_name());
            self.keep_map(job);
            self.cleaner.swap =
                Some(Swap { replacement: Replacement { victims, output }, made: Some(made), commit: None });
            return;
        }
        self.lease(&victims, -1);
        self.remove_output(job.file());
        if !matches!(ended, Ended::Looked) && self.cleaner.pass.take().is_some() {
            tracing::warn!(shard = self.id.0, "a pass of compaction ends early");
        }
        match ended {
            Ended::LeaveAlone(victim, reason) => {
                let name = victims[victim];
                self.cleaner.stats.failures += 1;
                tracing::error!(shard = self.id.0, segment = %name, reason, "a segment is left as it is, the cleaner cannot copy it");
                self.cleaner.left_alone.insert(name);
            }
            Ended::Later(reason) => {
                self.cleaner.stats.failures += 1;
                self.cleaner.look_at_ns = now_ns + CLEANER_RETRY_MS * NS_PER_MS;
                tracing::warn!(shard = self.id.0, reason, "the cleaner could not write its copy, it tries again later");
            }
            Ended::Looked if job.goal == Goal::Cluster => self.cleaner.clustered.extend(victims),
            Ended::Looked | Ended::Made(_) => {}
        }
        self.keep_map(job);
    }

    fn remove_output(&mut self, (slot, file): (u32, Option<crate::io::FileId>)) {
        if let Some(file) = file {
            self.operations.io.close(file);
            for name in [index_name(slot), clustered_name(slot)] {
                let path = self.journal.segments.path(&name);
                self.operations.submit(Purpose::Remove, Op::RemoveFile { path });
            }
        }
    }

    fn go_on_with_swap(&mut self) {
        let durable = self.journal.ends().durable;
        let Some(swap) = &self.cleaner.swap else {
            return;
        };
        match swap.commit {
            None => self.push_replacement(),
            Some(commit) if commit <= durable && self.victims_are_free() => self.apply_swap(),
            Some(_) => {}
        }
    }

    fn victims_are_free(&self) -> bool {
        let victims = self.cleaner.swap.iter().flat_map(|swap| &swap.replacement.victims);
        // The one lease is the cleaner's.
        victims
            .map(|victim| self.journal.segments.get(victim.sequence))
            .all(|segment| segment.is_some_and(|segment| segment.leases == 1))
    }

    fn push_replacement(&mut self) {
        let Some(mut swap) = self.cleaner.swap.take() else {
            return;
        };
        let segments = &self.journal.segments;
        let live = swap.replacement.victims.iter().filter_map(|victim| segments.get(victim.sequence));
        if live.map(|segment| segment.live_logs).sum::<usize>() == 0 {
            // Everything died meanwhile.
            swap.replacement.output = None;
            if let Some(Made { slot, file, .. }) = swap.made.take() {
                self.remove_output((slot, Some(file)));
            }
        }
        let payload = swap.replacement.encode();
        let entry = plain_entry(EntryKind::Replacement, LogId(0));
        match self.push_control(RoomFor::Space, entry, &payload) {
            Ok((commit, _)) => swap.commit = Some(commit),
            Err(Refusal::Wait | Refusal::Error(_)) => {}
        }
        self.cleaner.swap = Some(swap);
    }

    /// The replacement is durable and nobody reads the victims: from here on the output is what is read.
    fn apply_swap(&mut self) {
        let Some(Swap { replacement, made, .. }) = self.cleaner.swap.take() else {
            return;
        };
        let mut live_logs = 0;
        let spans: BTreeMap<LogId, LogSpan> = match (&made, replacement.output) {
            (Some(made), Some(output)) => {
                made.index.summaries().iter().map(|summary| (summary.log, span_of(output.sequence, summary))).collect()
            }
            _ => BTreeMap::new(),
        };
        let held: usize = self.live_logs(&replacement.victims);
        let mut moved = 0;
        for (log, span) in &spans {
            let kept = self.partitions.get_mut(log).map(|partition| &mut partition.state.spans);
            let dead = self.dead.iter_mut().filter(|dead| dead.log == *log).map(|dead| &mut dead.spans);
            for spans in kept.into_iter().chain(dead) {
                let count = replace_spans(spans, &replacement.victims, *span);
                moved += count;
                live_logs += usize::from(count > 0);
            }
        }
        assert_eq!(moved, held, "every span of a victim has moved to the output");
        let freed: u64 = replacement
            .victims
            .iter()
            .filter_map(|name| self.journal.segments.get(name.sequence))
            .map(|segment| segment.file_bytes)
            .sum();
        self.cleaner.stats.bytes_freed += freed;
        self.cleaner.stats.swaps += 1;
        self.lease(&replacement.victims, -1);
        for victim in &replacement.victims {
            self.forget_segment(victim.sequence);
            self.cleaner.clustered.remove(victim);
        }
        let output = made.zip(replacement.output).map(|(made, name)| {
            let chain = Some(clustered_chain(name.generation));
            let mut segment = Segment::sealed(name, made.slot, (made.file, made.file_bytes), chain);
            (segment.end_place, segment.live_logs) = (Some(made.index.end_place), live_logs);
            segment
        });
        self.journal.segments.swap(&mut self.operations, &replacement, output);
    }

    fn live_logs(&self, names: &[SegmentName]) -> usize {
        names.iter().filter_map(|name| self.journal.segments.get(name.sequence)).map(|segment| segment.live_logs).sum()
    }
}

/// Puts one span in the place of those that name a victim; gives how many they were.
fn replace_spans(spans: &mut VecDeque<LogSpan>, victims: &[SegmentName], new: LogSpan) -> usize {
    let is_victim = |span: &LogSpan| victims.iter().any(|victim| victim.sequence == span.segment);
    let Some(first) = spans.iter().position(is_victim) else {
        return 0;
    };
    let count = spans.range(first..).take_while(|span| is_victim(span)).count();
    spans.drain(first..first + count);
    spans.insert(first, new);
    count
}

#[cfg(test)]
mod tests {
    use crate::journal::reader::Goal;
    use crate::limits::{CLEANER_BUSY_BYTES_PER_SECOND, CLEANER_BYTES_PER_SECOND};
    use crate::offset::Offset;
    use crate::shard::driven::Driven;

    #[test]
    fn the_cleaner_goes_easy_while_others_use_the_disk() {
        let mut driven = Driven::with_log(0);
        driven.settle();
        driven.append();
        let rate = |driven: &Driven| driven.shard.cleaner.budget.rate;
        assert_eq!(rate(&driven), CLEANER_BUSY_BYTES_PER_SECOND, "beside an append");
        driven.settle();
        assert_eq!(rate(&driven), CLEANER_BYTES_PER_SECOND);
        assert_eq!(driven.first_from(Goal::Offset(Offset(0))), Some(0));
        assert_eq!(rate(&driven), CLEANER_BUSY_BYTES_PER_SECOND, "beside a read");
        driven.settle();
        assert_eq!(rate(&driven), CLEANER_BYTES_PER_SECOND);
    }
}
