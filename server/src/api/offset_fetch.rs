//! `OffsetFetch`: committed offsets of one group, from version 8 of several. What was never committed is offset -1 without an error.

use protocol::error_code::ErrorCode;
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

use super::error_map;
use crate::group::{self, Event, Response, TopicOffsets, TopicPartitions};
use crate::request::{Answer, Call};

const FIRST_VERSION_WITH_SEVERAL: i16 = 8;
const FIRST_VERSION_WITH_GROUP_ERROR: i16 = 2;
/// A transaction is about to move it: the client asks again until it has ended.
const UNSTABLE: i16 = ErrorCode::UnstableOffsetCommit as i16;

type Fetched = Result<Vec<TopicPartitions<TopicOffsets>>, i16>;
type Asked = Option<Vec<TopicPartitions<i32>>>;
/// Id and epoch of a member of the consumer protocol, where one asks.
type AsMember = Option<(String, i32)>;

pub async fn handle(call: &Call, request: OffsetFetchRequest<'_>) -> Answer {
    if call.version >= FIRST_VERSION_WITH_SEVERAL {
        several(call, &request).await
    } else {
        single(call, &request).await
    }
}

async fn fetch(call: &Call, group_id: &str, member: AsMember, topics: Asked, requires_stable: bool) -> Fetched {
    let asked = group::OffsetFetchRequest { group_id: group_id.to_owned(), member, topics, requires_stable };
    match call.broker.groups.ask(&call.broker, group_id, move |token| Event::OffsetFetch(token, asked)).await {
        Ok(Response::OffsetFetch(Ok(fetched))) => Ok(fetched.topics),
        Ok(Response::OffsetFetch(Err(error))) | Err(error) => Err(error_map::group(error)),
        Ok(_) => Err(ErrorCode::UnknownServerError.code()),
    }
}

async fn single(call: &Call, request: &OffsetFetchRequest<'_>) -> Answer {
    let asked: Asked = request.topics.as_ref().map(|topics| {
        let topics = topics
            .iter()
            .map(|topic| TopicPartitions { topic: topic.name.to_owned(), partitions: topic.partition_indexes.clone() });
        topics.collect()
    });
    let fetched = fetch(call, request.group_id, None, asked.clone(), request.require_stable).await;
    let (error_code, topics) = match fetched {
        Ok(topics) => (ErrorCode::None.code(), topics),
        // Before version 2 an error has no other place than the partitions.
        Err(error) if call.version < FIRST_VERSION_WITH_GROUP_ERROR => (error, unknown(asked.unwrap_or_default())),
        Err(error) => (error, Vec::new()),
    };
    let partition_error =
        if call.version < FIRST_VERSION_WITH_GROUP_ERROR { error_code } else { ErrorCode::None.code() };
    let topics = topics
        .iter()
        .map(|topic| OffsetFetchResponseTopic {
            name: &topic.topic,
            partitions: topic
                .partitions
                .iter()
                .map(|offsets| OffsetFetchResponsePartition {
                    partition_index: offsets.partition,
                    committed_offset: offsets.offset,
                    committed_leader_epoch: offsets.leader_epoch,
                    metadata: Some(&offsets.metadata),
                    error_code: if offsets.is_unstable { UNSTABLE } else { partition_error },
                })
                .collect(),
        })
        .collect();
    call.answer(&OffsetFetchResponse { topics, error_code, ..Default::default() })
}

async fn several(call: &Call, request: &OffsetFetchRequest<'_>) -> Answer {
    let mut fetched = Vec::with_capacity(request.groups.len());
    for group in &request.groups {
        let asked = group.topics.as_ref().map(|topics| {
            let topics = topics.iter().map(|topic| TopicPartitions {
                topic: topic.name.to_owned(),
                partitions: topic.partition_indexes.clone(),
            });
            topics.collect()
        });
        let names_a_member = group.member_id.is_some() || group.member_epoch >= 0;
        let member = names_a_member.then(|| (group.member_id.unwrap_or_default().to_owned(), group.member_epoch));
        fetched.push((group.group_id, fetch(call, group.group_id, member, asked, request.require_stable).await));
    }
    let groups = fetched
        .iter()
        .map(|(group_id, fetched)| OffsetFetchResponseGroup {
            group_id,
            topics: fetched.as_ref().map(|topics| topics.iter().map(topic_of_several).collect()).unwrap_or_default(),
            error_code: fetched.as_ref().err().copied().unwrap_or(ErrorCode::None.code()),
        })
        .collect();
    call.answer(&OffsetFetchResponse { groups, ..Default::default() })
}

fn topic_of_several(topic: &TopicPartitions<TopicOffsets>) -> OffsetFetchResponseTopics<'_> {
    OffsetFetchResponseTopics {
        name: &topic.topic,
        partitions: topic
            .partitions
            .iter()
            .map(|offsets| OffsetFetchResponsePartitions {
                partition_index: offsets.partition,
                committed_offset: offsets.offset,
                committed_leader_epoch: offsets.leader_epoch,
                metadata: Some(&offsets.metadata),
                error_code: if offsets.is_unstable { UNSTABLE } else { ErrorCode::None.code() },
            })
            .collect(),
    }
}

fn unknown(asked: Vec<TopicPartitions<i32>>) -> Vec<TopicPartitions<TopicOffsets>> {
    let offsets = |partition| TopicOffsets {
        partition,
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        is_unstable: false,
    };
    asked
        .into_iter()
        .map(|topic| TopicPartitions {
            topic: topic.topic,
            partitions: topic.partitions.into_iter().map(offsets).collect(),
        })
        .collect()
}
