//! `FindCoordinator`: the node that coordinates a group or a transactional id; the request is also what makes the topic of either.

use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use super::error_map;
use crate::internal_topics;
use crate::request::{Answer, Call};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// Not coordinated here; Kafka refuses it without words.
const SHARE_GROUP: i8 = 2;
const FIRST_VERSION_WITH_SEVERAL: i16 = 4;
const NO_NODE: i32 = -1;

pub async fn handle(call: &Call, request: FindCoordinatorRequest<'_>) -> Answer {
    let several = call.version >= FIRST_VERSION_WITH_SEVERAL;
    let keys = if several { request.coordinator_keys } else { vec![request.key] };
    let made = match request.key_type {
        GROUP => internal_topics::ensure_offsets(&call.broker).await,
        TRANSACTION => internal_topics::ensure_transactions(&call.broker).await,
        _ => Err(ErrorCode::InvalidRequest),
    };
    let error = made.err().unwrap_or(ErrorCode::None);
    let coordinators: Vec<_> = keys.iter().map(|key| coordinator(call, request.key_type, key, error)).collect();
    // Old versions ask for one, and find it beside the list.
    let first = coordinators.first().cloned().unwrap_or_default();
    call.answer(&FindCoordinatorResponse {
        error_code: error.code(),
        // As Kafka's versions do.
        error_message: if error == ErrorCode::None { Some("NONE") } else { words(error) },
        node_id: first.node_id,
        host: first.host,
        port: first.port,
        coordinators,
        ..Default::default()
    })
}

/// The node of the shard that owns the key's partition of its topic.
fn coordinator<'a>(call: &'a Call, key_type: i8, key: &'a str, error: ErrorCode) -> Coordinator<'a> {
    let log = match key_type {
        _ if error != ErrorCode::None => None,
        TRANSACTION => call.broker.transactions.log_of(&call.broker, key),
        _ => call.broker.groups.log_of(&call.broker, key),
    };
    let (node_id, host, port) = match log.map(|log| call.client.nodes.of_shard(log.shard)) {
        Some(node) => (node.id, node.host, i32::from(node.port)),
        None => (NO_NODE, "", -1),
    };
    let error_message = if key_type == SHARE_GROUP { Some("") } else { words(error) };
    Coordinator { key, node_id, host, port, error_code: error.code(), error_message }
}

/// Kafka's words for an error.
fn words(error: ErrorCode) -> Option<&'static str> {
    match error {
        ErrorCode::None => Some(""),
        ErrorCode::InvalidRequest => Some(error_map::MALFORMED),
        ErrorCode::CoordinatorNotAvailable => Some("The coordinator is not available."),
        _ => None,
    }
}
