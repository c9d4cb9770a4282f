//! The account of a run: what producers say they sent and had acknowledged, held against what consumers read.

use crate::evidence::Evidence;
use crate::integrity::{AckLedger, Tally};
use crate::producer::AnsweredOffsets;
use crate::result::{Acks, Integrity, Verdict};
use crate::workload::{Isolation, Verify};

/// Partition, producer, the first number and the one behind the last.
type Missing = (usize, (usize, (u64, u64)));

fn name_missing((partition, (producer, (start, end))): Missing) -> String {
    format!("the first that were not: partition {partition}, producer {producer}, records {start} to {}", end - 1)
}

const NOT_JUDGED: &str =
    "records could not be judged: they lie behind more gaps of one producer and partition than are remembered";

/// Batches that cannot be where the broker said. Nothing is said of a run that checks nothing, nor of a broker that was harmed on purpose
/// at an acks level that lets it forget what it has acknowledged, and give those offsets to others.
fn wrong_offsets(evidence: &Evidence) -> u64 {
    let workload = &evidence.workload;
    if workload.verify == Verify::Off || (workload.survives_losses() && workload.acks != Acks::All) {
        return 0;
    }
    let partitions = evidence.topic.as_ref().map_or(0, |topic| topic.leaders.len());
    let of_partition = |partition: usize| {
        let told = evidence.reports.producers.values().filter_map(|report| report.offsets.get(partition).copied());
        AnsweredOffsets::wrong_of_partition(&told.collect::<Vec<_>>())
    };
    (0..partitions).map(of_partition).sum()
}

/// What producers and consumers know, settled, and in words the first records that are missing.
fn settled(evidence: &Evidence) -> (Tally, Option<String>) {
    let mut tally = Tally::default();
    let mut missing_first = None;
    let partitions = evidence.topic.as_ref().map_or(0, |topic| topic.leaders.len());
    let none = AckLedger::default();
    for partition in 0..partitions {
        let reports = &evidence.reports.producers;
        let producers = 0..evidence.workload.producers_in_all();
        let ledgers: Vec<&AckLedger> = producers
            .map(|producer| reports.get(&producer).and_then(|report| report.ledgers.get(partition)).unwrap_or(&none))
            .collect();
        let (produced, acked) = (tally.produced, tally.acked);
        for group in 0..evidence.workload.groups {
            // However many groups read them, they were written once.
            (tally.produced, tally.acked) = (produced, acked);
            let seen = evidence.reports.seen.get(&(group, partition as u32));
            let missing = tally.missing;
            tally.settle(&ledgers, seen);
            // Most runs miss nothing, and then nothing is searched.
            let is_first = missing_first.is_none() && tally.missing > missing;
            let found = seen.filter(|_| is_first).and_then(|seen| Tally::first_missing(&ledgers, seen));
            missing_first = missing_first.or_else(|| Some((partition, found?)));
        }
    }
    if evidence.workload.survives_losses() && !evidence.workload.idempotent {
        // Who does not number the batches is not promised the order of what a lost connection left behind.
        tally.out_of_order -= tally.late_unacked;
    }
    (tally, missing_first.map(name_missing))
}

/// What was sent held against what was read, and the verdict.
pub(super) fn integrity(evidence: &Evidence) -> Integrity {
    let (mut tally, mut missing_first) = settled(evidence);
    let verified = evidence.verified || evidence.reports.read_after_loss;
    if evidence.workload.isolation == Isolation::ReadUncommitted {
        // Who asks for every record gets those of aborted transactions too.
        tally.unacked_seen += std::mem::take(&mut tally.aborted_seen);
    }
    if !verified {
        // Nobody read up to the end, so what is not there was not missed.
        tally.missing = 0;
        missing_first = None;
    }
    if let Some(earlier) = &evidence.earlier {
        tally.add(&earlier.tally);
    }
    let missing_earlier = evidence.earlier.as_ref().and_then(|earlier| earlier.missing_first.clone());
    let wrong_offsets = wrong_offsets(evidence);
    let groups = &evidence.reports.groups;
    let lost_commits = groups.iter().map(|group| group.lost_commits).sum();
    let verdict = match (tally.passes() && wrong_offsets + lost_commits == 0, verified, evidence.error.is_some()) {
        // Without the producers' last word a record may look like nobody's.
        (false, _, false) | (false, true, true) => Verdict::Fail,
        (_, _, true) => Verdict::Incomplete,
        (true, true, false) if tally.unjudged > 0 => Verdict::Incomplete,
        (true, true, false) => Verdict::Pass,
        (true, false, false) => Verdict::NotChecked,
    };
    let faults = [
        (tally.missing, "acknowledged records were never delivered"),
        (tally.duplicate, "deliveries repeat a record that had been delivered"),
        (tally.out_of_order, "records came behind a later one of the same producer and partition"),
        (tally.corrupt, "records or batches were not what was sent: wrong checksum or framing"),
        (tally.phantom, "records were delivered that nobody sent there"),
        (wrong_offsets, "batches were acknowledged with wrong offsets: earlier ones of their partition have them"),
        (tally.aborted_seen, "records were delivered although their transaction was aborted"),
        (lost_commits, "positions were given out although a later one had been committed"),
    ];
    Integrity {
        mode: evidence.workload.describe().integrity,
        produced: tally.produced,
        acked: tally.acked,
        consumed: tally.consumed,
        missing: tally.missing,
        duplicate: tally.duplicate,
        out_of_order: tally.out_of_order,
        corrupt: tally.corrupt,
        phantom: tally.phantom,
        wrong_offsets,
        unacked_seen: tally.unacked_seen,
        redelivered: groups.iter().map(|group| group.redelivered).sum(),
        aborted_seen: tally.aborted_seen,
        lost_commits,
        verdict,
        examples: faults
            .iter()
            .filter(|fault| fault.0 > 0)
            .map(|fault| format!("{} {}", fault.0, fault.1))
            .chain((tally.unjudged > 0).then(|| format!("{} {NOT_JUDGED}", tally.unjudged)))
            .chain(missing_earlier)
            .chain(missing_first)
            .collect(),
    }
}
