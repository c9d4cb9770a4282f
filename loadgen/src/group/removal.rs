//! The end of a run's groups.

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};

use crate::client::{Client, refuse_error};
use crate::cluster::{CALL_TIMEOUT, Coordinated, TOPIC_PREFIX, find_coordinator};
use crate::error::Error;
use crate::sasl::Login;

/// Removes groups of ours. Members that an interrupted run left there are taken out first: their clients are gone. Every group is tried;
/// the first error is told.
pub fn delete_groups(login: Option<&Login>, address: &str, groups: &[String]) -> Result<(), Error> {
    let outcomes: Vec<_> = groups.iter().map(|group| delete_group(login, address, group)).collect();
    outcomes.into_iter().collect()
}

fn delete_group(login: Option<&Login>, address: &str, group: &str) -> Result<(), Error> {
    assert!(group.starts_with(TOPIC_PREFIX), "only own groups are deleted");
    let coordinator = find_coordinator(login, address, &Coordinated::Group(group.to_owned()))?;
    let mut client = Client::open_as(login, &coordinator, CALL_TIMEOUT)?;
    let mut code = delete(&mut client, group)?;
    if code == ErrorCode::NonEmptyGroup.code() {
        remove_members(&mut client, group)?;
        code = delete(&mut client, group)?;
    }
    let is_gone = code == ErrorCode::GroupIdNotFound.code();
    refuse_error(ApiKey::DeleteGroups, if is_gone { 0 } else { code })
}

fn delete(client: &mut Client, group: &str) -> Result<i16, Error> {
    let response: DeleteGroupsResponse<'_> = client.call(&DeleteGroupsRequest { groups_names: vec![group] })?;
    Ok(response.results.first().map_or(0, |result| result.error_code))
}

/// One at a time, as brokers before version 3 of `LeaveGroup` want it. A member that went meanwhile is no error.
fn remove_members(client: &mut Client, group: &str) -> Result<(), Error> {
    let request = DescribeGroupsRequest { groups: vec![group], include_authorized_operations: false };
    let response: DescribeGroupsResponse<'_> = client.call(&request)?;
    let members = response.groups.iter().flat_map(|group| &group.members);
    let members: Vec<String> = members.map(|member| member.member_id.to_owned()).collect();
    for member_id in &members {
        let reason = Some("the run was stopped");
        let identity = MemberIdentity { member_id, group_instance_id: None, reason };
        let request = LeaveGroupRequest { group_id: group, member_id, members: vec![identity] };
        let response: LeaveGroupResponse<'_> = client.call(&request)?;
        let is_gone = response.error_code == ErrorCode::UnknownMemberId.code();
        refuse_error(ApiKey::LeaveGroup, if is_gone { 0 } else { response.error_code })?;
    }
    Ok(())
}
