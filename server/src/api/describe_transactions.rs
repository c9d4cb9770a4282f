//! `DescribeTransactions`: state and partitions of transactional ids. An id that is named twice is answered once: its partitions may be many.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribedTransaction, DescribedTransactionTopic,
};

use crate::request::{Answer, Call};
use crate::transaction::{Event, Response, TransactionDescription};

pub async fn handle(call: &Call, request: DescribeTransactionsRequest<'_>) -> Answer {
    let mut described = Vec::new();
    let mut asked = BTreeSet::new();
    for id in request.transactional_ids.iter().filter(|id| asked.insert(**id)) {
        let owned = (*id).to_owned();
        let answer = call.broker.transactions.ask(&call.broker, id, move |token| Event::Describe(token, owned)).await;
        let outcome = match answer {
            Ok(Response::Described(Ok(description))) => Ok(description),
            Ok(Response::Described(Err(error))) | Err(error) => Err(error.code()),
            Ok(_) => Err(ErrorCode::UnknownServerError),
        };
        described.push((*id, outcome));
    }
    let transaction_states = described.iter().map(|(id, outcome)| transaction(id, outcome)).collect();
    call.answer(&DescribeTransactionsResponse { transaction_states, ..Default::default() })
}

fn transaction<'a>(
    transactional_id: &'a str,
    outcome: &'a Result<TransactionDescription, ErrorCode>,
) -> DescribedTransaction<'a> {
    let description = match outcome {
        Ok(description) => description,
        Err(error) => return DescribedTransaction { error_code: error.code(), transactional_id, ..Default::default() },
    };
    let topics = description.partitions.iter().map(|(topic, partitions)| DescribedTransactionTopic {
        topic,
        partitions: partitions.iter().copied().collect(),
    });
    DescribedTransaction {
        error_code: ErrorCode::None.code(),
        transactional_id,
        transaction_state: description.status.name(),
        transaction_timeout_ms: description.timeout_ms,
        transaction_start_time_ms: description.started_ms,
        producer_id: description.producer.id,
        producer_epoch: description.producer.epoch,
        topics: topics.collect(),
    }
}
