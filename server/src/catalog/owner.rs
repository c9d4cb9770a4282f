//! `CatalogOwner`: the one writer of the catalog, on shard 0. A change is durable, then every shard has the new view, then the client is answered.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use engine::error::AppendError;
use engine::offset::{CATALOG_LOG, ShardId};
use engine::partition::config::LogConfig;
use engine::shard::core::{Core, LogRef};
use thiserror::Error;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::placement::spread;
use super::{Catalog, Change, Placement, Topic};
use crate::broker;
use crate::clock::wall_clock_ms;
use crate::config::{ListenerMode, Settings};
use crate::config_edits::EditError;
use crate::limits::{PARTITIONS_PER_TOPIC_MAX, PRODUCER_ID_BLOCK, TOPIC_NAME_BYTES_MAX};
use crate::state_log::{ReplayError, StateLog, StateRecord, build_batches};
use crate::topic_config::{self, TopicConfigs};

/// The shard whose journal holds the catalog.
pub const CATALOG_SHARD: ShardId = ShardId(0);

/// Why the catalog was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// There is a topic of this name.
    #[error("Topic '{0}' already exists.")]
    TopicExists(String),
    /// There is none.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// Kafka's rules for names.
    #[error("Topic name is invalid: {0}")]
    InvalidName(String),
    /// Names that differ in `.` and `_` alone are one in the names of metrics.
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    Collision {
        /// The new one.
        name: String,
        /// The one that there is.
        existing: String,
    },
    /// A number of partitions that cannot be.
    #[error("{0}")]
    InvalidPartitions(String),
    /// A cap of the broker.
    #[error("{0}")]
    Limit(String),
    /// An edit of a configuration that is refused.
    #[error("{0}")]
    Config(#[from] EditError),
    /// The journal did not take it.
    #[error("{0}")]
    Storage(#[from] AppendError),
    /// The owning shard has ended.
    #[error("the broker is stopping")]
    Stopping,
}

/// A topic to make.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Validated configs.
    pub configs: TopicConfigs,
    /// One of the broker's own.
    pub internal: bool,
}

/// The writer. Changes happen one after another.
pub struct CatalogOwner {
    core: Core,
    pub(super) settings: Arc<Settings>,
    log: StateLog,
    state: RefCell<Arc<Catalog>>,
    pub(super) writing: Mutex<()>,
    /// Shards whose tables are full.
    pub(super) full_shards: Arc<AtomicUsize>,
}

impl CatalogOwner {
    /// Replays the catalog, gives a new directory its cluster id, makes the logs that a crash kept from being made and removes those that
    /// a crash kept from being deleted; then gives every shard the view.
    pub async fn start(
        core: Core,
        settings: Arc<Settings>,
        full_shards: Arc<AtomicUsize>,
    ) -> Result<Rc<CatalogOwner>, ReplayError> {
        let log_ref = LogRef { shard: CATALOG_SHARD, log: CATALOG_LOG };
        // No retention of its own: its owner raises the start.
        core.configure_log(log_ref, LogConfig { uses_reserve: true, ..LogConfig::default() }).await?;
        let log = StateLog::new(core.clone(), log_ref);
        let mut catalog = Catalog::default();
        log.replay(|_, value| {
            catalog.apply(Change::decode(value.ok_or("a catalog record has no value")?)?);
            Ok(())
        })
        .await?;
        let owner = Rc::new(CatalogOwner {
            core,
            settings,
            log,
            state: RefCell::new(Arc::new(catalog)),
            writing: Mutex::new(()),
            full_shards,
        });
        if owner.state().cluster_id().is_empty() {
            let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
            owner.append(Change::Cluster { id }).await?;
        }
        owner.reconcile_logs().await?;
        owner.settle_leaders().await?;
        owner.broadcast().await;
        Ok(owner)
    }

    /// The newest view.
    pub fn state(&self) -> Arc<Catalog> {
        Arc::clone(&self.state.borrow())
    }

    /// Makes a topic, or only says whether it could be made.
    pub async fn create_topic(&self, new: NewTopic, validate_only: bool) -> Result<Arc<Topic>, CatalogError> {
        let _writing = self.writing.lock().await;
        let topic = self.plan_topic(new)?;
        if validate_only {
            return Ok(Arc::new(topic));
        }
        let logs: Vec<LogRef> = topic.logs().collect();
        self.append(Change::Topic(topic.clone())).await?;
        if let Err(error) = self.configure(&logs, topic_config::log_config(&topic, &self.effective_settings())).await {
            // The topic must not be there by half: clients would see partitions that never answer.
            self.append(Change::DeleteTopic { id: topic.id }).await?;
            return Err(error.into());
        }
        self.broadcast().await;
        tracing::info!(topic = topic.name, id = %topic.id, partitions = logs.len(), "topic created");
        Ok(Arc::new(topic))
    }

