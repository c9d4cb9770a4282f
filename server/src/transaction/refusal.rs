//! What a coordinator answers that does not serve yet.

use super::coordinator::{Effect, Event};
use super::{Response, TransactionError};

/// The same refusal for every request; events that are no requests have none.
pub(super) fn refuse(event: &Event, error: TransactionError) -> Option<Effect> {
    let (token, response) = match event {
        Event::Init(token, _) => (token, Response::Init(Err(error))),
        Event::Add(token, _) | Event::End(token, _) | Event::Verify(token, ..) => (token, Response::Done(Err(error))),
        Event::Describe(token, _) => (token, Response::Described(Err(error))),
        Event::List(token, _) => (token, Response::Listed(Err(error))),
        Event::Appended(_)
        | Event::AppendFailed(_)
        | Event::MarkersWritten(_)
        | Event::MarkersDelayed(_)
        | Event::Tick => return None,
    };
    Some(Effect::Reply(*token, response))
}
