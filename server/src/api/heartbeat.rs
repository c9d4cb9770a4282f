//! Heartbeat: a member says that it lives, and learns of a rebalance.

use protocol::error_code::ErrorCode;
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::error_map;
use crate::group::{self, Event, Response};
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: HeartbeatRequest<'_>) -> Answer {
    let heartbeat = group::HeartbeatRequest {
        group_id: request.group_id.to_owned(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
    };
    let answer =
        call.broker.groups.ask(&call.broker, request.group_id, move |token| Event::Heartbeat(token, heartbeat)).await;
    let error_code = match answer {
        Ok(Response::Heartbeat(Ok(()))) => ErrorCode::None.code(),
        Ok(Response::Heartbeat(Err(error))) | Err(error) => error_map::group(error),
        Ok(_) => ErrorCode::UnknownServerError.code(),
    };
    call.answer(&HeartbeatResponse { error_code, ..Default::default() })
}
