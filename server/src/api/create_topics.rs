//! `CreateTopics`: durable and known to every shard before it is answered.

use std::collections::{BTreeSet, HashSet};

use protocol::error_code::ErrorCode;
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use uuid::Uuid;

use super::{assignments, error_map};
use crate::catalog::{CatalogError, NewTopic, Topic};
use crate::internal_topics::is_reserved;
use crate::request::{Answer, Call};
use crate::topic_config::{self, TOPIC_KEYS, TopicConfigError};

const BROKER_DEFAULT: i32 = -1;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_DEFAULT: i8 = 5;

/// Why a topic was not made.
struct Refusal {
    code: ErrorCode,
    message: String,
}

impl From<CatalogError> for Refusal {
    fn from(error: CatalogError) -> Refusal {
        Refusal { code: error_map::catalog(&error), message: error.to_string() }
    }
}

pub async fn handle(call: &Call, request: CreateTopicsRequest<'_>) -> Answer {
    let mut seen = HashSet::new();
    // One answer each, behind the others, as Kafka gives it.
    let twice: BTreeSet<&str> =
        request.topics.iter().map(|topic| topic.name).filter(|name| !seen.insert(*name)).collect();
    let mut outcomes = Vec::with_capacity(request.topics.len());
    for topic in request.topics.iter().filter(|topic| !twice.contains(topic.name)) {
        outcomes.push((topic.name, create(call, topic, request.validate_only).await));
    }
    outcomes.extend(
        twice.into_iter().map(|name| {
            (name, Err(Refusal { code: ErrorCode::InvalidRequest, message: "Duplicate topic name.".into() }))
        }),
    );
    let described: Vec<_> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.as_ref().map(|topic| described_configs(call, topic)).unwrap_or_default())
        .collect();
    let topics = outcomes
        .iter()
        .zip(&described)
        .map(|((name, outcome), configs)| result(name, outcome, configs, request.validate_only))
        .collect();
    call.answer(&CreateTopicsResponse { topics, ..Default::default() })
}

async fn create(call: &Call, topic: &CreatableTopic<'_>, validate_only: bool) -> Result<Topic, Refusal> {
    let refuse = |code, message: &str| Err(Refusal { code, message: message.to_owned() });
    if is_reserved(topic.name) {
        if call.broker.catalog().topic(topic.name).is_some() {
            return Err(CatalogError::TopicExists(topic.name.to_owned()).into());
        }
        return refuse(
            ErrorCode::InvalidTopicException,
            "this name is the broker's own; the topic is made when the first client needs it",
        );
    }
    let partitions = partition_count(call, topic)?;
    let replicas_max = call.broker.settings.replication_factor_max;
    if !matches!(topic.replication_factor, -1 | 1..) {
        return refuse(
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        );
    }
    if topic.replication_factor > replicas_max {
        return refuse(
            ErrorCode::InvalidReplicationFactor,
            "Replication factor: this broker is a single node and keeps one replica; use 1 or -1, or let it take more with \
             posthaste.replication.factor.max.",
        );
    }
    if topic.replication_factor > 1 {
        tracing::warn!(topic = topic.name, asked = topic.replication_factor, "one replica is kept, whatever is asked");
    }
    let invalid = |error: TopicConfigError| Refusal { code: ErrorCode::InvalidConfig, message: error.to_string() };
    let configs = topic_config::validate(topic.name, topic.configs.iter().map(|config| (config.name, config.value)))
        .map_err(invalid)?;
    topic_config::check_together(&configs, &call.broker.effective_settings()).map_err(invalid)?;
    let new = NewTopic { name: topic.name.to_owned(), partitions, configs, internal: false };
    let created =
        call.broker.with_owner(move |owner| async move { owner.create_topic(new, validate_only).await }).await;
    let created = created.map_err(|_| CatalogError::Stopping)??;
    Ok(Topic::clone(&created))
}

/// The number asked for, the broker's default, or what an assignment to this only node implies.
fn partition_count(call: &Call, topic: &CreatableTopic<'_>) -> Result<i32, Refusal> {
    let refuse = |code, message: String| Err(Refusal { code, message });
    if topic.assignments.is_empty() {
        return Ok(if topic.num_partitions == BROKER_DEFAULT {
            call.broker.settings.num_partitions
        } else {
            topic.num_partitions
        });
    }
    if topic.replication_factor != -1 {
        return refuse(
            ErrorCode::InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1.".to_owned(),
        );
    }
    if topic.num_partitions != BROKER_DEFAULT {
        return refuse(
            ErrorCode::InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1.".to_owned(),
        );
    }
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|assignment| assignment.partition_index).collect();
    indexes.sort_unstable();
    let twice = indexes.iter().zip(&indexes[1..]).find(|(one, next)| one == next);
    if let Some((index, _)) = twice {
        let message = format!("Found multiple manual partition assignments for partition {index}");
        return refuse(ErrorCode::InvalidReplicaAssignment, message);
    }
    if let Some(reason) = assignments::refusal(call, topic.assignments.iter().map(|assignment| &*assignment.broker_ids))
    {
        return refuse(ErrorCode::InvalidReplicaAssignment, reason);
    }
    if !indexes.iter().copied().eq(0..indexes.len() as i32) {
        let message = "partitions should be a consecutive 0-based integer sequence".to_owned();
        return refuse(ErrorCode::InvalidReplicaAssignment, message);
    }
    Ok(indexes.len() as i32)
}

/// Name, value and whether the topic itself says so.
fn described_configs(call: &Call, topic: &Topic) -> Vec<(&'static str, String, i8)> {
    let settings = call.broker.effective_settings();
    TOPIC_KEYS
        .iter()
        .map(|key| match topic.configs.get(key.name) {
            Some(value) => (key.name, value.clone(), SOURCE_TOPIC),
            None => (key.name, key.default_value(&settings), SOURCE_DEFAULT),
        })
        .collect()
}

fn result<'a>(
    name: &'a str,
    outcome: &'a Result<Topic, Refusal>,
    configs: &'a [(&'static str, String, i8)],
    validate_only: bool,
) -> CreatableTopicResult<'a> {
    match outcome {
        Ok(topic) => CreatableTopicResult {
            name,
            topic_id: if validate_only { Uuid::nil() } else { topic.id },
            error_message: None,
            num_partitions: topic.partition_count(),
            replication_factor: 1,
            configs: Some(
                configs
                    .iter()
                    .map(|(name, value, source)| CreatableTopicConfigs {
                        name,
                        value: Some(value),
                        config_source: *source,
                        ..Default::default()
                    })
                    .collect(),
            ),
            ..Default::default()
        },
        Err(refusal) => CreatableTopicResult {
            name,
            error_code: refusal.code.code(),
            error_message: Some(&refusal.message),
            ..Default::default()
        },
    }
}