    /// Gives a topic more partitions.
    pub async fn create_partitions(&self, name: &str, count: i32, validate_only: bool) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let current = state.topic(name).ok_or(CatalogError::UnknownTopic)?;
        let old_count = current.partition_count();
        if count == old_count {
            return Err(CatalogError::InvalidPartitions(format!("Topic already has {old_count} partition(s).")));
        }
        if count < old_count {
            return Err(CatalogError::InvalidPartitions(format!(
                "The topic {name} currently has {old_count} partition(s); {count} would not be an increase."
            )));
        }
        let added = self.place(Some(current), current.internal, count - old_count)?;
        if validate_only {
            return Ok(());
        }
        let logs: Vec<LogRef> = added.iter().map(|placement| (*placement).into()).collect();
        let mut topic = Topic::clone(current);
        topic.partitions.extend(added);
        let config = topic_config::log_config(&topic, &self.effective_settings());
        self.append(Change::Topic(topic)).await?;
        if let Err(error) = self.configure(&logs, config).await {
            self.append(Change::Topic(Topic::clone(current))).await?;
            return Err(error.into());
        }
        self.broadcast().await;
        Ok(())
    }

    /// Removes a topic. Its logs are deleted once no shard sees it any more; a crash in between is made good at the next start.
    pub async fn delete_topic(&self, id: Uuid) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let topic = state.topic_by_id(id).ok_or(CatalogError::UnknownTopic)?;
        self.append(Change::DeleteTopic { id }).await?;
        self.broadcast().await;
        let deletions: Vec<_> = topic.logs().map(|log| self.core.delete_log(log)).collect();
        for deletion in deletions {
            deletion.await?;
        }
        tracing::info!(topic = topic.name, %id, "topic deleted");
        Ok(())
    }

    /// Takes a block of producer ids that is never given again; gives its first.
    pub async fn take_producer_ids(&self) -> Result<i64, CatalogError> {
        let _writing = self.writing.lock().await;
        let first = self.state().next_producer_id();
        let next = first
            .checked_add(PRODUCER_ID_BLOCK)
            .ok_or_else(|| CatalogError::Limit("producer ids are used up".into()))?;
        self.append(Change::NextProducerId { next }).await?;
        Ok(first)
    }

    /// Appends the live catalog anew when its log has grown.
    pub async fn shorten_log(&self) -> Result<(), AppendError> {
        if !self.log.wants_snapshot().await {
            return Ok(());
        }
        let _writing = self.writing.lock().await;
        let live: Vec<StateRecord> = self.state().snapshot().iter().map(record).collect();
        self.log.replace_with(build_batches(&live, wall_clock_ms())).await
    }

    fn plan_topic(&self, new: NewTopic) -> Result<Topic, CatalogError> {
        check_topic_name(&new.name)?;
        let state = self.state();
        if state.topic(&new.name).is_some() {
            return Err(CatalogError::TopicExists(new.name));
        }
        // The broker's own are made when they are needed, whatever clients have made.
        if let Some(existing) = state.colliding(&new.name).filter(|_| !new.internal) {
            return Err(CatalogError::Collision { existing: existing.name.clone(), name: new.name });
        }
        if state.topic_count() >= self.settings.topics_max && !new.internal {
            return Err(CatalogError::Limit(format!(
                "the broker has its limit of {} topics",
                self.settings.topics_max
            )));
        }
        let partitions = self.place(None, new.internal, new.partitions)?;
        Ok(Topic { name: new.name, id: Uuid::new_v4(), internal: new.internal, partitions, configs: new.configs })
    }

    /// Places new partitions of a topic that there is, or of a new one.
    fn place(&self, placed: Option<&Topic>, internal: bool, count: i32) -> Result<Vec<Placement>, CatalogError> {
        if count < 1 {
            return Err(CatalogError::InvalidPartitions(
                "Number of partitions was set to an invalid non-positive value.".into(),
            ));
        }
        if count > PARTITIONS_PER_TOPIC_MAX {
            return Err(CatalogError::InvalidPartitions(format!(
                "a request may make {PARTITIONS_PER_TOPIC_MAX} partitions"
            )));
        }
        let state = self.state();
        if state.partition_count() + count as usize > self.settings.partitions_max {
            return Err(CatalogError::Limit(format!(
                "the broker has its limit of {} partitions",
                self.settings.partitions_max
            )));
        }
        if self.full_shards.load(Ordering::Relaxed) > 0 && !internal {
            return Err(CatalogError::Limit(
                "the memory for topics, partitions and groups is used up (memory.max.bytes)".into(),
            ));
        }
        let first = state.next_log_id();
        let shards = spread(&state, placed, internal, count as usize, self.core.shard_count());
        Ok((first..).zip(shards).map(|(log, shard)| Placement { shard, log }).collect())
    }

    pub(super) async fn append(&self, change: Change) -> Result<(), AppendError> {
        self.log.append(build_batches(&[record(&change)], wall_clock_ms())).await?;
        let mut next = Catalog::clone(&self.state.borrow());
        next.apply(change);
        self.state.replace(Arc::new(next));
        Ok(())
    }

    pub(super) async fn configure(&self, logs: &[LogRef], config: LogConfig) -> Result<(), AppendError> {
        let pending: Vec<_> = logs.iter().map(|log| self.core.configure_log(*log, config)).collect();
        for configured in pending {
            configured.await?;
        }
        Ok(())
    }

    /// Gives every shard the newest view, and ends when all have it.
    pub(super) async fn broadcast(&self) {
        let pending: Vec<_> = (0..self.core.shard_count())
            .map(|shard| {
                let view = self.state();
                self.core.on(ShardId(shard), move |_| async move { broker::local().set_catalog(&view) })
            })
            .collect();
        for installed in pending {
            // A shard that has ended needs no view.
            let _ = installed.await;
        }
    }

    /// Where shards became nodes of their own, or one node again, partitions have other leaders: their epochs rise, so that clients take the new
    /// leader although they know the old one. A crash before the change is stored raises them once more.
    async fn settle_leaders(&self) -> Result<(), AppendError> {
        let enabled = self.settings.listener_mode == ListenerMode::PerCore;
        let state = self.state();
        if state.node_per_shard() == enabled {
            return Ok(());
        }
        let logs = state.topics().flat_map(|topic| topic.logs());
        let pending: Vec<_> = logs.map(|log| self.core.raise_leader_epoch(log)).collect();
        for raised in pending {
            raised.await?;
        }
        self.append(Change::NodePerShard { enabled }).await
    }

    async fn reconcile_logs(&self) -> Result<(), AppendError> {
        let state = self.state();
        self.configure_all().await?;
        let known: std::collections::HashSet<u64> =
            state.topics().flat_map(|topic| topic.partitions.iter().map(|placement| placement.log)).collect();
        for shard in (0..self.core.shard_count()).map(ShardId) {
            let Ok(recovered) = self.core.on(shard, |core| async move { core.logs() }).await else { continue };
            for log in recovered {
                // Ids that the catalog never gave away are not ours to judge.
                if log != CATALOG_LOG && log.0 < state.next_log_id() && !known.contains(&log.0) {
                    tracing::info!(%log, %shard, "deleting a log whose topic was deleted");
                    self.core.delete_log(LogRef { shard, log }).await?;
                }
            }
        }
        Ok(())
    }
}

