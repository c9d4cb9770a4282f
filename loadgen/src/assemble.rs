//! Evidence becomes a result: rates over the window, merged histograms, the verdict, and how far to trust them.

mod agents;
mod calibration;
mod groups;
mod quality;
mod series;
mod transactions;
mod window;

use std::time::SystemTime;

use crate::evidence::Evidence;
use crate::host;
use crate::integrity::{AckLedger, Tally};
use crate::options::TargetOptions;
use crate::result::{
    Durability, Fsync, HostEnvironment, HostRole, Integrity, Kind, LoadgenBuild, Resources, RunResult, SCHEMA_VERSION,
    Summary, Target, Verdict, WriteCache, utc_timestamp,
};
use crate::workload::Isolation;
use window::Window;

/// The result of a run, however far it got.
pub fn result(evidence: &Evidence, args: &TargetOptions) -> RunResult {
    let workload = evidence.workload.describe();
    let ended = SystemTime::now();
    let window = Window::of(evidence);
    let summary = window.as_ref().map_or_else(Summary::default, |window| window.summary(evidence));
    let integrity = integrity(evidence);
    let calibration = calibration::calibration(evidence);
    let mut resources = window.as_ref().map_or_else(Resources::default, |window| window.resources(evidence, &summary));
    resources.agents.clone_from(&evidence.agents.resources);
    let stamp: String = utc_timestamp(evidence.started).chars().filter(char::is_ascii_alphanumeric).collect();
    let mut result = RunResult {
        schema_version: SCHEMA_VERSION,
        id: format!("{}-{:08x}", stamp.to_lowercase(), evidence.run),
        kind: Kind::Run,
        imported: None,
        label: None,
        suite: None,
        repeat: None,
        workload_id: workload.id(),
        series_key: String::new(),
        tags: Vec::new(),
        command: std::env::args().collect(),
        started_utc: utc_timestamp(evidence.started),
        ended_utc: utc_timestamp(ended),
        loadgen: LoadgenBuild::of_this_program(),
        workload,
        target: target(evidence, args),
        env: std::iter::once(host(evidence, args)).chain(evidence.agents.environments.iter().cloned()).collect(),
        quality: quality::quality(evidence, window.as_ref(), &summary, &resources, &calibration),
        histograms: window.as_ref().map(|window| window.encoded_histograms(evidence)).unwrap_or_default(),
        series: window.as_ref().map(|window| series::series(evidence, window)),
        calibration,
        summary,
        resources,
        integrity,
        faults: evidence.faults.clone(),
        rebalances: groups::told(evidence),
        slo: Vec::new(),
        error: evidence.error.as_ref().map(ToString::to_string),
    };
    result.set_series_key();
    result
}

fn target(evidence: &Evidence, args: &TargetOptions) -> Target {
    let topic = evidence.topic.as_ref();
    let product = match (&args.product, evidence.embedded) {
        (Some(product), _) => product.clone(),
        (None, true) => "posthaste".into(),
        (None, false) if topic.is_some_and(|topic| topic.versions.is_apache_kafka()) => "apache-kafka".into(),
        (None, false) => "kafka-compatible".into(),
    };
    let is_ours = product == "posthaste";
    let fsync = args.fsync.map_or(if is_ours { Fsync::Batch } else { Fsync::Unknown }, Fsync::from);
    Target {
        version: args.product_version.clone().or_else(|| evidence.embedded.then(|| env!("CARGO_PKG_VERSION").into())),
        product,
        bootstrap: evidence.bootstrap.clone().or_else(|| args.bootstrap.clone()).unwrap_or_default(),
        embedded: evidence.embedded,
        nodes: topic.map_or(0, |topic| topic.nodes),
        config: evidence.target_config.clone(),
        api_versions: topic.map(|topic| topic.versions.describe()).unwrap_or_default(),
        durability: Durability {
            acks: evidence.workload.acks,
            fsync,
            replication_factor: evidence.workload.replication_factor,
            cache: is_ours.then_some(WriteCache::Direct),
        },
    }
}

