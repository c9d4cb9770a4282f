//! `InitProducerId`: an id that nobody had before, for an idempotent producer.

use protocol::error_code::ErrorCode;
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::error_map;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: InitProducerIdRequest<'_>) -> Answer {
    let refused = |error: ErrorCode| InitProducerIdResponse {
        error_code: error.code(),
        producer_epoch: -1,
        ..Default::default()
    };
    let response = match request.transactional_id {
        Some("") => refused(ErrorCode::InvalidRequest),
        Some(transactional_id) => {
            tracing::warn!(peer = %call.client.peer, transactional_id, "transactions are not supported yet");
            // Fatal to the client, as it must be: other codes make it retry for ever.
            refused(ErrorCode::TransactionalIdAuthorizationFailed)
        }
        // A producer that names its old id starts over with a new one: its old sequences no longer count.
        None => match call.broker.producer_ids.next(&call.broker).await {
            Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
            Err(error) => {
                tracing::warn!(%error, "cannot give a producer id");
                refused(match error_map::catalog(&error) {
                    ErrorCode::NotController => ErrorCode::CoordinatorNotAvailable,
                    code => code,
                })
            }
        },
    };
    call.answer(&response)
}
