//! `CreatePartitions`: topics grow, never shrink.

use std::collections::{BTreeSet, HashSet};

use protocol::error_code::ErrorCode;
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};

use super::{assignments, error_map};
use crate::catalog::CatalogError;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: CreatePartitionsRequest<'_>) -> Answer {
    let mut seen = HashSet::new();
    // One answer each, before the others, as Kafka gives it.
    let twice: BTreeSet<&str> =
        request.topics.iter().map(|topic| topic.name).filter(|name| !seen.insert(*name)).collect();
    let refused = |name| (name, Err((ErrorCode::InvalidRequest, "Duplicate topic name.".into())));
    let mut outcomes: Vec<_> = twice.iter().copied().map(refused).collect();
    for topic in request.topics.iter().filter(|topic| !twice.contains(topic.name)) {
        outcomes.push((topic.name, grow(call, topic, request.validate_only).await));
    }
    let results = outcomes
        .iter()
        .map(|(name, outcome)| CreatePartitionsTopicResult {
            name,
            error_code: outcome.as_ref().map_or_else(|(code, _)| code.code(), |()| ErrorCode::None.code()),
            // Kafka has no words for a topic that is not there.
            error_message: outcome
                .as_ref()
                .err()
                .map(|(_, message)| message.as_str())
                .filter(|words| !words.is_empty()),
        })
        .collect();
    call.answer(&CreatePartitionsResponse { results, ..Default::default() })
}

async fn grow(call: &Call, topic: &CreatePartitionsTopic<'_>, validate_only: bool) -> Result<(), (ErrorCode, String)> {
    let catalog = call.broker.catalog();
    if catalog.topic(topic.name).is_some_and(|topic| topic.internal) {
        return Err((ErrorCode::InvalidTopicException, "an internal topic keeps its partitions".into()));
    }
    // Null says that the broker may choose; an empty list is one that is too short.
    if let (Some(assignments), Some(current)) = (&topic.assignments, catalog.topic(topic.name)) {
        let more = i64::from(topic.count) - i64::from(current.partition_count());
        if more > 0 && more != assignments.len() as i64 {
            let message = format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return Err((ErrorCode::InvalidReplicaAssignment, message));
        }
        let replicas = assignments.iter().map(|assignment| &*assignment.broker_ids);
        if let Some(reason) = assignments::refusal(call, replicas).filter(|_| more > 0) {
            return Err((ErrorCode::InvalidReplicaAssignment, reason));
        }
    }
    let (name, count) = (topic.name.to_owned(), topic.count);
    let grown = call
        .broker
        .with_owner(move |owner| async move { owner.create_partitions(&name, count, validate_only).await })
        .await;
    grown.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| {
        let message = if error == CatalogError::UnknownTopic { String::new() } else { error.to_string() };
        (error_map::catalog(&error), message)
    })
}
