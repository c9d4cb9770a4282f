//! `ListTransactions`: the transactional ids of every coordinator of this node.

use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse, ListedTransaction};

use crate::request::{Answer, Call};
use crate::transaction::{Event, ListRequest, Response, Status};

/// A state of Kafka's that no id is ever in here.
const EPOCH_FENCE: &str = "PrepareEpochFence";

pub async fn handle(call: &Call, request: ListTransactionsRequest<'_>) -> Answer {
    let is_known = |name: &str| name == EPOCH_FENCE || status(name).is_some();
    let (known, unknown): (Vec<&str>, Vec<&str>) = request.state_filters.iter().partition(|name| is_known(name));
    let filters = Arc::new(ListRequest {
        // A filter that holds only unknown states lets nothing through, as in Kafka.
        statuses: (!request.state_filters.is_empty()).then(|| known.iter().filter_map(|name| status(name)).collect()),
        producer_ids: request.producer_id_filters,
        longer_than_ms: request.duration_filter,
    });
    let list = move |token| Event::List(token, Arc::clone(&filters));
    let mut listings = Vec::new();
    let mut error = ErrorCode::None;
    for answer in call.broker.transactions.ask_all(&call.broker, list).await {
        match answer {
            Ok(Response::Listed(Ok(part))) => listings.extend(part),
            Ok(Response::Listed(Err(refused))) | Err(refused) => error = refused.code(),
            Ok(_) => error = ErrorCode::UnknownServerError,
        }
    }
    let listed = listings.iter().map(|listing| ListedTransaction {
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

fn status(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == name)
}
