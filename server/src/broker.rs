//! `Broker`: what one shard's thread knows: its core, the settings, the newest catalog, memory budgets, and its groups. Local to the thread.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use engine::offset::ShardId;
use engine::shard::core::{Core, LogRef, ShardGone};
use engine::shard::state::LogView;
use protocol::error_code::ErrorCode;
use tokio::sync::watch;

use crate::answer_budget::AnswerBudget;
use crate::catalog::{CATALOG_SHARD, Catalog, CatalogOwner, Topic};
use crate::closing_log::ClosingLog;
use crate::config::{ListenerMode, Settings};
use crate::connection_caps::{ConnectionCaps, ConnectionLimits};
use crate::fetch_sessions::{FetchSessions, Room};
use crate::frame_budget::FrameBudget;
use crate::group_edge::GroupEdge;
use crate::limits::{FETCH_SESSION_PARTITION_BYTES, FETCH_SESSION_TABLE_PARTS};
use crate::memory_plan::ShardPlan;
use crate::metrics::{MemoryUse, Metrics};
use crate::producer_ids::ProducerIds;
use crate::recompression::Recompression;
use crate::tables::TableWatch;
use crate::transaction_edge::TransactionEdge;

thread_local! {
    /// The engine runs work on another shard as a closure that must be `Send`; this is how it finds the state that is not.
    static LOCAL: OnceCell<Rc<Broker>> = const { OnceCell::new() };
}

/// The broker's part on one shard.
pub struct Broker {
    /// The engine's handle of this shard.
    pub core: Core,
    /// The resolved configuration.
    pub settings: Arc<Settings>,
    /// Memory of received frames, held as long as any slice of them.
    pub frame_budget: Rc<FrameBudget>,
    /// Memory of answers, held until they have left.
    pub answers: Rc<AnswerBudget>,
    /// What this shard may hold.
    pub memory: ShardPlan,
    /// What its tables take.
    pub tables: TableWatch,
    /// This shard's block of producer ids.
    pub producer_ids: ProducerIds,
    /// Large batches that are put into another codec.
    pub recompression: Recompression,
    /// What clients of this shard go on fetching.
    pub fetch_sessions: FetchSessions,
    /// What was served.
    pub metrics: Metrics,
    /// The groups whose offsets partitions live on this shard.
    pub groups: GroupEdge,
    /// The transactional ids whose partitions live on this shard.
    pub transactions: TransactionEdge,
    /// The settings overlaid by the dynamic configuration of the catalog.
    effective_settings: RefCell<Arc<Settings>>,
    catalog: RefCell<Arc<Catalog>>,
    /// What is told of connections that are closed for what they did.
    pub closing_log: Arc<ClosingLog>,
    owner: OnceCell<Rc<CatalogOwner>>,
    caps: Arc<ConnectionCaps>,
    draining: watch::Receiver<bool>,
}

impl Broker {
    /// Makes this thread's broker; once a thread.
    pub fn install(
        core: Core,
        settings: Arc<Settings>,
        memory: ShardPlan,
        caps: Arc<ConnectionCaps>,
        closing_log: Arc<ClosingLog>,
        draining: watch::Receiver<bool>,
    ) -> Rc<Broker> {
        let room = Room {
            sessions: settings.fetch_session_slots.div_ceil(core.shard_count() as usize),
            partitions: memory.table_bytes / FETCH_SESSION_TABLE_PARTS / FETCH_SESSION_PARTITION_BYTES,
        };
        let fetch_sessions = FetchSessions::new(room, core.shard().0, core.shard_count());
        let broker = Rc::new(Broker {
            groups: GroupEdge::new(core.clone(), &settings),
            transactions: TransactionEdge::new(core.clone(), &settings),
            effective_settings: RefCell::new(Arc::clone(&settings)),
            core,
            settings,
            frame_budget: Rc::new(FrameBudget::new(memory.frame_bytes)),
            answers: AnswerBudget::new(memory.answer_bytes),
            memory,
            recompression: Recompression::default(),
            fetch_sessions,
            metrics: Metrics::default(),
            producer_ids: ProducerIds::default(),
            tables: TableWatch::default(),
            catalog: RefCell::default(),
            owner: OnceCell::new(),
            caps,
            closing_log,
            draining,
        });
        let installed = LOCAL.with(|local| local.set(Rc::clone(&broker)));
        assert!(installed.is_ok(), "one broker a shard");
        broker
    }

    /// What this shard holds, by purpose.
    pub fn memory_use(&self) -> Vec<MemoryUse> {
        let (engine, memory) = (self.core.stats(), &self.memory);
        let tables = self.tables.counted();
        let part = |purpose, bytes, limit_bytes| MemoryUse { purpose, bytes, limit_bytes };
        vec![
            part("received frames", self.frame_budget.used_bytes(), memory.frame_bytes),
            part("answers", self.answers.used_bytes(), self.answers.bytes_max()),
            part("stalled appends", engine.stalled_bytes, engine::limits::STALLED_BYTES_MAX),
            part("undurable commits", engine.shard.undurable_bytes, memory.engine.undurable_bytes),
            part("tail", engine.shard.tail_bytes, memory.engine.tail_bytes),
            part("tail held by answers", engine.shard.reads.tail_pinned_bytes, memory.engine.tail_pinned_bytes),
            part("disk reads", engine.shard.reads.read_memory_bytes, memory.engine.read_bytes),
            part("idle buffers", engine.pool_idle_bytes, memory.engine.idle_buffer_bytes),
            part("tables", tables.total_bytes(), memory.table_bytes),
            part("index cache", engine.shard.index_cache_bytes, memory.engine.index_cache_bytes),
        ]
    }

