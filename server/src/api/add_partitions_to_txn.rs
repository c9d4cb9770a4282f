//! `AddPartitionsToTxn`: all of the partitions or none become part of the producer's transaction.

use protocol::error_code::ErrorCode;
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};

use super::error_map;
use crate::request::{Answer, Call};
use crate::transaction::{AddRequest, Event, Partitions, ProducerIdentity, Response};

const FIRST_VERSION_WITH_FENCED: i16 = 2;

pub async fn handle(call: &Call, request: AddPartitionsToTxnRequest<'_>) -> Answer {
    let mut partitions = Partitions::new();
    let mut refused = false;
    for topic in &request.topics {
        let known = partitions.entry(topic.name.to_owned()).or_default();
        for &partition in &topic.partitions {
            known.insert(partition);
            refused |= refusal(call, topic.name, partition).is_some();
        }
    }
    let outcome = if refused {
        // Kafka's word for those that are right beside those that are not.
        ErrorCode::OperationNotAttempted.code()
    } else {
        add(call, &request, partitions).await
    };
    let topics = request.topics.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name,
        partitions: topic
            .partitions
            .iter()
            .map(|&partition_index| AddPartitionsToTxnPartitionResult {
                partition_index,
                error_code: refusal(call, topic.name, partition_index).map_or(outcome, ErrorCode::code),
            })
            .collect(),
    });
    call.answer(&AddPartitionsToTxnResponse { topics: topics.collect(), ..Default::default() })
}

fn refusal(call: &Call, topic: &str, partition: i32) -> Option<ErrorCode> {
    let catalog = call.broker.catalog();
    match catalog.topic(topic).filter(|topic| topic.log(partition).is_some()) {
        None => Some(ErrorCode::UnknownTopicOrPartition),
        Some(topic) => topic.internal.then_some(ErrorCode::InvalidTopicException),
    }
}

async fn add(call: &Call, request: &AddPartitionsToTxnRequest<'_>, partitions: Partitions) -> i16 {
    let add = AddRequest {
        transactional_id: request.transactional_id.to_owned(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        partitions,
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
