//! Changes of configurations: durable, seen by every shard, and acting on live logs before the client is answered.

use std::sync::Arc;

use engine::error::AppendError;

use super::owner::{CatalogError, CatalogOwner};
use super::{Change, Topic};
use crate::config::{DYNAMIC_KEYS, Settings};
use crate::config_edits::{ConfigEdits, EditError};
use crate::topic_config::{self, TopicConfigError};

impl CatalogOwner {
    /// Changes the configuration of a topic, or only says whether it could be changed.
    pub async fn alter_topic(&self, name: &str, edits: &ConfigEdits, validate_only: bool) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let current = state.topic(name).ok_or(CatalogError::UnknownTopic)?;
        let settings = self.effective_settings();
        let list_default = |key: &str| topic_config::list_default(key, &settings);
        let edited = edits.applied_to(&current.configs, list_default)?;
        // Only what is new is checked: a value of an older release stays until somebody changes it.
        let changed = edited.iter().filter(|(key, value)| current.configs.get(*key) != Some(value));
        topic_config::validate(name, changed.map(|(key, value)| (key.as_str(), Some(value.as_str()))))
            .map_err(|error| invalid(&error))?;
        for (key, _) in &edits.edits {
            topic_config::topic_key(key).ok_or_else(|| invalid(&TopicConfigError::Unknown(key.clone())))?;
        }
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

    /// Changes the broker's dynamic configuration, or only says whether it could be changed.
    pub async fn alter_broker(&self, edits: &ConfigEdits, validate_only: bool) -> Result<(), CatalogError> {
        let _writing = self.writing.lock().await;
        let state = self.state();
        let fixed: Vec<&str> =
            edits.edits.iter().map(|(key, _)| key.as_str()).filter(|key| !DYNAMIC_KEYS.contains(key)).collect();
        if !fixed.is_empty() {
            return Err(EditError::NotDynamic(fixed.join(", ")).into());
        }
        let edited = edits.applied_to(state.broker_configs(), |_| None)?;
        self.settings.with_dynamic(&edited).map_err(|error| EditError::Invalid(error.to_string()))?;
        if validate_only || edited == *state.broker_configs() {
            return Ok(());
        }
        tracing::info!(configs = ?edited, "dynamic broker configuration changed");
        self.append(Change::BrokerConfigs { configs: edited }).await?;
        self.broadcast().await;
        self.configure_all().await?;
        Ok(())
    }

    /// The settings of the start, overlaid by what was changed since.
    pub(super) fn effective_settings(&self) -> Arc<Settings> {
        self.settings.overlaid(self.state().broker_configs())
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

fn invalid(error: &TopicConfigError) -> CatalogError {
    EditError::Invalid(error.to_string()).into()
}
