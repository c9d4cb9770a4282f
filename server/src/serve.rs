//! `serve`: a broker's life on the main thread: start the engine, listen, wait for a reason to stop, stop gracefully.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use engine::error::AppendError;
use engine::io::net::raise_file_descriptor_limit;
use engine::io::runtime::probe;
use engine::shard::engine::{Engine, EngineConfig, OpenedEngine};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::{Semaphore, watch};

use crate::admin::AdminListener;
use crate::available_memory::AvailableMemory;
use crate::config::{HostPort, Settings};
use crate::connection_caps::{ConnectionCaps, ConnectionLimits};
use crate::exit;
use crate::limits::DESCRIPTORS_RESERVED;
use crate::listener::{ListenError, Listeners, ShardInbox, resolve};
use crate::memory_plan::MemoryPlan;
use crate::shard_service::{self, Control, Event};
use crate::start_report::StartReport;
use crate::state_log::ReplayError;

/// Why a broker ends otherwise than it was asked to.
struct Failure {
    code: u8,
    line: String,
}

/// Runs a broker until SIGTERM, SIGINT or, where asked, the end of standard input.
pub fn serve(settings: Settings) -> ExitCode {
    match run(settings) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            eprintln!("posthaste: {}", failure.line);
            ExitCode::from(failure.code)
        }
    }
}

fn run(settings: Settings) -> Result<(), Failure> {
    settings.check().map_err(|error| Failure { code: exit::CONFIGURATION, line: error.to_string() })?;
    for name in settings.not_acting() {
        tracing::warn!(setting = name, "a setting of Kafka is accepted but does not act");
    }
    let ring = probe().map_err(|refused| Failure { code: exit::IO_URING, line: refused.to_string() })?;
    let (_, descriptors_max) = raise_file_descriptor_limit();
    let connections_max = connections_max(&settings, descriptors_max);
    let settings = Arc::new(settings);
    let admin = start_admin(&settings)?;
    let (events, reasons) = mpsc::channel();
    let serving = Arc::new(AtomicBool::new(false));
    watch_for_stop(&settings, &events, &serving)?;

    let opened = open_engine(&settings)?;
    let available = AvailableMemory::of_this_process();
    let memory = MemoryPlan::new(&settings, &available, connections_max, opened.directory().shards)
        .map_err(|error| Failure { code: exit::CONFIGURATION, line: error.to_string() })?;
    let caps = Arc::new(ConnectionCaps::new(ConnectionLimits::of(&settings), connections_max));
    let control = Arc::new(Control {
        caps: Arc::clone(&caps),
        closing_log: Arc::default(),
        settings: Arc::clone(&settings),
        memory: memory.shard,
        events,
        draining: watch::Sender::new(false),
        full_shards: Arc::default(),
        installed: Semaphore::new(0),
    });
    let service = Arc::clone(&control);
    let engine = opened
        .start(memory.shard.engine, move |core| shard_service::run(core, Arc::clone(&service)))
        .map_err(data_directory_failure)?;
    let shards = Arc::new(wait_for_shards(&reasons, engine.directory().shards as usize, &settings.data)?);
    if let Some(admin) = &admin {
        admin.shards_run(shards.iter().map(|shard| shard.asks.clone()).collect());
    }
    let listeners = Listeners::start(&settings, &shards, &caps, &control.closing_log);
    let outcome = match listeners {
        Ok(listeners) => {
            serving.store(true, Ordering::SeqCst);
            let addresses = listeners.addresses().collect();
            let report = StartReport {
                ring: &ring,
                settings: &settings,
                shards: shards.len(),
                memory: &memory,
                descriptors_max,
                connections_max,
                addresses,
                admin: admin.as_ref().map(AdminListener::address),
            };
            eprintln!("posthaste starts\n{}", report.render());
            announce(&settings, &listeners, admin.as_ref())?;
            wait_for_stop(&reasons);
            if let Some(admin) = &admin {
                admin.drain();
            }
            listeners.stop();
            Ok(())
        }
        Err(error) => Err(Failure { code: exit::LISTEN, line: error.to_string() }),
    };
    drop(shards);
    stop(engine, &control)?;
    outcome
}

/// Lets every shard finish.
fn stop(engine: Engine, control: &Control) -> Result<(), Failure> {
    let requests_between_shards: u64 = engine.requests_between_shards().sum();
    control.draining.send_replace(true);
    engine.join().map_err(data_directory_failure)?;
    control.closing_log.tell_rest();
    tracing::info!(requests_between_shards, "stopped, everything is flushed");
    Ok(())
}

/// Connections that descriptors allow beside the engine's own.
fn connections_max(settings: &Settings, descriptors_max: u64) -> usize {
    let spare = usize::try_from(descriptors_max.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(usize::MAX);
    if spare < settings.max_connections {
        tracing::warn!(
            descriptors_max,
            max_connections = settings.max_connections,
            "open files are limited to fewer connections"
        );
    }
    settings.max_connections.min(spare).max(1)
}

fn start_admin(settings: &Settings) -> Result<Option<AdminListener>, Failure> {
    let Some(endpoint) = &settings.admin_listener else {
        return Ok(None);
    };
    let refuse = |error| {
        let error = ListenError { endpoint: endpoint.clone(), error };
        Failure { code: exit::LISTEN, line: error.to_string() }
    };
    let addresses = resolve(endpoint).map_err(refuse)?;
    let address = *addresses.first().expect("a name without an address is an error");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the admin page has no authentication, and its address can be reached from other machines");
    }
    AdminListener::start(address, &settings.data).map(Some).map_err(refuse)
}

