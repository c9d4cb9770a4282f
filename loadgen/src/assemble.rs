//! Evidence becomes a result: rates over the window, merged histograms, the verdict, and how far to trust them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::error::error_name;
use crate::host;
use crate::integrity::{AckLedger, Tally};
use crate::recorder::{Collector, Counts, Histograms, Row, Timeline};
use crate::result::{
    Acks, BatchShape, Durability, Fsync, HostRole, Integrity, Kind, Latency, LoadgenBuild, Quality, Rate, Resources,
    RunResult, SCHEMA_VERSION, Series, StreamLatency, StreamSummary, Summary, Target, Verdict, WriteCache,
    encode_histogram, histogram_name, utc_timestamp,
};
use crate::run::Evidence;
use crate::usage::Usage;
use crate::workload::{Mode, RunArgs, Verify};

/// Less than this share of the offered load is a queue that grows.
const SATURATED_BELOW: f64 = 0.99;

/// A thread that works more than this share of the time may be what limits the run.
const BUSY_SHARE_MAX: f64 = 0.8;

/// First and last third may differ by this much.
const STEADY_RATE_SHARE: f64 = 0.05;
const STEADY_P99_SHARE: f64 = 0.20;

/// Three thirds of at least three seconds.
const STEADY_ROWS_MIN: usize = 9;

/// The result of a run, however far it got.
pub fn result(evidence: &Evidence, args: &RunArgs) -> RunResult {
    let workload = evidence.workload.describe();
    let ended = SystemTime::now();
    let window = Window::of(evidence);
    let summary = window.as_ref().map_or_else(Summary::default, |window| window.summary(evidence));
    let integrity = integrity(evidence);
    let resources = window.as_ref().map_or_else(Resources::default, |window| window.resources(evidence, &summary));
    let stamp: String = utc_timestamp(evidence.started).chars().filter(char::is_ascii_alphanumeric).collect();
    RunResult {
        schema_version: SCHEMA_VERSION,
        id: format!("{}-{:08x}", stamp.to_lowercase(), evidence.run),
        kind: Kind::Run,
        workload_id: workload.id(),
        tags: Vec::new(),
        command: std::env::args().collect(),
        started_utc: utc_timestamp(evidence.started),
        ended_utc: utc_timestamp(ended),
        loadgen: LoadgenBuild {
            version: env!("CARGO_PKG_VERSION").into(),
            build_profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
            git_sha: option_env!("LOADGEN_GIT_SHA").map(str::to_owned),
        },
        workload,
        target: target(evidence, args),
        env: vec![host::environment(role(evidence, args), evidence.data_directory.as_deref())],
        quality: quality(evidence, window.as_ref(), &summary, &resources),
        histograms: window.as_ref().map(|window| histograms(window.histograms)).unwrap_or_default(),
        series: window.as_ref().map(|window| series(evidence, window)),
        summary,
        resources,
        integrity,
        error: evidence.error.as_ref().map(ToString::to_string),
    }
}

/// The measured window of a run that came so far.
struct Window<'e> {
    timeline: Timeline,
    secs: f64,
    to_ns: u64,
    collector: &'e Collector,
    counts: &'e Counts,
    histograms: &'e Histograms,
}

impl<'e> Window<'e> {
    fn of(evidence: &'e Evidence) -> Option<Self> {
        let (timeline, collector) = (evidence.timeline?, evidence.collector.as_ref()?);
        let (counts, histograms) = collector.measured();
        // A topic that was read to its end before the time was over stopped the clock there.
        let to_ns = evidence.consumed_all_ns.map_or(timeline.end_ns, |ended_ns| ended_ns.min(timeline.end_ns));
        let secs = to_ns.saturating_sub(timeline.measure_ns) as f64 / 1e9;
        Some(Self { timeline, secs, to_ns, collector, counts, histograms })
    }

    fn summary(&self, evidence: &Evidence) -> Summary {
        let workload = &evidence.workload;
        Summary {
            measured_secs: self.secs,
            produce: (workload.mode != Mode::Consume).then(|| self.produced(evidence)),
            consume: (workload.consumers > 0).then(|| self.consumed(evidence)),
            drain_secs: evidence.drain.map(|drain| drain.as_secs_f64()),
        }
    }