    /// The newest view of the catalog.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    /// The settings as they are now, dynamic ones included: for what topics have by default.
    pub fn effective_settings(&self) -> Arc<Settings> {
        Arc::clone(&self.effective_settings.borrow())
    }

    /// Takes over a newer view.
    pub fn set_catalog(&self, catalog: &Arc<Catalog>) {
        let effective = self.settings.overlaid(&catalog.dynamic_configs());
        if self.core.shard() == CATALOG_SHARD {
            self.caps.set_limits(ConnectionLimits::of(&effective));
        }
        self.effective_settings.replace(effective);
        let old = self.catalog.replace(Arc::clone(catalog));
        self.groups.topics_changed(&old, catalog);
        self.transactions.topics_changed(catalog);
    }

    /// Makes this shard the one that writes the catalog.
    pub fn own_catalog(&self, owner: Rc<CatalogOwner>) {
        assert!(self.owner.set(owner).is_ok(), "the catalog has one owner");
    }

    /// Runs `work` with the catalog's owner, on its shard.
    pub async fn with_owner<R, F>(
        &self,
        work: impl FnOnce(Rc<CatalogOwner>) -> F + Send + 'static,
    ) -> Result<R, ShardGone>
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let run = |_: Core| async move {
            let owner = local().owner.get().cloned();
            match owner {
                Some(owner) => Some(work(owner).await),
                None => None,
            }
        };
        // Requests are only served after the owner was installed; without one its shard never came up.
        self.core.on(CATALOG_SHARD, run).await?.ok_or(ShardGone)
    }

    /// Runs `work` on every shard of this node at the same time; none stands for a shard that is gone.
    pub async fn on_shards_of_node<R, F>(&self, work: impl FnOnce() -> F + Send + Clone + 'static) -> Vec<Option<R>>
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let here = self.core.shard().0;
        let shards = match self.settings.listener_mode {
            ListenerMode::Shared => 0..self.core.shard_count(),
            ListenerMode::PerCore => here..here + 1,
        };
        let begin = |shard| {
            let work = work.clone();
            self.core.on(ShardId(shard), move |_| work())
        };
        let pending: Vec<_> = shards.map(begin).collect();
        let mut outcomes = Vec::with_capacity(pending.len());
        for one in pending {
            outcomes.push(one.await.ok());
        }
        outcomes
    }

    /// The topic and log of a partition that this shard's node leads.
    pub fn partition(&self, topic: &str, partition: i32) -> Result<(Arc<Topic>, LogRef), ErrorCode> {
        let catalog = self.catalog.borrow();
        let topic = catalog.topic(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        Ok((Arc::clone(topic), self.led_log_in(topic, partition)?))
    }

    /// The log of a partition, wherever it lives.
    pub fn log(&self, topic: &str, partition: i32) -> Option<LogRef> {
        self.catalog.borrow().log(topic, partition)
    }

    /// Whether this shard's node leads the log. With a node a shard, requests for the others' logs are refused instead of forwarded: a client
    /// with old metadata then asks for new at once, and no request crosses cores.
    pub fn leads(&self, log: LogRef) -> bool {
        match self.settings.listener_mode {
            ListenerMode::Shared => true,
            ListenerMode::PerCore => log.shard == self.core.shard(),
        }
    }

    /// The log of a partition that this shard's node leads.
    pub fn led_log(&self, topic: &str, partition: i32) -> Result<LogRef, ErrorCode> {
        self.partition(topic, partition).map(|(_, log)| log)
    }

    /// The same of a topic that was found before.
    pub fn led_log_in(&self, topic: &Topic, partition: i32) -> Result<LogRef, ErrorCode> {
        let log = topic.log(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if self.leads(log) { Ok(log) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// The ends of logs, each shard asked once; those of a shard that is gone are missing.
    pub async fn views(&self, logs: impl Iterator<Item = LogRef>) -> HashMap<LogRef, LogView> {
        let mut shards: BTreeMap<ShardId, Vec<LogRef>> = BTreeMap::new();
        logs.for_each(|log| shards.entry(log.shard).or_default().push(log));
        let ask = |(shard, logs): (ShardId, Vec<LogRef>)| {
            self.core.on(shard, move |core| async move {
                let mut views = Vec::with_capacity(logs.len());
                for log in logs {
                    views.extend(core.view(log).await.map(|view| (log, view)));
                }
                views
            })
        };
        let pending: Vec<_> = shards.into_iter().map(ask).collect();
        let mut views = HashMap::new();
        for part in pending {
            views.extend(part.await.unwrap_or_default());
        }
        views
    }

    /// The node that this shard is, or belongs to.
    pub fn node_id(&self) -> i32 {
        match self.settings.listener_mode {
            ListenerMode::Shared => self.settings.node_id,
            ListenerMode::PerCore => self.settings.node_id + self.core.shard().0 as i32,
        }
    }

    /// Whether the broker is stopping: nothing new is begun, waits end early.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Ends when the broker begins to stop.
    pub fn drained(&self) -> impl Future<Output = ()> + 'static {
        let mut draining = self.draining.clone();
        async move {
            // An error says that the sender is gone, and with it the program: that is a stop too.
            let _ = draining.wait_for(|draining| *draining).await;
        }
    }
}

/// The broker of this thread.
pub fn local() -> Rc<Broker> {
    LOCAL.with(|local| Rc::clone(local.get().expect("shards run the service before they take messages from it")))
}
