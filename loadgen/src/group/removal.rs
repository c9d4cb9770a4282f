//! The end of a run's groups.

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::client::{Client, refuse_error};
use crate::cluster::{CALL_TIMEOUT, Coordinated, TOPIC_PREFIX, find_coordinator};
use crate::error::Error;

/// Removes groups of ours that have no members any more; those that are still there are refused and stay.
pub fn delete_groups(address: &str, groups: &[String]) -> Result<(), Error> {
    for group in groups {
        assert!(group.starts_with(TOPIC_PREFIX), "only own groups are deleted");
        let coordinator = find_coordinator(address, &Coordinated::Group(group.clone()))?;
        let mut client = Client::open(&coordinator, CALL_TIMEOUT)?;
        let request = DeleteGroupsRequest { groups_names: vec![group] };
        let response: DeleteGroupsResponse<'_> = client.call(&request)?;
        let code = response.results.first().map_or(0, |result| result.error_code);
        let is_gone = code == ErrorCode::GroupIdNotFound.code();
        refuse_error(ApiKey::DeleteGroups, if is_gone { 0 } else { code })?;
    }
    Ok(())
}
