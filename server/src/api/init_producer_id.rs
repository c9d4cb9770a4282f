//! `InitProducerId`: an id that nobody had before for an idempotent producer; for a transactional one its id, with an epoch that fences whoever
//! had it before.

use protocol::error_code::ErrorCode;
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::error_map;
use crate::request::{Answer, Call};
use crate::transaction::{Event, InitRequest, ProducerIdentity, Response};

const FIRST_VERSION_WITH_FENCED: i16 = 4;
const NONE: ProducerIdentity = ProducerIdentity { id: -1, epoch: -1 };

pub async fn handle(call: &Call, request: InitProducerIdRequest<'_>) -> Answer {
    let given = match request.transactional_id {
        _ if (request.producer_id == NONE.id) != (request.producer_epoch == NONE.epoch) => {
            Err(ErrorCode::InvalidRequest.code())
        }
        Some(transactional_id) => transactional(call, transactional_id, &request).await,
        // A producer that names its old id starts over with a new one: its old sequences no longer count.
        None => fresh_id(call).await.map(|id| ProducerIdentity { id, epoch: 0 }),
    };
    let (error_code, producer) = match given {
        Ok(producer) => (ErrorCode::None.code(), producer),
        Err(error_code) => (error_code, NONE),
    };
    call.answer(&InitProducerIdResponse {
        error_code,
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        ..Default::default()
    })
}

async fn transactional(
    call: &Call,
    transactional_id: &str,
    request: &InitProducerIdRequest<'_>,
) -> Result<ProducerIdentity, i16> {
    let expected = ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch };
    if transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest.code());
    }
    let init = InitRequest {
        transactional_id: transactional_id.to_owned(),
        timeout_ms: request.transaction_timeout_ms,
        expected: (expected != NONE).then_some(expected),
        fresh_producer_id: fresh_id(call).await?,
    };
    let asked = call.broker.transactions.ask(&call.broker, transactional_id, move |token| Event::Init(token, init));
    match asked.await {
        Ok(Response::Init(Ok(producer))) => Ok(producer),
        Ok(Response::Init(Err(error))) | Err(error) => {
            tracing::debug!(peer = %call.client.peer, transactional_id, %error, "a transactional producer is refused");
            Err(error_map::transaction(error, call.version, FIRST_VERSION_WITH_FENCED))
        }
        Ok(_) => Err(ErrorCode::UnknownServerError.code()),
    }
}

async fn fresh_id(call: &Call) -> Result<i64, i16> {
    call.broker.producer_ids.next(&call.broker).await.map_err(|error| {
        tracing::warn!(%error, "cannot give a producer id");
        match error_map::catalog(&error) {
            ErrorCode::NotController => ErrorCode::CoordinatorNotAvailable.code(),
            code => code.code(),
        }
    })
}
