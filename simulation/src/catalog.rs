//! The catalog: the server's own state machine and records, over log 0. One change at a time; a change is durable before it is followed.

use bytes::Bytes;
use engine::offset::{CATALOG_LOG, LogId, Offset};
use engine::partition::config::LogConfig;
use protocol::record_batch::{HEADER_BYTES, batches, records};
use server::catalog::{Catalog, Change, OFFSETS_TOPIC, Placement, Topic};
use server::config::Settings;
use server::state_log::{StateRecord, build_batches};
use server::topic_config::{TopicConfigs, log_config};
use uuid::Uuid;

use crate::state_log::{For, StateAppends, read_log};
use crate::world::{Task, World};

/// Topics of clients, at most.
const TOPICS_MOST: usize = 5;
/// Producer ids of a block.
const BLOCK: i64 = 4;

/// What a topic is made with and keeps: promises of what is there already depend on it.
const KEPT_CONFIGS: [&str; 3] = ["posthaste.durability", "delete.retention.ms", "min.compaction.lag.ms"];

/// The writer of the catalog.
pub struct CatalogEdge {
    /// Appends on their way.
    pub appends: StateAppends,
    settings: Settings,
    shards: u64,
    /// What is durable and acknowledged.
    state: Catalog,
    writing: Option<Change>,
    /// Producer ids that may be given.
    ids: std::ops::Range<i64>,
    /// The highest producer id that was ever given, plus one.
    ids_given: i64,
}

impl CatalogEdge {
    /// An empty catalog.
    pub fn new(shards: u32) -> CatalogEdge {
        CatalogEdge {
            appends: StateAppends::default(),
            settings: Settings::default(),
            shards: u64::from(shards),
            state: Catalog::default(),
            writing: None,
            ids: 0..0,
            ids_given: 0,
        }
    }

    /// What every shard sees.
    pub fn view(&self) -> &Catalog {
        &self.state
    }

    /// A producer id that nobody has.
    pub fn producer_id(&mut self) -> Option<i64> {
        let id = self.ids.next()?;
        assert!(id >= self.ids_given, "producer id {id} is given twice");
        self.ids_given = id + 1;
        Some(id)
    }

    fn config(&self, topic: &Topic) -> LogConfig {
        log_config(topic, &self.settings)
    }
}

impl World {
    fn change_catalog(&mut self, change: Change) {
        // The owner's lock is held until the logs of a change are there or gone.
        let is_followed = self.tasks.iter().all(|task| matches!(task, Task::Raise(..) | Task::RaiseEpoch(_)));
        if self.catalog.writing.is_some() || self.catalog.appends.has_snapshot() || !is_followed {
            return;
        }
        let now_ms = self.now_ms();
        let record = StateRecord { key: None, value: Some(change.encode()) };
        for batch in build_batches(&[record], now_ms) {
            self.catalog.appends.push(batch, For::Change);
        }
        self.catalog.writing = Some(change);
    }

    /// The change is durable: everybody sees it, then logs are made and deleted.
    pub(crate) fn catalog_changed(&mut self) {
        let change = self.catalog.writing.take().expect("the catalog writes one change at a time");
        self.note(("catalog", format!("{change:?}")));
        let deleted = match &change {
            Change::DeleteTopic { id } => self.catalog.state.topic_by_id(*id).cloned(),
            _ => None,
        };
        self.catalog.state.apply(change.clone());
        match change {
            Change::Topic(topic) => self.configure_logs(&topic),
            Change::NextProducerId { next } => self.catalog.ids = next - BLOCK..next,
            Change::DeleteTopic { .. } => {
                let topic = deleted.expect("only topics that are there are deleted");
                self.tasks.extend(topic.logs().map(|log| Task::Delete(log.log)));
                self.group_event(server::group::Event::TopicsDeleted(vec![topic.name.clone()]));
            }
            Change::Cluster { .. }
            | Change::NextLogId { .. }
            | Change::BrokerConfigs { .. }
            | Change::ClusterConfigs { .. }
            | Change::GroupConfigs { .. }
            | Change::NodePerShard { .. } => {}
        }
    }

