//! `AddOffsetsToTxn`: the group's partition of the offsets topic becomes part of the producer's transaction.

use protocol::error_code::ErrorCode;
use protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::error_map;
use crate::catalog::OFFSETS_TOPIC;
use crate::internal_topics;
use crate::request::{Answer, Call};
use crate::transaction::{AddRequest, Event, Partitions, ProducerIdentity, Response};

const FIRST_VERSION_WITH_FENCED: i16 = 2;

pub async fn handle(call: &Call, request: AddOffsetsToTxnRequest<'_>) -> Answer {
    let error_code = add(call, &request).await;
    call.answer(&AddOffsetsToTxnResponse { error_code, ..Default::default() })
}

async fn add(call: &Call, request: &AddOffsetsToTxnRequest<'_>) -> i16 {
    if let Err(error) = internal_topics::ensure_offsets(&call.broker).await {
        return error.code();
    }
    let Some(partition) = call.broker.groups.partition_of(&call.broker, request.group_id) else {
        return ErrorCode::CoordinatorNotAvailable.code();
    };
    let add = AddRequest {
        transactional_id: request.transactional_id.to_owned(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        partitions: Partitions::from([(OFFSETS_TOPIC.to_owned(), [partition].into())]),
    };
    let id = request.transactional_id;
    match call.broker.transactions.ask(&call.broker, id, move |token| Event::Add(token, add)).await {
        Ok(Response::Done(Ok(()))) => ErrorCode::None.code(),
        Ok(Response::Done(Err(error))) | Err(error) => {
            error_map::transaction(error, call.version, FIRST_VERSION_WITH_FENCED)
        }
        Ok(_) => ErrorCode::UnknownServerError.code(),
    }
}
