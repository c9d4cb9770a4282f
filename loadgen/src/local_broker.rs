//! A broker of a few lines in this process: just enough Kafka for our own clients, so that they can be measured alone.
//!
//! What it does with records is a `Log`'s business: the tests' log keeps them and lies about them. The null broker of
//! `selftest` does not even look at them. A thread a connection; it ends when the client hangs up.

mod null;

pub use null::start_null;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use protocol::reader::{DecodeError, Reader};
use protocol::{Message, Records, Response, frame};

/// Our own requests stay far below this.
const FRAME_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A fetch that finds nothing looks again this often.
const LONG_POLL_PAUSE: Duration = Duration::from_millis(1);

const SPOKEN: [ApiKey; 8] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::InitProducerId,
];

/// What becomes of records.
pub trait Log: Send + 'static {
    /// Takes a batch; its base offset, or Kafka's code for refusing it.
    fn append(&mut self, partition: i32, batch: &[u8]) -> Result<i64, ErrorCode>;

    /// Batches from `offset` on, about `max_bytes` of them.
    fn read(&mut self, partition: i32, offset: i64, max_bytes: usize) -> Vec<u8>;

    /// The offset behind the last record.
    fn end(&self, partition: i32) -> i64;
}

/// Starts a broker over `log`; its address. It lives as long as the process.
pub fn start(log: impl Log) -> io::Result<String> {
    listen(log, serve)
}

/// Gives every connection a thread that serves it.
fn listen<L: Log>(log: L, serve: fn(TcpStream, &Shared<L>) -> io::Result<()>) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let shared =
        Arc::new(Shared { port, log: Mutex::new(log), topics: Mutex::default(), producer_ids: AtomicI64::default() });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = shared.clone();
            // A client that hangs up or sends nonsense loses its connection, which it will notice.
            thread::spawn(move || stream.set_nodelay(true).and_then(|()| serve(stream, &shared)));
        }
    });
    Ok(format!("127.0.0.1:{port}"))
}

struct Shared<L> {
    port: u16,
    log: Mutex<L>,
    topics: Mutex<BTreeMap<String, i32>>,
    producer_ids: AtomicI64,
}

fn serve<L: Log>(mut stream: TcpStream, shared: &Shared<L>) -> io::Result<()> {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let bytes = usize::try_from(i32::from_be_bytes(length)).ok().filter(|bytes| *bytes <= FRAME_BYTES_MAX);
        let bytes = bytes.ok_or(io::ErrorKind::InvalidData)?;
        if frame.len() < bytes {
            frame.resize(bytes, 0);
        }
        stream.read_exact(&mut frame[..bytes])?;
        for piece in shared.answer(&frame[..bytes]).map_err(nonsense)? {
            stream.write_all(&piece)?;
        }
    }
}

