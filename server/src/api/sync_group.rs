//! `SyncGroup`: every member gets its part of the leader's assignment, once that is durable.

use protocol::error_code::ErrorCode;
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::error_map;
use crate::group::{Event, Response, SyncRequest};
use crate::request::{Answer, Call};

/// From this version on members say which protocol they mean.
const FIRST_VERSION_WITH_PROTOCOL: i16 = 5;

pub fn take_over(_: &Call, request: &SyncGroupRequest<'_>) -> SyncRequest {
    SyncRequest {
        group_id: request.group_id.to_owned(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        protocol_type: request.protocol_type.map(str::to_owned),
        protocol_name: request.protocol_name.map(str::to_owned),
        assignments: request
            .assignments
            .iter()
            .map(|part| (part.member_id.to_owned(), part.assignment.to_vec().into()))
            .collect(),
    }
}

pub async fn handle(call: &Call, sync: SyncRequest) -> Answer {
    let group_id = sync.group_id.clone();
    let refused = |error_code: i16| call.answer(&SyncGroupResponse { error_code, ..Default::default() });
    let names_protocol = sync.protocol_type.is_some() && sync.protocol_name.is_some();
    if call.version >= FIRST_VERSION_WITH_PROTOCOL && !names_protocol {
        return refused(ErrorCode::InconsistentGroupProtocol.code());
    }
    match call.broker.groups.ask(&call.broker, &group_id, move |token| Event::Sync(token, sync)).await {
        Ok(Response::Sync(Ok(synced))) => call.answer(&SyncGroupResponse {
            protocol_type: synced.protocol_type.as_deref(),
            protocol_name: synced.protocol_name.as_deref(),
            assignment: &synced.assignment,
            ..Default::default()
        }),
        Ok(Response::Sync(Err(error))) | Err(error) => refused(error_map::group(error)),
        Ok(_) => refused(ErrorCode::UnknownServerError.code()),
    }
}
