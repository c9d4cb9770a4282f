//! A transactional producer that speaks bytes, and the requests of transactions.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use protocol::messages::describe_transactions::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use protocol::messages::fetch::{FetchRequest, FetchResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponse,
};
use protocol::record_batch::{BatchBuilder, BatchHeader, HEADER_BYTES, ProducerFields, batches, records};
use protocol::{Records, Response};

use super::client::{FETCH, PRODUCE, fetch_request};
use super::{Broker, Client};

/// The longest time-out that a broker allows by default: on a slow machine no transaction of a test is aborted behind its back.
pub const TIMEOUT_MS: i32 = 900_000;
/// What has not come by then never comes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again as long as clients would; gives the final error code and what came with it.
pub fn until_settled<T>(mut ask: impl FnMut() -> (i16, T)) -> (i16, T) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (error, answer) = ask();
        let for_now = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::ConcurrentTransactions];
        if for_now.iter().all(|code| code.code() != error) {
            return (error, answer);
        }
        assert!(Instant::now() < give_up, "the answer is still error {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A transactional producer.
pub struct Producer {
    pub client: Client,
    pub transactional_id: String,
    pub id: i64,
    pub epoch: i16,
    sequences: HashMap<(String, i32), i32>,
}

/// Asks for the producer of a transactional id; gives what came, without asking again.
pub fn init_once(client: &mut Client, transactional_id: &str, timeout_ms: i32) -> (i16, i64, i16) {
    let request = InitProducerIdRequest {
        transactional_id: Some(transactional_id),
        transaction_timeout_ms: timeout_ms,
        ..Default::default()
    };
    let frame = client.call(4, &request);
    let (_, response): (_, InitProducerIdResponse) =
        decode_response(&frame, ApiKey::InitProducerId, 4).expect("an answer");
    (response.error_code, response.producer_id, response.producer_epoch)
}

impl Producer {
    /// Takes over a transactional id.
    pub fn start(broker: &Broker, transactional_id: &str) -> Producer {
        Producer::start_with(broker, transactional_id, TIMEOUT_MS)
    }

    pub fn start_with(broker: &Broker, transactional_id: &str, timeout_ms: i32) -> Producer {
        let mut client = broker.connect();
        let (error, (id, epoch)) = until_settled(|| {
            let (error, id, epoch) = init_once(&mut client, transactional_id, timeout_ms);
            (error, (id, epoch))
        });
        assert_eq!(error, 0);
        let transactional_id = transactional_id.to_owned();
        Producer { client, transactional_id, id, epoch, sequences: HashMap::new() }
    }

    /// The same producer after the broker's restart.
    pub fn reconnect(&mut self, broker: &Broker) {
        self.client = broker.connect();
    }

    pub fn add(&mut self, topic: &str, partitions: &[i32]) -> i16 {
        let topics = vec![AddPartitionsToTxnTopic { name: topic, partitions: partitions.to_vec() }];
        let request = AddPartitionsToTxnRequest {
            transactional_id: &self.transactional_id,
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics,
        };
        let ask = || {
            let frame = self.client.call(3, &request);
            let response: AddPartitionsToTxnResponse<'_> = answer(&frame, 3);
            (response.topics[0].partitions[0].error_code, ())
        };
        until_settled(ask).0
    }

    /// A batch of this producer's transaction; gives error code and base offset.
    pub fn produce(&mut self, topic: &str, partition: i32, values: &[&str]) -> (i16, i64) {
        let sequence = self.sequences.entry((topic.to_owned(), partition)).or_default();
        let fields = ProducerFields { producer_id: self.id, producer_epoch: self.epoch, base_sequence: *sequence };
        let bytes = transactional_batch(fields, values);
        let outcome = produce_as(&mut self.client, Some(&self.transactional_id), topic, partition, &bytes);
        if outcome.0 == 0 {
            *sequence += i32::try_from(values.len()).expect("a few");
        }
        outcome
    }

    /// Adds the partition and produces to it.
    pub fn write(&mut self, topic: &str, partition: i32, values: &[&str]) -> i64 {
        assert_eq!(self.add(topic, &[partition]), 0);
        let (error, offset) = self.produce(topic, partition, values);
        assert_eq!(error, 0);
        offset
    }

    pub fn send_end(&mut self, commits: bool) {
        let request = EndTxnRequest {
            transactional_id: &self.transactional_id,
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: commits,
        };
        self.client.send(4, &request);
    }

    pub fn end(&mut self, commits: bool) -> i16 {
        let ask = || {
            self.send_end(commits);
            let frame = self.client.receive().expect("an answer");
            let response: EndTxnResponse = answer(&frame, 4);
            (response.error_code, ())
        };
        until_settled(ask).0
    }

    pub fn add_offsets(&mut self, group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest {
            transactional_id: &self.transactional_id,
            producer_id: self.id,
            producer_epoch: self.epoch,
            group_id: group,
        };
        let ask = || {
            let frame = self.client.call(4, &request);
            let response: AddOffsetsToTxnResponse = answer(&frame, 4);
            (response.error_code, ())
        };
        until_settled(ask).0
    }

    /// Commits one partition of topic `t` for a group.
    pub fn commit_offset(&mut self, group: &str, partition: i32, offset: i64) -> i16 {
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            ..Default::default()
        };
        let topics = vec![TxnOffsetCommitRequestTopic { name: "t", partitions: vec![partition] }];
        let request = TxnOffsetCommitRequest {
            transactional_id: &self.transactional_id,
            group_id: group,
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics,
            ..Default::default()
        };
        let ask = || {
            let frame = self.client.call(4, &request);
            let response: TxnOffsetCommitResponse<'_> = answer(&frame, 4);
            (response.topics[0].partitions[0].error_code, ())
        };
        until_settled(ask).0
    }
}

