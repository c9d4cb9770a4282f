//! `DescribeProducers`: the idempotent and transactional producers that partitions remember, and what they have open. A partition that is
//! named twice is answered once: thousands of producers would come with every four bytes that are asked.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_producers::{
    DescribeProducersPartitionResult, DescribeProducersRequest, DescribeProducersResponse,
    DescribeProducersTopicResult, ProducerState,
};

use super::error_map;
use crate::catalog::check_topic_name;
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: DescribeProducersRequest<'_>) -> Answer {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut asked = BTreeSet::new();
    let refusals: Vec<_> = request.topics.iter().map(|topic| name_refusal(topic.name)).collect();
    for (topic, refusal) in request.topics.iter().zip(&refusals) {
        let mut partitions = Vec::new();
        for &partition_index in &topic.partition_indexes {
            if asked.insert((topic.name, partition_index)) {
                partitions.push(match refusal {
                    Some((code, message)) => DescribeProducersPartitionResult {
                        partition_index,
                        error_code: code.code(),
                        error_message: partitions.is_empty().then_some(message),
                        ..Default::default()
                    },
                    None => describe(call, topic.name, partition_index).await,
                });
            }
        }
        topics.push(DescribeProducersTopicResult { name: topic.name, partitions });
    }
    call.answer(&DescribeProducersResponse { topics, ..Default::default() })
}

/// Why no topic can have this name. It is told with the first partition alone: as with producers, four bytes ask for each.
fn name_refusal(topic: &str) -> Option<(ErrorCode, String)> {
    check_topic_name(topic).err().map(|error| (error_map::catalog(&error), error.to_string()))
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
