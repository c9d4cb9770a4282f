//! Produce: the batches of a request go to their logs in request order, at once; the answer follows when all have reached the asked end.

mod batch_check;

use std::pin::{Pin, pin};
use std::time::Duration;

use engine::error::AppendError;
use engine::shard::core::Acks;
use engine::shard::state::Appended;
use protocol::error_code::ErrorCode;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};

use tokio::time::{Instant, sleep_until};

use self::batch_check::{Refusal, check_batch, check_transaction};
use super::error_map;
use crate::request::{Answer, Call, Refused};
use crate::topic_config;

type Appending = Pin<Box<dyn Future<Output = Result<Appended, AppendError>>>>;

/// What became of one partition: known at once, or when its append ends.
enum Outcome {
    Refused(Refusal),
    Appending(Appending),
}

struct Topic {
    name: String,
    partitions: Vec<(i32, Outcome)>,
}

/// Queues all batches during the call, so that requests of a connection keep their order.
pub fn begin(mut call: Call) -> Result<Pin<Box<dyn Future<Output = Answer>>>, Refused> {
    let request: ProduceRequest<'_> = call.decode()?;
    let answered = request.acks != 0;
    let deadline = answer_deadline(request.acks, request.timeout_ms);
    let request_error = match request.acks {
        -1 => Ok(Acks::Durable),
        0 => Ok(Acks::Accepted),
        1 => Ok(Acks::Written),
        _ => Err(ErrorCode::InvalidRequiredAcks),
    };
    let is_transactional = request.transactional_id.is_some();
    let topics: Vec<Topic> = request
        .topic_data
        .iter()
        .map(|topic| Topic {
            name: topic.name.to_owned(),
            partitions: topic
                .partition_data
                .iter()
                .map(|partition| {
                    let outcome = match request_error {
                        Ok(acks) => append(&call, topic.name, partition, acks, is_transactional),
                        Err(code) => Outcome::Refused(Refusal::new(code, "")),
                    };
                    (partition.index, outcome)
                })
                .collect(),
        })
        .collect();
    // What waits for room in a journal has its own part of the frame.
    call.forget_frame();
    Ok(Box::pin(finish(call, topics, answered, deadline)))
}

/// Kafka's time-out is about replicas, so only acks=all has one. A time that is none means no deadline: clients that send it get from Kafka
/// what a partition without followers gives at once.
fn answer_deadline(acks: i16, timeout_ms: i32) -> Option<Instant> {
    let timeout_ms = u64::try_from(timeout_ms).ok().filter(|timeout_ms| acks == -1 && *timeout_ms > 0)?;
    Some(Instant::now() + Duration::from_millis(timeout_ms))
}

fn append(
    call: &Call,
    topic: &str,
    partition: &PartitionProduceData<'_>,
    acks: Acks,
    is_transactional: bool,
) -> Outcome {
    let (topic, log) = match call.broker.partition(topic, partition.index) {
        Ok(found) => found,
        Err(code) => return Outcome::Refused(Refusal::new(code, "")),
    };
    if topic.internal {
        let reason = "clients may not write an internal topic";
        return Outcome::Refused(Refusal::new(ErrorCode::InvalidTopicException, reason));
    }
    let bytes = partition.records.as_ref().and_then(protocol::Records::as_borrowed).unwrap_or_default();
    let settings = call.broker.effective_settings();
    if acks == Acks::Durable && topic_config::lacks_replicas(&topic.configs, &settings) {
        let reason = "min.insync.replicas asks for more replicas than the one that there is";
        return Outcome::Refused(Refusal::new(ErrorCode::NotEnoughReplicas, reason));
    }
    let is_compacted = topic_config::is_compacted(&topic.configs, &settings);
    let checked = check_batch(bytes, call.version, is_compacted);
    match checked.and_then(|()| check_transaction(bytes, is_transactional)) {
        Ok(()) => {
            Outcome::Appending(Box::pin(call.broker.core.append(call.client.source, log, call.share(bytes), acks)))
        }
        Err(refusal) => Outcome::Refused(refusal),
    }
}

async fn finish(call: Call, topics: Vec<Topic>, answered: bool, deadline: Option<Instant>) -> Answer {
    let finished = outcomes(topics, deadline).await;
    let mut failed = false;
    for (topic, partitions) in &finished {
        for (partition, outcome) in partitions {
            if let Err(Refusal { code, reason, .. }) = outcome {
                failed = true;
                call.broker.metrics.partition_failed(call.api, *code);
                tracing::debug!(peer = %call.client.peer, topic, partition, ?code, %reason, "produce refused");
            }
        }
    }
    call.broker.metrics.request_ended(call.api, call.began.elapsed());
    if answered {
        return call.answer(&ProduceResponse {
            responses: finished.iter().map(topic_response).collect(),
            ..Default::default()
        });
    }
    // Kafka closes the connection, so that a client which asked for no answers notices.
    Answer { close: failed.then_some("a produce with acks=0 failed"), ..Answer::default() }
}

