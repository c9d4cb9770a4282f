//! Produce: the batches of a request go to their logs in request order, at once; the answer follows when all have reached the asked end.

mod batch_check;
mod delayed;
mod record_times;

use std::collections::HashSet;
use std::pin::{Pin, pin};
use std::time::Duration;

use engine::error::AppendError;
use engine::shard::core::{Acks, LogRef};
use engine::shard::state::Appended;
use protocol::error_code::ErrorCode;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use tokio::time::{Instant, sleep_until};

use self::batch_check::{Checked, Refusal, Rules, check_batch, check_size, check_transaction, unrecompressed};
use self::delayed::{Delayed, append_deadline, append_delayed};
use self::record_times::{Blame, Times};
use super::{Begun, Queued};
use crate::broker::Broker;
use crate::clock::wall_clock_ms;
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

struct Topic {
    name: String,
    partitions: Vec<(i32, Outcome)>,
}

/// What the batches of a request have in common.
struct Batches<'a> {
    call: &'a Call,
    acks: Acks,
    transactional_id: Option<&'a str>,
    /// Of records that may still be put into another codec at once.
    plain_bytes_left: usize,
    /// When the request came, for the times of its records.
    now_ms: i64,
    blame: Blame,
    /// Logs with a batch that waits: what comes for them stays behind it.
    awaited: HashSet<LogRef>,
}

/// Queues all batches during the call, so that requests of a connection keep their order. Where one has to be compressed first, or
/// its coordinator asked, the next request begins when that is done and the batch is queued.
pub fn begin(mut call: Call) -> Result<Begun, Refused> {
    let request: ProduceRequest<'_> = call.decode()?;
    let answered = request.acks != 0;
    let deadline = answer_deadline(request.acks, request.timeout_ms);
    let append_deadline = append_deadline(request.timeout_ms);
    let (acks, request_error) = match request.acks {
        -1 => (Acks::Durable, None),
        0 => (Acks::Accepted, None),
        1 => (Acks::Written, None),
        _ => (Acks::Written, Some(ErrorCode::InvalidRequiredAcks)),
    };
    let mut batches = Batches {
        call: &call,
        acks,
        transactional_id: request.transactional_id,
        plain_bytes_left: RECOMPRESSED_AT_ONCE_BYTES_MAX,
        now_ms: wall_clock_ms(),
        blame: Blame::default(),
        awaited: HashSet::new(),
    };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for partition in &topic.partition_data {
            let outcome = match request_error {
                Some(code) => Outcome::Refused(Refusal::new(code, "")),
                None => batches.append(topic.name, partition).unwrap_or_else(Outcome::Refused),
            };
            partitions.push((partition.index, outcome));
        }
        topics.push(Topic { name: topic.name.to_owned(), partitions });
    }
    // What waits for room in a journal has its own part of the frame.
    call.forget_frame();
    let is_at_once = |topic: &Topic| topic.partitions.iter().all(|(_, one)| !matches!(one, Outcome::Delayed(_)));
    if topics.iter().all(is_at_once) {
        return Ok(Begun::Produce(Box::pin(end(call, topics, answered, deadline))));
    }
    let queued = Box::pin(async move {
        append_delayed(&call, &mut topics, append_deadline).await;
        Queued(Box::pin(end(call, topics, answered, deadline)))
    });
    Ok(Begun::Delayed { queued, is_answered: answered })
}

async fn end(call: Call, topics: Vec<Topic>, answered: bool, deadline: Option<Instant>) -> Answer {
    let answer = finish(&call, topics, answered, deadline).await;
    call.broker.metrics.request_ended(call.api, call.began.elapsed());
    answer
}

/// Kafka's time-out is about replicas, so only acks=all has one. A time that is none means no deadline: clients that send it get from Kafka
/// what a partition without followers gives at once.
fn answer_deadline(acks: i16, timeout_ms: i32) -> Option<Instant> {
    let timeout_ms = u64::try_from(timeout_ms).ok().filter(|timeout_ms| acks == -1 && *timeout_ms > 0)?;
    Some(Instant::now() + Duration::from_millis(timeout_ms))
}

impl Batches<'_> {
    fn append(&mut self, topic_name: &str, partition: &PartitionProduceData<'_>) -> Result<Outcome, Refusal> {
        let (call, acks) = (self.call, self.acks);
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
        let rules = Rules {
            is_compacted: topic_config::is_compacted(&topic.configs, &settings),
            times: Times { taken: topic_config::times_taken(&topic.configs, &settings, self.now_ms) },
        };
        let Checked { header, newest_ms } = check_batch(bytes, call.version, &rules, &mut self.blame)?;
        check_transaction(&header, self.transactional_id.is_some())?;
        let producer = ProducerIdentity { id: header.producer_id, epoch: header.producer_epoch };
        let mut batch = call.share(bytes);
        let mut wanted = topic_config::codec(&topic.configs, &settings).filter(|codec| wants(&header, *codec));
        if newest_ms != header.max_timestamp && !header.is_control() {
            // Whatever the codec is, what comes out has the time of its records. Searches by time and retention go by it.
            let own = header.compression().ok().map(|compression| Codec { compression, level: None });
            wanted = wanted.or(own);
        }
        if let Some(codec) = wanted {
            // The engine sees what comes out alone.
            check_size(&batch, topic_config::message_bytes_max(&topic.configs, &settings))?;
            if let Some(done) = at_once(&call.broker.frame_budget, bytes, codec, &mut self.plain_bytes_left) {
                (batch, wanted) = (done.map_err(|error| unrecompressed(&error))?, None);
            }
        }
        let verified_id = self.transactional_id.filter(|_| settings.transaction_partition_verification);
        let is_known = verified_id.is_none() || call.broker.transactions.is_verified(producer, log);
        if wanted.is_none() && is_known && !self.awaited.contains(&log) {
            return Ok(Outcome::Appending(Box::pin(call.broker.core.append(call.client.source, log, batch, acks))));
        }
        self.awaited.insert(log);
        // What is known now may have ended when it is the batch's turn.
        let transaction = verified_id.map(|id| VerifyRequest {
            transactional_id: id.to_owned(),
            producer,
            topic: topic_name.to_owned(),
            partition: partition.index,
            remembered_on: Some(call.broker.core.shard()),
        });
        Ok(Outcome::Delayed(Delayed { log, batch, codec: wanted, transaction, acks }))
    }
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
                    .map(|fault| BatchIndexAndErrorMessage {
                        batch_index: fault.index,
                        batch_index_error_message: Some(fault.reason.as_deref().unwrap_or(reason)),
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
