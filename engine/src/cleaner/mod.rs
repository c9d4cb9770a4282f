//! CONTRACT: gives space back without ever losing a live record, and never on the way of an append.
//!
//! A job copies what is alive in a few neighbouring old segments into a *clustered segment* beside the journal, log by log. When that is
//! durable, one small entry of the journal puts it in their place; when the entry is durable, their files are given back. A crash at
//! any point leaves either the victims or the whole output alive ([`crate::recovery`] tells which). [`choose`] bounds what all this costs.

pub(crate) mod aborted;
mod budget;
pub(crate) mod choose;
pub mod codec;
pub(crate) mod compaction;
pub(crate) mod job;
pub(crate) mod output;
pub(crate) mod plan;
pub mod stats;
mod survey;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use self::aborted::AbortedTransactions;
use self::budget::Budget;
use self::codec::RecordCodec;
use self::compaction::KeyMap;
use self::job::{Job, Made};
use self::stats::CleanerStats;
pub(crate) use self::survey::Survey;
use crate::journal::live_segments::{Replacement, SegmentName};
use crate::memory::ShardMemory;
use crate::offset::{CommitSequence, LogId, Offset, SegmentSequence};

/// A swap under way.
pub(crate) struct Swap {
    pub replacement: Replacement,
    /// None when everything in the victims died.
    pub made: Option<Made>,
    /// The commit of the replacement entry, once it is pushed.
    pub commit: Option<CommitSequence>,
}

/// A pass of compaction under way, between its jobs.
pub(crate) struct Pass {
    pub bounds: compaction::PassBounds,
    pub map: Option<KeyMap>,
    pub aborted: Rc<AbortedTransactions>,
    /// Segments whose keys are still to be noted, then those that are to be rewritten.
    pub to_map: Vec<SegmentSequence>,
    pub to_rewrite: Vec<SegmentSequence>,
    /// Where the first segment begins that is not worth a rewrite.
    pub skipped_from: Option<Offset>,
}

/// The cleaner of a shard: at most one job, then its swap.
pub(crate) struct Cleaner {
    pub codec: Option<RecordCodec>,
    pub job: Option<Job>,
    pub swap: Option<Swap>,
    pub pass: Option<Pass>,
    pub survey: Option<Survey>,
    pub budget: Budget,
    pub stats: CleanerStats,
    /// The generation that the next output gets.
    pub next_generation: u32,
    /// Segments that are damaged or do not fit: said once, then left alone.
    pub left_alone: BTreeSet<SegmentName>,
    /// Segments of the journal whose batches lie well as they are.
    pub clustered: BTreeSet<SegmentName>,
    /// How far each compacted log was looked at, so that it is not again before there is more.
    pub attempted_upto: BTreeMap<LogId, Offset>,
    /// When to look for work.
    pub look_at_ns: u64,
}

impl Cleaner {
    /// Nothing under way; `last_generation` is the highest that was ever given.
    pub fn new(now_ns: u64, last_generation: u32, memory: &ShardMemory) -> Cleaner {
        Cleaner {
            codec: None,
            job: None,
            swap: None,
            pass: None,
            survey: None,
            budget: Budget::new(now_ns, memory.cleaner_gather_bytes),
            stats: CleanerStats::default(),
            next_generation: last_generation + 1,
            left_alone: BTreeSet::new(),
            clustered: BTreeSet::new(),
            attempted_upto: BTreeMap::new(),
            look_at_ns: now_ns,
        }
    }

    /// The replacement that the journal already holds and memory does not yet.
    pub fn pending(&self) -> Option<&Replacement> {
        self.swap.as_ref().filter(|swap| swap.commit.is_some()).map(|swap| &swap.replacement)
    }

    /// When there is something to do although nothing completes.
    pub fn deadline_ns(&self) -> Option<u64> {
        match (&self.job, &self.swap) {
            (_, Some(_)) => None,
            (Some(job), None) if job.in_flight() > 0 => None,
            (Some(_), None) => Some(self.budget.ready_at_ns()),
            (None, None) => Some(self.look_at_ns),
        }
    }
}
