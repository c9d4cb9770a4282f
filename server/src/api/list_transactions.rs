//! `ListTransactions`: the transactional ids of every coordinator of this node.

use protocol::error_code::ErrorCode;
use protocol::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse, ListedTransaction};

use crate::request::{Answer, Call};
use crate::transaction::{Event, Response, Status, TransactionListing};

/// A state of Kafka's that no id is ever in here.
const EPOCH_FENCE: &str = "PrepareEpochFence";

pub async fn handle(call: &Call, request: ListTransactionsRequest<'_>) -> Answer {
    let mut listings = Vec::new();
    let mut error = ErrorCode::None;
    for answer in call.broker.transactions.ask_all(&call.broker, Event::List).await {
        match answer {
            Ok(Response::Listed(Ok(part))) => listings.extend(part),
            Ok(Response::Listed(Err(refused))) | Err(refused) => error = refused.code(),
            Ok(_) => error = ErrorCode::UnknownServerError,
        }
    }
    let is_known = |name: &str| name == EPOCH_FENCE || Status::ALL.iter().any(|status| status.name() == name);
    let (known, unknown): (Vec<&str>, Vec<&str>) = request.state_filters.iter().partition(|name| is_known(name));
    let listed = listings.iter().filter(|listing| passes(listing, &known, &request)).map(|listing| ListedTransaction {
        transactional_id: &listing.transactional_id,
        producer_id: listing.producer_id,
        transaction_state: listing.status.name(),
    });
    call.answer(&ListTransactionsResponse {
        error_code: error.code(),
        unknown_state_filters: unknown,
        transaction_states: listed.collect(),
        ..Default::default()
    })
}

/// A filter that holds only unknown states filters nothing, as in Kafka.
fn passes(listing: &TransactionListing, states: &[&str], request: &ListTransactionsRequest<'_>) -> bool {
    let producers = &request.producer_id_filters;
    (states.is_empty() || states.contains(&listing.status.name()))
        && (producers.is_empty() || producers.contains(&listing.producer_id))
        && (request.duration_filter < 0 || listing.duration_ms > request.duration_filter)
}
