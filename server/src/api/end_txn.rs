//! `EndTxn`: commits or aborts; answered when every partition has its marker, so that what was committed can be seen.

use protocol::error_code::ErrorCode;
use protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};

use super::error_map;
use crate::request::{Answer, Call};
use crate::transaction::{EndRequest, Event, ProducerIdentity, Response};

const FIRST_VERSION_WITH_FENCED: i16 = 2;

/// What is asked, taken over from the frame: the answer waits for other partitions.
pub fn take_over(_: &Call, request: &EndTxnRequest<'_>) -> EndRequest {
    EndRequest {
        transactional_id: request.transactional_id.to_owned(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        commits: request.committed,
    }
}

pub async fn handle(call: &Call, end: EndRequest) -> Answer {
    let id = end.transactional_id.clone();
    let asked = call.broker.transactions.ask(&call.broker, &id, move |token| Event::End(token, end));
    let error_code = match asked.await {
        Ok(Response::Done(Ok(()))) => ErrorCode::None.code(),
        Ok(Response::Done(Err(error))) | Err(error) => {
            error_map::transaction(error, call.version, FIRST_VERSION_WITH_FENCED)
        }
        Ok(_) => ErrorCode::UnknownServerError.code(),
    };
    call.answer(&EndTxnResponse { error_code, ..Default::default() })
}
