//! Produce: the batches of a request go to their logs in request order, at once; the answer follows when all have reached the asked end.

use std::pin::Pin;

use engine::error::AppendError;
use engine::shard::core::Acks;
use engine::shard::state::Appended;
use protocol::error_code::ErrorCode;
use protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use protocol::record_batch::{BatchError, BatchHeader, Compression};

use super::error_map;
use crate::request::{Answer, Call, Refused};

type Appending = Pin<Box<dyn Future<Output = Result<Appended, AppendError>>>>;

/// What became of one partition: known at once, or when its append ends.
enum Outcome {
    Refused(ErrorCode, &'static str),
    Appending(Appending),
}

struct Topic {
    name: String,
    partitions: Vec<(i32, Outcome)>,
}

/// First version that may carry zstd: older clients could not read it back.
const FIRST_VERSION_WITH_ZSTD: i16 = 7;

/// Queues all batches during the call, so that requests of a connection keep their order.
pub fn begin(call: Call) -> Result<Pin<Box<dyn Future<Output = Answer>>>, Refused> {
    let request: ProduceRequest<'_> = call.decode()?;
    let answered = request.acks != 0;
    let request_error = match (request.transactional_id, request.acks) {
        // An InitProducerId with this id was refused, so this is a client that did not ask.
        (Some(_), _) => Err(ErrorCode::TransactionalIdAuthorizationFailed),
        (None, -1) => Ok(Acks::Durable),
        (None, 0) => Ok(Acks::Accepted),
        (None, 1) => Ok(Acks::Written),
        (None, _) => Err(ErrorCode::InvalidRequiredAcks),
    };
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
                        Ok(acks) => append(&call, topic.name, partition, acks),
                        Err(code) => Outcome::Refused(code, ""),
                    };
                    (partition.index, outcome)
                })
                .collect(),
        })
        .collect();
    Ok(Box::pin(finish(call, topics, answered)))
}

fn append(call: &Call, topic: &str, partition: &PartitionProduceData<'_>, acks: Acks) -> Outcome {
    let Some((topic, log)) = call.broker.partition(topic, partition.index) else {
        return Outcome::Refused(ErrorCode::UnknownTopicOrPartition, "");
    };
    if topic.internal {
        return Outcome::Refused(ErrorCode::InvalidTopicException, "clients may not write an internal topic");
    }
    let bytes = partition.records.as_ref().and_then(protocol::Records::as_borrowed).unwrap_or_default();
    match check_batch(bytes, call.version) {
        Ok(()) => Outcome::Appending(Box::pin(call.broker.core.append(log, call.share(bytes), acks))),
        Err((code, reason)) => Outcome::Refused(code, reason),
    }
}

/// What only the request can tell; the engine checks size, CRC, counts, timestamps and sequences.
fn check_batch(bytes: &[u8], version: i16) -> Result<(), (ErrorCode, &'static str)> {
    if bytes.is_empty() {
        return Err((ErrorCode::InvalidRecord, "a partition needs exactly one record batch, there is none"));
    }
    let header = match BatchHeader::parse(bytes) {
        Ok(header) => header,
        Err(BatchError::UnsupportedMagic(_)) => {
            return Err((ErrorCode::InvalidRecord, "only record batches of magic 2 are accepted"));
        }
        Err(_) => return Err((ErrorCode::CorruptMessage, "the record batch is cut off")),
    };
    if header.total_bytes() > bytes.len() {
        return Err((ErrorCode::CorruptMessage, "the record batch is longer than its field"));
    }
    if header.total_bytes() < bytes.len() {
        return Err((ErrorCode::InvalidRecord, "a partition needs exactly one record batch, there are more"));
    }
    if header.base_offset != 0 {
        return Err((ErrorCode::InvalidRecord, "the base offset of a produced batch must be 0"));
    }
    match header.compression() {
        Ok(Compression::Zstd) if version < FIRST_VERSION_WITH_ZSTD => {
            Err((ErrorCode::UnsupportedCompressionType, "zstd needs Produce version 7"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err((ErrorCode::InvalidRecord, "the compression codec is unknown")),
    }
}

async fn finish(call: Call, topics: Vec<Topic>, answered: bool) -> Answer {
    let mut failed = None;
    let mut finished = Vec::with_capacity(topics.len());
    for topic in topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (index, outcome) in topic.partitions {
            let outcome = match outcome {
                Outcome::Refused(code, reason) => Err((code, reason.to_owned())),
                Outcome::Appending(appending) => {
                    appending.await.map_err(|error| (error_map::append(&error), error.to_string()))
                }
            };
            if let Err((code, reason)) = &outcome {
                failed = Some(*code);
                tracing::debug!(peer = %call.client.peer, topic = topic.name, partition = index, ?code, reason, "produce refused");
            }
            partitions.push((index, outcome));
        }
        finished.push((topic.name, partitions));
    }
    if answered {
        return call.answer(&ProduceResponse {
            responses: finished.iter().map(topic_response).collect(),
            ..Default::default()
        });
    }
    // Kafka closes the connection, so that a client which asked for no answers notices.
    Answer { close: failed.map(|_| "a produce with acks=0 failed"), ..Answer::default() }
}

type Finished = (String, Vec<(i32, Result<Appended, (ErrorCode, String)>)>);

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
            Err((code, reason)) => PartitionProduceResponse {
                index: *index,
                error_code: code.code(),
                base_offset: -1,
                error_message: Some(reason.as_str()).filter(|reason| !reason.is_empty()),
                ..Default::default()
            },
        })
        .collect();
    TopicProduceResponse { name, partition_responses }
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{BASE_OFFSET_AT, BatchBuilder, MAGIC_AT, ProducerFields};

    use super::*;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 1, ProducerFields::NONE);
        builder.append_payload(1, None, b"v");
        builder.finish()
    }

    fn refusal(bytes: &[u8]) -> ErrorCode {
        check_batch(bytes, 9).unwrap_err().0
    }

    #[test]
    fn a_partition_takes_exactly_one_batch_of_magic_2() {
        let batch = batch();
        assert_eq!(check_batch(&batch, 9), Ok(()));
        assert_eq!(refusal(&[]), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&[batch.clone(), batch.clone()].concat()), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&batch[..batch.len() - 1]), ErrorCode::CorruptMessage);
        let with = |at: usize, byte: u8| {
            let mut changed = batch.clone();
            changed[at] = byte;
            changed
        };
        assert_eq!(refusal(&with(MAGIC_AT, 1)), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&with(BASE_OFFSET_AT + 7, 5)), ErrorCode::InvalidRecord);
    }

    #[test]
    fn zstd_needs_a_client_that_can_read_it_back() {
        let mut batch = batch();
        batch[protocol::record_batch::ATTRIBUTES_AT + 1] = 4;
        assert_eq!(check_batch(&batch, 6).unwrap_err().0, ErrorCode::UnsupportedCompressionType);
        assert_eq!(check_batch(&batch, 7), Ok(()));
    }
}
