//! A coordinator of one group with one member in front of a broker that knows of no groups. It follows a script of errors: each is
//! given to the next request of its kind, in the order of the script.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::delete_groups::DeleteGroupsResponse;
use protocol::messages::find_coordinator::FindCoordinatorResponse;
use protocol::messages::heartbeat::HeartbeatResponse;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use protocol::messages::leave_group::LeaveGroupResponse;
use protocol::messages::metadata::MetadataResponse;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use protocol::reader::Reader;
use protocol::{Message, Response, frame};

/// An answer to a fetch of a few partitions that is longer than this has records in it.
const EMPTY_FETCH_BYTES_MAX: usize = 400;

const GROUP_APIS: [ApiKey; 8] = [
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::LeaveGroup,
    ApiKey::DeleteGroups,
];

/// What the coordinator does besides its duty.
#[derive(Debug, Default)]
pub struct Script {
    /// Errors, each for the next request of its kind.
    pub errors: VecDeque<(ApiKey, ErrorCode)>,
    /// Answers with records that pass between two errors, and before the first.
    pub fetches_between: u64,
    /// Positions are given out so much too low.
    pub forgets: i64,
}

/// A running coordinator.
pub struct Coordinator {
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    broker: String,
    ports: [u16; 2],
    /// Where the group's coordinator is: it moves whenever it says that it is none.
    at: usize,
    generation: i32,
    offsets: BTreeMap<i32, i64>,
    script: Script,
    /// Answers with records since the last error.
    fetches: u64,
    asked: BTreeMap<ApiKey, u64>,
}

