//! `FindCoordinator`: the node that coordinates a group; the request is also what makes the offsets topic.

use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use crate::internal_topics;
use crate::request::{Answer, Call};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const FIRST_VERSION_WITH_SEVERAL: i16 = 4;
const NO_NODE: i32 = -1;

pub async fn handle(call: &Call, request: FindCoordinatorRequest<'_>) -> Answer {
    let several = call.version >= FIRST_VERSION_WITH_SEVERAL;
    let keys = if several { request.coordinator_keys } else { vec![request.key] };
    let error = match request.key_type {
        GROUP => internal_topics::ensure_offsets(&call.broker).await.err().unwrap_or(ErrorCode::None),
        // Other codes make clients retry for ever.
        TRANSACTION => ErrorCode::TransactionalIdAuthorizationFailed,
        _ => ErrorCode::InvalidRequest,
    };
    let message = match request.key_type {
        TRANSACTION => Some("transactions are not supported yet"),
        _ => None,
    };
    let coordinators: Vec<_> = keys.iter().map(|key| coordinator(call, key, error, message)).collect();
    // Old versions ask for one, and find it beside the list.
    let first = coordinators.first().cloned().unwrap_or_default();
    call.answer(&FindCoordinatorResponse {
        error_code: error.code(),
        error_message: message,
        node_id: first.node_id,
        host: first.host,
        port: first.port,
        coordinators,
        ..Default::default()
    })
}

/// The node of the shard that owns the group's partition of the offsets topic.
fn coordinator<'a>(call: &'a Call, key: &'a str, error: ErrorCode, message: Option<&'a str>) -> Coordinator<'a> {
    let log = if error == ErrorCode::None { call.broker.groups.log_of(&call.broker, key) } else { None };
    let (node_id, host, port) = match log.map(|log| call.client.nodes.of_shard(log.shard)) {
        Some(node) => (node.id, node.host, i32::from(node.port)),
        None => (NO_NODE, "", -1),
    };
    Coordinator { key, node_id, host, port, error_code: error.code(), error_message: message }
}
