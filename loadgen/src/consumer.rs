//! One consumer client: reads its partitions from the first offset on and checks every record as it comes.
//!
//! The next fetch leaves as soon as an answer's batch headers are read; the records are checked while the broker works.

mod aborted;
pub(crate) mod delivery;
mod lane;
mod membership;
mod recovery;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::header::RequestHeader;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use protocol::record_batch::batches;
use serde::{Deserialize, Serialize};

use crate::client::CLIENT_ID;
use crate::clock::Clock;
use crate::cluster::Topic;
use crate::connection::{self, Receiver, Sender};
use crate::error::Error;
use crate::group::{Group, GroupSettings, PartitionBook};
use crate::integrity::PartitionSeen;
use crate::keys::KeyRule;
use crate::outage::Outage;
use crate::recorder::Recorder;
use crate::signals::Signals;
use crate::workload::{
    FETCH_BYTES_MAX, FETCH_MIN_BYTES, FETCH_PARTITION_BYTES_MAX, FETCH_WAIT_MS_MAX, Isolation,
    UNCOMPRESSED_BATCH_BYTES_MAX, Verify,
};
use aborted::Aborted;
use delivery::Delivery;
use lane::Lane;
use membership::Membership;

/// The newest version that names topics.
const FETCH_VERSION_MAX: i16 = 12;

/// An answer's limit does not bound its first batch nor its headers.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Our producers make no larger batch; whoever sends one that grows beyond is not answered with memory.
const BODY_BYTES_MAX: usize = UNCOMPRESSED_BATCH_BYTES_MAX;

/// What all consumers of a run share.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// What is read.
    pub topic: Topic,
    /// Tags of the runs whose records are expected.
    pub runs: Vec<u32>,
    /// Where reading begins, by partition; 0 where nothing is said.
    pub start_offsets: Vec<i64>,
    /// Producers whose records are expected.
    pub producers: u32,
    /// What is known of the records' keys.
    pub keys: KeyRule,
    /// Whether records are checked, or only read.
    pub verify: Verify,
    /// Largest value; what a broker that counts records is asked for depends on it.
    pub value_bytes_max: usize,
    /// What is seen of transactions.
    pub isolation: Isolation,
    /// The clock of the run.
    pub clock: Clock,
    /// Lost connections are won back instead of ending the run.
    pub survives_losses: bool,
    /// The groups that consumers join at the broker, by number; without any, partitions are dealt out.
    pub groups: Vec<Arc<Group>>,
    /// How their members behave.
    pub group_settings: Option<GroupSettings>,
    /// Between main and its clients.
    pub signals: Arc<Signals>,
}

impl ConsumerSettings {
    /// The book of a partition that nobody has read yet.
    pub fn new_book(&self, partition: u32) -> Arc<PartitionBook> {
        let seen = PartitionSeen::new(&self.runs, partition, self.producers as usize);
        PartitionBook::new(seen, self.start_offsets.get(partition as usize).copied().unwrap_or(0))
    }
}

/// One consumer client.
#[derive(Debug)]
pub struct Consumer {
    group: u32,
    settings: Arc<ConsumerSettings>,
    version: i16,
    links: Vec<Link>,
    first_token: usize,
    /// Orders to close the connections that have been followed.
    cuts: u64,
    /// In a group that the broker knows.
    membership: Option<Membership>,
}

/// What one consumer reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The group that it belongs to.
    pub group: u32,
    /// Its share of the partitions.
    pub partitions: Vec<u32>,
}

/// Whose reading of what: a group and a partition.
pub type Reader = (u32, u32);

/// The connection to one leader.
#[derive(Debug)]
struct Link {
    receiver: Receiver,
    reading: Reading,
}

/// What is read from one leader. Apart from the receiver, so that an answer can be checked in its buffer after the next
/// fetch has left.
#[derive(Debug)]
struct Reading {
    sender: Sender,
    lanes: BTreeMap<u32, Lane>,
    /// Partitions in the order of the next request: those that gave something go behind those that still wait.
    order: Vec<u32>,
    request: Vec<u8>,
    written_bytes: usize,
    correlation_id: i32,
    in_flight: bool,
    /// The partitions are others than those that the open question asks for.
    is_stale: bool,
    sent_ns: u64,
    /// After a refusal that passes, the next question waits until then.
    ask_at_ns: u64,
    outage: Outage,
}