impl Coordinator {
    pub fn start(broker: &str, script: Script) -> Self {
        let listeners = [0, 0].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port"));
        let ports = [&listeners[0], &listeners[1]].map(|listener| listener.local_addr().expect("bound").port());
        let (offsets, asked) = (BTreeMap::new(), BTreeMap::new());
        let state =
            State { broker: broker.to_owned(), ports, at: 0, generation: 0, offsets, script, fetches: 0, asked };
        let state = Arc::new(Mutex::new(state));
        for (at, listener) in listeners.into_iter().enumerate() {
            let state = state.clone();
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let state = state.clone();
                    thread::spawn(move || serve(&client, at, &state));
                }
            });
        }
        Self { address: format!("127.0.0.1:{}", ports[0]), state }
    }

    /// Errors that nobody has met yet.
    pub fn errors_left(&self) -> Vec<(ApiKey, ErrorCode)> {
        lock(&self.state).script.errors.iter().copied().collect()
    }

    /// How often it was asked.
    pub fn asked(&self, api: ApiKey) -> u64 {
        lock(&self.state).asked.get(&api).copied().unwrap_or(0)
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(client: &TcpStream, at: usize, state: &Mutex<State>) -> io::Result<()> {
    let broker = TcpStream::connect(lock(state).broker.clone())?;
    loop {
        let request = read_frame(client)?;
        let mut reader = Reader::new(&request[4..]);
        let header = RequestHeader::decode(&mut reader).map_err(io::Error::other)?;
        let api = ApiKey::from_i16(header.api_key).expect("our own clients ask what we know");
        let answer = if GROUP_APIS.contains(&api) {
            lock(state).answer(api, &header, &mut reader, at)
        } else {
            (&broker).write_all(&request)?;
            let answer = read_frame(&broker)?;
            lock(state).led_here(api, &header, answer)
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

impl State {
    /// The broker's answer, with groups among what it speaks and with us in its place.
    fn led_here(&mut self, api: ApiKey, header: &RequestHeader<'_>, answer: Vec<u8>) -> Vec<u8> {
        let version = header.api_version;
        self.fetches += u64::from(api == ApiKey::Fetch && answer.len() > EMPTY_FETCH_BYTES_MAX);
        match api {
            ApiKey::ApiVersions => {
                let decoded = frame::decode_response::<ApiVersionsResponse<'_>>(&answer[4..], api, version);
                let mut response = decoded.expect("the broker's own").1;
                response.api_keys.extend(GROUP_APIS.map(ApiVersion::advertised));
                encode(header, &response)
            }
            ApiKey::Metadata => {
                let decoded = frame::decode_response::<MetadataResponse<'_>>(&answer[4..], api, version);
                let mut response = decoded.expect("the broker's own").1;
                response.brokers.iter_mut().for_each(|broker| broker.port = self.ports[0].into());
                encode(header, &response)
            }
            _ => answer,
        }
    }

    fn answer(&mut self, api: ApiKey, header: &RequestHeader<'_>, reader: &mut Reader<'_>, at: usize) -> Vec<u8> {
        *self.asked.entry(api).or_default() += 1;
        let mut error = ErrorCode::None;
        let is_due = self.fetches >= self.script.fetches_between;
        if is_due && self.script.errors.front().is_some_and(|planned| planned.0 == api) {
            self.fetches = 0;
            error = self.script.errors.pop_front().expect("checked").1;
            self.at = if error == ErrorCode::NotCoordinator { 1 - self.at } else { self.at };
        } else if api != ApiKey::FindCoordinator && at != self.at {
            error = ErrorCode::NotCoordinator;
        }
        let (error_code, version) = (error.code(), header.api_version);
        match api {
            ApiKey::FindCoordinator => {
                let port = self.ports[self.at].into();
                let response = FindCoordinatorResponse { error_code, host: "127.0.0.1", port, ..Default::default() };
                let found = protocol::messages::find_coordinator::Coordinator {
                    error_code,
                    host: "127.0.0.1",
                    port,
                    ..Default::default()
                };
                encode(header, &FindCoordinatorResponse { coordinators: vec![found], ..response })
            }
            ApiKey::JoinGroup => {
                let request = JoinGroupRequest::decode(reader, version).expect("a request");
                self.generation += i32::from(error == ErrorCode::None);
                let member_id = if request.member_id.is_empty() { "member" } else { request.member_id };
                let members = vec![JoinGroupResponseMember { member_id, ..Default::default() }];
                let generation_id = self.generation;
                let leader = member_id;
                encode(
                    header,
                    &JoinGroupResponse { error_code, generation_id, leader, member_id, members, ..Default::default() },
                )
            }
            ApiKey::SyncGroup => {
                let request = SyncGroupRequest::decode(reader, version).expect("a request");
                let assignment = request.assignments.first().map_or(&[][..], |first| first.assignment);
                encode(header, &SyncGroupResponse { error_code, assignment, ..Default::default() })
            }
            ApiKey::OffsetFetch => self.positions(error_code, header, reader),
            ApiKey::OffsetCommit => self.commit(error_code, header, reader),
            ApiKey::Heartbeat => encode(header, &HeartbeatResponse { error_code, ..Default::default() }),
            ApiKey::LeaveGroup => encode(header, &LeaveGroupResponse { error_code, ..Default::default() }),
            _ => encode(header, &DeleteGroupsResponse::default()),
        }
    }

    fn positions(&self, error_code: i16, header: &RequestHeader<'_>, reader: &mut Reader<'_>) -> Vec<u8> {
        let request = OffsetFetchRequest::decode(reader, header.api_version).expect("a request");
        let topics = request.topics.iter().flatten().map(|topic| OffsetFetchResponseTopic {
            name: topic.name,
            partitions: topic
                .partition_indexes
                .iter()
                .map(|partition_index| OffsetFetchResponsePartition {
                    partition_index: *partition_index,
                    committed_offset: self.offsets.get(partition_index).map_or(-1, |at| at - self.script.forgets),
                    ..Default::default()
                })
                .collect(),
        });
        encode(header, &OffsetFetchResponse { topics: topics.collect(), error_code, ..Default::default() })
    }

    fn commit(&mut self, error_code: i16, header: &RequestHeader<'_>, reader: &mut Reader<'_>) -> Vec<u8> {
        let request = OffsetCommitRequest::decode(reader, header.api_version).expect("a request");
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                if error_code == 0 {
                    self.offsets.insert(partition.partition_index, partition.committed_offset);
                }
                OffsetCommitResponsePartition { partition_index: partition.partition_index, error_code }
            });
            OffsetCommitResponseTopic { name: topic.name, partitions: partitions.collect() }
        });
        encode(header, &OffsetCommitResponse { topics: topics.collect(), ..Default::default() })
    }
}
