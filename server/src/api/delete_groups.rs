//! `DeleteGroups`: removes groups without members, and what they have committed.

use std::collections::HashSet;

use protocol::error_code::ErrorCode;
use protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use super::error_map;
use crate::group::{Event, Response};
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: DeleteGroupsRequest<'_>) -> Answer {
    let mut results = Vec::with_capacity(request.groups_names.len());
    let mut asked = HashSet::new();
    // A group that is named twice is deleted, and answered, once.
    for group_id in request.groups_names.into_iter().filter(|group_id| asked.insert(*group_id)) {
        let group = group_id.to_owned();
        let answer = call.broker.groups.ask(&call.broker, group_id, move |token| Event::Delete(token, group)).await;
        let error_code = match answer {
            Ok(Response::Delete(Ok(()))) => ErrorCode::None.code(),
            Ok(Response::Delete(Err(error))) | Err(error) => error_map::group(error),
            Ok(_) => ErrorCode::UnknownServerError.code(),
        };
        results.push(DeletableGroupResult { group_id, error_code });
    }
    call.answer(&DeleteGroupsResponse { results, ..Default::default() })
}
