//! Produce: the batches of a request go to their logs in request order, at once; the answer follows when all have reached the asked end.

mod batch_check;

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use engine::error::AppendError;
use engine::shard::core::{Acks, LogRef};
use engine::shard::state::Appended;
use protocol::error_code::ErrorCode;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};

use tokio::time::{Instant, sleep_until};

use self::batch_check::{Refusal, check_batch, check_size, check_transaction, not_in_transaction, unrecompressed};
use super::Begun;
use crate::broker::Broker;
use crate::limits::RECOMPRESSED_AT_ONCE_BYTES_MAX;
use crate::recompression::{at_once, wants};
use crate::request::{Answer, Call, Refused};
use crate::topic_config::{self, Codec};
use crate::transaction::{ProducerIdentity, VerifyRequest};

type Appending = Pin<Box<dyn Future<Output = Result<Appended, AppendError>>>>;

/// What became of one partition: known at once, when its append ends, or when it was done what must come before the append.
enum Outcome {
    Refused(Refusal),
    Appending(Appending),
    Delayed(Delayed),
}

/// A batch that is too large to be compressed on the shard's thread, or whose transaction the shard does not know yet.
struct Delayed {
    log: LogRef,
    batch: Bytes,
    codec: Option<Codec>,
    transaction: Option<VerifyRequest>,
    acks: Acks,
}

struct Topic {
    name: String,
    partitions: Vec<(i32, Outcome)>,
}

/// Queues all batches during the call, so that requests of a connection keep their order. Where one has to be compressed first, or
/// its coordinator asked, the request is one that the next one waits for.
pub fn begin(mut call: Call) -> Result<Begun, Refused> {
    let request: ProduceRequest<'_> = call.decode()?;
    let answered = request.acks != 0;
    let deadline = answer_deadline(request.acks, request.timeout_ms);
    let request_error = match request.acks {
        -1 => Ok(Acks::Durable),
        0 => Ok(Acks::Accepted),
        1 => Ok(Acks::Written),
        _ => Err(ErrorCode::InvalidRequiredAcks),
    };
    let mut plain_bytes_left = RECOMPRESSED_AT_ONCE_BYTES_MAX;
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for partition in &topic.partition_data {
            let outcome = request_error.map_err(|code| Refusal::new(code, "")).and_then(|acks| {
                append(&call, topic.name, partition, acks, request.transactional_id, &mut plain_bytes_left)
            });
            partitions.push((partition.index, outcome.unwrap_or_else(Outcome::Refused)));
        }
        topics.push(Topic { name: topic.name.to_owned(), partitions });
    }
    // What waits for room in a journal has its own part of the frame.
    call.forget_frame();
    let is_at_once = |topic: &Topic| topic.partitions.iter().all(|(_, one)| !matches!(one, Outcome::Delayed(_)));
    if topics.iter().all(is_at_once) {
        return Ok(Begun::Produce(Box::pin(async move {
            let answer = finish(&call, topics, answered, deadline).await;
            call.broker.metrics.request_ended(call.api, call.began.elapsed());
            answer
        })));
    }
    Ok(Begun::Serial(Box::pin(async move {
        append_delayed(&call, &mut topics).await;
        Ok(finish(&call, topics, answered, deadline).await)
    })))
}

/// Kafka's time-out is about replicas, so only acks=all has one. A time that is none means no deadline: clients that send it get from Kafka
/// what a partition without followers gives at once.
fn answer_deadline(acks: i16, timeout_ms: i32) -> Option<Instant> {
    let timeout_ms = u64::try_from(timeout_ms).ok().filter(|timeout_ms| acks == -1 && *timeout_ms > 0)?;
    Some(Instant::now() + Duration::from_millis(timeout_ms))
}

