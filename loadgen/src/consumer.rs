//! One consumer client: reads its partitions from the first offset on and checks every record as it comes.
//!
//! The next fetch leaves as soon as an answer's batch headers are read; the records are checked while the broker works.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::header::RequestHeader;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use protocol::record_batch::{BatchHeader, Compression, HEADER_BYTES, batches, records};

use crate::client::CLIENT_ID;
use crate::clock::Clock;
use crate::cluster::{CALL_TIMEOUT, Topic};
use crate::connection::{self, Receiver, Sender};
use crate::error::Error;
use crate::integrity::PartitionSeen;
use crate::payload::Stamp;
use crate::recorder::Recorder;
use crate::workload::{FETCH_BYTES_MAX, FETCH_MIN_BYTES, FETCH_PARTITION_BYTES_MAX, FETCH_WAIT_MS_MAX, Verify};

/// The newest version that names topics.
const FETCH_VERSION_MAX: i16 = 12;

/// An answer's limit does not bound its first batch nor its headers.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What all consumers of a run share.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// What is read.
    pub topic: Topic,
    /// Tag of this run's records.
    pub run: u32,
    /// Producers whose records are expected.
    pub producers: u32,
    /// Whether records are checked, or only read.
    pub verify: Verify,
    /// The clock of the run.
    pub clock: Clock,
}

/// One consumer client.
#[derive(Debug)]
pub struct Consumer {
    settings: Arc<ConsumerSettings>,
    version: i16,
    links: Vec<Link>,
}

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
    sent_ns: u64,
}

/// One partition.
#[derive(Debug)]
struct Lane {
    next_offset: i64,
    served: bool,
    verify: Verify,
    seen: PartitionSeen,
}

impl Consumer {
    /// Connects to the leaders of `partitions`; `first_token` and the following are its sockets'.
    pub fn open(
        partitions: &[u32],
        settings: Arc<ConsumerSettings>,
        registry: &Registry,
        first_token: usize,
    ) -> Result<Self, Error> {
        let topic = &settings.topic;
        let version = topic.versions.choose(ApiKey::Fetch, FETCH_VERSION_MAX)?;
        let mut links = Vec::new();
        for (broker, address) in topic.brokers.iter().enumerate() {
            let led = partitions.iter().filter(|&&partition| topic.leaders[partition as usize] == broker);
            let lanes = led.map(|&partition| (partition, Lane::new(partition, &settings))).collect();
            let token = Token(first_token + broker);
            let (sender, receiver) = connection::open(address, CALL_TIMEOUT, ANSWER_BYTES_MAX, registry, token)?;
            links.push(Link { receiver, reading: Reading::new(sender, lanes) });
        }
        Ok(Self { settings, version, links })
    }

    /// Asks for more wherever no question is open.
    pub fn poll(&mut self) -> Result<(), Error> {
        for link in &mut self.links {
            link.reading.fetch(&self.settings, self.version)?;
        }
        Ok(())
    }

    /// A socket became readable or writable; how many faults were found in what came.
    pub fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<u64, Error> {
        let Link { receiver, reading } = &mut self.links[broker];
        reading.flush()?;
        let mut faults = 0;
        while let Some(bytes) = receiver.next_frame()? {
            faults += reading.take_answer(bytes, &self.settings, self.version, recorder)?;
        }
        Ok(faults)
    }

    /// Whether everything below `targets`, the ends of all partitions of the topic, was read.
    pub fn has_reached(&self, targets: &[i64]) -> bool {
        let mut lanes = self.links.iter().flat_map(|link| &link.reading.lanes);
        lanes.all(|(&partition, lane)| targets.get(partition as usize).is_none_or(|&target| lane.next_offset >= target))
    }

    /// The oldest fetch without an answer.
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        let readings = self.links.iter().map(|link| &link.reading);
        readings.filter(|reading| reading.in_flight).map(|reading| reading.sent_ns).min()
    }

    /// What was read, by partition.
    pub fn into_seen(self) -> impl Iterator<Item = (u32, PartitionSeen)> {
        let lanes = self.links.into_iter().flat_map(|link| link.reading.lanes);
        lanes.map(|(partition, lane)| (partition, lane.seen))
    }
}

impl Lane {
    fn new(partition: u32, settings: &ConsumerSettings) -> Self {
        let seen = PartitionSeen::new(settings.run, partition, settings.producers as usize);
        Self { next_offset: 0, served: false, verify: settings.verify, seen }
    }