    fn produced(&self, evidence: &Evidence) -> StreamSummary {
        let (counts, histograms) = (self.counts, self.histograms);
        let value_bytes = evidence.workload.record_bytes as u64;
        let rate = |records: u64| Rate::over(records, records * value_bytes, self.secs);
        let offered: u64 = evidence.reports.producers.values().map(|report| report.offered_records).sum();
        let samples = Some(counts.response_batches);
        StreamSummary {
            offered: (!evidence.workload.is_closed_loop()).then(|| rate(offered)),
            achieved: rate(counts.acked_records + counts.failed_records),
            goodput: rate(counts.acked_records),
            records: counts.acked_records,
            bytes: counts.acked_records * value_bytes,
            errors: errors(evidence),
            retries: 0,
            timeouts: 0,
            batch: Some(BatchShape {
                batches: counts.acked_batches,
                requests: counts.produce_requests,
                records_per_batch_mean: ratio(counts.acked_records, counts.acked_batches),
                batch_bytes_mean: ratio(counts.acked_batch_bytes, counts.acked_batches),
                requests_per_s: counts.produce_requests as f64 / self.secs,
                inflight_requests_mean: Some(counts.produce_in_flight_ns as f64 / 1e9 / self.secs),
            }),
            latency: StreamLatency {
                response: Some(Latency::from_histogram(&histograms.response, samples)),
                service: Some(Latency::from_histogram(&histograms.service, samples)),
                lag: Some(Latency::from_histogram(&histograms.lag, samples)),
                end_to_end: None,
            },
        }
    }

    fn consumed(&self, evidence: &Evidence) -> StreamSummary {
        let counts = self.counts;
        let rate = Rate::over(counts.consumed_records, counts.consumed_bytes, self.secs);
        let end_to_end = Latency::from_histogram(&self.histograms.end_to_end, Some(counts.end_to_end_batches));
        StreamSummary {
            achieved: rate,
            goodput: rate,
            records: counts.consumed_records,
            bytes: counts.consumed_bytes,
            batch: Some(BatchShape {
                batches: counts.consumed_batches,
                requests: counts.fetch_requests,
                records_per_batch_mean: ratio(counts.consumed_records, counts.consumed_batches),
                batch_bytes_mean: ratio(counts.consumed_batch_bytes, counts.consumed_batches),
                requests_per_s: counts.fetch_requests as f64 / self.secs,
                inflight_requests_mean: None,
            }),
            // The records of a filled topic were due long before anybody read them.
            latency: StreamLatency {
                end_to_end: (evidence.workload.mode == Mode::Both).then_some(end_to_end),
                ..StreamLatency::default()
            },
            ..StreamSummary::default()
        }
    }

    fn resources(&self, evidence: &Evidence, summary: &Summary) -> Resources {
        let stream = summary.produce.as_ref().or(summary.consume.as_ref());
        let bytes = stream.map_or(0, |stream| stream.bytes);
        let usage = evidence.usage.as_ref();
        usage.map(|usage| usage.between(self.timeline.measure_ns, self.to_ns, bytes)).unwrap_or_default()
    }

    /// Whole rows of the measured window.
    fn rows(&self) -> impl Iterator<Item = &'e Row> {
        self.collector.rows().iter().filter(|row| row.second >= 0)
    }
}

fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

fn errors(evidence: &Evidence) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (&code, records) in evidence.reports.producers.values().flat_map(|report| &report.errors) {
        *errors.entry(error_name(code)).or_default() += records;
    }
    errors
}

fn target(evidence: &Evidence, args: &RunArgs) -> Target {
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
        config: BTreeMap::new(),
        durability: Durability {
            acks: evidence.workload.acks,
            fsync,
            replication_factor: evidence.workload.replication_factor,
            cache: is_ours.then_some(WriteCache::Direct),
        },
    }
}

fn role(evidence: &Evidence, args: &RunArgs) -> HostRole {
    let host = args.bootstrap.as_deref().and_then(|address| address.rsplit_once(':')).map_or("", |(host, _)| host);
    let is_loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if evidence.embedded || args.broker_pid.is_some() || is_loopback || args.bootstrap.is_none() {
        HostRole::Colocated
    } else {
        HostRole::Loadgen
    }
}

fn integrity(evidence: &Evidence) -> Integrity {
    let mut tally = Tally::default();
    let partitions = evidence.topic.as_ref().map_or(0, |topic| topic.leaders.len());
    let none = AckLedger::default();
    for partition in 0..partitions {
        let reports = &evidence.reports.producers;
        let producers = 0..evidence.workload.producers;
        let ledgers: Vec<&AckLedger> = producers
            .map(|producer| reports.get(&producer).and_then(|report| report.ledgers.get(partition)).unwrap_or(&none))
            .collect();
        tally.settle(&ledgers, evidence.reports.seen.get(&(partition as u32)));
    }
    if !evidence.verified {
        // Nobody read up to the end, so what is not there was not missed.
        tally.missing = 0;
    }
    let verdict = match (tally.passes(), evidence.verified, evidence.error.is_some()) {
        // Without the producers' last word a record may look like nobody's.
        (false, _, false) | (false, true, true) => Verdict::Fail,
        (_, _, true) => Verdict::Incomplete,
        (true, true, false) => Verdict::Pass,
        (true, false, false) => Verdict::NotChecked,
    };
    let faults = [
        (tally.missing, "acknowledged records were never delivered"),
        (tally.phantom, "records were delivered that nobody sent there"),
    ];
    Integrity {
        mode: evidence.workload.describe().integrity,
        produced: tally.produced,
        acked: tally.acked,
        consumed: tally.consumed,
        missing: tally.missing,
        duplicate: tally.duplicate,
        out_of_order: tally.out_of_order,
        // A record in a place where nobody sent it is not the record that was sent there.
        corrupt: tally.corrupt + tally.phantom,
        unacked_seen: tally.unacked_seen,
        verdict,
        examples: faults.iter().filter(|fault| fault.0 > 0).map(|fault| format!("{} {}", fault.0, fault.1)).collect(),
    }
}

