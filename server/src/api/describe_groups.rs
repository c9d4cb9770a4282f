//! `DescribeGroups`: state and members of groups. A group that is named twice is described once: thousands of members would come with every few
//! bytes that are asked.

use std::collections::HashSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use super::{authorized_operations, error_map};
use crate::group::{Event, GroupDescription, GroupState, Response};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_NOT_FOUND: i16 = 6;

pub async fn handle(call: &Call, request: DescribeGroupsRequest<'_>) -> Answer {
    let mut described = Vec::with_capacity(request.groups.len());
    let mut named = HashSet::new();
    for group_id in request.groups.iter().filter(|group_id| named.insert(**group_id)) {
        let asked = (*group_id).to_owned();
        let answer = call.broker.groups.ask(&call.broker, group_id, move |token| Event::Describe(token, asked)).await;
        let outcome = match answer {
            Ok(Response::Describe(Ok(description))) => Ok(description),
            Ok(Response::Describe(Err(error))) | Err(error) => Err(error_map::group(error)),
            Ok(_) => Err(ErrorCode::UnknownServerError.code()),
        };
        described.push((*group_id, outcome, format!("Group {group_id} not found.")));
    }
    let operations = authorized_operations::of_group(request.include_authorized_operations);
    let groups = described.iter().map(|(group_id, outcome, not_found)| {
        let group = group(call.version, operations, group_id, outcome);
        let is_missing = group.error_code == ErrorCode::GroupIdNotFound.code();
        DescribedGroup { error_message: is_missing.then_some(not_found.as_str()), ..group }
    });
    let groups = groups.collect();
    call.answer(&DescribeGroupsResponse { groups, ..Default::default() })
}

fn group<'a>(
    version: i16,
    operations: i32,
    group_id: &'a str,
    outcome: &'a Result<GroupDescription, i16>,
) -> DescribedGroup<'a> {
    let description = match outcome {
        Ok(description) => description,
        Err(error_code) => {
            return DescribedGroup { error_code: *error_code, group_id, error_message: None, ..Default::default() };
        }
    };
    let missing = description.state == GroupState::Dead && version >= FIRST_VERSION_WITH_NOT_FOUND;
    let members = description.members.iter().map(|member| DescribedGroupMember {
        member_id: &member.member_id,
        group_instance_id: member.instance_id.as_deref(),
        client_id: &member.client_id,
        client_host: &member.client_host,
        member_metadata: &member.metadata,
        member_assignment: &member.assignment,
    });
    DescribedGroup {
        error_code: if missing { ErrorCode::GroupIdNotFound.code() } else { ErrorCode::None.code() },
        error_message: None,
        group_id,
        group_state: description.state.name(),
        protocol_type: &description.protocol_type,
        protocol_data: &description.protocol_name,
        members: members.collect(),
        authorized_operations: if missing { i32::MIN } else { operations },
    }
}
