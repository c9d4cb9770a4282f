//! `TxnOffsetCommit`: positions that count when their transaction is committed. The coordinator of the transaction is asked first: a commit
//! that comes after the end would stay unstable for ever. The end may come between: the group's coordinator says before which markers it has
//! taken, and refuses the commit if the producer's has come since.

use protocol::error_code::ErrorCode;
use protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

use super::error_map;
use crate::catalog::OFFSETS_TOPIC;
use crate::group::{
    CommitPartition, CommitRequest, CommitResponse, Event, Response, TopicPartitions, TransactionalCommitRequest,
};
use crate::request::{Answer, Call};
use crate::transaction::{ProducerIdentity, TransactionError, VerifyRequest};

/// Producers before it break when they hear that a coordinator loads.
const FIRST_VERSION_WITH_LOADING: i16 = 2;
/// From this version on producers can abort and go on where the state is wrong.
const FIRST_VERSION_WITH_ABORTABLE: i16 = 4;
/// Kafka has the invalid epoch here in every version.
const FENCED_FROM: i16 = i16::MAX;

pub async fn handle(call: &Call, request: TxnOffsetCommitRequest<'_>) -> Answer {
    let outcomes = commit(call, &request).await;
    let topics = request.topics.iter().enumerate().map(|(at, topic)| topic_response(call, topic, at, &outcomes));
    call.answer(&TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() })
}

async fn commit(call: &Call, request: &TxnOffsetCommitRequest<'_>) -> Result<CommitResponse, i16> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId.code());
    }
    let producer = ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch };
    let partition = call.broker.groups.partition_of(&call.broker, request.group_id);
    let verify = VerifyRequest {
        transactional_id: request.transactional_id.to_owned(),
        producer,
        topic: OFFSETS_TOPIC.to_owned(),
        partition: partition.ok_or(ErrorCode::CoordinatorNotAvailable.code())?,
        remembered_on: None,
    };
    let seen = match call.broker.groups.ask(&call.broker, request.group_id, Event::Markers).await {
        Ok(Response::Markers(seen)) => seen.map_err(error_map::group)?,
        Ok(_) => return Err(ErrorCode::UnknownServerError.code()),
        Err(error) => return Err(error_map::group(error)),
    };
    let verified = call.broker.transactions.verify(&call.broker, verify).await;
    verified.map_err(|error| match error {
        TransactionError::InvalidTxnState | TransactionError::ConcurrentTransactions => not_open(call.version),
        error => error_map::transaction(error, call.version, FENCED_FROM),
    })?;
    let commit = CommitRequest {
        group_id: request.group_id.to_owned(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        topics: request.topics.iter().map(|topic| existing_partitions(call, topic)).collect(),
    };
    let commit = TransactionalCommitRequest { producer, seen, commit };
    let asked =
        call.broker.groups.ask(&call.broker, request.group_id, move |token| Event::CommitInTransaction(token, commit));
    match asked.await {
        Ok(Response::Commit(committed)) => Ok(committed),
        Ok(_) => Err(ErrorCode::UnknownServerError.code()),
        Err(error) => Err(error_map::group(error)),
    }
}

/// The transaction does not have the group, or ends.
fn not_open(version: i16) -> i16 {
    if version < FIRST_VERSION_WITH_ABORTABLE {
        ErrorCode::InvalidTxnState.code()
    } else {
        ErrorCode::TransactionAbortable.code()
    }
}

fn existing_partitions(call: &Call, topic: &TxnOffsetCommitRequestTopic<'_>) -> TopicPartitions<CommitPartition> {
    let existing =
        topic.partitions.iter().filter(|partition| call.broker.log(topic.name, partition.partition_index).is_some());
    let partitions = existing.map(|partition| CommitPartition {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.unwrap_or_default().to_owned(),
    });
    TopicPartitions { topic: topic.name.to_owned(), partitions: partitions.collect() }
}

fn topic_response<'a>(
    call: &Call,
    topic: &TxnOffsetCommitRequestTopic<'a>,
    at: usize,
    outcomes: &Result<CommitResponse, i16>,
) -> TxnOffsetCommitResponseTopic<'a> {
    let outcome = |index: i32| {
        let topics = match outcomes {
            Ok(committed) => &committed.topics,
            Err(code) => return *code,
        };
        let found = topics.get(at).and_then(|topic| topic.partitions.iter().find(|(found, _)| *found == index));
        match found {
            Some((_, Ok(()))) => ErrorCode::None.code(),
            Some((_, Err(error))) => error_map::group(*error),
            None => ErrorCode::UnknownTopicOrPartition.code(),
        }
    };
    let partitions = topic.partitions.iter().map(|partition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: for_version(call.version, outcome(partition.partition_index)),
    });
    TxnOffsetCommitResponseTopic { name: topic.name, partitions: partitions.collect() }
}

fn for_version(version: i16, error_code: i16) -> i16 {
    if version < FIRST_VERSION_WITH_LOADING && error_code == ErrorCode::CoordinatorLoadInProgress.code() {
        ErrorCode::CoordinatorNotAvailable.code()
    } else {
        error_code
    }
}
