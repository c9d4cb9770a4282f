//! A made-up run with the shape of a real one, for the tests of what people see.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use loadgen::result::{
    Acks, Arrival, ArrivalKind, BatchShape, Calibration, ClientMode, Compression, Durability, FetchSettings, Fsync,
    HostEnvironment, HostPressure, HostRole, Integrity, IntegrityMode, Kind, Latency, LoadgenBuild, OverloadPolicy,
    Phase, ProcessResources, Quality, Rate, Resources, RunResult, SCHEMA_VERSION, Series, Storage, StreamLatency,
    StreamSummary, Summary, Target, Verdict, Workload, WriteCache, encode_histogram, histogram_name,
};

const WARMUP_SECS: u32 = 5;
const MEASURED_SECS: u32 = 20;
const RECORDS: u64 = 400_000;
const BATCHES: u64 = 25_000;
const RECORDS_PER_POINT: u64 = 16;

/// 20 MB/s against an embedded Posthaste at acks=all.
pub fn calm_run() -> RunResult {
    let response = latencies(900e3, 0.35);
    let service = latencies(520e3, 0.3);
    let lag = latencies(60e3, 0.5);
    let end_to_end = latencies(1_250e3, 0.38);
    let workload = workload();
    RunResult {
        schema_version: SCHEMA_VERSION,
        id: "20261123T140800Z-5f1c2a9e".into(),
        kind: Kind::Run,
        imported: None,
        label: None,
        suite: None,
        repeat: None,
        workload_id: workload.id(),
        series_key: "0123456789abcdef".into(),
        tags: Vec::new(),
        command: ["loadgen", "run", "--rate", "20MB/s", "--partitions", "8"].map(String::from).to_vec(),
        started_utc: "2026-11-23T14:08:00Z".into(),
        ended_utc: "2026-11-23T14:08:27Z".into(),
        loadgen: LoadgenBuild { version: "0.1.0".into(), build_profile: "release".into(), ..LoadgenBuild::default() },
        workload,
        target: target(),
        env: vec![host()],
        summary: summary([&response, &service, &lag, &end_to_end]),
        histograms: BTreeMap::from(
            [
                (histogram_name::PRODUCE_RESPONSE, &response),
                (histogram_name::PRODUCE_SERVICE, &service),
                (histogram_name::PRODUCE_LAG, &lag),
                (histogram_name::CONSUME_END_TO_END, &end_to_end),
            ]
            .map(|(name, histogram)| (name.into(), encode_histogram(histogram).expect("small histogram"))),
        ),
        series: Some(series(20e6, |_| 1.0)),
        resources: resources(),
        calibration: Calibration::default(),
        integrity: integrity(),
        faults: Vec::new(),
        rebalances: Vec::new(),
        slo: Vec::new(),
        quality: Quality { steady: Some(true), ..Quality::default() },
        error: None,
    }
}

/// The same, offered three times what the broker can do.
pub fn saturated_run() -> RunResult {
    let mut run = calm_run();
    let produce = run.summary.produce.as_mut().expect("the sample produces");
    produce.offered = Some(Rate { records_per_s: 60_000.0, bytes_per_s: 60e6 });
    produce.errors = BTreeMap::from([("NOT_LEADER_OR_FOLLOWER".into(), 12)]);
    let growing = latencies(4.2e9, 0.4);
    produce.latency.response = Some(Latency::from_histogram(&growing, Some(BATCHES)));
    run.histograms
        .insert(histogram_name::PRODUCE_RESPONSE.into(), encode_histogram(&growing).expect("small histogram"));
    run.series = Some(series(60e6, |second| f64::from(second) * 400.0));
    run.quality = Quality {
        saturated: true,
        client_limited: true,
        steady: Some(false),
        noisy: false,
        closed_loop: false,
        notes: vec!["The load generator shares both cores with the broker.".into()],
    };
    run
}

/// A run that lost records and stopped early, at acks=1.
pub fn failed_run() -> RunResult {
    let mut run = calm_run();
    run.workload.acks = Acks::Leader;
    run.target.durability.acks = Acks::Leader;
    run.integrity.missing = 117;
    run.integrity.duplicate = 2;
    run.integrity.verdict = Verdict::Fail;
    run.integrity.examples = vec![
        "partition 3: records 18,204 to 18,320 of producer 0 were acknowledged and never came".into(),
        "partition 5: record 977 of producer 0 came twice, at offsets 977 and 1,204".into(),
    ];
    run.error = Some("the broker closed the connection: connection reset by peer".into());
    run
}

