//! `OffsetForLeaderEpoch`: where an epoch of a partition ended, so that a consumer notices a log that was cut.

use protocol::error_code::ErrorCode;
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

use super::error_map;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: OffsetForLeaderEpochRequest<'_>) -> Answer {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            partitions.push(find(call, topic.topic, partition).await);
        }
        topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions });
    }
    call.answer(&OffsetForLeaderEpochResponse { topics, ..Default::default() })
}

async fn find(call: &Call, topic: &str, partition: &OffsetForLeaderPartition) -> EpochEndOffset {
    let failed = |error: ErrorCode| EpochEndOffset {
        error_code: error.code(),
        partition: partition.partition,
        ..Default::default()
    };
    let log = match call.broker.led_log(topic, partition.partition) {
        Ok(log) => log,
        Err(error) => return failed(error),
    };
    let Some(view) = call.broker.core.view(log).await else { return failed(ErrorCode::UnknownTopicOrPartition) };
    let epoch_error = error_map::leader_epoch(partition.current_leader_epoch, view.leader_epoch);
    if epoch_error != ErrorCode::None {
        return failed(epoch_error);
    }
    match call.broker.core.epoch_end(log, partition.leader_epoch).await {
        Some((leader_epoch, end)) => EpochEndOffset {
            error_code: ErrorCode::None.code(),
            partition: partition.partition,
            leader_epoch,
            end_offset: end.0,
        },
        // An epoch before the first is unknown: -1 and -1, without an error.
        None => failed(ErrorCode::None),
    }
}
