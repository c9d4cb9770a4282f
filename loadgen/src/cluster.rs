//! The topic of a run: made under our own name, watched until every partition has a leader, measured, removed.

mod coordinator;

pub use coordinator::{Coordinated, find_coordinator};

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use serde::{Deserialize, Serialize};

use crate::client::{Client, Versions, refuse_error};
use crate::error::Error;

/// Every topic that we create, and therefore every one that we may delete, starts like this.
pub const TOPIC_PREFIX: &str = "loadgen-";

/// Time for one call; Kafka's own `request.timeout.ms`.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a new topic to get its leaders.
const LEADERS_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause before asking again for something that the broker is still making.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

const TIMESTAMP_LATEST: i64 = -1;

/// A topic with its leaders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Addresses of the brokers that lead partitions.
    pub brokers: Vec<String>,
    /// For each partition, the index of its leader in `brokers`.
    pub leaders: Vec<usize>,
    /// What the brokers speak (they are of one kind).
    pub versions: Versions,
    /// Broker nodes in the cluster.
    pub nodes: u32,
}

/// Makes a topic of `partitions` and waits until it can be used.
pub fn create_topic(bootstrap: &str, name: &str, partitions: u32, replication_factor: u16) -> Result<Topic, Error> {
    assert!(name.starts_with(TOPIC_PREFIX), "only own topics are created");
    let mut client = Client::open(bootstrap, CALL_TIMEOUT)?;
    let topic = CreatableTopic {
        name,
        num_partitions: partitions as i32,
        replication_factor: replication_factor as i16,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
    let api = ApiKey::CreateTopics;
    let response: CreateTopicsResponse<'_> = client.call(&request)?;
    let result = response.topics.first();
    if result.is_some_and(|result| result.error_code == ErrorCode::TopicAlreadyExists.code()) {
        return Err(Error::TopicExists(name.to_owned()));
    }
    refuse_error(api, result.map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code))?;
    let topic = wait_for_leaders(&mut client, name, partitions)?;
    wait_for_logs(&topic)?;
    Ok(topic)
}

/// A topic that was made before.
pub fn find_topic(bootstrap: &str, name: &str, partitions: u32) -> Result<Topic, Error> {
    let mut client = Client::open(bootstrap, CALL_TIMEOUT)?;
    let topic = wait_for_leaders(&mut client, name, partitions)?;
    wait_for_logs(&topic)?;
    Ok(topic)
}

/// Removes one of our own topics.
pub fn delete_topic(bootstrap: &str, name: &str) -> Result<(), Error> {
    assert!(name.starts_with(TOPIC_PREFIX), "only own topics are deleted");
    let mut client = Client::open(bootstrap, CALL_TIMEOUT)?;
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some(name), ..DeleteTopicState::default() }],
        topic_names: vec![name],
        timeout_ms: 30_000,
    };
    let response: DeleteTopicsResponse<'_> = client.call(&request)?;
    let result = response.responses.first();
    refuse_error(ApiKey::DeleteTopics, result.map_or(ErrorCode::UnknownServerError.code(), |result| result.error_code))
}

/// How long a coordinator lets a transaction be open; Kafka's `transaction.timeout.ms`.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// A producer id and its epoch, for idempotence; with a transactional id, from the coordinator of its transactions.
pub fn init_producer_id(address: &str, transactional_id: Option<&str>) -> Result<(i64, i16), Error> {
    let mut client = Client::open(address, CALL_TIMEOUT)?;
    let transaction_timeout_ms = TRANSACTION_TIMEOUT.as_millis() as i32;
    let request = InitProducerIdRequest { transactional_id, transaction_timeout_ms, ..Default::default() };
    let deadline = Instant::now() + CALL_TIMEOUT;
    let passes = |code| is_retriable(code) || code == ErrorCode::ConcurrentTransactions.code();
    loop {
        let response: InitProducerIdResponse = client.call(&request)?;
        match response.error_code {
            0 => return Ok((response.producer_id, response.producer_epoch)),
            code if passes(code) && Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            code => return Err(Error::Broker { api: ApiKey::InitProducerId, code }),
        }
    }
}

/// The high watermark of every partition.
pub fn end_offsets(topic: &Topic) -> Result<Vec<i64>, Error> {
    let mut ends = vec![0; topic.leaders.len()];
    for (broker, address) in topic.brokers.iter().enumerate() {
        let partitions = (0..topic.leaders.len())
            .filter(|&partition| topic.leaders[partition] == broker)
            .map(|partition| ListOffsetsPartition {
                partition_index: partition as i32,
                current_leader_epoch: -1,
                timestamp: TIMESTAMP_LATEST,
            })
            .collect();
        let request = ListOffsetsRequest {
            topics: vec![ListOffsetsTopic { name: &topic.name, partitions }],
            ..ListOffsetsRequest::default()
        };
        let mut client = Client::open(address, CALL_TIMEOUT)?;
        let response: ListOffsetsResponse<'_> = client.call(&request)?;
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            refuse_error(ApiKey::ListOffsets, partition.error_code)?;
            if let Some(end) = ends.get_mut(partition.partition_index as usize) {
                *end = partition.offset;
            }
        }
    }
    Ok(ends)
}

