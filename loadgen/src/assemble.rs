//! Evidence becomes a result: rates over the window, merged histograms, the verdict, and how far to trust them.

mod account;
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
use crate::options::TargetOptions;
use crate::result::{
    Durability, Fsync, HostEnvironment, HostRole, Kind, LoadgenBuild, Resources, RunResult, SCHEMA_VERSION, Summary,
    Target, WriteCache, utc_timestamp,
};
use window::Window;

/// The result of a run, however far it got.
pub fn result(evidence: &Evidence, args: &TargetOptions) -> RunResult {
    let workload = evidence.workload.describe();
    let ended = SystemTime::now();
    let window = Window::of(evidence);
    let summary = window.as_ref().map_or_else(Summary::default, |window| window.summary(evidence));
    let integrity = account::integrity(evidence);
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
        (None, false) if args.speaks.product().is_some() => args.speaks.product().unwrap_or_default().into(),
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
        core_split: evidence.core_split.clone(),
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