fn append(
    call: &Call,
    topic_name: &str,
    partition: &PartitionProduceData<'_>,
    acks: Acks,
    transactional_id: Option<&str>,
    plain_bytes_left: &mut usize,
) -> Result<Outcome, Refusal> {
    let (topic, log) = call.broker.partition(topic_name, partition.index).map_err(|code| Refusal::new(code, ""))?;
    if topic.internal {
        let reason = "clients may not write an internal topic";
        return Err(Refusal::new(ErrorCode::InvalidTopicException, reason));
    }
    let bytes = partition.records.as_ref().and_then(protocol::Records::as_borrowed).unwrap_or_default();
    let settings = call.broker.effective_settings();
    if acks == Acks::Durable && topic_config::lacks_replicas(&topic.configs, &settings) {
        let reason = "min.insync.replicas asks for more replicas than the one that there is";
        return Err(Refusal::new(ErrorCode::NotEnoughReplicas, reason));
    }
    let header = check_batch(bytes, call.version, topic_config::is_compacted(&topic.configs, &settings))?;
    check_transaction(&header, transactional_id.is_some())?;
    let producer = ProducerIdentity { id: header.producer_id, epoch: header.producer_epoch };
    let transaction = |id: &str| VerifyRequest {
        transactional_id: id.to_owned(),
        producer,
        topic: topic_name.to_owned(),
        partition: partition.index,
        remembered_on: Some(call.broker.core.shard()),
    };
    let mut batch = call.share(bytes);
    if let Some(codec) = topic_config::codec(&topic.configs, &settings).filter(|codec| wants(&header, *codec)) {
        // The engine sees what comes out alone.
        check_size(&batch, topic_config::message_bytes_max(&topic.configs, &settings))?;
        match at_once(&call.broker.frame_budget, bytes, codec, plain_bytes_left) {
            None => {
                let (codec, transaction) = (Some(codec), transactional_id.map(transaction));
                return Ok(Outcome::Delayed(Delayed { log, batch, codec, transaction, acks }));
            }
            Some(done) => batch = done.map_err(|error| unrecompressed(&error))?,
        }
    }
    match transactional_id.filter(|_| !call.broker.transactions.is_verified(producer, log)).map(transaction) {
        None => Ok(Outcome::Appending(Box::pin(call.broker.core.append(call.client.source, log, batch, acks)))),
        transaction => Ok(Outcome::Delayed(Delayed { log, batch, codec: None, transaction, acks })),
    }
}

/// Appends what had to wait, in the order of the request.
async fn append_delayed(call: &Call, topics: &mut [Topic]) {
    for (_, outcome) in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let Outcome::Delayed(delayed) = outcome else { continue };
        *outcome = match ready(call, delayed).await {
            Ok(batch) => Outcome::Appending(Box::pin(call.broker.core.append(
                call.client.source,
                delayed.log,
                batch,
                delayed.acks,
            ))),
            Err(refusal) => Outcome::Refused(refusal),
        };
    }
}

/// The batch as it is to be appended, at once: nothing may come between the coordinator's answer and that.
async fn ready(call: &Call, delayed: &mut Delayed) -> Result<Bytes, Refusal> {
    let broker = &call.broker;
    let mut batch = std::mem::take(&mut delayed.batch);
    if let Some(codec) = delayed.codec {
        let compressed = broker.recompression.at_leisure(&broker.frame_budget, batch, codec).await;
        batch = compressed.map_err(|error| unrecompressed(&error))?;
    }
    if let Some(request) = delayed.transaction.take() {
        let verified = broker.transactions.verify_write(broker, request, delayed.log).await;
        verified.map_err(|error| not_in_transaction(error, call.version))?;
    }
    Ok(batch)
}

async fn finish(call: &Call, topics: Vec<Topic>, answered: bool, deadline: Option<Instant>) -> Answer {
    let mut finished = outcomes(topics, deadline).await;
    tell_log_starts(&call.broker, &mut finished).await;
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
    if answered {
        return call.answer(&ProduceResponse {
            responses: finished.iter().map(topic_response).collect(),
            ..Default::default()
        });
    }
    // Kafka closes the connection, so that a client which asked for no answers notices.
    Answer { close: failed.then_some("a produce with acks=0 failed"), ..Answer::default() }
}

/// A batch that was looked at and refused is told with the start of its log, as in Kafka.
async fn tell_log_starts(broker: &Broker, finished: &mut [Finished]) {
    for (topic, partitions) in finished {
        for (index, outcome) in partitions {
            let Err(refusal) = outcome else { continue };
            if refusal.is_of_the_log
                && let Ok((_, log)) = broker.partition(topic, *index)
            {
                refusal.log_start = broker.core.view(log).await.map_or(-1, |view| view.start.0);
            }
        }
    }
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
                Outcome::Delayed(_) => unreachable!("it is appended before anybody waits"),
            };
            let appended = tokio::select! {
                biased;
                appended = appending => Some(appended),
                () = async { if !is_expired { expired.as_mut().await } } => None,
            };
            is_expired |= appended.is_none();
            let outcome = match appended {
                Some(appended) => appended.map_err(|error| Refusal::by_the_log(&error)),
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
            Err(Refusal { code, reason, records, log_start, .. }) => PartitionProduceResponse {
                index: *index,
                error_code: code.code(),
                base_offset: -1,
                log_start_offset: *log_start,
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
