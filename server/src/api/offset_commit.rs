//! `OffsetCommit`: durable before it is answered. Partitions that do not exist are refused one by one, the others are stored.

use protocol::error_code::ErrorCode;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};

use super::error_map;
use crate::group::{CommitPartition, CommitRequest, CommitResponse, Event, GroupError, Response, TopicPartitions};
use crate::request::{Answer, Call};

/// Clients before it know an unknown group as a generation that is not the group's.
const FIRST_VERSION_WITH_NOT_FOUND: i16 = 9;
/// Members of the consumer protocol commit in no version before it.
const FIRST_VERSION_WITH_EPOCHS: i16 = 9;

pub async fn handle(call: &Call, request: OffsetCommitRequest<'_>) -> Answer {
    let commit = CommitRequest {
        group_id: request.group_id.to_owned(),
        generation_id: request.generation_id_or_member_epoch,
        knows_member_epochs: call.version >= FIRST_VERSION_WITH_EPOCHS,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        topics: request.topics.iter().map(|topic| existing_partitions(call, topic)).collect(),
    };
    let answer =
        call.broker.groups.ask(&call.broker, request.group_id, move |token| Event::Commit(token, commit)).await;
    let (outcomes, otherwise) = match &answer {
        Ok(Response::Commit(committed)) => (Some(committed), ErrorCode::UnknownTopicOrPartition.code()),
        Ok(_) => (None, ErrorCode::UnknownServerError.code()),
        Err(error) => (None, error_map::group(*error)),
    };
    let topics = request
        .topics
        .iter()
        .enumerate()
        .map(|(at, topic)| topic_response(call.version, topic, outcome_of(outcomes, at), otherwise))
        .collect();
    call.answer(&OffsetCommitResponse { topics, ..Default::default() })
}

fn existing_partitions(call: &Call, topic: &OffsetCommitRequestTopic<'_>) -> TopicPartitions<CommitPartition> {
    let partitions = topic
        .partitions
        .iter()
        .filter(|partition| call.broker.log(topic.name, partition.partition_index).is_some())
        .map(|partition| CommitPartition {
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.unwrap_or_default().to_owned(),
        })
        .collect();
    TopicPartitions { topic: topic.name.to_owned(), partitions }
}

type Outcomes = TopicPartitions<(i32, Result<(), GroupError>)>;

fn outcome_of(committed: Option<&CommitResponse>, at: usize) -> Option<&Outcomes> {
    committed?.topics.get(at)
}

fn topic_response<'a>(
    version: i16,
    topic: &OffsetCommitRequestTopic<'a>,
    outcomes: Option<&Outcomes>,
    otherwise: i16,
) -> OffsetCommitResponseTopic<'a> {
    let partitions = topic
        .partitions
        .iter()
        .map(|partition| {
            let partition_index = partition.partition_index;
            let outcome =
                outcomes.and_then(|outcomes| outcomes.partitions.iter().find(|(index, _)| *index == partition_index));
            let error_code = match outcome {
                None => otherwise,
                Some((_, Ok(()))) => ErrorCode::None.code(),
                Some((_, Err(GroupError::GroupIdNotFound))) if version < FIRST_VERSION_WITH_NOT_FOUND => {
                    ErrorCode::IllegalGeneration.code()
                }
                Some((_, Err(error))) => error_map::group(*error),
            };
            OffsetCommitResponsePartition { partition_index, error_code }
        })
        .collect();
    OffsetCommitResponseTopic { name: topic.name, partitions }
}
