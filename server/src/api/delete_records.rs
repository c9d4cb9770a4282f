//! `DeleteRecords`: log start offsets rise, durably before the answer.

use std::time::Duration;

use engine::offset::Offset;
use protocol::error_code::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};

use super::error_map;
use crate::request::{Answer, Call};
use crate::topic_config;

/// "Up to the high watermark", as clients ask for it.
const HIGH_WATERMARK: i64 = -1;

pub async fn handle(call: &Call, request: DeleteRecordsRequest<'_>) -> Answer {
    let give_up = tokio::time::Instant::now() + Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let raised = tokio::time::timeout_at(give_up, delete(call, topic.name, partition)).await;
            // The deletion goes on; the client only hears no more of it.
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

async fn delete(call: &Call, name: &str, partition: &DeleteRecordsPartition) -> Result<Offset, ErrorCode> {
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let (topic, log) = call.broker.partition(name, partition.partition_index)?;
    if topic.internal {
        return Err(ErrorCode::InvalidTopicException);
    }
    // As in Kafka: a compacted topic holds the newest value of each key, which nobody deletes by offset.
    if !topic_config::log_config(&topic, &call.broker.effective_settings()).delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let view = call.broker.core.view(log).await.ok_or(unknown)?;
    let wanted = match partition.offset {
        HIGH_WATERMARK => view.high_watermark,
        offset => Offset(offset),
    };
    if wanted < Offset(0) || wanted > view.high_watermark {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    call.broker.core.raise_log_start(log, wanted).await.map_err(|error| error_map::append(&error))
}
