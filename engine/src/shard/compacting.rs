//! Passes of compaction: first the keys of the dirty section are noted, then each segment that holds the log is written without what they supersede.

use std::rc::Rc;

use super::state::Shard;
use crate::cleaner::aborted::AbortedTransactions;
use crate::cleaner::compaction::{KeyMap, PassBounds, Sieve};
use crate::cleaner::job::{Goal, Job};
use crate::cleaner::{Pass, Survey};
use crate::io::Io;
use crate::journal::commit::{Entry, EntryKind};
use crate::journal::disk_space::RoomFor;
use crate::journal::live_segments::SegmentName;
use crate::journal::writer::plain_entry;
use crate::offset::SegmentSequence;

/// A segment is rewritten for a log that is at least this part of what is alive in it, or has waited for too long: else a small compacted
/// log would have everything beside it copied again and again.
const WORTH_PART_MIN: u64 = 4;

impl<I: Io> Shard<I> {
    /// Goes on with the pass under way, or starts one. True if there is something to do.
    pub(super) fn begin_compaction(&mut self, survey: &Survey, now_ms: i64) -> bool {
        let Some(codec) = self.cleaner.codec else {
            return false;
        };
        if self.cleaner.pass.is_none() {
            let Some(dirty) = survey.dirty.first() else {
                return false;
            };
            let Some(partition) = self.partitions.get(&dirty.log) else {
                return false;
            };
            let (state, config) = (&partition.state, &partition.config);
            let is_worth = |segment: &SegmentSequence| {
                let span = state.spans.iter().find(|span| span.segment == *segment);
                let live_bytes = survey.live_bytes.get(segment).copied().unwrap_or(0);
                dirty.is_overdue || span.is_some_and(|span| span.bytes * WORTH_PART_MIN >= live_bytes)
            };
            let skipped = dirty.segments.iter().find(|segment| !is_worth(segment));
            let skipped = skipped.and_then(|segment| state.spans.iter().find(|span| span.segment == *segment));
            let lag_ms = config.min_compaction_lag_ms;
            let bounds = PassBounds {
                log: dirty.log,
                from: state.cleaned_upto,
                upto: dirty.upto,
                now_ms,
                youngest_ms: if lag_ms > 0 { now_ms.saturating_sub(lag_ms) } else { i64::MAX },
                delete_retention_ms: config.delete_retention_ms,
                drops_tombstones: skipped.is_none(),
            };
            let seeds = [self.operations.io.random_u64(), self.operations.io.random_u64()];
            self.cleaner.pass = Some(Pass {
                bounds,
                aborted: Rc::new(AbortedTransactions::new(state.transactions.aborted())),
                map: Some(KeyMap::new(seeds, self.memory.cleaner_keys())),
                to_map: dirty.segments[dirty.segments.len() - dirty.uncleaned..].iter().rev().copied().collect(),
                to_rewrite: dirty.segments.iter().filter(|segment| is_worth(segment)).rev().copied().collect(),
                skipped_from: skipped.map(|span| span.first_offset),
            });
            self.cleaner.attempted_upto.insert(dirty.log, dirty.upto);
        }
        let Some(pass) = &mut self.cleaner.pass else {
            return false;
        };
        let (goal, next) = match pass.to_map.pop() {
            Some(next) => (Goal::Map, Some(next)),
            None => (Goal::Compact, pass.to_rewrite.pop()),
        };
        let Some(next) = next else {
            return self.end_pass();
        };
        let is_held = self
            .partitions
            .get(&pass.bounds.log)
            .is_some_and(|partition| partition.state.spans.iter().any(|span| span.segment == next));
        let known = self.journal.segments.get(next).filter(|segment| is_held && segment.has_index_file());
        let name = known.map(|segment| SegmentName { sequence: next, generation: segment.generation });
        let name = name.filter(|name| !self.cleaner.left_alone.contains(name));
        let Some((name, map)) = name.and_then(|name| Some((name, pass.map.take()?))) else {
            // It died, or cannot be copied: what lies in it is not clean.
            pass.bounds.drops_tombstones = false;
            pass.skipped_from = Some(pass.bounds.from);
            return true;
        };
        let sieve = Sieve::new(codec, pass.bounds, map, Rc::clone(&pass.aborted));
        self.begin_job(goal, &[name], Some(sieve));
        true
    }

    /// Takes the notes back from a job that ended.
    pub(super) fn keep_map(&mut self, job: Job) {
        if let (Some(sieve), Some(pass)) = (job.sieve, &mut self.cleaner.pass) {
            pass.bounds = sieve.bounds();
            pass.map = Some(sieve.into_map());
        }
    }

    /// The log is clean up to where the notes went, or to the first segment that was not worth a rewrite. False if the journal has no room.
    fn end_pass(&mut self) -> bool {
        let Some(pass) = &self.cleaner.pass else {
            return false;
        };
        let log = pass.bounds.log;
        let cleaned_upto = pass.skipped_from.map_or(pass.bounds.upto, |from| from.min(pass.bounds.upto));
        if self.partitions.contains_key(&log) {
            let entry = Entry { base_offset: cleaned_upto, ..plain_entry(EntryKind::Cleaned, log) };
            if self.push_control(RoomFor::State, entry, &[]).is_err() {
                // No room now: the next look tries again.
                return false;
            }
            if let Some(partition) = self.partitions.get_mut(&log) {
                partition.state.cleaned_upto = cleaned_upto;
            }
        }
        self.cleaner.pass = None;
        self.cleaner.stats.passes += 1;
        true
    }
}