fn nonsense(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<L: Log> Shared<L> {
    /// The answer's pieces; none at acks=0.
    fn answer(&self, frame: &[u8]) -> Result<Vec<Bytes>, DecodeError> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader)?;
        let version = header.api_version;
        let api = ApiKey::from_i16(header.api_key).filter(|api| SPOKEN.contains(api));
        match api.ok_or(DecodeError::UnsupportedVersion(version))? {
            ApiKey::ApiVersions => {
                ApiVersionsRequest::decode(&mut reader, version)?;
                Ok(encode(&header, &versions()))
            }
            ApiKey::Metadata => Ok(encode(&header, &self.metadata(&MetadataRequest::decode(&mut reader, version)?))),
            ApiKey::CreateTopics => {
                Ok(encode(&header, &self.create(&CreateTopicsRequest::decode(&mut reader, version)?)))
            }
            ApiKey::DeleteTopics => {
                Ok(encode(&header, &self.delete(&DeleteTopicsRequest::decode(&mut reader, version)?)))
            }
            ApiKey::InitProducerId => {
                InitProducerIdRequest::decode(&mut reader, version)?;
                let producer_id = self.producer_ids.fetch_add(1, Ordering::Relaxed);
                Ok(encode(&header, &InitProducerIdResponse { producer_id, ..Default::default() }))
            }
            ApiKey::ListOffsets => Ok(encode(&header, &self.ends(&ListOffsetsRequest::decode(&mut reader, version)?))),
            ApiKey::Fetch => Ok(encode(&header, &self.fetch(&FetchRequest::decode(&mut reader, version)?))),
            _ => {
                let request = ProduceRequest::decode(&mut reader, version)?;
                let response = self.produce(&request);
                Ok(if request.acks == 0 { Vec::new() } else { encode(&header, &response) })
            }
        }
    }

    fn produce<'a>(&self, request: &ProduceRequest<'a>) -> ProduceResponse<'a> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
            name: topic.name,
            partition_responses: topic
                .partition_data
                .iter()
                .map(|partition| {
                    let batch = partition.records.as_ref().and_then(Records::as_borrowed).unwrap_or_default();
                    let (error_code, base_offset) = match log.append(partition.index, batch) {
                        Ok(base_offset) => (0, base_offset),
                        Err(refused) => (refused.code(), -1),
                    };
                    PartitionProduceResponse { index: partition.index, error_code, base_offset, ..Default::default() }
                })
                .collect(),
        });
        ProduceResponse { responses: topics.collect(), ..ProduceResponse::default() }
    }

    fn fetch<'a>(&self, request: &FetchRequest<'a>) -> FetchResponse<'a> {
        let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        loop {
            let mut left = usize::try_from(request.max_bytes).unwrap_or(0);
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
                topic: topic.topic,
                topic_id: topic.topic_id,
                partitions: topic
                    .partitions
                    .iter()
                    .map(|asked| {
                        let max_bytes = left.min(usize::try_from(asked.partition_max_bytes).unwrap_or(0));
                        let records = log.read(asked.partition, asked.fetch_offset, max_bytes);
                        left = left.saturating_sub(records.len());
                        PartitionData {
                            partition_index: asked.partition,
                            high_watermark: log.end(asked.partition),
                            records: Some(Records::Shared(vec![records.into()])),
                            ..PartitionData::default()
                        }
                    })
                    .collect(),
            });
            let responses: Vec<_> = topics.collect();
            drop(log);
            let is_empty = left == usize::try_from(request.max_bytes).unwrap_or(0);
            if !is_empty || Instant::now() >= deadline {
                return FetchResponse { responses, ..FetchResponse::default() };
            }
            thread::sleep(LONG_POLL_PAUSE);
        }
    }

    fn ends<'a>(&self, request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|asked| ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    offset: log.end(asked.partition_index),
                    ..ListOffsetsPartitionResponse::default()
                })
                .collect(),
        });
        ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
    }

    fn metadata<'a>(&self, request: &MetadataRequest<'a>) -> MetadataResponse<'a> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = request.topics.iter().flatten().filter_map(|topic| topic.name);
        let known = asked.filter_map(|name| {
            topics.get(name).map(|partitions| MetadataResponseTopic {
                name: Some(name),
                partitions: (0..*partitions)
                    .map(|partition_index| MetadataResponsePartition {
                        partition_index,
                        leader_id: 1,
                        ..Default::default()
                    })
                    .collect(),
                ..MetadataResponseTopic::default()
            })
        });
        let broker = MetadataResponseBroker { node_id: 1, host: "127.0.0.1", port: self.port.into(), rack: None };
        MetadataResponse { brokers: vec![broker], topics: known.collect(), ..MetadataResponse::default() }
    }

    fn create<'a>(&self, request: &CreateTopicsRequest<'a>) -> CreateTopicsResponse<'a> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let created = request.topics.iter().map(|topic| {
            topics.insert(topic.name.to_owned(), topic.num_partitions);
            CreatableTopicResult { name: topic.name, ..CreatableTopicResult::default() }
        });
        CreateTopicsResponse { topics: created.collect(), ..CreateTopicsResponse::default() }
    }

    fn delete<'a>(&self, request: &DeleteTopicsRequest<'a>) -> DeleteTopicsResponse<'a> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let named = request.topics.iter().filter_map(|topic| topic.name).chain(request.topic_names.iter().copied());
        let deleted = named.map(|name| {
            let error =
                if topics.remove(name).is_some() { ErrorCode::None } else { ErrorCode::UnknownTopicOrPartition };
            DeletableTopicResult { name: Some(name), error_code: error.code(), ..DeletableTopicResult::default() }
        });
        DeleteTopicsResponse { responses: deleted.collect(), ..DeleteTopicsResponse::default() }
    }
}

fn versions() -> ApiVersionsResponse<'static> {
    ApiVersionsResponse {
        api_keys: SPOKEN.iter().map(|&api| ApiVersion::advertised(api)).collect(),
        ..ApiVersionsResponse::default()
    }
}

fn encode<'a, R: Response<'a>>(header: &RequestHeader<'_>, response: &R) -> Vec<Bytes> {
    frame::encode_response(header.correlation_id, R::API, header.api_version, response)
}
