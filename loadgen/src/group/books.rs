//! What the members of a group share in this process: how far each partition was read and committed, and how its rebalances went.
//!
//! Members work in several threads. A partition's book is locked for each answer that has records of it, never for a record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hdrhistogram::Histogram;

use super::report::{GroupReport, RebalanceSpan};
use crate::integrity::PartitionSeen;
use crate::recorder::Histograms;
use crate::timeline::Timeline;

/// Rebalances that are told one by one; a run of a day with one each half minute has fewer.
const REBALANCES_TOLD_MAX: usize = 3_000;

/// One partition, read by whoever reads it.
#[derive(Debug)]
pub struct PartitionBook {
    records: Mutex<ReadRecords>,
    start_offset: i64,
    read_to: AtomicI64,
    committed_to: AtomicI64,
}

/// The records that were read of a partition.
#[derive(Debug)]
pub struct ReadRecords {
    /// The account of them.
    pub seen: PartitionSeen,
    /// What lies below was read before.
    pub read_to: i64,
    /// Records that were read again.
    pub redelivered: u64,
}

impl PartitionBook {
    /// Nothing was read yet, and reading begins at `start_offset`.
    pub fn new(seen: PartitionSeen, start_offset: i64) -> Arc<Self> {
        let records = Mutex::new(ReadRecords { seen, read_to: start_offset, redelivered: 0 });
        Arc::new(Self { records, start_offset, read_to: start_offset.into(), committed_to: start_offset.into() })
    }

    /// Where reading begins when nothing is committed.
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// For the records of one answer.
    pub fn open(&self) -> MutexGuard<'_, ReadRecords> {
        // An account that a dying thread left is still the best there is.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything below was read.
    pub fn note_read_to(&self, records: &mut ReadRecords, offset: i64) {
        records.read_to = records.read_to.max(offset);
        self.read_to.fetch_max(offset, Ordering::Release);
    }
}

/// A group of consumers.
#[derive(Debug)]
pub struct Group {
    number: u32,
    id: String,
    members: AtomicU32,
    partitions: Vec<Arc<PartitionBook>>,
    timeline: OnceLock<Timeline>,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    rebalances: BTreeMap<i32, RebalanceSpan>,
    rebalances_untold: u64,
    /// Since the last rebalance.
    causes: Vec<(u64, &'static str)>,
    commits: Histogram<u64>,
    refused_commits: BTreeMap<i16, u64>,
    lost_commits: u64,
}

impl Group {
    /// A group without members, by its number among those of the run and its name at the broker.
    pub fn new(number: u32, id: String, partitions: Vec<Arc<PartitionBook>>) -> Arc<Self> {
        let log = Log {
            rebalances: BTreeMap::new(),
            rebalances_untold: 0,
            causes: Vec::new(),
            commits: Histograms::empty().response,
            refused_commits: BTreeMap::new(),
            lost_commits: 0,
        };
        let (members, timeline) = (AtomicU32::new(0), OnceLock::new());
        Arc::new(Self { number, id, members, partitions, timeline, log: Mutex::new(log) })
    }

    /// Its name at the broker.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One more member, and its place.
    pub fn enlist(&self) -> u32 {
        self.members.fetch_add(1, Ordering::Relaxed)
    }

    /// Members, whether they are away or not.
    pub fn members(&self) -> u32 {
        self.members.load(Ordering::Relaxed)
    }

    /// The book of a partition that is there.
    pub fn book(&self, partition: u32) -> &Arc<PartitionBook> {
        &self.partitions[partition as usize]
    }

    /// Partitions of the topic.
    pub fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// The phases begin.
    pub fn begin(&self, timeline: Timeline) {
        // A group has one phase.
        let _ = self.timeline.set(timeline);
    }

    /// The phases, once they are known.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.get()
    }

    /// Whether everything below `targets` was read, by whomever.
    pub fn has_reached(&self, targets: &[i64]) -> bool {
        self.partitions.iter().zip(targets).all(|(book, &target)| book.read_to.load(Ordering::Acquire) >= target)
    }

    /// Whether all members are in the newest generation.
    pub fn is_whole(&self) -> bool {
        let members = self.members();
        self.log().rebalances.last_key_value().is_some_and(|(_, newest)| newest.members >= members)
    }

    /// Something that lets the group rebalance.
    pub fn note_cause(&self, now_ns: u64, cause: &'static str) {
        let mut log = self.log();
        // Nobody reads a longer list, and a group that never comes to rest must not fill the memory.
        if log.causes.len() < 100 {
            log.causes.push((now_ns, cause));
        }
    }

    /// A member knows its partitions of `generation`; since `since_ns` it was without.
    pub fn note_assigned(&self, generation: i32, since_ns: u64, now_ns: u64) {
        let mut log = self.log();
        let causes =
            if log.rebalances.contains_key(&generation) { Vec::new() } else { std::mem::take(&mut log.causes) };
        if log.rebalances.len() >= REBALANCES_TOLD_MAX && !log.rebalances.contains_key(&generation) {
            // The newest one stays, to know when the group is whole.
            log.rebalances.pop_last();
            log.rebalances_untold += 1;
        }
        let fresh = RebalanceSpan { generation, began_ns: since_ns, ended_ns: now_ns, members: 0, causes };
        let span = log.rebalances.entry(generation).or_insert(fresh);
        span.began_ns = span.began_ns.min(since_ns);
        span.ended_ns = span.ended_ns.max(now_ns);
        span.members += 1;
    }

    /// A commit was answered.
    pub fn note_commit(&self, sent_ns: u64, now_ns: u64, code: i16) {
        let mut log = self.log();
        if code != 0 {
            *log.refused_commits.entry(code).or_default() += 1;
        } else if self.timeline.get().is_some_and(|timeline| timeline.measures(sent_ns)) {
            log.commits.saturating_record(now_ns.saturating_sub(sent_ns));
        }
    }

    /// A position that the broker has promised to keep.
    pub fn note_committed(&self, partition: u32, offset: i64) {
        self.book(partition).committed_to.fetch_max(offset, Ordering::AcqRel);
    }

    /// How far the broker has promised to know the group.
    pub fn committed_to(&self, partition: u32) -> i64 {
        self.book(partition).committed_to.load(Ordering::Acquire)
    }

    /// The broker gave out a position from before a commit that it had answered.
    pub fn note_lost_commit(&self) {
        self.log().lost_commits += 1;
    }

    /// What was read, by group and partition.
    pub fn seen(&self) -> impl Iterator<Item = ((u32, u32), PartitionSeen)> {
        (0..).zip(&self.partitions).map(|(partition, book)| ((self.number, partition), book.open().seen.clone()))
    }

    /// What is known at the end.
    pub fn report(&self) -> GroupReport {
        let log = self.log();
        GroupReport {
            group: self.number,
            rebalances: log.rebalances.values().cloned().collect(),
            rebalances_untold: log.rebalances_untold,
            redelivered: self.partitions.iter().map(|book| book.open().redelivered).sum(),
            commits: log.commits.clone(),
            refused_commits: log.refused_commits.clone(),
            lost_commits: log.lost_commits,
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
