//! `DeleteTopics`: by name, or from version 6 by id.

use protocol::error_code::ErrorCode;
use protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use uuid::Uuid;

use super::error_map;
use crate::catalog::CatalogError;
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_IDS: i16 = 6;
/// Older clients do not know the error.
const FIRST_VERSION_WITH_DISABLED: i16 = 3;

/// What became of one topic.
struct Outcome {
    name: Option<String>,
    id: Uuid,
    result: Result<(), (ErrorCode, String)>,
}

pub async fn handle(call: &Call, request: DeleteTopicsRequest<'_>) -> Answer {
    let topics = if call.version >= FIRST_VERSION_WITH_IDS {
        request.topics
    } else {
        request.topic_names.iter().map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::nil() }).collect()
    };
    let mut outcomes = Vec::with_capacity(topics.len());
    for topic in &topics {
        outcomes.push(delete(call, topic).await);
    }
    let responses = outcomes
        .iter()
        .map(|outcome| DeletableTopicResult {
            name: outcome.name.as_deref(),
            topic_id: outcome.id,
            error_code: outcome.result.as_ref().map_or_else(|(code, _)| code.code(), |()| ErrorCode::None.code()),
            error_message: outcome.result.as_ref().err().map(|(_, message)| message.as_str()),
        })
        .collect();
    call.answer(&DeleteTopicsResponse { responses, ..Default::default() })
}

async fn delete(call: &Call, asked: &DeleteTopicState<'_>) -> Outcome {
    let failed = |code, message: &str| Outcome {
        name: asked.name.map(str::to_owned),
        id: asked.topic_id,
        result: Err((code, message.to_owned())),
    };
    if !call.broker.settings.delete_topics {
        let is_known = call.version >= FIRST_VERSION_WITH_DISABLED;
        let code = if is_known { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
        return failed(code, "Topic deletion is disabled.");
    }
    let catalog = call.broker.catalog();
    let topic = match asked.name {
        Some(_) if !asked.topic_id.is_nil() => {
            return failed(ErrorCode::InvalidRequest, "either a name or an id, not both");
        }
        Some(name) => catalog.topic(name),
        None => catalog.topic_by_id(asked.topic_id),
    };
    let Some(topic) = topic else {
        let code = if asked.name.is_some() { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::UnknownTopicId };
        return failed(code, "there is no such topic");
    };
    if topic.internal {
        return failed(ErrorCode::InvalidTopicException, "an internal topic cannot be deleted");
    }
    let id = topic.id;
    let deleted = call.broker.with_owner(move |owner| async move { owner.delete_topic(id).await }).await;
    let result =
        deleted.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| (error_map::catalog(&error), error.to_string()));
    Outcome { name: Some(topic.name.clone()), id, result }
}