fn quality(evidence: &Evidence, window: Option<&Window<'_>>, summary: &Summary, resources: &Resources) -> Quality {
    let workload = &evidence.workload;
    let produce = summary.produce.as_ref();
    let offered = produce.and_then(|produce| produce.offered).map_or(0.0, |rate| rate.records_per_s);
    let achieved = produce.map_or(0.0, |produce| produce.achieved.records_per_s);
    let saturated = offered > 0.0 && achieved < offered * SATURATED_BELOW;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (workload.producers as usize).min(cores).max((workload.consumers as usize).min(cores));
    let busy = resources.loadgen.as_ref().map_or(0.0, |used| used.cpu_secs() / summary.measured_secs.max(1e-9));
    Quality {
        steady: window.and_then(|window| steady(window)),
        client_limited: summary.measured_secs > 0.0 && busy > BUSY_SHARE_MAX * threads as f64,
        saturated,
        closed_loop: workload.is_closed_loop(),
        notes: notes(evidence),
    }
}

fn notes(evidence: &Evidence) -> Vec<String> {
    let mut notes = Vec::new();
    let unsent: u64 = evidence.reports.producers.values().map(|report| report.unsent_records).sum();
    if unsent > 0 {
        notes.push(format!(
            "{unsent} records were due but could not be sent before the window ended; their latency is in no histogram."
        ));
    }
    if evidence.workload.verify == Verify::Off {
        notes.push("Not verified by reading: --verify off.".into());
    } else if evidence.workload.mode == Mode::Produce && evidence.verified {
        notes.push("Verified by reading the whole topic back after the measured window.".into());
    }
    if evidence.workload.acks == Acks::None {
        notes.push("acks=0 has no answers: response and service end when the kernel has taken the request.".into());
    }
    if evidence.workload.mode == Mode::Consume && evidence.consumed_all_ns.is_some() {
        notes.push("The topic was filled before; the window ends when it is read to its end.".into());
    }
    notes
}

/// Whether the first and the last third agree; absent when there are too few rows to tell.
fn steady(window: &Window<'_>) -> Option<bool> {
    let rows: Vec<&Row> = window.rows().filter(|row| window.timeline.covered_secs(row.second) > 0.99).collect();
    if rows.len() < STEADY_ROWS_MIN {
        return None;
    }
    let third = rows.len() / 3;
    let (first, last) = (&rows[..third], &rows[rows.len() - third..]);
    let records = |rows: &[&Row]| {
        rows.iter().map(|row| row.counts.acked_records.max(row.counts.consumed_records)).sum::<u64>() as f64
    };
    let median_p99 = |rows: &[&Row]| {
        let mut p99s: Vec<u64> = rows.iter().filter_map(|row| row.response.p99_ns).collect();
        p99s.sort_unstable();
        p99s.get(p99s.len() / 2).map(|&ns| ns as f64)
    };
    let agree = |a: f64, b: f64, share: f64| (a - b).abs() <= share * a.max(b);
    let latency = median_p99(first).zip(median_p99(last)).is_none_or(|(a, b)| agree(a, b, STEADY_P99_SHARE));
    Some(latency && agree(records(first), records(last), STEADY_RATE_SHARE))
}

fn histograms(histograms: &Histograms) -> BTreeMap<String, String> {
    let named = [
        (histogram_name::PRODUCE_RESPONSE, &histograms.response),
        (histogram_name::PRODUCE_SERVICE, &histograms.service),
        (histogram_name::PRODUCE_LAG, &histograms.lag),
        (histogram_name::CONSUME_END_TO_END, &histograms.end_to_end),
    ];
    let filled = named.into_iter().filter(|(_, histogram)| !histogram.is_empty());
    filled.filter_map(|(name, histogram)| Some((name.to_owned(), encode_histogram(histogram).ok()?))).collect()
}