    /// Checks the records of one batch from `from_offset` on; the bytes of their values.
    fn check(&mut self, header: &BatchHeader, batch: &[u8], from_offset: i64, delivery: &mut Delivery<'_>) {
        if header.is_control() {
            return;
        }
        if header.compression() != Ok(Compression::None) {
            self.seen.note_unreadable();
            return;
        }
        delivery.begin_batch(batch.len());
        for record in records(header, &batch[HEADER_BYTES..]) {
            let Ok(record) = record else {
                self.seen.note_unreadable();
                break;
            };
            // A batch is returned whole even when it starts below the offset that was asked for.
            if header.offset(record.offset_delta) < from_offset {
                continue;
            }
            let value = record.value.unwrap_or_default();
            let stamp = if self.verify == Verify::Full { self.seen.note(value) } else { Stamp::read(value) };
            if let Some(stamp) = stamp {
                delivery.note(stamp.intended_ns, value.len());
            }
        }
        delivery.end_batch();
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
            sent_ns: 0,
        }
    }

    /// Sends a fetch of all partitions, unless one is open.
    fn fetch(&mut self, settings: &ConsumerSettings, version: i16) -> Result<(), Error> {
        if self.in_flight || self.lanes.is_empty() {
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
            topics: vec![FetchTopic { topic: &settings.topic.name, partitions: partitions.collect() }],
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
        self.sent_ns = settings.clock.now_ns();
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

    /// Takes one answer, asks the next question, then checks the records; how many faults they have.
    fn take_answer(
        &mut self,
        bytes: &[u8],
        settings: &ConsumerSettings,
        version: i16,
        recorder: &mut Recorder,
    ) -> Result<u64, Error> {
        let api = ApiKey::Fetch;
        let address = || settings.topic.brokers.join(",");
        let now_ns = settings.clock.now_ns();
        let (correlation_id, response) = frame::decode_response::<FetchResponse<'_>>(bytes, api, version)
            .map_err(|source| Error::Decode { api, address: address(), source })?;
        if !self.in_flight || correlation_id != self.correlation_id {
            return Err(Error::Answer { api, address: address(), what: "there was no request" });
        }
        self.in_flight = false;
        crate::client::refuse_error(api, response.error_code)?;
        let mut read = Vec::new();
        for answer in response.responses.iter().flat_map(|topic| &topic.partitions) {
            crate::client::refuse_error(api, answer.error_code)?;
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
            read.push((partition, from_offset, records));
        }
        self.rotate();
        self.fetch(settings, version)?;
        recorder.roll(now_ns);
        let mut delivery = Delivery::new(now_ns, recorder);
        let mut faults = 0;
        for (partition, from_offset, bytes) in read {
            let Some(lane) = self.lanes.get_mut(&partition) else { continue };
            let faults_before = lane.seen.faults();
            for batch in batches(bytes) {
                match batch {
                    Ok((header, batch)) => lane.check(&header, batch, from_offset, &mut delivery),
                    Err(_) => lane.seen.note_unreadable(),
                }
            }
            faults += lane.seen.faults() - faults_before;
        }
        delivery.finish();
        Ok(faults)
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

/// What one answer delivered, on its way into the recorder.
struct Delivery<'r> {
    now_ns: u64,
    recorder: &'r mut Recorder,
    run: (u64, u64),
    records: u64,
    bytes: u64,
    batches: u64,
    batch_bytes: u64,
    batch_first_ns: Option<u64>,
}

impl<'r> Delivery<'r> {
    fn new(now_ns: u64, recorder: &'r mut Recorder) -> Self {
        Self { now_ns, recorder, run: (0, 0), records: 0, bytes: 0, batches: 0, batch_bytes: 0, batch_first_ns: None }
    }

    fn begin_batch(&mut self, bytes: usize) {
        self.batches += 1;
        self.batch_bytes += bytes as u64;
        self.batch_first_ns = None;
    }

    /// One record; those of one intended time go into the histogram together.
    fn note(&mut self, intended_ns: u64, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.batch_first_ns.get_or_insert(intended_ns);
        if self.run.0 == intended_ns {
            self.run.1 += 1;
        } else {
            self.flush_run();
            self.run = (intended_ns, 1);
        }
    }

    fn end_batch(&mut self) {
        if let Some(intended_ns) = self.batch_first_ns {
            self.recorder.record_end_to_end_batch(intended_ns);
        }
    }

    fn flush_run(&mut self) {
        if self.run.1 > 0 {
            self.recorder.record_end_to_end(self.run.0, self.now_ns, self.run.1);
        }
    }

    fn finish(mut self) {
        self.flush_run();
        if let Some(counts) = self.recorder.counts(self.now_ns) {
            counts.fetch_requests += 1;
            counts.consumed_records += self.records;
            counts.consumed_bytes += self.bytes;
            counts.consumed_batches += self.batches;
            counts.consumed_batch_bytes += self.batch_bytes;
        }
    }
}
