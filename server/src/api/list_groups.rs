//! `ListGroups`: the groups of every coordinator of this node.

use protocol::error_code::ErrorCode;
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use super::error_map;
use crate::group::{Event, GroupListing, Response};
use crate::request::{Answer, Call};

/// The types of groups, under Kafka's names; filters ignore case.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

pub async fn handle(call: &Call, request: ListGroupsRequest<'_>) -> Answer {
    let mut listings = Vec::new();
    let mut error_code = ErrorCode::None.code();
    for answer in call.broker.groups.ask_all(&call.broker, Event::List).await {
        match answer {
            Ok(Response::List(Ok(part))) => listings.extend(part),
            Ok(Response::List(Err(error))) | Err(error) => error_code = error_map::group(error),
            Ok(_) => error_code = ErrorCode::UnknownServerError.code(),
        }
    }
    let groups = listings.iter().filter(|listing| passes(listing, &request)).map(|listing| ListedGroup {
        group_id: &listing.group_id,
        protocol_type: &listing.protocol_type,
        group_state: listing.state.name(),
        group_type: group_type(listing),
    });
    call.answer(&ListGroupsResponse { error_code, groups: groups.collect(), ..Default::default() })
}

fn passes(listing: &GroupListing, request: &ListGroupsRequest<'_>) -> bool {
    let among = |filter: &[&str], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    among(&request.states_filter, listing.state.name()) && among(&request.types_filter, group_type(listing))
}

fn group_type(listing: &GroupListing) -> &'static str {
    if listing.is_of_consumers { CONSUMER } else { CLASSIC }
}
