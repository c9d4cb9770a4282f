//! A broker of transactions in memory: a log that knows which records are decided, and a front that is their coordinator. It follows a
//! script of errors, each for the next request of its kind in the order of the script, and lies on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use loadgen::local_broker::{self, Log};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use protocol::messages::fetch::{AbortedTransaction, FetchRequest, FetchResponse};
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::metadata::MetadataResponse;
use protocol::reader::Reader;
use protocol::record_batch::{BASE_OFFSET_AT, BatchBuilder, BatchHeader, CRC_AT, CRC_COVERS_FROM, ProducerFields};
use protocol::{Message, Response, frame};

const COORDINATOR_APIS: [ApiKey; 4] =
    [ApiKey::FindCoordinator, ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::EndTxn];

/// Transactional and control.
const MARKER_ATTRIBUTES: u8 = 0b11_0000;
const ATTRIBUTES_LOW_BYTE_AT: usize = 22;

/// What the broker gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    Nothing,
    /// It names no aborted transaction to readers.
    HidesAborts,
    /// The third commit is carried out as an abort.
    AbortsACommit,
}

/// A running broker.
pub struct TransactionalBroker {
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    port: u16,
    lie: Lie,
    errors: VecDeque<(ApiKey, ErrorCode)>,
    reads_committed: bool,
    partitions: BTreeMap<i32, Partition>,
    /// By producer id, the partitions of its open transaction with the first offset there.
    open: BTreeMap<i64, BTreeMap<i32, Option<i64>>>,
    commits: u64,
    ids: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Partition {
    batches: Vec<Vec<u8>>,
    end: i64,
    /// Each with the offset of its marker.
    aborted: Vec<(AbortedTransaction, i64)>,
}

struct TransactionLog(Arc<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Partition {
    fn store(&mut self, mut batch: Vec<u8>) -> i64 {
        let base_offset = self.end;
        batch[BASE_OFFSET_AT..BASE_OFFSET_AT + 8].copy_from_slice(&base_offset.to_be_bytes());
        self.end += i64::from(BatchHeader::parse(&batch).expect("a batch").record_count);
        self.batches.push(batch);
        base_offset
    }
}

impl Log for TransactionLog {
    fn append(&mut self, partition: i32, batch: &[u8]) -> Result<i64, ErrorCode> {
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::CorruptMessage)?;
        let mut state = lock(&self.0);
        let State { open, partitions, .. } = &mut *state;
        let opened = open.get_mut(&header.producer_id).and_then(|added| added.get_mut(&partition));
        let first_offset = opened.filter(|_| header.is_transactional()).ok_or(ErrorCode::InvalidTxnState)?;
        let base_offset = partitions.entry(partition).or_default().store(batch.to_vec());
        first_offset.get_or_insert(base_offset);
        Ok(base_offset)
    }

    fn read(&mut self, partition: i32, offset: i64, max_bytes: usize) -> Vec<u8> {
        let state = lock(&self.0);
        let Some(found) = state.partitions.get(&partition) else { return Vec::new() };
        let undecided = state.open.values().filter_map(|added| *added.get(&partition)?).min();
        let end = undecided.filter(|_| state.reads_committed).unwrap_or(found.end);
        let mut read = Vec::new();
        for batch in &found.batches {
            let header = BatchHeader::parse(batch).expect("a batch");
            let fits = read.is_empty() || read.len() + batch.len() <= max_bytes;
            if header.last_offset() >= end || !fits {
                break;
            }
            if header.last_offset() >= offset {
                read.extend_from_slice(batch);
            }
        }
        read
    }

    fn end(&self, partition: i32) -> i64 {
        lock(&self.0).partitions.get(&partition).map_or(0, |partition| partition.end)
    }
}

impl TransactionalBroker {
    pub fn start(lie: Lie, errors: &[(ApiKey, ErrorCode)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(Mutex::new(State {
            port,
            lie,
            errors: errors.iter().copied().collect(),
            reads_committed: false,
            partitions: BTreeMap::new(),
            open: BTreeMap::new(),
            commits: 0,
            ids: BTreeSet::new(),
        }));
        let broker = local_broker::start(TransactionLog(state.clone())).expect("a port");
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (state, broker) = (shared.clone(), broker.clone());
                thread::spawn(move || serve(&client, &broker, &state));
            }
        });
        Self { address: format!("127.0.0.1:{port}"), state }
    }

    /// Errors that nobody has met yet.
    pub fn errors_left(&self) -> Vec<(ApiKey, ErrorCode)> {
        lock(&self.state).errors.iter().copied().collect()
    }

    /// The transactional ids of all producers.
    pub fn ids(&self) -> usize {
        lock(&self.state).ids.len()
    }

    /// Transactions that nobody has ended.
    pub fn open(&self) -> usize {
        lock(&self.state).open.len()
    }
}

fn serve(client: &TcpStream, broker: &str, state: &Mutex<State>) -> io::Result<()> {
    let broker = TcpStream::connect(broker)?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    loop {
        let request = read_frame(client)?;
        let mut reader = Reader::new(&request[4..]);
        let header = RequestHeader::decode(&mut reader).map_err(io::Error::other)?;
        let api = ApiKey::from_i16(header.api_key).expect("our own clients ask what we know");
        let mut asked = BTreeMap::new();
        let answer = if COORDINATOR_APIS.contains(&api) {
            lock(state).answer(api, &header, &mut reader)
        } else {
            if api == ApiKey::Fetch {
                let request = FetchRequest::decode(&mut reader, header.api_version).expect("a request");
                lock(state).reads_committed = request.isolation_level == 1;
                let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
                asked.extend(partitions.map(|partition| (partition.partition, partition.fetch_offset)));
            }
            (&broker).write_all(&request)?;
            let answer = read_frame(&broker)?;
            lock(state).complete(api, &header, answer, &asked)
        };
        { client }.write_all(&answer)?;
    }
}

fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let bytes = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + bytes, 0);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn encode<'a, R: Response<'a>>(header: &RequestHeader<'_>, response: &R) -> Vec<u8> {
    frame::encode_response(header.correlation_id, R::API, header.api_version, response).concat()
}

/// A batch that ends a transaction.
fn marker(producer_id: i64, commits: bool) -> Vec<u8> {
    let fields = ProducerFields { producer_id, producer_epoch: 0, base_sequence: -1 };
    let mut builder = BatchBuilder::new(Vec::new(), 0, fields);
    builder.append_payload(0, Some(&[0, 0, 0, u8::from(commits)]), &[0; 6]);
    let mut batch = builder.finish();
    batch[ATTRIBUTES_LOW_BYTE_AT] |= MARKER_ATTRIBUTES;
    let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    batch
}

impl State {
    /// The inner broker's answer with what it does not know. What was fetched was `asked` from these offsets on.
    fn complete(
        &self,
        api: ApiKey,
        header: &RequestHeader<'_>,
        answer: Vec<u8>,
        asked: &BTreeMap<i32, i64>,
    ) -> Vec<u8> {
        let (bytes, version) = (&answer[4..], header.api_version);
        match api {
            ApiKey::ApiVersions => {
                let decoded = frame::decode_response::<ApiVersionsResponse<'_>>(bytes, api, version);
                let mut response = decoded.expect("the broker's own").1;
                response.api_keys.retain(|key| key.api_key != ApiKey::InitProducerId as i16);
                response.api_keys.extend(COORDINATOR_APIS.map(ApiVersion::advertised));
                encode(header, &response)
            }
            ApiKey::Metadata => {
                let decoded = frame::decode_response::<MetadataResponse<'_>>(bytes, api, version);
                let mut response = decoded.expect("the broker's own").1;
                response.brokers.iter_mut().for_each(|broker| broker.port = self.port.into());
                encode(header, &response)
            }
            ApiKey::Fetch if self.reads_committed && self.lie != Lie::HidesAborts => {
                let decoded = frame::decode_response::<FetchResponse<'_>>(bytes, api, version);
                let mut response = decoded.expect("the broker's own").1;
                for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    let found = self.partitions.get(&partition.partition_index);
                    let from = asked.get(&partition.partition_index).copied().unwrap_or(0);
                    partition.aborted_transactions = found.map(|found| {
                        let overlapping = found.aborted.iter().filter(|(_, last_offset)| *last_offset >= from);
                        overlapping.map(|(transaction, _)| transaction.clone()).collect()
                    });
                }
                encode(header, &response)
            }
            _ => answer,
        }
    }

    fn answer(&mut self, api: ApiKey, header: &RequestHeader<'_>, reader: &mut Reader<'_>) -> Vec<u8> {
        let planned = self.errors.front().is_some_and(|planned| planned.0 == api);
        let error = if planned { self.errors.pop_front().expect("checked").1 } else { ErrorCode::None };
        let (error_code, version) = (error.code(), header.api_version);
        match api {
            ApiKey::FindCoordinator => {
                let (host, port) = ("127.0.0.1", self.port.into());
                let found = Coordinator { error_code, host, port, ..Default::default() };
                let coordinators = vec![found];
                encode(header, &FindCoordinatorResponse { error_code, host, port, coordinators, ..Default::default() })
            }
            ApiKey::InitProducerId => {
                let request = InitProducerIdRequest::decode(reader, version).expect("a request");
                let id = request.transactional_id.expect("a transactional producer");
                self.ids.insert(id.to_owned());
                let producer_id = self.ids.len() as i64;
                encode(header, &InitProducerIdResponse { error_code, producer_id, ..Default::default() })
            }
            ApiKey::AddPartitionsToTxn => {
                let request = AddPartitionsToTxnRequest::decode(reader, version).expect("a request");
                let added = self.open.entry(request.producer_id).or_default();
                let topics = request.topics.iter().map(|topic| {
                    let results = topic.partitions.iter().map(|&partition_index| {
                        if error_code == 0 {
                            added.entry(partition_index).or_insert(None);
                        }
                        AddPartitionsToTxnPartitionResult { partition_index, error_code }
                    });
                    AddPartitionsToTxnTopicResult { name: topic.name, partitions: results.collect() }
                });
                let topics = topics.collect();
                encode(header, &AddPartitionsToTxnResponse { topics, ..Default::default() })
            }
            _ => {
                let request = EndTxnRequest::decode(reader, version).expect("a request");
                if error_code == 0 {
                    self.end(request.producer_id, request.committed);
                }
                encode(header, &EndTxnResponse { error_code, ..Default::default() })
            }
        }
    }

    fn end(&mut self, producer_id: i64, committed: bool) {
        self.commits += u64::from(committed);
        let commits = committed && !(self.lie == Lie::AbortsACommit && self.commits == 3);
        for (partition, first_offset) in self.open.remove(&producer_id).unwrap_or_default() {
            let found = self.partitions.entry(partition).or_default();
            let last_offset = found.store(marker(producer_id, commits));
            if let Some(first_offset) = first_offset.filter(|_| !commits) {
                found.aborted.push((AbortedTransaction { producer_id, first_offset }, last_offset));
            }
        }
    }
}