/// A wide body with a rare slow tail, as disks have; the same on every machine.
fn latencies(median_ns: f64, spread: f64) -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("an hour with three digits is valid");
    let points = RECORDS / RECORDS_PER_POINT;
    for index in 0..points {
        let share = (index as f64 + 0.5) / points as f64;
        let normal = (share / (1.0 - share)).ln() * 0.6;
        let tail = ((share - 0.995).max(0.0) / 0.005).powi(4) * 9.0 * median_ns;
        let ns = (median_ns * (normal * spread).exp() + tail) as u64;
        histogram.saturating_record_n(ns, RECORDS_PER_POINT);
    }
    histogram
}

fn summary([response, service, lag, end_to_end]: [&Histogram<u64>; 4]) -> Summary {
    let rate = Rate { records_per_s: 19_996.0, bytes_per_s: 19.996e6 };
    let figures = |histogram| Some(Latency::from_histogram(histogram, Some(BATCHES)));
    Summary {
        measured_secs: f64::from(MEASURED_SECS),
        produce: Some(StreamSummary {
            offered: Some(Rate { records_per_s: 20_000.0, bytes_per_s: 20e6 }),
            achieved: rate,
            goodput: rate,
            records: RECORDS,
            bytes: RECORDS * 1_000,
            batch: Some(BatchShape {
                batches: BATCHES,
                requests: BATCHES,
                records_per_batch_mean: 16.0,
                batch_bytes_mean: 16_420.0,
                compression_ratio: None,
                requests_per_s: 1_250.0,
                inflight_requests_mean: Some(1.4),
            }),
            latency: StreamLatency {
                response: figures(response),
                service: figures(service),
                lag: figures(lag),
                end_to_end: None,
            },
            ..StreamSummary::default()
        }),
        consume: Some(StreamSummary {
            achieved: rate,
            goodput: rate,
            records: RECORDS,
            bytes: RECORDS * 1_000,
            latency: StreamLatency { end_to_end: figures(end_to_end), ..StreamLatency::default() },
            ..StreamSummary::default()
        }),
        backlog: None,
        groups: None,
        transactions: None,
        drain_secs: Some(0.4),
    }
}

fn workload() -> Workload {
    Workload {
        topics: 1,
        partitions: 8,
        replication_factor: 1,
        producers: 2,
        consumers: 2,
        groups: None,
        group_membership: None,
        transactions: None,
        isolation: None,
        record_bytes: 1_000,
        sizes: Vec::new(),
        key_bytes: None,
        keys: None,
        entropy_bits_per_byte: None,
        arrival: Arrival { kind: ArrivalKind::Constant, records_per_s: Some(20_000.0), ..Arrival::closed_loop() },
        phases: vec![
            Phase { name: "warmup".into(), secs: f64::from(WARMUP_SECS) },
            Phase { name: "measure".into(), secs: f64::from(MEASURED_SECS) },
        ],
        acks: Acks::All,
        linger_ms: 1.0,
        batch_bytes_max: 16_384,
        inflight_requests_max: 5,
        idempotence: false,
        compression: Compression::None,
        fetch: Some(FetchSettings { min_bytes: 1, max_bytes: 52_428_800, max_wait_ms: 500 }),
        overload_policy: OverloadPolicy::Queue,
        client_mode: ClientMode::Modelled,
        integrity: IntegrityMode::Full,
        seed: 1,
        faults: Vec::new(),
    }
}

fn target() -> Target {
    Target {
        product: "posthaste".into(),
        version: Some("0.1.0".into()),
        bootstrap: "127.0.0.1:38211".into(),
        embedded: true,
        nodes: 1,
        config: BTreeMap::from([("num.partitions".into(), "8".into())]),
        api_versions: BTreeMap::new(),
        durability: Durability {
            acks: Acks::All,
            fsync: Fsync::Batch,
            replication_factor: 1,
            cache: Some(WriteCache::Direct),
        },
    }
}

