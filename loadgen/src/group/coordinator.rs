//! Calls around a run: where a group's coordinator is, and the end of the group.

use std::thread;
use std::time::{Duration, Instant};

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};

use crate::client::{Client, refuse_error};
use crate::cluster::{CALL_TIMEOUT, TOPIC_PREFIX, socket_address};
use crate::error::Error;

/// Pause before asking again for something that the broker is still making.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Where the coordinator of a group is. The broker may first have to make its topic of offsets.
pub fn find_coordinator(address: &str, group: &str) -> Result<String, Error> {
    let mut client = Client::open(address, CALL_TIMEOUT)?;
    let deadline = Instant::now() + CALL_TIMEOUT;
    // Old versions look at the key, new ones at the list.
    let request = FindCoordinatorRequest { key: group, key_type: 0, coordinator_keys: vec![group] };
    loop {
        let response: FindCoordinatorResponse<'_> = client.call(&request)?;
        let found = response.coordinators.first();
        let code = found.map_or(response.error_code, |found| found.error_code);
        if code == 0 {
            let (host, port) = found.map_or((response.host, response.port), |found| (found.host, found.port));
            return Ok(socket_address(host, port));
        }
        let passes = ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable);
        if !passes || Instant::now() >= deadline {
            return Err(Error::Broker { api: ApiKey::FindCoordinator, code });
        }
        thread::sleep(RETRY_PAUSE);
    }
}

/// Removes groups of ours that have no members any more; those that are still there are refused and stay.
pub fn delete_groups(address: &str, groups: &[String]) -> Result<(), Error> {
    for group in groups {
        assert!(group.starts_with(TOPIC_PREFIX), "only own groups are deleted");
        let coordinator = find_coordinator(address, group)?;
        let mut client = Client::open(&coordinator, CALL_TIMEOUT)?;
        let request = DeleteGroupsRequest { groups_names: vec![group] };
        let response: DeleteGroupsResponse<'_> = client.call(&request)?;
        let code = response.results.first().map_or(0, |result| result.error_code);
        let is_gone = code == ErrorCode::GroupIdNotFound.code();
        refuse_error(ApiKey::DeleteGroups, if is_gone { 0 } else { code })?;
    }
    Ok(())
}