impl Consumer {
    /// Connects to the leaders of the assigned partitions; `first_token` and the following are its sockets'.
    pub fn open(
        assignment: &Assignment,
        settings: Arc<ConsumerSettings>,
        registry: &Registry,
        first_token: usize,
    ) -> Result<Self, Error> {
        let topic = &settings.topic;
        let version = topic.versions.choose(ApiKey::Fetch, FETCH_VERSION_MAX)?;
        let mut links = Vec::new();
        for (broker, address) in topic.brokers.iter().enumerate() {
            let led = assignment.partitions.iter().filter(|&&partition| topic.leaders[partition as usize] == broker);
            let lanes = led.map(|&partition| (partition, Lane::new(partition, &settings))).collect();
            let token = Token(first_token + broker);
            let (sender, receiver) =
                connection::open(address, settings.topic.login.as_deref(), ANSWER_BYTES_MAX, registry, token)?;
            links.push(Link { receiver, reading: Reading::new(sender, lanes) });
        }
        let membership = Membership::open(assignment.group, &settings, registry, first_token + topic.brokers.len())?;
        Ok(Self { group: assignment.group, version, links, first_token, cuts: 0, membership, settings })
    }

    /// Sockets of one consumer with these settings.
    pub fn sockets(settings: &ConsumerSettings) -> usize {
        settings.topic.brokers.len() + usize::from(!settings.groups.is_empty())
    }

    /// Asks for more wherever no question is open.
    pub fn poll(&mut self) -> Result<(), Error> {
        if self.is_away() {
            return Ok(());
        }
        for broker in 0..self.links.len() {
            let asked = self.links[broker].reading.fetch(&self.settings, self.version);
            self.endure(broker, asked)?;
        }
        Ok(())
    }

    /// A socket became readable or writable; how many faults were found in what came.
    pub fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<u64, Error> {
        let mut faults = 0;
        if self.is_away() {
            return Ok(faults);
        }
        let outcome = self.exchange(broker, recorder, &mut faults);
        self.endure(broker, outcome)?;
        Ok(faults)
    }

    /// Hands over what waits and takes what has come.
    fn exchange(&mut self, broker: usize, recorder: &mut Recorder, faults: &mut u64) -> Result<(), Error> {
        let Link { receiver, reading } = &mut self.links[broker];
        if reading.outage.is_down() {
            return Ok(());
        }
        reading.flush()?;
        while let Some(bytes) = receiver.next_frame()? {
            let (found, asked) = reading.take_answer(bytes, &self.settings, self.version, recorder)?;
            *faults += found;
            asked?;
        }
        Ok(())
    }

    /// Whether everything below `targets`, the ends of all partitions of the topic, was read: by this consumer, or by its group.
    pub fn has_reached(&self, targets: &[i64]) -> bool {
        if let Some(membership) = &self.membership {
            return membership.group().has_reached(targets);
        }
        let mut lanes = self.links.iter().flat_map(|link| &link.reading.lanes);
        lanes.all(|(&partition, lane)| targets.get(partition as usize).is_none_or(|&target| lane.next_offset >= target))
    }

    /// The oldest fetch without an answer.
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        let readings = self.links.iter().map(|link| &link.reading);
        // An outage has a deadline of its own.
        let waiting = readings.filter(|reading| reading.in_flight && !reading.outage.goes_on());
        waiting.map(|reading| reading.sent_ns).min()
    }

    /// What was read; what a group has read is in its own books.
    pub fn into_seen(self) -> impl Iterator<Item = (Reader, PartitionSeen)> {
        let (group, is_alone) = (self.group, self.membership.is_none());
        let lanes = self.links.into_iter().flat_map(|link| link.reading.lanes).filter(move |_| is_alone);
        lanes.map(move |(partition, lane)| ((group, partition), lane.book.open().seen.clone()))
    }
}

impl Reading {
    fn new(sender: Sender, lanes: BTreeMap<u32, Lane>) -> Self {
        Self {
            sender,
            order: lanes.keys().copied().collect(),
            lanes,
            request: Vec::new(),
            written_bytes: 0,
            correlation_id: 0,
            in_flight: false,
            is_stale: false,
            sent_ns: 0,
            ask_at_ns: 0,
            outage: Outage::default(),
        }
    }

