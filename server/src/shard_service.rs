//! What runs on every shard's thread: takes its sockets until the broker stops, then lets its connections finish within a bound.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use engine::io::net::Socket;
use engine::shard::core::Core;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::admin::answer_asks;
use crate::broker::Broker;
use crate::catalog::{CATALOG_SHARD, CatalogOwner};
use crate::closing_log::{self, ClosingLog};
use crate::config::Settings;
use crate::connection::{self, Client};
use crate::connection_caps::ConnectionCaps;
use crate::limits::{ACCEPTED_SOCKETS_MAX, ADMIN_ASKS_MAX, DRAIN_DEADLINE};
use crate::listener::{Accepted, ShardInbox};
use crate::memory_plan::ShardPlan;
use crate::state_log::ReplayError;
use crate::tables;

/// What the main thread is told.
pub enum Event {
    /// A shard takes sockets.
    ShardReady(u32, ShardInbox),
    /// The catalog cannot be used.
    CatalogFailed(ReplayError),
    /// A signal, or the end of standard input.
    Stop(&'static str),
}

/// What the main thread and all shards share.
pub struct Control {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// Connections that there are and may be.
    pub caps: Arc<ConnectionCaps>,
    /// What is told of connections that are closed for what they did.
    pub closing_log: Arc<ClosingLog>,
    /// What each shard may hold.
    pub memory: ShardPlan,
    /// To the main thread.
    pub events: std_mpsc::Sender<Event>,
    /// True when the broker begins to stop.
    pub draining: watch::Sender<bool>,
    /// Shards whose tables are full.
    pub full_shards: Arc<AtomicUsize>,
    /// A permit for each shard whose broker can take messages.
    pub installed: Semaphore,
}

/// Serves one shard.
pub async fn run(core: Core, control: Arc<Control>) {
    let draining = control.draining.subscribe();
    let (settings, caps) = (Arc::clone(&control.settings), Arc::clone(&control.caps));
    let closing_log = Arc::clone(&control.closing_log);
    let broker = Broker::install(core.clone(), settings, control.memory, caps, closing_log, draining);
    control.installed.add_permits(1);
    if core.shard() == CATALOG_SHARD {
        // The view goes to every shard, so every shard must be there to take it.
        let all = control.installed.acquire_many(core.shard_count()).await;
        drop(all);
        match CatalogOwner::start(core.clone(), Arc::clone(&control.settings), Arc::clone(&control.full_shards)).await {
            Ok(owner) => {
                broker.own_catalog(Rc::clone(&owner));
                let every = Duration::from_millis(control.settings.snapshot_check_interval_ms);
                core.spawn(keep_short(owner, every));
                core.spawn(closing_log::tell(Arc::clone(&control.closing_log)));
            }
            Err(error) => {
                // The main thread stops the process and says why.
                let _ = control.events.send(Event::CatalogFailed(error));
                return;
            }
        }
    }
    core.spawn(tables::watch(Rc::clone(&broker), Arc::clone(&control.full_shards)));
    core.spawn(retain(core.clone(), Duration::from_millis(control.settings.log_retention_check_interval_ms)));
    let (sender, receiver) = mpsc::channel(ACCEPTED_SOCKETS_MAX);
    let connections = Arc::new(AtomicUsize::new(0));
    let (asks, asked) = mpsc::channel(ADMIN_ASKS_MAX);
    core.spawn(answer_asks(Rc::clone(&broker), Arc::clone(&connections), asked));
    let inbox = ShardInbox { sockets: sender, connections, asks };
    let _ = control.events.send(Event::ShardReady(core.shard().0, inbox));
    drop(control);
    take_sockets(&core, &broker, receiver).await;
}

async fn take_sockets(core: &Core, broker: &Rc<Broker>, mut sockets: mpsc::Receiver<Accepted>) {
    let open = Rc::new(OpenConnections::default());
    loop {
        let accepted = tokio::select! {
            () = broker.drained() => break,
            accepted = sockets.recv() => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
        };
        let socket = match Socket::from_std(accepted.stream) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(peer = %accepted.peer, %error, "a connection ended before it was served");
                continue;
            }
        };
        tracing::debug!(peer = %accepted.peer, "connection accepted");
        let client = Client::new(accepted.peer, accepted.nodes, core.new_source());
        let broker = Rc::clone(broker);
        let counted = open.count();
        core.spawn(async move {
            // Called in here: a future that is made outside and moved in takes its room twice.
            connection::serve(broker, socket, client).await;
            drop(accepted.slot);
            drop(counted);
        });
    }
    if tokio::time::timeout(DRAIN_DEADLINE, open.none()).await.is_err() {
        tracing::warn!(connections = open.count.get(), shard = %core.shard(), "stopping although connections have not ended");
    }
}

/// Age comes without an event, so this shard's logs are looked at every while.
async fn retain(core: Core, every: Duration) {
    let mut next_check = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    loop {
        next_check.tick().await;
        core.check_retention();
    }
}

async fn keep_short(owner: Rc<CatalogOwner>, every: Duration) {
    let mut next_check = tokio::time::interval(every);
    loop {
        next_check.tick().await;
        if let Err(error) = owner.shorten_log().await {
            tracing::warn!(%error, "cannot shorten the log of the catalog");
        }
    }
}

/// Connections of this shard that have not ended.
#[derive(Default)]
struct OpenConnections {
    count: Cell<usize>,
    ended: Notify,
}

struct Counted(Rc<OpenConnections>);

impl OpenConnections {
    fn count(self: &Rc<Self>) -> Counted {
        self.count.set(self.count.get() + 1);
        Counted(Rc::clone(self))
    }

    async fn none(&self) {
        while self.count.get() > 0 {
            self.ended.notified().await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.ended.notify_one();
    }
}