/// The same of a broker that may still be on its way back.
pub fn end_offsets_of_returning(topic: &Topic) -> Result<Vec<i64>, Error> {
    let comes_back = |error: &Error| match error {
        Error::Broker { code, .. } => is_retriable(*code),
        Error::Connect { .. } | Error::Io { .. } | Error::HungUp { .. } => true,
        _ => false,
    };
    ask_for_ends(topic, comes_back)
}

fn wait_for_leaders(client: &mut Client, name: &str, partitions: u32) -> Result<Topic, Error> {
    let versions = client.versions().clone();
    let deadline = Instant::now() + LEADERS_TIMEOUT;
    while Instant::now() < deadline {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name: Some(name), ..MetadataRequestTopic::default() }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response: MetadataResponse<'_> = client.call(&request)?;
        if let Some(topic) = read_leaders(&response, name, partitions, &versions)? {
            return Ok(topic);
        }
        thread::sleep(RETRY_PAUSE);
    }
    Err(Error::Deadline { phase: "electing leaders of the topic", limit: LEADERS_TIMEOUT })
}

/// A leader is elected a moment before it knows of it; until then it refuses records.
fn wait_for_logs(topic: &Topic) -> Result<(), Error> {
    ask_for_ends(topic, |error| matches!(error, Error::Broker { code, .. } if is_retriable(*code))).map(|_| ())
}

fn ask_for_ends(topic: &Topic, passes: impl Fn(&Error) -> bool) -> Result<Vec<i64>, Error> {
    let deadline = Instant::now() + LEADERS_TIMEOUT;
    loop {
        match end_offsets(topic) {
            Err(error) if passes(&error) && Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            outcome => return outcome,
        }
    }
}

/// `None` while a partition has no leader yet.
fn read_leaders(
    response: &MetadataResponse<'_>,
    name: &str,
    partitions: u32,
    versions: &Versions,
) -> Result<Option<Topic>, Error> {
    let Some(found) = response.topics.iter().find(|topic| topic.name == Some(name)) else { return Ok(None) };
    if found.error_code != 0 && !is_retriable(found.error_code) {
        return Err(Error::Broker { api: ApiKey::Metadata, code: found.error_code });
    }
    let addresses: BTreeMap<i32, String> =
        response.brokers.iter().map(|broker| (broker.node_id, socket_address(broker.host, broker.port))).collect();
    if found.partitions.len() > partitions as usize {
        // Fewer may be a topic that is still being made.
        let there = found.partitions.len();
        return Err(Error::Partitions { topic: name.into(), there, expected: partitions });
    }
    let mut leaders = vec![None; partitions as usize];
    for partition in found.partitions.iter().filter(|partition| partition.error_code == 0) {
        if let Some(leader) = leaders.get_mut(partition.partition_index as usize) {
            *leader = addresses.get(&partition.leader_id);
        }
    }
    let Some(leaders) = leaders.into_iter().collect::<Option<Vec<&String>>>() else { return Ok(None) };
    let mut brokers: Vec<String> = leaders.iter().map(|&address| address.clone()).collect();
    brokers.sort();
    brokers.dedup();
    let index_of = |address: &String| brokers.iter().position(|broker| broker == address);
    let leaders = leaders.into_iter().filter_map(index_of).collect();
    let nodes = response.brokers.len() as u32;
    Ok(Some(Topic { name: name.into(), brokers, leaders, versions: versions.clone(), nodes }))
}

/// Host and port as one word; an address of IPv6 gets its brackets.
pub(crate) fn socket_address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_retriable(code: i16) -> bool {
    ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::messages::metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};

    fn response(leaders: &[i32]) -> MetadataResponse<'static> {
        let partitions = leaders.iter().enumerate().map(|(index, &leader_id)| MetadataResponsePartition {
            partition_index: index as i32,
            leader_id,
            ..MetadataResponsePartition::default()
        });
        let broker = |node_id, host, port| MetadataResponseBroker { node_id, host, port, rack: None };
        MetadataResponse {
            brokers: vec![broker(1, "a", 9092), broker(2, "::1", 9093)],
            topics: vec![MetadataResponseTopic {
                name: Some("loadgen-x"),
                partitions: partitions.collect(),
                ..MetadataResponseTopic::default()
            }],
            ..MetadataResponse::default()
        }
    }

    #[test]
    fn each_partition_finds_its_leader_among_several_brokers() {
        let topic = read_leaders(&response(&[2, 1, 2]), "loadgen-x", 3, &Versions::default());
        let topic = topic.expect("no error").expect("all partitions have a leader");
        assert_eq!(topic.brokers, ["[::1]:9093", "a:9092"]);
        assert_eq!(topic.leaders, [0, 1, 0]);
    }

    #[test]
    fn a_partition_without_leader_makes_us_wait() {
        let waiting = |leaders: &[i32]| {
            read_leaders(&response(leaders), "loadgen-x", 3, &Versions::default()).expect("no error").is_none()
        };
        assert!(waiting(&[1, -1, 2]), "no leader elected");
        assert!(waiting(&[1, 2]), "a partition is not there yet");
    }
}