type Finished = (String, Vec<(i32, Result<Appended, Refusal>)>);

/// Waits for all appends, until the deadline for all of them. Those that are late go on, only their answer is lost: a client that sends the
/// batch again gets a duplicate, or as an idempotent producer the original offset. The timer is registered only where the first poll does
/// not end the wait.
async fn outcomes(topics: Vec<Topic>, deadline: Option<Instant>) -> Vec<Finished> {
    let mut expired = pin!(async move {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    });
    let mut is_expired = false;
    let mut finished = Vec::with_capacity(topics.len());
    for topic in topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (index, outcome) in topic.partitions {
            let appending = match outcome {
                Outcome::Refused(refusal) => {
                    partitions.push((index, Err(refusal)));
                    continue;
                }
                Outcome::Appending(appending) => appending,
            };
            let appended = tokio::select! {
                biased;
                appended = appending => Some(appended),
                () = async { if !is_expired { expired.as_mut().await } } => None,
            };
            is_expired |= appended.is_none();
            let outcome = match appended {
                Some(appended) => appended.map_err(|error| Refusal::new(error_map::append(&error), error.to_string())),
                None => {
                    Err(Refusal::new(ErrorCode::RequestTimedOut, "the disk took longer than the request's timeout"))
                }
            };
            partitions.push((index, outcome));
        }
        finished.push((topic.name, partitions));
    }
    finished
}

fn topic_response((name, partitions): &Finished) -> TopicProduceResponse<'_> {
    let partition_responses = partitions
        .iter()
        .map(|(index, outcome)| match outcome {
            Ok(appended) => PartitionProduceResponse {
                index: *index,
                base_offset: appended.base_offset.0,
                log_append_time_ms: appended.log_append_time_ms,
                log_start_offset: appended.log_start.0,
                ..Default::default()
            },
            Err(Refusal { code, reason, records }) => PartitionProduceResponse {
                index: *index,
                error_code: code.code(),
                base_offset: -1,
                record_errors: records
                    .iter()
                    .map(|&batch_index| BatchIndexAndErrorMessage {
                        batch_index,
                        batch_index_error_message: Some(reason),
                    })
                    .collect(),
                error_message: Some(&**reason).filter(|reason| !reason.is_empty()),
                ..Default::default()
            },
        })
        .collect();
    TopicProduceResponse { name, partition_responses }
}

#[cfg(test)]
mod tests {
    use engine::offset::Offset;

    use super::*;

    fn appending(ends: impl Future<Output = i64> + 'static) -> Outcome {
        Outcome::Appending(Box::pin(async move {
            let base_offset = Offset(ends.await);
            Ok(Appended { base_offset, log_append_time_ms: -1, log_start: Offset(0) })
        }))
    }

    fn codes(finished: &[Finished]) -> Vec<(i32, Result<i64, ErrorCode>)> {
        let partitions = finished.iter().flat_map(|(_, partitions)| partitions);
        let code = |outcome: &Result<Appended, Refusal>| match outcome {
            Ok(appended) => Ok(appended.base_offset.0),
            Err(refusal) => Err(refusal.code),
        };
        partitions.map(|(index, outcome)| (*index, code(outcome))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_append_is_answered_at_the_clients_own_timeout_and_the_others_with_what_they_got() {
        let never = || appending(std::future::pending());
        let in_time = tokio::spawn(tokio::time::sleep(Duration::from_millis(50)));
        let in_time = appending(async move {
            in_time.await.unwrap();
            7
        });
        let topics = vec![
            Topic { name: "a".into(), partitions: vec![(0, appending(std::future::ready(3))), (1, never())] },
            Topic {
                name: "b".into(),
                partitions: vec![
                    (0, in_time),
                    (1, Outcome::Refused(Refusal::new(ErrorCode::InvalidRecord, ""))),
                    (2, never()),
                ],
            },
        ];
        let deadline = answer_deadline(-1, 100);
        let begun = Instant::now();
        let finished = outcomes(topics, deadline).await;
        let timed_out = Err(ErrorCode::RequestTimedOut);
        assert_eq!(
            codes(&finished),
            [(0, Ok(3)), (1, timed_out), (0, Ok(7)), (1, Err(ErrorCode::InvalidRecord)), (2, timed_out)]
        );
        assert_eq!(begun.elapsed(), Duration::from_millis(100), "one timeout for all, on the paused clock");
    }

    #[tokio::test(start_paused = true)]
    async fn only_acks_all_with_a_timeout_has_one() {
        assert_eq!((answer_deadline(1, 100), answer_deadline(0, 100)), (None, None));
        assert_eq!((answer_deadline(-1, 0), answer_deadline(-1, -5)), (None, None));
        let slow = appending(async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            4
        });
        let topics = vec![Topic { name: "t".into(), partitions: vec![(0, slow)] }];
        assert_eq!(codes(&outcomes(topics, None).await), [(0, Ok(4))]);
    }
}
