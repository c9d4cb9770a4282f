//! A client that sends and receives frames, and the requests that most tests need.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::api_key::ApiKey;
use protocol::frame::{decode_response, encode_request};
use protocol::header::RequestHeader;
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record_batch::{BatchBuilder, HEADER_BYTES, ProducerFields, batches, records};
use protocol::{Records, Request};

pub const PRODUCE: i16 = 9;
pub const FETCH: i16 = 12;

/// A connection.
pub struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
        stream.set_nodelay(true).expect("an option");
        Client { stream, next_correlation_id: 1 }
    }

    /// Bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        // The broker may have closed already; the test looks at what comes back.
        let _ = self.stream.write_all(bytes);
    }

    /// A frame of any content.
    pub fn send_frame(&mut self, body: &[u8]) {
        self.send_raw(&[&(body.len() as i32).to_be_bytes(), body].concat());
    }

    /// A request; gives its correlation id.
    pub fn send<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let header =
            RequestHeader { api_key: R::API as i16, api_version: version, correlation_id, client_id: Some("test") };
        self.send_raw(&encode_request(&header, request).concat());
        correlation_id
    }

    /// The next frame without its length; none when the broker closed.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame)
    }

    /// Whether the broker closes without another byte. Silence is no close.
    pub fn is_closed(&mut self) -> bool {
        let received = self.stream.read(&mut [0]);
        let is_ended = ended(&received);
        if !is_ended {
            // The reason of a failing test.
            eprintln!("not closed: {received:?}");
        }
        is_ended
    }

    /// Takes whatever still comes; whether the broker has closed then.
    pub fn drain(&mut self) -> bool {
        let mut ignored = vec![0; 1 << 20];
        loop {
            let received = self.stream.read(&mut ignored);
            if !matches!(received, Ok(1..)) {
                return ended(&received);
            }
        }
    }

    /// Its own address, as the broker's log has it.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// A request and the frame that answers it.
    pub fn call<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Vec<u8> {
        let correlation_id = self.send(version, request);
        let frame = self.receive().expect("an answer");
        assert_eq!(frame[..4], correlation_id.to_be_bytes(), "answers leave in request order");
        frame
    }

    /// Makes a topic; gives the error code.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> i16 {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) }).collect();
        let topic =
            CreatableTopic { name, num_partitions: partitions, replication_factor: -1, configs, ..Default::default() };
        let frame = self.call(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        let (_, response): (_, CreateTopicsResponse<'_>) =
            decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
        response.topics[0].error_code
    }

    /// Sends a produce of one partition.
    pub fn send_produce(&mut self, topic: &str, partition: i32, records: &[u8], acks: i16) -> i32 {
        self.send(PRODUCE, &produce_request(topic, partition, records, acks))
    }

    /// The error code and base offset of the next answer, to a produce of one partition.
    pub fn receive_produced(&mut self) -> (i16, i64) {
        let frame = self.receive().expect("an answer");
        let (_, response): (_, ProduceResponse<'_>) =
            decode_response(&frame, ApiKey::Produce, PRODUCE).expect("an answer");
        let partition = &response.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    /// Produces to one partition with acks=all; gives error code and base offset.
    pub fn produce(&mut self, topic: &str, partition: i32, records: &[u8]) -> (i16, i64) {
        self.send_produce(topic, partition, records, -1);
        self.receive_produced()
    }

    /// Fetches from one partition without waiting; gives error code, high watermark and record bytes.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> (i16, i64, Vec<u8>) {
        let frame = self.call(FETCH, &fetch_request(topic, partition, offset, 0));
        fetched(&frame)
    }
}

fn ended(received: &std::io::Result<usize>) -> bool {
    match received {
        Ok(bytes) => *bytes == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}

pub fn produce_request<'a>(topic: &'a str, partition: i32, records: &'a [u8], acks: i16) -> ProduceRequest<'a> {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(Records::Borrowed(records)) }];
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData { name: topic, partition_data }],
        ..Default::default()
    }
}

pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_wait_ms: i32) -> FetchRequest<'_> {
    let partitions =
        vec![FetchPartition { partition, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() }];
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 10 << 20,
        topics: vec![FetchTopic { topic, partitions, ..Default::default() }],
        ..Default::default()
    }
}

pub fn fetched(frame: &[u8]) -> (i16, i64, Vec<u8>) {
    let (_, response): (_, FetchResponse<'_>) = decode_response(frame, ApiKey::Fetch, FETCH).expect("an answer");
    let partition = &response.responses[0].partitions[0];
    let records = partition.records.as_ref().map(|records| records.slices().collect::<Vec<_>>().concat());
    (partition.error_code, partition.high_watermark, records.unwrap_or_default())
}

/// A batch with these values.
pub fn batch(values: &[&str]) -> Vec<u8> {
    batch_of(ProducerFields::NONE, values)
}

/// A batch of an idempotent producer.
pub fn idempotent_batch(producer_id: i64, base_sequence: i32, values: &[&str]) -> Vec<u8> {
    batch_of(ProducerFields { producer_id, producer_epoch: 0, base_sequence }, values)
}

pub fn batch_of(producer: ProducerFields, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, producer);
    for (at, value) in (0..).zip(values) {
        builder.append_payload(1_700_000_000_000 + at, None, value.as_bytes());
    }
    builder.finish()
}

/// Offsets and values in fetched bytes.
pub fn values(bytes: &[u8]) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    for batch in batches(bytes) {
        let (header, batch) = batch.expect("whole batches");
        assert!(header.crc_is_valid(batch));
        for record in records(&header, &batch[HEADER_BYTES..]) {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            values.push((header.offset(record.offset_delta), value));
        }
    }
    values
}