fn series(evidence: &Evidence, window: &Window<'_>) -> Series {
    let (workload, timeline) = (&evidence.workload, &window.timeline);
    let value_bytes = workload.record_bytes as f64;
    let rows = window.collector.rows();
    let produced = workload.mode != Mode::Consume;
    let with_consumers = workload.consumers > 0;
    let end_to_end = workload.mode == Mode::Both;
    let per_s = |row: &Row, amount: f64| {
        let secs = timeline.covered_secs(row.second);
        (secs > 0.0).then(|| amount / secs)
    };
    let column = |wanted: bool, value: &dyn Fn(&Row) -> Option<f64>| -> Vec<Option<f64>> {
        if wanted { rows.iter().map(value).collect() } else { Vec::new() }
    };
    let latency = |wanted: bool, value: &dyn Fn(&Row) -> Option<u64>| -> Vec<Option<u64>> {
        if wanted { rows.iter().map(value).collect() } else { Vec::new() }
    };
    let usage = UsageRows::new(evidence, timeline);
    let warmup_secs = (timeline.measure_ns - timeline.start_ns) as f64 / 1e9;
    Series {
        t_secs: rows.iter().map(|row| warmup_secs + row.second as f64 + 1.0).collect(),
        offered_bytes_per_s: column(produced && !workload.is_closed_loop(), &|_| {
            Some(workload.records_per_s * value_bytes)
        }),
        achieved_bytes_per_s: column(produced, &|row| per_s(row, row.counts.acked_records as f64 * value_bytes)),
        consumed_bytes_per_s: column(with_consumers, &|row| per_s(row, row.counts.consumed_bytes as f64)),
        errors_per_s: column(produced, &|row| per_s(row, row.counts.failed_records as f64)),
        inflight_requests: column(produced, &|row| per_s(row, row.counts.produce_in_flight_ns as f64 / 1e9)),
        response_p50_ns: latency(produced, &|row| row.response.p50_ns),
        response_p99_ns: latency(produced, &|row| row.response.p99_ns),
        response_max_ns: latency(produced, &|row| row.response.max_ns),
        end_to_end_p50_ns: latency(end_to_end, &|row| row.end_to_end.p50_ns),
        end_to_end_p99_ns: latency(end_to_end, &|row| row.end_to_end.p99_ns),
        end_to_end_max_ns: latency(end_to_end, &|row| row.end_to_end.max_ns),
        lag_p99_ns: latency(produced, &|row| row.lag.p99_ns),
        broker_cpu_cores: column(usage.has_broker, &|row| usage.cores(row, |usage| Some(usage.broker?.cpu()))),
        broker_rss_bytes: latency(usage.has_broker, &|row| {
            usage.last(row).and_then(|usage| Some(usage.broker?.rss_bytes))
        }),
        loadgen_cpu_cores: column(true, &|row| usage.cores(row, |usage| Some(usage.loadgen?.cpu()))),
        steal_share: column(true, &|row| usage.pressure(row).and_then(|host| host.steal_share)),
        cpu_pressure_share: column(true, &|row| usage.pressure(row).and_then(|host| host.cpu_pressure_share)),
        io_pressure_share: column(true, &|row| usage.pressure(row).and_then(|host| host.io_pressure_share)),
    }
}

/// The looks at the processes, found by the second that they close.
struct UsageRows<'e> {
    samples: &'e [Usage],
    timeline: Timeline,
    has_broker: bool,
}

impl<'e> UsageRows<'e> {
    fn new(evidence: &'e Evidence, timeline: &Timeline) -> Self {
        let samples = evidence.usage.as_ref().map_or(&[][..], |usage| usage.samples());
        let has_broker = samples.iter().any(|usage| usage.broker.is_some());
        Self { samples, timeline: *timeline, has_broker }
    }

    /// The look nearest to the end of the row's second, and the one before it.
    fn pair(&self, row: &Row) -> Option<(&'e Usage, &'e Usage)> {
        let end_ns = (self.timeline.measure_ns as i64 + (row.second + 1) * 1_000_000_000) as u64;
        let after = (1..self.samples.len()).min_by_key(|&sample| self.samples[sample].at_ns.abs_diff(end_ns))?;
        Some((&self.samples[after - 1], &self.samples[after]))
    }

    fn last(&self, row: &Row) -> Option<&'e Usage> {
        self.pair(row).map(|(_, last)| last)
    }

    fn cores(&self, row: &Row, cpu: fn(&Usage) -> Option<std::time::Duration>) -> Option<f64> {
        let (before, after) = self.pair(row)?;
        let secs = (after.at_ns - before.at_ns) as f64 / 1e9;
        Some(cpu(after)?.saturating_sub(cpu(before)?).as_secs_f64() / secs.max(1e-3))
    }

    fn pressure(&self, row: &Row) -> Option<crate::result::HostPressure> {
        self.pair(row).map(|(before, after)| after.system.pressure_since(&before.system))
    }
}