fn host() -> HostEnvironment {
    HostEnvironment {
        role: HostRole::Colocated,
        kernel: "6.18.0".into(),
        architecture: "x86_64".into(),
        cpu_model: Some("AMD EPYC".into()),
        cores: 2,
        threads_per_core: Some(1),
        memory_bytes: Some(8 << 30),
        cpu_governor: None,
        transparent_hugepages: Some("madvise".into()),
        virtualisation: Some("virtual machine".into()),
        clocksource: Some("tsc".into()),
        io_uring_disabled: Some(0),
        cgroup: None,
        storage: Some(Storage {
            file_system: "ext4".into(),
            mount_options: "discard,relatime,rw".into(),
            device: Some("vda".into()),
            scheduler: Some("none".into()),
            write_cache: Some("write back".into()),
            rotational: Some(false),
            size_bytes: Some(250 << 30),
            free_bytes: Some(80 << 30),
            ..Storage::default()
        }),
        ..HostEnvironment::default()
    }
}

fn series(offered_bytes_per_s: f64, slower: impl Fn(u32) -> f64) -> Series {
    let seconds: Vec<u32> = (1..=WARMUP_SECS + MEASURED_SECS).collect();
    // A saw of small deviations stands for the noise of a real machine.
    let wobble = |second: u32, depth: f64| 1.0 + depth * (f64::from(second * 37 % 11) / 11.0 - 0.5);
    let share = |depth| seconds.iter().map(|second| Some(wobble(*second, depth))).collect::<Vec<_>>();
    let scaled = |base: f64, depth| -> Vec<Option<f64>> {
        share(depth).into_iter().map(|value| value.map(|value| value * base)).collect()
    };
    let times = |base_ns: f64, depth| -> Vec<Option<u64>> {
        seconds.iter().map(|second| Some((base_ns * slower(*second) * wobble(*second, depth)) as u64)).collect()
    };
    Series {
        unread_records: Vec::new(),
        t_secs: seconds.iter().map(|second| f64::from(*second)).collect(),
        offered_bytes_per_s: scaled(offered_bytes_per_s, 0.0),
        achieved_bytes_per_s: scaled(20e6, 0.03),
        consumed_bytes_per_s: scaled(20e6, 0.05),
        errors_per_s: Vec::new(),
        inflight_requests: scaled(1.4, 0.6),
        response_p50_ns: times(900e3, 0.1),
        response_p99_ns: times(2_300e3, 0.5),
        response_max_ns: times(6_500e3, 1.2),
        end_to_end_p50_ns: times(1_250e3, 0.1),
        end_to_end_p99_ns: times(2_900e3, 0.5),
        end_to_end_max_ns: times(7_500e3, 1.2),
        lag_p99_ns: times(210e3, 0.6),
        broker_cpu_cores: scaled(0.021, 0.4),
        broker_rss_bytes: seconds
            .iter()
            .map(|second| Some((38 << 20) + u64::from((*second).min(9)) * (5 << 20)))
            .collect(),
        loadgen_cpu_cores: scaled(0.19, 0.3),
        steal_share: scaled(0.002, 2.0),
        cpu_pressure_share: scaled(0.04, 1.0),
        io_pressure_share: scaled(0.12, 0.6),
    }
}

fn resources() -> Resources {
    let process = |user, system, per_gb, idle: u64, max: u64| {
        Some(ProcessResources {
            cpu_user_secs: user,
            cpu_system_secs: system,
            cpu_s_per_gb: Some(per_gb),
            rss_idle_bytes: Some(idle << 20),
            rss_max_bytes: Some(max << 20),
        })
    };
    Resources {
        broker: process(0.14, 0.28, 1.05, 38, 83),
        loadgen: process(2.1, 1.7, 9.5, 12, 31),
        host: Some(HostPressure {
            steal_share: Some(0.002),
            cpu_pressure_share: Some(0.04),
            io_pressure_share: Some(0.12),
        }),
        agents: Vec::new(),
    }
}

fn integrity() -> Integrity {
    Integrity {
        mode: IntegrityMode::Full,
        produced: 500_000,
        acked: 500_000,
        consumed: 500_000,
        missing: 0,
        duplicate: 0,
        out_of_order: 0,
        corrupt: 0,
        phantom: 0,
        unacked_seen: 0,
        redelivered: 0,
        aborted_seen: 0,
        lost_commits: 0,
        verdict: Verdict::Pass,
        examples: Vec::new(),
    }
}