    pub(crate) fn catalog_refused(&mut self) {
        self.catalog.writing = None;
    }

    fn configure_logs(&mut self, topic: &Topic) {
        let config = self.catalog.config(topic);
        self.tasks.extend(topic.logs().map(|log| Task::Configure(log.log, config)));
        if topic.name == OFFSETS_TOPIC {
            self.groups.log = topic.logs().next().map(|log| log.log).filter(|log| self.model.logs.contains_key(log));
        }
    }

    pub(crate) fn create_topic(&mut self) {
        let first = self.catalog.state.next_log_id();
        let clients = self.catalog.state.topics().filter(|topic| !topic.internal).count();
        let (name, internal, partitions) = if self.catalog.state.topic(OFFSETS_TOPIC).is_none() {
            (OFFSETS_TOPIC.to_owned(), true, 1)
        } else if clients < TOPICS_MOST {
            (format!("topic-{}", self.dice.below(8)), false, 1 + self.dice.below(3))
        } else {
            return;
        };
        if self.catalog.state.topic(&name).is_some() {
            return;
        }
        self.coverage.operation("create topic");
        let shards = self.catalog.shards;
        let partitions = (first..first + partitions).map(|log| Placement { shard: (log % shards) as u32, log });
        let topic = Topic {
            name,
            id: Uuid::from_u64_pair(self.dice.any(), self.dice.any()),
            internal,
            partitions: partitions.collect(),
            configs: if internal { TopicConfigs::new() } else { self.all_configs() },
        };
        self.change_catalog(Change::Topic(topic));
    }

    fn all_configs(&mut self) -> TopicConfigs {
        let mut configs = self.some_configs();
        if self.dice.chance(250) {
            configs.insert("posthaste.durability".into(), "written".into());
        }
        let keep_ms = [0, 1_000, 20_000, 100_000][self.dice.below(4) as usize];
        configs.insert("delete.retention.ms".into(), keep_ms.to_string());
        let lag_ms = [0, 0, 1_000, 20_000][self.dice.below(4) as usize];
        configs.insert("min.compaction.lag.ms".into(), lag_ms.to_string());
        configs
    }

    /// What an administrator may change later.
    fn some_configs(&mut self) -> TopicConfigs {
        let mut configs = TopicConfigs::new();
        if self.dice.chance(self.plan.compact_permille) {
            let policy = ["compact", "compact,delete"][self.dice.below(2) as usize];
            configs.insert("cleanup.policy".into(), policy.into());
        }
        if self.dice.chance(300) {
            configs.insert("retention.bytes".into(), self.dice.below(300_000).to_string());
        }
        if self.dice.chance(300) {
            configs.insert("retention.ms".into(), self.dice.below(60_000).to_string());
        }
        if self.dice.chance(300) {
            configs.insert("max.compaction.lag.ms".into(), (1 + self.dice.below(30_000)).to_string());
        }
        let dirty_ratio = ["0", "0.1", "0.5"][self.dice.below(3) as usize];
        configs.insert("min.cleanable.dirty.ratio".into(), dirty_ratio.into());
        configs
    }

    fn a_topic(&mut self) -> Option<Topic> {
        let topics: Vec<_> = self.catalog.state.topics().filter(|topic| !topic.internal).collect();
        let at = self.dice.below(topics.len() as u64) as usize;
        topics.get(at).map(|topic| Topic::clone(topic))
    }

    pub(crate) fn alter_topic(&mut self) {
        let Some(mut topic) = self.a_topic() else { return };
        self.coverage.operation("alter topic");
        let stays = |name: &str| KEPT_CONFIGS.contains(&name);
        let kept: Vec<_> = topic.configs.into_iter().filter(|(name, _)| stays(name)).collect();
        topic.configs = self.some_configs();
        topic.configs.extend(kept);
        self.change_catalog(Change::Topic(topic));
    }

