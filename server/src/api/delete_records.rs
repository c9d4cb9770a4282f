//! `DeleteRecords`: log start offsets rise, durably before the answer.
//!
//! Kafka's high watermark of a partition without followers is its end as soon as a produce is answered; ours follows with the flush. A client that
//! has just heard an offset with acks=1 may delete up to it, so that what is on its way to the disk is waited for.

use std::time::Duration;

use engine::offset::Offset;
use engine::shard::core::Isolation;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use tokio::time::{Instant, timeout_at};

use super::error_map;
use crate::request::{Answer, Call};
use crate::topic_config;

/// "Up to the high watermark", as clients ask for it.
const HIGH_WATERMARK: i64 = -1;

pub async fn handle(call: &Call, request: DeleteRecordsRequest<'_>) -> Answer {
    let give_up = Instant::now() + Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let raised = timeout_at(give_up, delete(call, topic.name, partition, give_up)).await;
            // A deletion that has begun goes on; the client only hears no more of it.
            let outcome = raised.unwrap_or(Err(ErrorCode::RequestTimedOut));
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: partition.partition_index,
                low_watermark: outcome.map_or(-1, |start| start.0),
                error_code: outcome.err().unwrap_or(ErrorCode::None).code(),
            });
        }
        topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    call.answer(&DeleteRecordsResponse { throttle_time_ms: 0, topics })
}

async fn delete(
    call: &Call,
    name: &str,
    partition: &DeleteRecordsPartition,
    give_up: Instant,
) -> Result<Offset, ErrorCode> {
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let (topic, log) = call.broker.partition(name, partition.partition_index)?;
    if topic.internal {
        return Err(ErrorCode::InvalidTopicException);
    }
    // As in Kafka: a compacted topic holds the newest value of each key, which nobody deletes by offset.
    if !topic_config::log_config(&topic, &call.broker.effective_settings()).delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let mut view = call.broker.core.view(log).await.ok_or(unknown)?;
    let wanted = match partition.offset {
        HIGH_WATERMARK => view.end,
        offset => Offset(offset),
    };
    if wanted < Offset(0) || wanted > view.end {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    while view.high_watermark < wanted {
        let seen = vec![(log.log, view.high_watermark)];
        let left = give_up.saturating_duration_since(Instant::now());
        call.broker.core.wait_for_records(log.shard, seen, 1, left, Isolation::Uncommitted).await;
        view = call.broker.core.view(log).await.ok_or(unknown)?;
    }
    call.broker.core.raise_log_start(log, wanted).await.map_err(|error| error_map::append(&error))
}
