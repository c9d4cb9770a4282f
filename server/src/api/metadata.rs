//! Metadata: brokers and topics. Topics that are asked for by name and missing are made where both sides allow it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use engine::shard::core::LogRef;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use uuid::Uuid;

use super::{authorized_operations, error_map};
use crate::catalog::{Catalog, CatalogError, NewTopic, Topic, check_topic_name};
use crate::internal_topics::is_reserved;
use crate::nodes::{Node, Nodes};
use crate::request::{Answer, Call};
use crate::topic_config::TopicConfigs;

pub async fn handle(call: &Call, request: MetadataRequest<'_>) -> Answer {
    if let Some(refused) = refusal(call, &request) {
        return call.answer(&refused);
    }
    let found = match &request.topics {
        // Version 0 has no null: there an empty list asks for all.
        None => all_topics(call),
        Some(topics) if topics.is_empty() && call.version == 0 => all_topics(call),
        Some(topics) => {
            let mut found = Vec::with_capacity(topics.len());
            let mut named = HashSet::new();
            let catalog = call.broker.catalog();
            for topic in topics.iter().filter(|topic| named.insert(identity(&catalog, topic))) {
                found.push(find(call, topic, request.allow_auto_topic_creation).await);
            }
            found
        }
    };
    let epochs = leader_epochs(call, &found).await;
    let operations = authorized_operations::of_topic(request.include_topic_authorized_operations);
    let topics = found.iter().map(|found| topic_response(found, &call.client.nodes, &epochs, operations)).collect();
    let catalog = call.broker.catalog();
    call.answer(&MetadataResponse {
        brokers: call.client.nodes.all().map(broker).collect(),
        cluster_id: Some(catalog.cluster_id()),
        controller_id: call.client.nodes.controller().id,
        topics,
        cluster_authorized_operations: authorized_operations::of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    })
}

/// Versions that know ids but not what to do with one refuse the whole request, and every topic of it.
fn refusal<'a>(call: &Call, request: &MetadataRequest<'a>) -> Option<MetadataResponse<'a>> {
    let topics = request.topics.as_ref().filter(|_| call.version < FIRST_VERSION_BY_ID)?;
    let is_by_name = |topic: &MetadataRequestTopic<'_>| topic.name.is_some() && topic.topic_id.is_nil();
    if topics.iter().all(is_by_name) {
        return None;
    }
    let refused = topics.iter().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    Some(MetadataResponse { topics: refused.collect(), ..Default::default() })
}

/// What makes a topic of a request the same as another one, which is answered once: its name, or an id that nobody has.
fn identity<'a>(catalog: &'a Catalog, asked: &MetadataRequestTopic<'a>) -> (Option<&'a str>, Uuid) {
    match asked_name(asked).or_else(|| catalog.topic_by_id(asked.topic_id).map(|topic| topic.name.as_str())) {
        Some(name) => (Some(name), Uuid::nil()),
        None => (None, asked.topic_id),
    }
}

/// The name that a topic is asked by. Kafka's own client leaves it empty beside an id.
fn asked_name<'a>(asked: &MetadataRequestTopic<'a>) -> Option<&'a str> {
    asked.name.filter(|name| !name.is_empty() || asked.topic_id.is_nil())
}

fn broker(node: Node<'_>) -> MetadataResponseBroker<'_> {
    MetadataResponseBroker { node_id: node.id, host: node.host, port: i32::from(node.port), rack: None }
}

const FIRST_VERSION_BY_ID: i16 = 12;

/// A topic, or why there is none, with what it was asked by.
enum Found<'a> {
    Topic(Arc<Topic>),
    Missing(&'a MetadataRequestTopic<'a>, ErrorCode),
}

fn all_topics<'a>(call: &Call) -> Vec<Found<'a>> {
    call.broker.catalog().topics().cloned().map(Found::Topic).collect()
}

