//! `LeaveGroup`: one member, or from version 3 several, each with its own outcome.

use protocol::error_code::ErrorCode;
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use super::error_map;
use crate::group::{Event, LeaveRequest, LeavingMember, Response};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_SEVERAL: i16 = 3;

pub async fn handle(call: &Call, request: LeaveGroupRequest<'_>) -> Answer {
    let several = call.version >= FIRST_VERSION_WITH_SEVERAL;
    let members = if several {
        let leaving = request.members.iter().map(|member| LeavingMember {
            member_id: member.member_id.to_owned(),
            instance_id: member.group_instance_id.map(str::to_owned),
        });
        leaving.collect()
    } else {
        vec![LeavingMember { member_id: request.member_id.to_owned(), instance_id: None }]
    };
    let leave = LeaveRequest { group_id: request.group_id.to_owned(), members };
    let refused = |error_code: i16| call.answer(&LeaveGroupResponse { error_code, ..Default::default() });
    match call.broker.groups.ask(&call.broker, request.group_id, move |token| Event::Leave(token, leave)).await {
        Ok(Response::Leave(Ok(left))) => {
            let code = |outcome: &Result<(), crate::group::GroupError>| {
                outcome.map_or_else(error_map::group, |()| ErrorCode::None.code())
            };
            let members = left.members.iter().map(|(member_id, instance_id, outcome)| MemberResponse {
                member_id,
                group_instance_id: instance_id.as_deref(),
                error_code: code(outcome),
            });
            // Before version 3 the one member's error is the whole answer.
            let error_code = if several { 0 } else { left.members.first().map_or(0, |(_, _, outcome)| code(outcome)) };
            call.answer(&LeaveGroupResponse { error_code, members: members.collect(), ..Default::default() })
        }
        Ok(Response::Leave(Err(error))) | Err(error) => refused(error_map::group(error)),
        Ok(_) => refused(ErrorCode::UnknownServerError.code()),
    }
}
