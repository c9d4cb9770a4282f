//! `DeleteTopics`: by name, or from version 6 by id.

use std::collections::{HashMap, HashSet};

use protocol::error_code::ErrorCode;
use protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use uuid::Uuid;

use super::error_map;
use crate::catalog::{Catalog, CatalogError};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_IDS: i16 = 6;
/// Older clients do not know the error.
const FIRST_VERSION_WITH_DISABLED: i16 = 3;

const NOT_HOSTED: &str = "This server does not host this topic-partition.";
const ID_NOT_HOSTED: &str = "This server does not host this topic ID.";

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
    for (topic, refusal) in judged(&call.broker.catalog(), &topics) {
        outcomes.push(match refusal {
            Some((id, message)) => Outcome { id, ..failed(topic, ErrorCode::InvalidRequest, message) },
            None => delete(call, topic).await,
        });
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

/// What to answer, each name and id once, with why it is refused as asked. A topic that is named twice is not deleted: its name may come from
/// another list than its id.
fn judged<'a>(
    catalog: &Catalog,
    topics: &'a [DeleteTopicState<'a>],
) -> Vec<(&'a DeleteTopicState<'a>, Option<(Uuid, &'static str)>)> {
    let mut mentions = HashMap::new();
    for topic in topics {
        *mentions.entry((topic.name, topic.topic_id)).or_insert(0) += 1;
    }
    let mut answered = HashSet::new();
    let once = topics.iter().filter(|topic| answered.insert((topic.name, topic.topic_id)));
    // An id that its name comes along with is answered by the name.
    let by_name = |topic: &DeleteTopicState<'_>| catalog.topic(topic.name?).map(|topic| topic.id);
    let mentioned = |name: Option<&str>, id| mentions.get(&(name, id)).copied().unwrap_or(0);
    let named_too = |id: Uuid| {
        let name = catalog.topic_by_id(id).map(|topic| topic.name.as_str());
        name.is_some() && (mentioned(name, Uuid::nil()), mentioned(None, id)) == (1, 1)
    };
    let asked = once.filter(|topic| topic.name.is_some() || !named_too(topic.topic_id));
    asked
        .map(|topic| {
            let id = topic.topic_id;
            let refusal = match (topic.name, by_name(topic)) {
                (Some(_), _) if !id.is_nil() => Some((id, "You may not specify both topic name and topic id.")),
                (None, _) if id.is_nil() => Some((id, "Neither topic name nor id were specified.")),
                (Some(name), _) if mentioned(Some(name), id) > 1 => Some((id, "Duplicate topic name.")),
                (None, _) if mentioned(None, id) > 1 => Some((id, "Duplicate topic id.")),
                (Some(_), Some(known)) if mentioned(None, known) > 0 => {
                    Some((known, "The provided topic name maps to an ID that was already supplied."))
                }
                _ => None,
            };
            (topic, refusal)
        })
        .collect()
}

fn failed(asked: &DeleteTopicState<'_>, code: ErrorCode, message: &str) -> Outcome {
    Outcome { name: asked.name.map(str::to_owned), id: asked.topic_id, result: Err((code, message.to_owned())) }
}

async fn delete(call: &Call, asked: &DeleteTopicState<'_>) -> Outcome {
    if !call.broker.settings.delete_topics {
        let is_known = call.version >= FIRST_VERSION_WITH_DISABLED;
        let code = if is_known { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
        return failed(asked, code, "Topic deletion is disabled.");
    }
    let catalog = call.broker.catalog();
    let topic = match asked.name {
        Some(name) => catalog.topic(name).ok_or((ErrorCode::UnknownTopicOrPartition, NOT_HOSTED)),
        None => catalog.topic_by_id(asked.topic_id).ok_or((ErrorCode::UnknownTopicId, ID_NOT_HOSTED)),
    };
    let topic = match topic {
        Ok(topic) => topic,
        Err((code, message)) => return failed(asked, code, message),
    };
    if topic.internal {
        return failed(asked, ErrorCode::InvalidTopicException, "an internal topic cannot be deleted");
    }
    let id = topic.id;
    let deleted = call.broker.with_owner(move |owner| async move { owner.delete_topic(id).await }).await;
    let result =
        deleted.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| (error_map::catalog(&error), error.to_string()));
    Outcome { name: Some(topic.name.clone()), id, result }
}