fn open_engine(settings: &Settings) -> Result<OpenedEngine, Failure> {
    let config = EngineConfig {
        directory: settings.data.clone(),
        shards: settings.shards.0,
        segment_bytes: settings.segment_bytes,
        pin: settings.pin,
        record_codec: Some(crate::compaction::CODEC),
    };
    Engine::open(config).map_err(data_directory_failure)
}

fn data_directory_failure(error: impl Display) -> Failure {
    Failure { code: exit::DATA_DIRECTORY, line: error.to_string() }
}

fn wait_for_shards(reasons: &mpsc::Receiver<Event>, count: usize, data: &Path) -> Result<Vec<ShardInbox>, Failure> {
    let mut inboxes = Vec::with_capacity(count);
    while inboxes.len() < count {
        match reasons.recv() {
            Ok(Event::ShardReady(shard, inbox)) => inboxes.push((shard, inbox)),
            Ok(Event::CatalogFailed(error)) => return Err(catalog_failure(&error, data)),
            Ok(Event::Stop(_)) => return Err(Failure { code: exit::OK, line: "stopped before it served".into() }),
            Err(_) => return Err(Failure { code: exit::DATA_DIRECTORY, line: "the shards have ended".into() }),
        }
    }
    inboxes.sort_by_key(|(shard, _)| *shard);
    Ok(inboxes.into_iter().map(|(_, inbox)| inbox).collect())
}

fn catalog_failure(error: &ReplayError, data: &Path) -> Failure {
    if matches!(error, ReplayError::Append(AppendError::DiskFull)) {
        let line =
            format!("no space left for {}: free some space on its file system, nothing was lost", data.display());
        return Failure { code: exit::DATA_DIRECTORY, line };
    }
    Failure { code: exit::CATALOG, line: format!("the catalog cannot be read: {error}") }
}

fn wait_for_stop(reasons: &mpsc::Receiver<Event>) {
    loop {
        match reasons.recv() {
            Ok(Event::Stop(reason)) => {
                tracing::info!(reason, "stopping: no new connections, answering what is in flight");
                return;
            }
            Ok(Event::CatalogFailed(_) | Event::ShardReady(..)) => {}
            Err(_) => return,
        }
    }
}

/// Signals are taken on a thread of their own and not on a shard: they must work while the shards are still recovering, and however busy.
fn watch_for_stop(settings: &Settings, events: &mpsc::Sender<Event>, serving: &Arc<AtomicBool>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure {
        code: exit::CONFIGURATION,
        line: format!("cannot watch for signals: {error}"),
    };
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let (told, serving) = (events.clone(), Arc::clone(serving));
    let watch = move || {
        let mut stopping = false;
        for _ in signals.forever() {
            if stopping {
                std::process::exit(i32::from(exit::STOPPED_AT_ONCE));
            }
            if !serving.load(Ordering::SeqCst) {
                // Nothing was accepted yet, and a start can be cut anywhere.
                std::process::exit(i32::from(exit::OK));
            }
            stopping = true;
            let _ = told.send(Event::Stop("signal"));
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(failed)?;
    if settings.stop_on_stdin_eof {
        let told = events.clone();
        let watch = move || {
            let mut ignored = [0; 256];
            while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
            let _ = told.send(Event::Stop("end of standard input"));
        };
        std::thread::Builder::new().name("stdin".into()).spawn(watch).map_err(failed)?;
    }
    Ok(())
}

/// Writes the ready file and says so.
fn announce(settings: &Settings, listeners: &Listeners, admin: Option<&AdminListener>) -> Result<(), Failure> {
    // A node's first address is enough for a program that wants to connect.
    let mut nodes = BTreeMap::new();
    for (node, address) in listeners.addresses() {
        nodes.entry(node).or_insert_with(|| reachable(address));
    }
    let Some(bootstrap) = nodes.values().next() else { return Ok(()) };
    tracing::info!(bootstrap, nodes = nodes.len(), "ready");
    let Some(path) = &settings.ready_file else { return Ok(()) };
    let admin = admin.map(|admin| reachable(admin.address()));
    write_ready_file(path, bootstrap, &nodes, admin.as_deref()).map_err(|error| Failure {
        code: exit::CONFIGURATION,
        line: format!("cannot write the ready file {}: {error}", path.display()),
    })
}

/// Whoever sees the file sees all of it.
fn write_ready_file(
    path: &Path,
    bootstrap: &str,
    nodes: &BTreeMap<i32, String>,
    admin: Option<&str>,
) -> std::io::Result<()> {
    let nodes: Vec<_> = nodes.iter().map(|(id, address)| serde_json::json!({ "id": id, "address": address })).collect();
    let mut content = serde_json::json!({ "bootstrap": bootstrap, "pid": std::process::id(), "nodes": nodes });
    if let Some(admin) = admin {
        content["admin"] = admin.into();
    }
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, content.to_string())?;
    std::fs::rename(&unfinished, path)
}

/// An address that a client on this host can use.
fn reachable(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip.to_string(),
        ip if ip.is_ipv4() => "127.0.0.1".to_owned(),
        _ => "::1".to_owned(),
    };
    HostPort(&host, address.port()).to_string()
}