fn record(change: &Change) -> StateRecord {
    StateRecord { key: None, value: Some(change.encode()) }
}

/// Kafka's rules for topic names.
pub fn check_topic_name(name: &str) -> Result<(), CatalogError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if matches!(name, "." | "..") {
        format!("'{name}' is not allowed")
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        let shown: String = name.chars().take(TOPIC_NAME_BYTES_MAX + 1).collect();
        format!("the length of '{shown}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")
    } else if !name.bytes().all(legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(CatalogError::InvalidName(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_follow_kafkas_rules() {
        for legal in ["a", "A.b_c-9", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(check_topic_name(legal), Ok(()), "{legal}");
        }
        for illegal in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(check_topic_name(illegal).is_err(), "{illegal}");
        }
        let words = |name| check_topic_name(name).unwrap_err().to_string();
        assert_eq!(words(""), "Topic name is invalid: the empty string is not allowed");
        assert_eq!(words(".."), "Topic name is invalid: '..' is not allowed");
        let legal = "ASCII alphanumerics, '.', '_' and '-'";
        let other = format!("Topic name is invalid: 'a/b' contains one or more characters other than {legal}");
        assert_eq!(words("a/b"), other);
        assert!(words(&"x".repeat(250)).ends_with("xx' is longer than the max allowed length 249"));
    }
}
