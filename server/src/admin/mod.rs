//! The admin page: `/metrics`, `/livez` and `/readyz`, on a thread of its own. It asks the shards by message and waits for them with a bound, so
//! a scrape never makes a shard wait and a stuck shard never makes the page wait. There is no authentication: it belongs on a loopback address.

mod capped;
mod shard;

use std::fmt::Write;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};

use self::capped::CappedListener;
pub use self::shard::{Ask, answer_asks};
use crate::limits::{LIVE_ANSWER_DEADLINE, METRICS_ANSWER_DEADLINE, READY_WRITE_DEADLINE};
use crate::metrics::{self, Allocations, ProcessSnapshot};

/// What the page knows of the broker.
pub struct Admin {
    /// Set when all shards run.
    shards: OnceLock<Vec<mpsc::Sender<Ask>>>,
    draining: AtomicBool,
    data: PathBuf,
}

/// The running page.
pub struct AdminListener {
    admin: Arc<Admin>,
    address: SocketAddr,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl AdminListener {
    /// Binds and serves, before there are shards: a broker that recovers is alive and not ready.
    pub fn start(address: SocketAddr, data: &Path) -> io::Result<AdminListener> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let admin =
            Arc::new(Admin { shards: OnceLock::new(), draining: AtomicBool::new(false), data: data.to_owned() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&admin);
        std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    ended = serve(listener, served) => {
                        if let Err(error) = ended {
                            tracing::error!(%error, "the admin page has ended");
                        }
                    }
                    _ = stopped => {}
                }
            });
        })?;
        Ok(AdminListener { admin, address, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All shards run.
    pub fn shards_run(&self, shards: Vec<mpsc::Sender<Ask>>) {
        assert!(self.admin.shards.set(shards).is_ok(), "shards start once");
    }

    /// The broker stops: it is alive and no longer ready.
    pub fn drain(&self) {
        self.admin.draining.store(true, Ordering::Relaxed);
    }
}

async fn serve(listener: TcpListener, admin: Arc<Admin>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/livez", get(is_live))
        .route("/readyz", get(is_ready))
        .with_state(admin);
    axum::serve(CappedListener::new(listener), router).await
}

async fn metrics_page(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let shards = admin.shards();
    let answers = ask_all(shards, Ask::Snapshot, METRICS_ANSWER_DEADLINE).await;
    let snapshots: Vec<_> = answers.into_iter().flatten().collect();
    let page = metrics::page(shards.len(), &snapshots, &process_snapshot(&admin.data));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
}

/// Alive: every shard's thread still takes messages. A disk that stalls or is full does not count, because a restart would not help.
async fn is_live(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    let alive = ask_all(admin.shards(), Ask::Ping, LIVE_ANSWER_DEADLINE).await;
    let silent = alive.iter().enumerate().filter(|(_, answer)| answer.is_none());
    report(silent.map(|(shard, _)| format!("shard {shard} does not answer")))
}

/// Ready: on every shard something written now becomes durable, in time.
async fn is_ready(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    if admin.draining.load(Ordering::Relaxed) {
        return report(["stopping".to_owned()].into_iter());
    }
    if admin.shards.get().is_none() {
        return report(["recovering".to_owned()].into_iter());
    }
    let proven = ask_all(admin.shards(), Ask::ProveWritePath, READY_WRITE_DEADLINE).await;
    let failed = proven.into_iter().enumerate().filter_map(|(shard, answer)| match answer {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(format!("shard {shard}: {error}")),
        None => Some(format!("shard {shard}: no durable write within {READY_WRITE_DEADLINE:?}")),
    });
    report(failed)
}

/// One line a complaint, or `ok`.
fn report(complaints: impl Iterator<Item = String>) -> (StatusCode, String) {
    let mut text = String::new();
    for complaint in complaints {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{complaint}");
    }
    if text.is_empty() { (StatusCode::OK, "ok\n".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, text) }
}

/// Asks every shard at once. None where one does not answer in time; one whose queue is full is busy with earlier questions, and counts as such.
async fn ask_all<R>(
    shards: &[mpsc::Sender<Ask>],
    ask: fn(oneshot::Sender<R>) -> Ask,
    deadline: Duration,
) -> Vec<Option<R>> {
    let asked: Vec<_> = shards
        .iter()
        .map(|shard| {
            let (sender, receiver) = oneshot::channel();
            shard.try_send(ask(sender)).ok().map(|()| receiver)
        })
        .collect();
    let until = tokio::time::Instant::now() + deadline;
    let mut answers = Vec::with_capacity(asked.len());
    for receiver in asked {
        let answer = match receiver {
            Some(receiver) => tokio::time::timeout_at(until, receiver).await.ok().and_then(Result::ok),
            None => None,
        };
        answers.push(answer);
    }
    answers
}

impl Admin {
    fn shards(&self) -> &[mpsc::Sender<Ask>] {
        self.shards.get().map_or(&[], Vec::as_slice)
    }
}

fn process_snapshot(data: &Path) -> ProcessSnapshot {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    let space = rustix::fs::statvfs(data).ok();
    ProcessSnapshot {
        resident_bytes: pages * rustix::param::page_size() as u64,
        disk_free_bytes: space.map(|space| space.f_bavail * space.f_frsize),
        allocations: Allocations::now(),
    }
}
