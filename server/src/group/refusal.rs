//! What a coordinator answers that does not serve yet, and for groups that are not there.

use super::commit::refused_commit;
use super::event::{Effect, Event};
use super::{GroupError, GroupEvent, JoinResponse, LeaveResponse, ReplyToken, Response};

/// The same refusal for every request; events that are no requests have none.
pub(super) fn refuse(event: Event, error: GroupError) -> Option<Effect> {
    let (token, response) = match event {
        Event::Join(token, request) => (token, Response::Join(JoinResponse::refused(request.member_id, error))),
        Event::Sync(token, _) => (token, Response::Sync(Err(error))),
        Event::Heartbeat(token, _) => (token, Response::Heartbeat(Err(error))),
        Event::Leave(token, _) => (token, Response::Leave(Err(error))),
        Event::ConsumerHeartbeat(token, _) => (token, Response::ConsumerHeartbeat(Err(error.into()))),
        Event::DescribeConsumers(token, _) => (token, Response::DescribeConsumers(Err(error.into()))),
        Event::Commit(token, request) => (token, Response::Commit(refused_commit(&request, error))),
        Event::CommitInTransaction(token, request) => (token, Response::Commit(refused_commit(&request.commit, error))),
        Event::Markers(token) => (token, Response::Markers(Err(error))),
        Event::TransactionEnded(token, _) => (token, Response::Ended(Err(error))),
        Event::OffsetFetch(token, _) => (token, Response::OffsetFetch(Err(error))),
        Event::Describe(token, _) => (token, Response::Describe(Err(error))),
        Event::List(token) => (token, Response::List(Err(error))),
        Event::Delete(token, _) => (token, Response::Delete(Err(error))),
        Event::DeleteOffsets(token, ..) => (token, Response::DeleteOffsets(Err(error))),
        Event::Topics(_)
        | Event::TopicsDeleted(_)
        | Event::Appended(_)
        | Event::AppendFailed(_)
        | Event::AppendFenced(_)
        | Event::Tick => return None,
    };
    Some(Effect::Reply(token, response))
}

/// The refusal of a request to a group that is not there.
pub(super) fn refuse_without_group(group_id: &str, event: GroupEvent) -> Option<(ReplyToken, Response)> {
    let error = if group_id.is_empty() { GroupError::InvalidGroupId } else { GroupError::UnknownMemberId };
    Some(match event {
        GroupEvent::Sync(token, _) => (token, Response::Sync(Err(error))),
        GroupEvent::Heartbeat(token, _) => (token, Response::Heartbeat(Err(error))),
        GroupEvent::Leave(token, request) if error == GroupError::UnknownMemberId => {
            (token, Response::Leave(Ok(LeaveResponse::refused(request))))
        }
        GroupEvent::Leave(token, _) => (token, Response::Leave(Err(error))),
        // Joins make their group, and the rest is no request.
        GroupEvent::Join(..) | GroupEvent::Persisted { .. } | GroupEvent::Tick => return None,
    })
}
