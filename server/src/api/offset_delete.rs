//! `OffsetDelete`: forgets what a group has committed for partitions that none of its members reads.

use std::collections::HashMap;

use protocol::error_code::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::error_map;
use crate::group::{Event, GroupError, Response, TopicPartitions};
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: OffsetDeleteRequest<'_>) -> Answer {
    let group_id = request.group_id.to_owned();
    let is_there = |topic: &str, partition: i32| call.broker.log(topic, partition).is_some();
    let asked = request.topics.iter().map(|topic| TopicPartitions {
        topic: topic.name.to_owned(),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| partition.partition_index)
            .filter(|&partition| is_there(topic.name, partition))
            .collect(),
    });
    let asked: Vec<TopicPartitions<i32>> = asked.collect();
    let event = move |token| Event::DeleteOffsets(token, group_id, asked);
    let outcomes = match call.broker.groups.ask(&call.broker, request.group_id, event).await {
        Ok(Response::DeleteOffsets(Ok(outcomes))) => outcomes,
        Ok(Response::DeleteOffsets(Err(error))) | Err(error) => return failed(call, error_map::group(error)),
        Ok(_) => return failed(call, ErrorCode::UnknownServerError.code()),
    };
    // A topic of which nothing was asked is not answered, as in Kafka.
    let answered = request.topics.iter().zip(outcomes.topics).filter(|(topic, _)| !topic.partitions.is_empty());
    let topics = answered.map(|(topic, outcomes)| {
        let outcomes: HashMap<i32, Result<(), GroupError>> = outcomes.partitions.into_iter().collect();
        let code = |partition: i32| match outcomes.get(&partition) {
            None => ErrorCode::UnknownTopicOrPartition.code(),
            Some(outcome) => outcome.map_or_else(error_map::group, |()| ErrorCode::None.code()),
        };
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let partitions =
            indexes.map(|index| OffsetDeleteResponsePartition { partition_index: index, error_code: code(index) });
        OffsetDeleteResponseTopic { name: topic.name, partitions: partitions.collect() }
    });
    call.answer(&OffsetDeleteResponse { topics: topics.collect(), ..Default::default() })
}

fn failed(call: &Call, error_code: i16) -> Answer {
    call.answer(&OffsetDeleteResponse { error_code, ..Default::default() })
}