fn host(evidence: &Evidence, args: &TargetOptions) -> HostEnvironment {
    HostEnvironment {
        network: evidence.bootstrap.as_deref().and_then(host::network::towards),
        ..host::environment(role(evidence, args), evidence.data_directory.as_deref())
    }
}

fn role(evidence: &Evidence, args: &TargetOptions) -> HostRole {
    let host = args.bootstrap.as_deref().and_then(|address| address.rsplit_once(':')).map_or("", |(host, _)| host);
    let is_loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if evidence.embedded || args.broker_pid.is_some() || is_loopback || args.bootstrap.is_none() {
        HostRole::Colocated
    } else {
        HostRole::Loadgen
    }
}

/// Partition, producer, the first number and the one behind the last.
type Missing = (usize, (usize, (u64, u64)));

fn name_missing((partition, (producer, (start, end))): Missing) -> String {
    format!("the first that were not: partition {partition}, producer {producer}, records {start} to {}", end - 1)
}

fn integrity(evidence: &Evidence) -> Integrity {
    let verified = evidence.verified || evidence.reports.read_after_loss;
    let (mut tally, missing_first) = settle(evidence, verified);
    if let Some(earlier) = &evidence.earlier {
        tally.add(&earlier.tally);
    }
    let missing_earlier = evidence.earlier.as_ref().and_then(|earlier| earlier.missing_first.clone());
    let groups = &evidence.reports.groups;
    let lost_commits = groups.iter().map(|group| group.lost_commits).sum();
    let verdict = match (tally.passes() && lost_commits == 0, verified, evidence.error.is_some()) {
        // Without the producers' last word a record may look like nobody's.
        (false, _, false) | (false, true, true) => Verdict::Fail,
        (_, _, true) => Verdict::Incomplete,
        (true, true, false) => Verdict::Pass,
        (true, false, false) => Verdict::NotChecked,
    };
    let faults = [
        (tally.missing, "acknowledged records were never delivered"),
        (tally.duplicate, "deliveries repeat a record that had been delivered"),
        (tally.out_of_order, "records came behind a later one of the same producer and partition"),
        (tally.corrupt, "records or batches were not what was sent: wrong checksum or framing"),
        (tally.phantom, "records were delivered that nobody sent there"),
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
        unacked_seen: tally.unacked_seen,
        redelivered: groups.iter().map(|group| group.redelivered).sum(),
        aborted_seen: tally.aborted_seen,
        lost_commits,
        verdict,
        examples: faults
            .iter()
            .filter(|fault| fault.0 > 0)
            .map(|fault| format!("{} {}", fault.0, fault.1))
            .chain(missing_earlier)
            .chain(missing_first.map(name_missing))
            .collect(),
    }
}

/// What was sent held against what was read, and the first records that are missing.
fn settle(evidence: &Evidence, verified: bool) -> (Tally, Option<Missing>) {
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
            tally.settle(&ledgers, seen);
            let found = seen.filter(|_| missing_first.is_none()).and_then(|seen| Tally::first_missing(&ledgers, seen));
            missing_first = missing_first.or_else(|| Some((partition, found?)));
        }
    }
    if evidence.workload.survives_losses() && !evidence.workload.idempotent {
        // Who does not number the batches is not promised the order of what a lost connection left behind.
        tally.out_of_order -= tally.late_unacked;
    }
    if evidence.workload.isolation == Isolation::ReadUncommitted {
        // Who asks for every record gets those of aborted transactions too.
        tally.unacked_seen += std::mem::take(&mut tally.aborted_seen);
    }
    if !verified {
        // Nobody read up to the end, so what is not there was not missed.
        tally.missing = 0;
        missing_first = None;
    }
    (tally, missing_first)
}