    pub(crate) fn delete_topic(&mut self) {
        let Some(topic) = self.a_topic() else { return };
        self.coverage.operation("delete topic");
        self.change_catalog(Change::DeleteTopic { id: topic.id });
    }

    pub(crate) fn take_producer_ids(&mut self) {
        self.coverage.operation("take producer ids");
        let next = self.catalog.state.next_producer_id() + BLOCK;
        self.change_catalog(Change::NextProducerId { next });
    }

    pub(crate) fn shorten_catalog(&mut self) {
        // The owner does this between two changes.
        if self.catalog.writing.is_some() {
            return;
        }
        self.coverage.operation("catalog snapshot");
        let now_ms = self.now_ms();
        let live: Vec<StateRecord> = self.catalog.state.snapshot().iter().map(of_change).collect();
        self.catalog.appends.push_snapshot(build_batches(&live, now_ms));
    }

    pub(crate) fn delete_records(&mut self) {
        let logs = self.usable_logs();
        let Some(log) = self.dice.pick(&logs) else { return };
        self.coverage.operation("delete records");
        let (start, end) = self.model.log(log).shown;
        let to = start + self.dice.below((end - start) as u64 + 3) as i64;
        self.tasks.push(Task::Raise(log, Offset(to)));
    }

    /// Replays the catalog after the audit: it is what was acknowledged, or that and the change that was on its way.
    pub(crate) fn load_catalog(&mut self) {
        self.catalog.appends = StateAppends::default();
        let writing = self.catalog.writing.take();
        let config = LogConfig { uses_reserve: true, ..LogConfig::default() };
        self.tasks = vec![Task::Configure(CATALOG_LOG, config)];
        let is_there = self.machine().shards[0].view(CATALOG_LOG).is_some();
        let mut replayed = Catalog::default();
        for bytes in if is_there { read_log(self.machine(), CATALOG_LOG) } else { Vec::new() } {
            replay(&bytes, |value| replayed.apply(Change::decode(value).expect("a catalog record is a change")));
        }
        if replayed != self.catalog.state {
            let mut next = self.catalog.state.clone();
            next.apply(writing.expect("without a change on its way the catalog is what it was"));
            assert_eq!(replayed, next, "the catalog lost what it said");
        }
        self.catalog.state = replayed;
        self.catalog.ids = 0..0;
        self.reconcile();
    }

    /// Makes the logs that an end kept from being made, and removes those that it kept from being deleted.
    fn reconcile(&mut self) {
        let topics: Vec<Topic> = self.catalog.state.topics().map(|topic| Topic::clone(topic)).collect();
        for topic in &topics {
            self.configure_logs(topic);
        }
        let known: Vec<LogId> =
            topics.iter().flat_map(|topic| topic.logs().map(|log| log.log).collect::<Vec<_>>()).collect();
        let present: Vec<LogId> = self.machine().shards.iter().flat_map(engine::shard::state::Shard::logs).collect();
        for log in present.into_iter().filter(|log| *log != CATALOG_LOG && !known.contains(log)) {
            assert!(log.0 < self.catalog.state.next_log_id(), "{log} was never given away");
            self.tasks.push(Task::Delete(log));
        }
    }
}

fn of_change(change: &Change) -> StateRecord {
    StateRecord { key: None, value: Some(change.encode()) }
}

fn replay(bytes: &[u8], mut apply: impl FnMut(&[u8])) {
    for batch in batches(bytes) {
        let (header, batch) = batch.expect("a batch of the catalog");
        for record in records(&header, &batch[HEADER_BYTES..]) {
            let value = record.expect("a record of the catalog").value;
            apply(&Bytes::copy_from_slice(value.expect("a catalog record has a value")));
        }
    }
}
