//! `JoinGroup`: enters the next generation of a group; the answer waits for the other members.

use protocol::error_code::ErrorCode;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use uuid::Uuid;

use super::error_map;
use crate::group::{Event, JoinProtocol, JoinRequest, JoinResponse, Response};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_REBALANCE_TIMEOUT: i16 = 1;
const FIRST_VERSION_WITH_REQUIRED_MEMBER_ID: i16 = 4;
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT: i16 = 9;

pub async fn handle(call: &Call, join: JoinRequest) -> Answer {
    let (group_id, member_id) = (join.group_id.clone(), join.member_id.clone());
    match call.broker.groups.ask(&call.broker, &group_id, move |token| Event::Join(token, join)).await {
        Ok(Response::Join(joined)) => call.answer(&response(&joined)),
        Ok(_) => refused(call, &member_id, ErrorCode::UnknownServerError.code()),
        Err(error) => refused(call, &member_id, error_map::group(error)),
    }
}

pub fn take_over(call: &Call, request: &JoinGroupRequest<'_>) -> JoinRequest {
    JoinRequest {
        group_id: request.group_id.to_owned(),
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.client.peer.ip()),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if call.version < FIRST_VERSION_WITH_REBALANCE_TIMEOUT {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: request.protocol_type.to_owned(),
        protocols: request
            .protocols
            .iter()
            // Copied: the group keeps it long after the frame's buffer should be free.
            .map(|protocol| JoinProtocol {
                name: protocol.name.to_owned(),
                metadata: protocol.metadata.to_vec().into(),
            })
            .collect(),
        requires_known_member_id: call.version >= FIRST_VERSION_WITH_REQUIRED_MEMBER_ID,
        supports_skip_assignment: call.version >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT,
        new_member_uuid: Uuid::new_v4(),
    }
}

fn response(joined: &JoinResponse) -> JoinGroupResponse<'_> {
    JoinGroupResponse {
        error_code: joined.error.map_or(ErrorCode::None.code(), error_map::group),
        generation_id: joined.generation_id,
        protocol_type: joined.protocol_type.as_deref(),
        protocol_name: joined.protocol_name.as_deref(),
        leader: &joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: &joined.member_id,
        members: joined
            .members
            .iter()
            .map(|member| JoinGroupResponseMember {
                member_id: &member.member_id,
                group_instance_id: member.instance_id.as_deref(),
                metadata: &member.metadata,
            })
            .collect(),
        ..Default::default()
    }
}

fn refused(call: &Call, member_id: &str, error_code: i16) -> Answer {
    call.answer(&JoinGroupResponse { error_code, member_id, ..Default::default() })
}