pub fn transactional_batch(fields: ProducerFields, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, fields).transactional();
    for (at, value) in (0..).zip(values) {
        builder.append_payload(1_700_000_000_000 + at, None, value.as_bytes());
    }
    builder.finish()
}

pub fn produce_as(
    client: &mut Client,
    transactional_id: Option<&str>,
    topic: &str,
    partition: i32,
    bytes: &[u8],
) -> (i16, i64) {
    let data = PartitionProduceData { index: partition, records: Some(Records::Borrowed(bytes)) };
    let topic_data = vec![TopicProduceData { name: topic, partition_data: vec![data] }];
    let frame = client.call(PRODUCE, &ProduceRequest { transactional_id, acks: -1, timeout_ms: 60_000, topic_data });
    let (_, response): (_, ProduceResponse<'_>) = decode_response(&frame, ApiKey::Produce, PRODUCE).expect("an answer");
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// What a reader of decided records gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed {
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    /// Producer id and first offset.
    pub aborted: Vec<(i64, i64)>,
    /// As a client shows them: without markers and what was aborted.
    pub values: Vec<(i64, String)>,
}

/// Fetches decided records of one partition.
pub fn fetch_committed(client: &mut Client, topic: &str, partition: i32, offset: i64, max_wait_ms: i32) -> Committed {
    send_fetch_committed(client, topic, partition, offset, max_wait_ms);
    receive_committed(client)
}

/// Sends the fetch alone.
pub fn send_fetch_committed(client: &mut Client, topic: &str, partition: i32, offset: i64, max_wait_ms: i32) {
    let request = FetchRequest { isolation_level: 1, ..fetch_request(topic, partition, offset, max_wait_ms) };
    client.send(FETCH, &request);
}

/// The answer to [`send_fetch_committed`].
pub fn receive_committed(client: &mut Client) -> Committed {
    let frame = client.receive().expect("an answer");
    let response: FetchResponse<'_> = answer(&frame, FETCH);
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    let aborted = partition.aborted_transactions.as_ref().expect("a reader of decided records is told");
    let aborted: Vec<_> = aborted.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect();
    assert!(aborted.is_sorted_by_key(|(_, first)| *first), "clients take them in order");
    let slices = partition.records.as_ref().expect("records, if none");
    Committed {
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        values: decided(&slices.slices().collect::<Vec<_>>().concat(), &aborted),
        aborted,
    }
}

/// Drops what a client drops: an aborted transaction from its first offset to its marker, and markers.
fn decided(bytes: &[u8], aborted: &[(i64, i64)]) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    let mut left = aborted.to_vec();
    let mut dropping = Vec::new();
    for batch in batches(bytes) {
        let (header, batch) = batch.expect("whole batches");
        while left.first().is_some_and(|(_, first)| *first <= header.last_offset()) {
            dropping.push(left.remove(0).0);
        }
        if header.is_control() {
            dropping.retain(|id| *id != header.producer_id);
            continue;
        }
        if header.is_transactional() && dropping.contains(&header.producer_id) {
            continue;
        }
        for record in records(&header, &batch[HEADER_BYTES..]) {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            values.push((header.offset(record.offset_delta), value));
        }
    }
    values
}

/// Headers of all batches in fetched bytes.
pub fn headers(bytes: &[u8]) -> Vec<BatchHeader> {
    batches(bytes).map(|batch| batch.expect("whole batches").0).collect()
}

/// State of a transactional id by Kafka's name; asked again while its coordinator loads.
pub fn status(client: &mut Client, transactional_id: &str) -> Result<String, i16> {
    let (error, state) = until_settled(|| {
        let frame = client.call(0, &DescribeTransactionsRequest { transactional_ids: vec![transactional_id] });
        let response: DescribeTransactionsResponse<'_> = answer(&frame, 0);
        let found = &response.transaction_states[0];
        (found.error_code, found.transaction_state.to_owned())
    });
    if error == 0 { Ok(state) } else { Err(error) }
}

/// Decodes an answer.
pub fn answer<'a, R: Response<'a>>(frame: &'a [u8], version: i16) -> R {
    decode_response(frame, R::API, version).expect("an answer").1
}
