//! `DescribeTransactions`: state and partitions of transactional ids, as often as each is named.

use std::collections::{BTreeSet, HashMap, HashSet};

use protocol::error_code::ErrorCode;
use protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribedTransaction, DescribedTransactionTopic,
};

use crate::limits::DESCRIBED_AGAIN_PARTITIONS_MAX;
use crate::request::{Answer, Call};
use crate::transaction::{Event, Partitions, Response, TransactionDescription};

pub async fn handle(call: &Call, request: DescribeTransactionsRequest<'_>) -> Answer {
    let mut described = HashMap::new();
    for id in &request.transactional_ids {
        if described.contains_key(id) {
            continue;
        }
        if id.is_empty() {
            described.insert(*id, Err(ErrorCode::InvalidRequest));
            continue;
        }
        let owned = (*id).to_owned();
        let answer = call.broker.transactions.ask(&call.broker, id, move |token| Event::Describe(token, owned)).await;
        let outcome = match answer {
            Ok(Response::Described(Ok(description))) => Ok(description),
            Ok(Response::Described(Err(error))) | Err(error) => Err(error.code()),
            Ok(_) => Err(ErrorCode::UnknownServerError),
        };
        described.insert(*id, outcome);
    }
    let transaction_states = answered(&request.transactional_ids, &described);
    call.answer(&DescribeTransactionsResponse { transaction_states, ..Default::default() })
}

/// Every mention has its answer, until those of ids that were answered before hold too many partitions.
fn answered<'a>(
    asked: &[&'a str],
    described: &'a HashMap<&'a str, Result<TransactionDescription, ErrorCode>>,
) -> Vec<DescribedTransaction<'a>> {
    let mut repeated_partitions = 0;
    let mut seen = HashSet::new();
    let mut states = Vec::with_capacity(asked.len());
    for &id in asked {
        let outcome = &described[id];
        if !seen.insert(id) {
            let partitions = outcome.as_ref().map_or(0, |description| partition_count(&description.partitions));
            if repeated_partitions + partitions > DESCRIBED_AGAIN_PARTITIONS_MAX {
                continue;
            }
            repeated_partitions += partitions;
        }
        states.push(transaction(id, outcome));
    }
    states
}

fn partition_count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
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
