//! Changes of configurations: durable, seen by every shard, and acting on live logs before the client is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::error::AppendError;

use super::owner::{CatalogError, CatalogOwner};
use super::{Catalog, Change, Topic};
use crate::config::{BrokerKey, Settings, broker_key};
use crate::config_edits::{ConfigEdits, EditError, StoredConfigs};
use crate::config_type::ConfigType;
use crate::group_config;
use crate::limits::GROUPS_WITH_SETTINGS_MAX;
use crate::topic_config::{self, TopicConfigError};

/// Whom a dynamic configuration of brokers is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigScope {
    /// All brokers of the cluster: what holds where nothing is said for the broker.
    Cluster,
    /// This broker.
    Broker,
}

impl ConfigScope {
    fn of(self, catalog: &Catalog) -> &StoredConfigs {
        match self {
            ConfigScope::Cluster => catalog.cluster_configs(),
            ConfigScope::Broker => catalog.broker_configs(),
        }
    }

    fn change(self, configs: StoredConfigs) -> Change {
        match self {
            ConfigScope::Cluster => Change::ClusterConfigs { configs },
            ConfigScope::Broker => Change::BrokerConfigs { configs },
        }
    }
}

impl CatalogOwner {
    /// Changes the configuration of a topic, or only says whether it could be changed.
    pub async fn alter_topic(&self, name: &str, edits: &ConfigEdits, validate_only: bool) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let current = state.topic(name).ok_or(CatalogError::UnknownTopic)?;
        let settings = self.effective_settings();
        let list_default = |key: &str| topic_config::list_default(key, &settings);
        let mut edited = edits.applied_to(&current.configs, list_default)?;
        // Only what is new is checked: a value of an older release stays until somebody changes it.
        let changed = edited.iter().filter(|(key, value)| current.configs.get(*key) != Some(value));
        let read = topic_config::validate(name, changed.map(|(key, value)| (key.as_str(), Some(value.as_str()))))
            .map_err(|error| invalid(&error))?;
        edited.extend(read);
        topic_config::check_together(&edited, &settings).map_err(|error| invalid(&error))?;
        if validate_only || edited == current.configs {
            return Ok(());
        }
        let topic = Topic { configs: edited, ..Topic::clone(current) };
        self.append(Change::Topic(topic.clone())).await?;
        self.broadcast().await;
        let logs: Vec<_> = topic.logs().collect();
        self.configure(&logs, topic_config::log_config(&topic, &settings)).await?;
        tracing::info!(topic = name, configs = ?topic.configs, "topic configuration changed");
        Ok(())
    }

    /// Changes the dynamic configuration of the broker or the cluster, or only says whether it could be changed.
    pub async fn alter_broker(
        &self,
        scope: ConfigScope,
        edits: &ConfigEdits,
        validate_only: bool,
    ) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let edits = known_edits(edits);
        let is_dynamic = |name: &str| broker_key(name).is_some_and(BrokerKey::is_dynamic);
        let fixed: Vec<&str> = edits.edits.iter().map(|(key, _)| key.as_str()).filter(|key| !is_dynamic(key)).collect();
        if !fixed.is_empty() {
            return Err(EditError::NotDynamic(fixed.join(", ")).into());
        }
        let current = scope.of(&state);
        let mut edited = edits.applied_to(current, |name| self.list_default(name)).map_err(of_broker)?;
        // Only what is new is checked: a value of an older release stays until somebody changes it.
        let mut changed = edited.clone();
        changed.retain(|key, value| current.get(key) != Some(value));
        let settings =
            self.settings.with_dynamic(&changed).map_err(|error| EditError::InvalidOfBroker(error.to_string()))?;
        // They are kept as they were read: without blanks around them.
        for name in changed.into_keys() {
            let read = settings.given[&name].clone();
            edited.insert(name, read);
        }
        if validate_only || edited == *current {
            return Ok(());
        }
        tracing::info!(?scope, configs = ?edited, "dynamic configuration changed");
        self.append(scope.change(edited)).await?;
        self.broadcast().await;
        self.configure_all().await?;
        Ok(())
    }

    /// Changes the settings of a group, which need not be there, or only says whether they could be changed.
    pub async fn alter_group(
        &self,
        group_id: &str,
        edits: &ConfigEdits,
        validate_only: bool,
    ) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let current = state.group_configs().get(group_id).cloned().unwrap_or_default();
        let edited = edits.applied_to(&current, |_| None)?;
        let edited = group_config::validate(&edited, &self.effective_settings())?;
        if validate_only || edited == current {
            return Ok(());
        }
        let is_full = state.group_configs().len() >= GROUPS_WITH_SETTINGS_MAX;
        if current.is_empty() && (is_full || self.full_shards.load(Ordering::Relaxed) > 0) {
            let message = format!(
                "{GROUPS_WITH_SETTINGS_MAX} groups have settings of their own, or the memory for them is used up"
            );
            return Err(CatalogError::Limit(message));
        }
        tracing::info!(group = group_id, configs = ?edited, "settings of a group changed");
        self.append(Change::GroupConfigs { group_id: group_id.to_owned(), configs: edited }).await?;
        self.broadcast().await;
        Ok(())
    }

    fn list_default(&self, name: &str) -> Option<String> {
        let key = broker_key(name).filter(|key| key.kind == ConfigType::List)?;
        Some(key.value(&self.settings).unwrap_or_default())
    }

    /// The settings of the start, overlaid by what was changed since.
    pub(super) fn effective_settings(&self) -> Arc<Settings> {
        self.settings.overlaid(&self.state().dynamic_configs())
    }

    /// Gives every log the configuration that it has now.
    pub(super) async fn configure_all(&self) -> Result<(), AppendError> {
        let settings = self.effective_settings();
        for topic in self.state().topics() {
            let logs: Vec<_> = topic.logs().collect();
            self.configure(&logs, topic_config::log_config(topic, &settings)).await?;
        }
        Ok(())
    }
}

/// The edits of keys that there are. Kafka takes any other for one of a plugin; here are none that could read it.
fn known_edits(edits: &ConfigEdits) -> ConfigEdits {
    let (known, unknown): (Vec<_>, Vec<_>) =
        edits.edits.iter().cloned().partition(|(name, _)| broker_key(name).is_some());
    if !unknown.is_empty() {
        tracing::warn!(count = unknown.len(), first = ?unknown[0].0, "unknown broker configurations are not kept");
    }
    ConfigEdits { edits: known, ..*edits }
}

/// Kafka has words of their own for a list edit of the broker.
fn of_broker(error: EditError) -> EditError {
    match error {
        EditError::NotAList { operation, key } => {
            let operation = operation.to_ascii_lowercase();
            EditError::Invalid(format!("Config value {operation} is not allowed for config key: {key}"))
        }
        other => other,
    }
}

fn invalid(error: &TopicConfigError) -> CatalogError {
    EditError::Invalid(error.to_string()).into()
}