async fn find<'a>(call: &Call, asked: &'a MetadataRequestTopic<'a>, client_allows: bool) -> Found<'a> {
    let catalog = call.broker.catalog();
    let Some(name) = asked_name(asked) else {
        return match catalog.topic_by_id(asked.topic_id) {
            Some(topic) => Found::Topic(Arc::clone(topic)),
            None => Found::Missing(asked, ErrorCode::UnknownTopicId),
        };
    };
    if let Some(topic) = catalog.topic(name) {
        return Found::Topic(Arc::clone(topic));
    }
    if let Err(error) = check_topic_name(name) {
        return Found::Missing(asked, error_map::catalog(&error));
    }
    if !client_allows || !call.broker.settings.auto_create_topics || is_reserved(name) {
        return Found::Missing(asked, ErrorCode::UnknownTopicOrPartition);
    }
    match create(call, name).await {
        Ok(topic) => Found::Topic(topic),
        Err(error) => {
            tracing::warn!(topic = name, %error, "cannot create a topic on first use");
            // Kafka's clients know this as "ask again", and a limit does not go away by asking.
            let code = if matches!(error, CatalogError::Limit(_)) {
                ErrorCode::InvalidTopicException
            } else {
                error_map::catalog(&error)
            };
            Found::Missing(asked, code)
        }
    }
}

async fn create(call: &Call, name: &str) -> Result<Arc<Topic>, CatalogError> {
    let new = NewTopic {
        name: name.to_owned(),
        partitions: call.broker.settings.num_partitions,
        configs: TopicConfigs::new(),
        internal: false,
    };
    let created = call.broker.with_owner(|owner| async move { owner.create_topic(new, false).await }).await;
    match created.map_err(|_| CatalogError::Stopping)? {
        // Another client was faster; its topic is as good.
        Err(CatalogError::TopicExists(name)) => {
            call.broker.catalog().topic(&name).cloned().ok_or(CatalogError::UnknownTopic)
        }
        created => created,
    }
}

/// The leader epochs of the topics that are answered.
type LeaderEpochs = HashMap<LogRef, i32>;

async fn leader_epochs(call: &Call, found: &[Found<'_>]) -> LeaderEpochs {
    if call.version < FIRST_VERSION_WITH_EPOCHS {
        return LeaderEpochs::new();
    }
    let topics = found.iter().filter_map(|found| match found {
        Found::Topic(topic) => Some(topic),
        Found::Missing(..) => None,
    });
    let views = call.broker.views(topics.flat_map(|topic| topic.logs())).await;
    views.into_iter().map(|(log, view)| (log, view.leader_epoch)).collect()
}

const FIRST_VERSION_WITH_EPOCHS: i16 = 7;

fn topic_response<'a>(
    found: &'a Found<'a>,
    nodes: &Nodes,
    epochs: &LeaderEpochs,
    topic_authorized_operations: i32,
) -> MetadataResponseTopic<'a> {
    match found {
        Found::Missing(asked, error) => MetadataResponseTopic {
            error_code: error.code(),
            name: asked.name,
            topic_id: asked.topic_id,
            topic_authorized_operations,
            ..Default::default()
        },
        Found::Topic(topic) => MetadataResponseTopic {
            error_code: ErrorCode::None.code(),
            name: Some(&topic.name),
            topic_id: topic.id,
            is_internal: topic.internal,
            partitions: (0..)
                .zip(topic.logs())
                .map(|(partition_index, log)| {
                    let leader_id = nodes.of_shard(log.shard).id;
                    MetadataResponsePartition {
                        error_code: ErrorCode::None.code(),
                        partition_index,
                        leader_id,
                        leader_epoch: epochs.get(&log).copied().unwrap_or(-1),
                        replica_nodes: vec![leader_id],
                        isr_nodes: vec![leader_id],
                        offline_replicas: Vec::new(),
                    }
                })
                .collect(),
            topic_authorized_operations,
        },
    }
}