    /// Sends a fetch of all partitions, unless one is open.
    fn fetch(&mut self, settings: &ConsumerSettings, version: i16) -> Result<(), Error> {
        let now_ns = settings.clock.now_ns();
        if self.in_flight || self.lanes.is_empty() || !self.may_ask(now_ns, &settings.signals) {
            return Ok(());
        }
        let partitions = self.order.iter().map(|partition| FetchPartition {
            partition: *partition as i32,
            fetch_offset: self.lanes[partition].next_offset,
            partition_max_bytes: FETCH_PARTITION_BYTES_MAX as i32,
            ..FetchPartition::default()
        });
        let request = FetchRequest {
            max_wait_ms: FETCH_WAIT_MS_MAX as i32,
            min_bytes: FETCH_MIN_BYTES as i32,
            max_bytes: FETCH_BYTES_MAX as i32,
            isolation_level: i8::from(settings.isolation == Isolation::ReadCommitted),
            topics: vec![FetchTopic {
                topic: &settings.topic.name,
                partitions: partitions.collect(),
                ..Default::default()
            }],
            ..FetchRequest::default()
        };
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader {
            api_key: ApiKey::Fetch as i16,
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(CLIENT_ID),
        };
        self.request.clear();
        for piece in frame::encode_request(&header, &request) {
            self.request.extend_from_slice(&piece);
        }
        self.written_bytes = 0;
        self.in_flight = true;
        self.sent_ns = now_ns;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        while self.written_bytes < self.request.len() {
            match self.sender.write(&[IoSlice::new(&self.request[self.written_bytes..])])? {
                0 => return Ok(()),
                written => self.written_bytes += written,
            }
        }
        Ok(())
    }

    /// Takes one answer, asks the next question, then checks the records; how many faults they have, and whether the question
    /// got away.
    fn take_answer(
        &mut self,
        bytes: &[u8],
        settings: &ConsumerSettings,
        version: i16,
        recorder: &mut Recorder,
    ) -> Result<(u64, Result<(), Error>), Error> {
        let api = ApiKey::Fetch;
        let address = || settings.topic.brokers.join(",");
        let now_ns = settings.clock.now_ns();
        let (correlation_id, response) = frame::decode_response::<FetchResponse<'_>>(bytes, api, version)
            .map_err(|source| Error::Decode { api, address: address(), source })?;
        if !self.in_flight || correlation_id != self.correlation_id {
            return Err(Error::Answer { api, address: address(), what: "there was no request" });
        }
        self.in_flight = false;
        if self.outage.note_answer() {
            settings.signals.note_trouble(now_ns);
        }
        if std::mem::take(&mut self.is_stale) {
            return Ok((0, self.fetch(settings, version)));
        }
        if self.waits_for_refusal(response.error_code, now_ns, settings)? {
            return Ok((0, Ok(())));
        }
        let mut read = Vec::new();
        for answer in response.responses.iter().flat_map(|topic| &topic.partitions) {
            if self.waits_for_refusal(answer.error_code, now_ns, settings)? {
                continue;
            }
            let records = record_bytes(answer);
            let partition = answer.partition_index as u32;
            let lane = self.lanes.get_mut(&partition);
            let Some(lane) = lane.filter(|_| !records.is_empty()) else { continue };
            let from_offset = lane.next_offset;
            lane.next_offset = offset_behind(records, from_offset).ok_or_else(|| Error::Answer {
                api,
                address: address(),
                what: "no whole batch from there on",
            })?;
            lane.served = true;
            let aborted = Aborted::new(answer.aborted_transactions.as_ref());
            read.push((partition, from_offset, records, aborted));
        }
        self.rotate();
        // The records came all the same when the next question does not get away.
        let asked = self.fetch(settings, version);
        recorder.roll(now_ns);
        let mut delivery = Delivery::new(now_ns, recorder);
        let mut faults = 0;
        for (partition, from_offset, bytes, mut aborted) in read {
            let Some(lane) = self.lanes.get(&partition) else { continue };
            let mut read = lane.book.open();
            let faults_before = read.seen.faults();
            for batch in batches(bytes) {
                match batch {
                    Ok((header, batch)) if aborted.drops(&header, batch) => {}
                    Ok((header, batch)) => lane.check(&header, batch, from_offset, &mut read, &mut delivery),
                    Err(_) => read.seen.note_unreadable(),
                }
            }
            lane.book.note_read_to(&mut read, lane.next_offset);
            faults += read.seen.faults() - faults_before;
        }
        settings.signals.add_consumed(delivery.records());
        delivery.finish();
        Ok((faults, asked))
    }

    /// Partitions that gave something go to the end, so that a full answer does not starve the others.
    fn rotate(&mut self) {
        let (lanes, order) = (&mut self.lanes, &mut self.order);
        order.sort_by_key(|partition| lanes[partition].served);
        for lane in lanes.values_mut() {
            lane.served = false;
        }
    }
}

fn record_bytes<'a>(answer: &PartitionData<'a>) -> &'a [u8] {
    answer.records.as_ref().and_then(protocol::Records::as_borrowed).unwrap_or_default()
}

/// The offset behind the last whole batch; `None` when that leads nowhere: the same question would come back for ever.
fn offset_behind(bytes: &[u8], from_offset: i64) -> Option<i64> {
    let last = batches(bytes).filter_map(Result::ok).last();
    last.map(|(header, _)| header.last_offset().saturating_add(1)).filter(|&next| next > from_offset)
}
