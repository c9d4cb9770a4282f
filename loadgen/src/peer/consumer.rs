//! One consumer client of a broker that does not speak Kafka: reads its partitions from the first record on and checks each.

use std::io::IoSlice;
use std::sync::Arc;

use mio::{Registry, Token};

use super::client::ConsumerClient;
use super::{Dialect, Parsed, nats, redis};
use crate::connection::{self, Receiver, Sender};
use crate::consumer::delivery::Delivery;
use crate::consumer::{Assignment, ConsumerSettings, Reader};
use crate::error::Error;
use crate::integrity::PartitionSeen;
use crate::payload::Stamp;
use crate::recorder::Recorder;
use crate::workload::{BATCH_BYTES_MAX, FETCH_BYTES_MAX, FETCH_PARTITION_BYTES_MAX, Verify};

/// One record with what stands around it.
const RECORD_BYTES_MAX: usize = BATCH_BYTES_MAX as usize + 64 * 1024;

/// How records are asked for and delivered.
pub(super) trait ConsumerWire: Send {
    /// Writes what is to be asked now, if anything is.
    fn ask(&mut self, now_ns: u64, out: &mut Vec<u8>);
    /// The first whole thing that was delivered.
    fn next(&mut self, bytes: &[u8]) -> Parsed<Delivered>;
    /// When the oldest question without an answer was asked, where each gets one.
    fn oldest_asked_ns(&self) -> Option<u64>;
}

/// What a broker sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// A record of the partition in this place of the assignment; its value begins and ends there.
    Record(usize, (usize, usize)),
    /// It asks whether we are there, and is told with these bytes.
    Question(&'static [u8]),
    /// Nothing that matters to us.
    Remark,
}

/// One consumer client.
pub struct PeerConsumer {
    group: u32,
    settings: Arc<ConsumerSettings>,
    wire: Box<dyn ConsumerWire>,
    sender: Sender,
    receiver: Receiver,
    outgoing: Vec<u8>,
    written: usize,
    lanes: Vec<Lane>,
}

/// One partition.
struct Lane {
    partition: u32,
    records: i64,
    seen: PartitionSeen,
}

impl PeerConsumer {
    /// Connects; `token` is its socket's.
    pub fn open(
        assignment: &Assignment,
        settings: Arc<ConsumerSettings>,
        registry: &Registry,
        token: usize,
    ) -> Result<Self, Error> {
        let topic = &settings.topic;
        let address = &topic.brokers[0];
        let mut outgoing = Vec::new();
        let records = records_a_question(assignment.partitions.len(), settings.value_bytes_max);
        let partitions = &assignment.partitions;
        let wire: Box<dyn ConsumerWire> = match topic.speaks {
            Dialect::Nats => Box::new(nats::Puller::begin(address, &topic.name, partitions, records, &mut outgoing)?),
            Dialect::Redis => Box::new(redis::StreamReader::new(&topic.name, partitions, records)),
            Dialect::Kafka => unreachable!("Kafka has a consumer of its own"),
        };
        let (sender, receiver) = connection::open(address, None, RECORD_BYTES_MAX, registry, Token(token))?;
        let lane = |&partition: &u32| Lane {
            partition,
            records: 0,
            seen: PartitionSeen::new(&settings.runs, partition, settings.producers as usize),
        };
        let lanes = partitions.iter().map(lane).collect();
        Ok(Self { group: assignment.group, wire, sender, receiver, outgoing, written: 0, lanes, settings })
    }

    /// Hands the kernel as much as it takes.
    fn flush(&mut self) -> Result<(), Error> {
        while self.written < self.outgoing.len() {
            match self.sender.write(&[IoSlice::new(&self.outgoing[self.written..])])? {
                0 => return Ok(()),
                written => self.written += written,
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(())
    }

    /// Takes all whole records of what was received; how many faults they have.
    fn take_records(&mut self, recorder: &mut Recorder) -> Result<u64, Error> {
        let now_ns = self.settings.clock.now_ns();
        recorder.roll(now_ns);
        let mut delivery = Delivery::new(now_ns, recorder);
        let (mut faults, mut taken) = (0, 0);
        let mut lane_before = None;
        let bytes = self.receiver.unread();
        let outcome = loop {
            match self.wire.next(&bytes[taken..]) {
                Ok(None) => break Ok(()),
                Err(what) => break Err(what),
                Ok(Some((length, Delivered::Record(place, (from, to))))) => {
                    let Some(lane) = self.lanes.get_mut(place) else {
                        break Err("sent a record of no partition of ours".into());
                    };
                    if lane_before != Some(place) {
                        // What came of a partition in one piece counts as a batch.
                        if lane_before.replace(place).is_some() {
                            delivery.end_batch();
                        }
                        delivery.begin_batch(length);
                    }
                    faults += lane.check(&bytes[taken + from..taken + to], self.settings.verify, &mut delivery);
                    taken += length;
                }
                Ok(Some((length, Delivered::Question(answer)))) => {
                    self.outgoing.extend_from_slice(answer);
                    taken += length;
                }
                Ok(Some((length, Delivered::Remark))) => taken += length,
            }
        };
        if lane_before.is_some() {
            delivery.end_batch();
            self.settings.signals.add_consumed(delivery.records());
            delivery.finish();
        }
        self.receiver.consume(taken);
        outcome.map_err(|what| Error::Peer { address: self.receiver.address().into(), what })?;
        Ok(faults)
    }
}

impl Lane {
    /// Checks the next record; how many faults it has.
    fn check(&mut self, value: &[u8], verify: Verify, delivery: &mut Delivery<'_>) -> u64 {
        let faults_before = self.seen.faults();
        let stamp = if verify == Verify::Full { self.seen.note(value) } else { Stamp::read(value) };
        if let Some(stamp) = stamp {
            delivery.note(stamp.intended_ns, value.len());
        }
        self.records += 1;
        self.seen.faults() - faults_before
    }
}

impl ConsumerClient for PeerConsumer {
    fn recover(&mut self, _now_ns: u64, _registry: &Registry) -> Result<(), Error> {
        // Losses are planned with Kafka's protocol alone.
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Error> {
        let now_ns = self.settings.clock.now_ns();
        if now_ns >= self.settings.signals.rest_until_ns() {
            self.wire.ask(now_ns, &mut self.outgoing);
        }
        self.flush()
    }

    fn on_ready(&mut self, _broker: usize, recorder: &mut Recorder) -> Result<u64, Error> {
        self.flush()?;
        let mut faults = 0;
        while self.receiver.read_more()? {
            faults += self.take_records(recorder)?;
            self.poll()?;
        }
        Ok(faults)
    }

    fn has_reached(&self, targets: &[i64]) -> bool {
        let target = |lane: &Lane| targets.get(lane.partition as usize).copied().unwrap_or(0);
        self.lanes.iter().all(|lane| lane.records >= target(lane))
    }

    fn oldest_sent_ns(&self) -> Option<u64> {
        self.wire.oldest_asked_ns()
    }

    fn into_seen(self: Box<Self>) -> Vec<(Reader, PartitionSeen)> {
        let group = self.group;
        self.lanes.into_iter().map(|lane| ((group, lane.partition), lane.seen)).collect()
    }
}

/// Records of each partition that one question asks for: as many bytes as one of Kafka's.
fn records_a_question(partitions: usize, value_bytes_max: usize) -> usize {
    let bytes = (FETCH_BYTES_MAX as usize / partitions.max(1)).min(FETCH_PARTITION_BYTES_MAX as usize);
    (bytes / value_bytes_max.max(1)).max(1)
}
