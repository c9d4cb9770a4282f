//! `DescribeProducers`: the idempotent and transactional producers that partitions remember, and what they have open. A partition that is
//! named twice is answered once: thousands of producers would come with every four bytes that are asked.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_producers::{
    DescribeProducersPartitionResult, DescribeProducersRequest, DescribeProducersResponse,
    DescribeProducersTopicResult, ProducerState,
};

use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: DescribeProducersRequest<'_>) -> Answer {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut asked = BTreeSet::new();
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for &partition_index in &topic.partition_indexes {
            if asked.insert((topic.name, partition_index)) {
                partitions.push(describe(call, topic.name, partition_index).await);
            }
        }
        topics.push(DescribeProducersTopicResult { name: topic.name, partitions });
    }
    call.answer(&DescribeProducersResponse { topics, ..Default::default() })
}

async fn describe(call: &Call, topic: &str, partition_index: i32) -> DescribeProducersPartitionResult<'static> {
    let log = match call.broker.led_log(topic, partition_index) {
        Ok(log) => log,
        Err(error) => {
            return DescribeProducersPartitionResult {
                partition_index,
                error_code: error.code(),
                ..Default::default()
            };
        }
    };
    let producers = call.broker.core.producers(log).await;
    let active_producers = producers.into_iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.producer_epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp_ms,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start.map_or(-1, |start| start.0),
    });
    DescribeProducersPartitionResult {
        partition_index,
        error_code: ErrorCode::None.code(),
        error_message: None,
        active_producers: active_producers.collect(),
    }
}
