//! `FindCoordinator`: this broker coordinates every group; the request is also what makes the offsets topic.

use protocol::error_code::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use crate::request::{Answer, Call};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const FIRST_VERSION_WITH_SEVERAL: i16 = 4;
const NO_NODE: i32 = -1;

pub async fn handle(call: &Call, request: FindCoordinatorRequest<'_>) -> Answer {
    let several = call.version >= FIRST_VERSION_WITH_SEVERAL;
    let keys = if several { request.coordinator_keys } else { vec![request.key] };
    let error = match request.key_type {
        GROUP => call.broker.groups.ensure_offsets_topic(&call.broker).await.err().unwrap_or(ErrorCode::None),
        // Other codes make clients retry for ever.
        TRANSACTION => ErrorCode::TransactionalIdAuthorizationFailed,
        _ => ErrorCode::InvalidRequest,
    };
    let message = match request.key_type {
        TRANSACTION => Some("transactions are not supported yet"),
        _ => None,
    };
    let (node_id, host, port) = if error == ErrorCode::None {
        (call.broker.settings.node_id, call.client.advertised_host.as_str(), i32::from(call.client.advertised_port))
    } else {
        (NO_NODE, "", -1)
    };
    let coordinators = keys
        .iter()
        .map(|key| Coordinator { key, node_id, host, port, error_code: error.code(), error_message: message })
        .collect();
    call.answer(&FindCoordinatorResponse {
        error_code: error.code(),
        error_message: message,
        node_id,
        host,
        port,
        coordinators,
        ..Default::default()
    })
}
