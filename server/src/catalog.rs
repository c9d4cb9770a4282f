//! `Catalog`: which topics, ids and clusters there are. A state machine: one `apply` for live changes and replay; each shard holds the newest
//! view by reference.

mod change;
mod configs;
mod owner;
mod placement;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::offset::{LogId, ShardId};
use engine::shard::core::LogRef;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::change::Change;
pub use self::configs::ConfigScope;
pub use self::owner::{CATALOG_SHARD, CatalogError, CatalogOwner, NewTopic, check_topic_name};
use crate::config_edits::StoredConfigs;
use crate::topic_config::TopicConfigs;

/// Name of the topic that holds groups and committed offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Name of the topic that holds transactional ids.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Where a partition lives, as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Placement {
    /// The shard.
    pub shard: u32,
    /// The log, never reused.
    pub log: u64,
}

impl From<Placement> for LogRef {
    fn from(placement: Placement) -> LogRef {
        LogRef { shard: ShardId(placement.shard), log: LogId(placement.log) }
    }
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its identity: a topic of the same name made later has another.
    pub id: Uuid,
    /// Whether clients may not write it.
    pub internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<Placement>,
    /// What was set for it.
    pub configs: TopicConfigs,
}

impl Topic {
    /// The log of a partition.
    pub fn log(&self, partition: i32) -> Option<LogRef> {
        let placement = self.partitions.get(usize::try_from(partition).ok()?)?;
        Some((*placement).into())
    }

    /// Numbers and logs of all partitions.
    pub fn logs(&self) -> impl Iterator<Item = LogRef> {
        self.partitions.iter().map(|placement| (*placement).into())
    }

    /// How many partitions it has, as the protocol counts.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// The whole catalog at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Catalog {
    cluster_id: String,
    topics: BTreeMap<String, Arc<Topic>>,
    topics_by_id: HashMap<Uuid, Arc<Topic>>,
    partitions: usize,
    broker_configs: StoredConfigs,
    cluster_configs: StoredConfigs,
    /// Of groups that have some. Shared, because most changes leave it as it is.
    group_configs: Arc<BTreeMap<String, StoredConfigs>>,
    node_per_shard: bool,
    next_log_id: u64,
    next_producer_id: i64,
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog {
            cluster_id: String::new(),
            topics: BTreeMap::new(),
            topics_by_id: HashMap::new(),
            partitions: 0,
            broker_configs: StoredConfigs::new(),
            cluster_configs: StoredConfigs::new(),
            group_configs: Arc::default(),
            node_per_shard: false,
            // Log 0 is the catalog's own.
            next_log_id: engine::offset::CATALOG_LOG.0 + 1,
            next_producer_id: 0,
        }
    }
}

