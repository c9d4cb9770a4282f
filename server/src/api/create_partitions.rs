//! `CreatePartitions`: topics grow, never shrink.

use protocol::error_code::ErrorCode;
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};

use super::create_topics::wrong_assignment;
use super::error_map;
use crate::catalog::CatalogError;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: CreatePartitionsRequest<'_>) -> Answer {
    let mut outcomes = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        outcomes.push((topic.name, grow(call, topic, request.validate_only).await));
    }
    let results = outcomes
        .iter()
        .map(|(name, outcome)| CreatePartitionsTopicResult {
            name,
            error_code: outcome.as_ref().map_or_else(|(code, _)| code.code(), |()| ErrorCode::None.code()),
            error_message: outcome.as_ref().err().map(|(_, message)| message.as_str()),
        })
        .collect();
    call.answer(&CreatePartitionsResponse { results, ..Default::default() })
}

async fn grow(call: &Call, topic: &CreatePartitionsTopic<'_>, validate_only: bool) -> Result<(), (ErrorCode, String)> {
    let catalog = call.broker.catalog();
    if catalog.topic(topic.name).is_some_and(|topic| topic.internal) {
        return Err((ErrorCode::InvalidTopicException, "an internal topic keeps its partitions".into()));
    }
    if let Some(assignments) = topic.assignments.as_ref().filter(|assignments| !assignments.is_empty())
        && let Some(reason) = wrong_assignment(call, assignments.iter().map(|assignment| &*assignment.broker_ids))
    {
        return Err((ErrorCode::InvalidReplicaAssignment, reason.into()));
    }
    let (name, count) = (topic.name.to_owned(), topic.count);
    let grown = call
        .broker
        .with_owner(move |owner| async move { owner.create_partitions(&name, count, validate_only).await })
        .await;
    grown.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| (error_map::catalog(&error), error.to_string()))
}