impl Catalog {
    /// The cluster's id; empty before the first start has given one.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// A topic of another name that differs in `.` and `_` alone.
    pub fn colliding(&self, name: &str) -> Option<&Arc<Topic>> {
        let folded = |byte: u8| if byte == b'.' { b'_' } else { byte };
        if !name.contains(['.', '_']) {
            return None;
        }
        let collides = |other: &str| other != name && other.bytes().map(folded).eq(name.bytes().map(folded));
        self.topics().find(|topic| collides(&topic.name))
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics_by_id.get(&id)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// Number of topics.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// The log of a partition.
    pub fn log(&self, topic: &str, partition: i32) -> Option<LogRef> {
        self.topics.get(topic)?.log(partition)
    }

    /// The broker's dynamic configuration, by name.
    pub fn broker_configs(&self) -> &StoredConfigs {
        &self.broker_configs
    }

    /// The same of all brokers of the cluster.
    pub fn cluster_configs(&self) -> &StoredConfigs {
        &self.cluster_configs
    }

    /// What was set for each group that has settings of its own, by the group's id.
    pub fn group_configs(&self) -> &Arc<BTreeMap<String, StoredConfigs>> {
        &self.group_configs
    }

    /// The dynamic configuration that counts: the cluster's, and the broker's before it.
    pub fn dynamic_configs(&self) -> StoredConfigs {
        let broker = self.broker_configs.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.cluster_configs.clone().into_iter().chain(broker).collect()
    }

    /// Whether each shard was a node of its own when partitions last got their leaders.
    pub fn node_per_shard(&self) -> bool {
        self.node_per_shard
    }

    /// The lowest log id that was never given away.
    pub fn next_log_id(&self) -> u64 {
        self.next_log_id
    }

    /// The lowest producer id that was never given away.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Applies a change, live or replayed. Changes say what is, not what to do, so that applying one twice does no harm.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Cluster { id } => self.cluster_id = id,
            Change::NodePerShard { enabled } => self.node_per_shard = enabled,
            Change::NextLogId { next } => self.next_log_id = self.next_log_id.max(next),
            Change::NextProducerId { next } => self.next_producer_id = self.next_producer_id.max(next),
            Change::BrokerConfigs { configs } => self.broker_configs = configs,
            Change::ClusterConfigs { configs } => self.cluster_configs = configs,
            Change::GroupConfigs { group_id, configs } => self.put_group_configs(group_id, configs),
            Change::Topic(topic) => self.put_topic(topic),
            Change::DeleteTopic { id } => self.remove_topic(id),
        }
    }

    /// The changes that make an empty catalog equal to this one.
    pub fn snapshot(&self) -> Vec<Change> {
        let ids = [
            Change::Cluster { id: self.cluster_id.clone() },
            Change::NextLogId { next: self.next_log_id },
            Change::NextProducerId { next: self.next_producer_id },
        ];
        // A catalog without dynamic configuration, or without a node a shard, stays readable to releases that know none.
        let set = |configs: &StoredConfigs| Some(configs.clone()).filter(|configs| !configs.is_empty());
        let of_broker = set(&self.broker_configs).map(|configs| Change::BrokerConfigs { configs });
        let of_cluster = set(&self.cluster_configs).map(|configs| Change::ClusterConfigs { configs });
        let of_groups = self
            .group_configs
            .iter()
            .map(|(group_id, configs)| Change::GroupConfigs { group_id: group_id.clone(), configs: configs.clone() });
        let nodes = self.node_per_shard.then_some(Change::NodePerShard { enabled: true });
        ids.into_iter()
            .chain(of_broker)
            .chain(of_cluster)
            .chain(of_groups)
            .chain(nodes)
            .chain(self.topics.values().map(|topic| Change::Topic(Topic::clone(topic))))
            .collect()
    }

    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        let configs = |configs: &StoredConfigs| -> usize {
            configs.iter().map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum()
        };
        let topics = self.topics.values().map(|topic| {
            // By name and by id.
            let places = size_of::<Topic>() + 2 * (size_of::<Uuid>() + size_of::<Arc<Topic>>()) + 2 * topic.name.len();
            places + topic.partitions.len() * size_of::<Placement>() + configs(&topic.configs)
        });
        let of_groups = self.group_configs.iter();
        let groups =
            of_groups.map(|(group_id, set)| size_of::<(String, StoredConfigs)>() + group_id.len() + configs(set));
        topics.sum::<usize>() + groups.sum::<usize>() + configs(&self.broker_configs) + configs(&self.cluster_configs)
    }

    fn put_group_configs(&mut self, group_id: String, configs: StoredConfigs) {
        let all = Arc::make_mut(&mut self.group_configs);
        if configs.is_empty() {
            all.remove(&group_id);
        } else {
            all.insert(group_id, configs);
        }
    }

    fn put_topic(&mut self, topic: Topic) {
        self.remove_topic(topic.id);
        let logs_end = topic.partitions.iter().map(|placement| placement.log + 1).max().unwrap_or(0);
        self.next_log_id = self.next_log_id.max(logs_end);
        self.partitions += topic.partitions.len();
        let topic = Arc::new(topic);
        self.topics_by_id.insert(topic.id, Arc::clone(&topic));
        self.topics.insert(topic.name.clone(), topic);
    }

    fn remove_topic(&mut self, id: Uuid) {
        if let Some(topic) = self.topics_by_id.remove(&id) {
            self.partitions -= topic.partitions.len();
            self.topics.remove(&topic.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, id: u128, logs: std::ops::Range<u64>) -> Topic {
        Topic {
            name: name.into(),
            id: Uuid::from_u128(id),
            internal: false,
            partitions: logs.map(|log| Placement { shard: (log % 2) as u32, log }).collect(),
            configs: TopicConfigs::from([("retention.ms".into(), "5".into())]),
        }
    }

    fn history() -> Vec<Change> {
        vec![
            Change::Cluster { id: "c".into() },
            Change::Topic(topic("a", 1, 1..3)),
            Change::NextProducerId { next: 1000 },
            Change::BrokerConfigs { configs: StoredConfigs::from([("log.retention.ms".into(), "5".into())]) },
            Change::ClusterConfigs { configs: StoredConfigs::from([("log.retention.ms".into(), "6".into())]) },
            Change::GroupConfigs { group_id: "g".into(), configs: StoredConfigs::from([("a".into(), "1".into())]) },
            Change::GroupConfigs { group_id: "h".into(), configs: StoredConfigs::from([("a".into(), "2".into())]) },
            Change::GroupConfigs { group_id: "h".into(), configs: StoredConfigs::new() },
            Change::NodePerShard { enabled: true },
            Change::Topic(topic("b", 2, 3..7)),
            Change::DeleteTopic { id: Uuid::from_u128(1) },
            Change::Topic(topic("a", 3, 7..8)),
            Change::Topic(topic("b", 2, 3..9)),
            Change::DeleteTopic { id: Uuid::from_u128(99) },
        ]
    }

    fn applied(changes: Vec<Change>) -> Catalog {
        let mut catalog = Catalog::default();
        for change in changes {
            catalog.apply(change);
        }
        catalog
    }

    #[test]
    fn replay_of_the_stored_bytes_gives_the_live_catalog() {
        let stored: Vec<_> = history().iter().map(Change::encode).collect();
        let replayed = stored.iter().map(|bytes| Change::decode(bytes).unwrap()).collect();
        assert_eq!(applied(replayed), applied(history()));
    }

    #[test]
    fn a_snapshot_is_the_whole_state_and_may_follow_the_history_it_replaces() {
        let live = applied(history());
        assert_eq!(applied(live.snapshot()), live);
        let both = history().into_iter().chain(live.snapshot()).collect();
        assert_eq!(applied(both), live);
    }

    #[test]
    fn log_ids_are_never_given_twice_even_after_deletion_and_snapshot() {
        let mut live = applied(history());
        live.apply(Change::DeleteTopic { id: Uuid::from_u128(2) });
        assert_eq!(live.next_log_id(), 9);
        assert_eq!(applied(live.snapshot()).next_log_id(), 9);
        assert_eq!((live.topic_count(), live.partition_count()), (1, 1));
    }

    #[test]
    fn bytes_of_another_version_are_refused() {
        assert!(Change::decode(b"{\"unknown\":{}}").is_err());
        assert!(Change::decode(&[0xff]).is_err());
    }
}
