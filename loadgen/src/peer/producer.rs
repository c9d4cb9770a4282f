//! One producer client of a broker that does not speak Kafka.
//!
//! It fills and paces batches as [`crate::producer::Producer`] does: as many records in a batch, one partition until its batch is
//! full or has lingered, as many bytes unacknowledged. Then the next partition has its turn, where Kafka's client stays for a while. What
//! differs besides is the wire, which may acknowledge each record by itself.

mod lane;

use std::io::IoSlice;
use std::sync::Arc;

use mio::{Registry, Token};
use protocol::record_batch::HEADER_BYTES;

use super::client::ProducerClient;
use super::{Dialect, Parsed, nats, redis};
use crate::connection::{self, Receiver, Sender};
use crate::error::Error;
use crate::integrity::AckLedger;
use crate::payload::{PayloadWriter, Stamp};
use crate::producer::{Failure, ProducerReport, ProducerSettings};
use crate::record_size::records_that_fit;
use crate::recorder::Recorder;
use crate::schedule::Schedule;
use crate::workload::REQUEST_BYTES_MAX;
use lane::{Batch, Lane};

/// Acknowledgements are a hundred bytes; this is one of them, and what the broker says of itself.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How records are published, and what the answers say.
pub(super) trait ProducerWire: Send {
    /// What stands before a value of so many bytes.
    fn begin_record(&mut self, partition: usize, value_bytes: usize, out: &mut Vec<u8>);
    /// What stands behind it.
    fn end_record(&self, out: &mut Vec<u8>);
    /// The first whole answer.
    fn next_answer(&mut self, bytes: &[u8]) -> Parsed<Answer>;
}

/// What a broker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The oldest record of this partition without an answer is stored.
    Stored(usize),
    /// It asks whether we are there, and is told with these bytes.
    Question(&'static [u8]),
    /// Nothing that matters.
    Remark,
}

/// One producer client.
pub struct PeerProducer {
    index: u32,
    settings: Arc<ProducerSettings>,
    wire: Box<dyn ProducerWire>,
    sender: Sender,
    receiver: Receiver,
    outgoing: Vec<u8>,
    written: usize,
    /// Whose batch is on its way to the kernel.
    sending: usize,
    /// Memory for the next batch.
    spare: Vec<u8>,
    schedule: Option<Schedule>,
    /// The partition whose batch is filled now.
    partition: usize,
    open: Option<Batch>,
    /// What is sent and not acknowledged, by partition.
    lanes: Vec<Lane>,
    in_flight: usize,
    in_flight_max: usize,
    batch_records_max: u32,
    records_left: u64,
    closing: bool,
    report: ProducerReport,
}

impl PeerProducer {
    /// Connects; `token` is its socket's.
    pub fn open(index: u32, settings: Arc<ProducerSettings>, registry: &Registry, token: usize) -> Result<Self, Error> {
        let (workload, topic) = (&settings.workload, &settings.topic);
        let partitions = topic.leaders.len();
        let (sender, receiver) = connection::open(&topic.brokers[0], None, ANSWER_BYTES_MAX, registry, Token(token))?;
        let mut outgoing = Vec::new();
        let wire: Box<dyn ProducerWire> = match topic.speaks {
            Dialect::Nats => Box::new(nats::Publisher::begin(&topic.name, partitions, &mut outgoing)),
            Dialect::Redis => Box::new(redis::Adder::new(&topic.name, partitions)),
            Dialect::Kafka => unreachable!("Kafka has a producer of its own"),
        };
        // A request of Kafka's holds a batch of several partitions, up to its size.
        let batches_a_request = (REQUEST_BYTES_MAX / workload.batch_bytes).clamp(1, partitions);
        let batch_bytes = workload.batch_bytes - HEADER_BYTES.min(workload.batch_bytes);
        Ok(Self {
            index,
            wire,
            sender,
            receiver,
            outgoing,
            written: 0,
            sending: 0,
            spare: Vec::new(),
            schedule: None,
            partition: index as usize % partitions,
            open: None,
            lanes: (0..partitions).map(|_| Lane::default()).collect(),
            in_flight: 0,
            in_flight_max: workload.in_flight * batches_a_request,
            batch_records_max: records_that_fit(batch_bytes, 0, workload.value_bytes_max()).max(1) as u32,
            records_left: u64::MAX,
            closing: false,
            report: ProducerReport {
                index,
                ledgers: vec![AckLedger::default(); partitions],
                ..ProducerReport::default()
            },
            settings,
        })
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.records_left > 0 && self.schedule.as_ref().is_none_or(|schedule| schedule.peek_ns() <= now_ns)
    }

    /// Whether a batch may leave: not too many are unanswered, and the kernel has taken all before it.
    fn may_send(&self) -> bool {
        self.in_flight < self.in_flight_max && self.written == self.outgoing.len()
    }

    /// One batch at a time in a closed loop: the next is begun when the one before is answered, or its latency would count that wait too.
    fn waits_its_turn(&self) -> bool {
        self.schedule.is_none() && self.in_flight_max == 1 && self.in_flight > 0
    }

    fn open_is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.records == self.batch_records_max)
    }

    fn linger_end_ns(&self) -> u64 {
        let linger_ns = self.settings.workload.linger.as_nanos() as u64;
        self.open.as_ref().map_or(u64::MAX, |open| open.first_intended_ns().saturating_add(linger_ns))
    }

    /// Appends what is due and fits.
    fn append_due(&mut self, now_ns: u64, payload: &mut PayloadWriter) {
        let ledger = &mut self.report.ledgers[self.partition];
        let spare = &mut self.spare;
        let begin = || Batch::new(self.partition, ledger.produced, std::mem::take(spare));
        let open = self.open.get_or_insert_with(begin);
        // One look at the clock a batch; in a closed loop a record is due when its batch is begun.
        let now_ns = if self.schedule.is_none() { self.settings.clock.now_ns() } else { now_ns };
        let room = u64::from(self.batch_records_max - open.records).min(self.records_left);
        let mut stamp = Stamp {
            run: self.settings.run,
            producer: self.index,
            partition: self.partition as u32,
            sequence: ledger.produced,
            intended_ns: now_ns,
        };
        for _ in 0..room {
            match &mut self.schedule {
                Some(schedule) if schedule.peek_ns() > now_ns => break,
                Some(schedule) => stamp.intended_ns = schedule.advance(),
                None => {}
            }
            let value = payload.value(&stamp);
            self.wire.begin_record(self.partition, value.len(), &mut open.bytes);
            open.bytes.extend_from_slice(value);
            self.wire.end_record(&mut open.bytes);
            open.note_record(stamp.intended_ns, value.len());
            stamp.sequence += 1;
        }
        self.records_left -= stamp.sequence - ledger.produced;
        ledger.produced = stamp.sequence;
    }

    fn send_open(&mut self) -> Result<(), Error> {
        let Some(mut batch) = self.open.take() else { return Ok(()) };
        batch.wire_bytes = batch.bytes.len() as u64;
        self.spare = std::mem::replace(&mut self.outgoing, std::mem::take(&mut batch.bytes));
        self.spare.clear();
        self.written = 0;
        self.sending = batch.partition;
        self.partition = (batch.partition + 1) % self.lanes.len();
        self.in_flight += 1;
        self.lanes[batch.partition].push(batch);
        self.flush()
    }

    /// Hands the kernel as much as it takes.
    fn flush(&mut self) -> Result<(), Error> {
        while self.written < self.outgoing.len() {
            let now_ns = self.settings.clock.now_ns();
            let taken = self.sender.write(&[IoSlice::new(&self.outgoing[self.written..])])?;
            if taken == 0 {
                return Ok(());
            }
            self.written += taken;
            self.lanes[self.sending].note_written(now_ns);
        }
        Ok(())
    }

    fn take_answers(&mut self, recorder: &mut Recorder) -> Result<(), Error> {
        loop {
            let now_ns = self.settings.clock.now_ns();
            recorder.roll(now_ns);
            let mut stored = (0, 0);
            loop {
                match self.wire.next_answer(self.receiver.unread()) {
                    Ok(None) => break,
                    Ok(Some((bytes, answer))) => {
                        self.receiver.consume(bytes);
                        match answer {
                            Answer::Stored(partition) if partition == stored.0 => stored.1 += 1,
                            Answer::Stored(partition) => {
                                self.settle(stored, now_ns, recorder)?;
                                stored = (partition, 1);
                            }
                            Answer::Question(answer) => self.outgoing.extend_from_slice(answer),
                            Answer::Remark => {}
                        }
                    }
                    Err(what) => return Err(self.wrong(what)),
                }
            }
            self.settle(stored, now_ns, recorder)?;
            if !self.receiver.read_more()? {
                return self.flush();
            }
        }
    }

    /// Books the oldest `count` records of a partition as acknowledged.
    fn settle(&mut self, (partition, count): (usize, u32), now_ns: u64, recorder: &mut Recorder) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Err(self.wrong("acknowledges nothing of ours".into()));
        };
        let ledger = &mut self.report.ledgers[partition];
        match lane.settle(count, now_ns, ledger, recorder) {
            Some(batches) => {
                self.in_flight -= batches;
                self.report.acked_records += u64::from(count);
                self.settings.signals.add_acked(u64::from(count));
                Ok(())
            }
            None => Err(self.wrong("acknowledges more than was sent".into())),
        }
    }

    fn wrong(&self, what: String) -> Error {
        Error::Peer { address: self.receiver.address().into(), what }
    }

    fn wake_for_records_ns(&self, schedule: &Schedule) -> u64 {
        let room = self.open.as_ref().map_or(0, |open| self.batch_records_max - open.records);
        if room > 0 {
            return schedule.estimate_ns(room as usize);
        }
        let linger_end_ns = schedule.peek_ns().saturating_add(self.settings.workload.linger.as_nanos() as u64);
        linger_end_ns.min(schedule.estimate_ns(self.batch_records_max as usize))
    }
}

impl ProducerClient for PeerProducer {
    fn start(&mut self, origin_ns: u64, records_max: u64) {
        self.records_left = records_max;
        self.schedule = self.settings.workload.schedule(self.index, origin_ns);
    }

    fn restart(&mut self, origin_ns: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.restart(origin_ns);
        }
    }

    fn recover(&mut self, _now_ns: u64, _registry: &Registry) -> Result<(), Error> {
        // Losses are planned with Kafka's protocol alone.
        Ok(())
    }

    fn fill(&mut self, now_ns: u64, payload: &mut PayloadWriter, _recorder: &mut Recorder) -> Result<(), Error> {
        self.flush()?;
        while !self.closing && self.is_due(now_ns) && !self.open_is_full() && !self.waits_its_turn() {
            self.append_due(now_ns, payload);
            if (self.open_is_full() || self.records_left == 0) && self.may_send() {
                self.send_open()?;
            }
        }
        let hurry = self.closing || self.records_left == 0 || self.open_is_full();
        if self.may_send() && (hurry || self.linger_end_ns() <= now_ns) {
            self.send_open()?;
        }
        Ok(())
    }

    fn close(&mut self, end_ns: u64) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        if let Some(schedule) = &mut self.schedule {
            let sent = schedule.issued();
            self.report.unsent_records = schedule.count_until(end_ns);
            self.report.offered_records = sent + self.report.unsent_records;
        }
    }

    fn is_idle(&self) -> bool {
        (self.closing || self.records_left == 0) && self.open.is_none() && self.in_flight == 0
    }

    fn next_wake_ns(&self) -> u64 {
        if !self.may_send() {
            return u64::MAX;
        }
        if self.open_is_full() {
            return 0;
        }
        let wake_ns = self.linger_end_ns();
        let goes_on = !self.closing && self.records_left > 0;
        match &self.schedule {
            Some(schedule) if goes_on => wake_ns.min(self.wake_for_records_ns(schedule)),
            None if goes_on => 0,
            _ => wake_ns,
        }
    }

    fn on_ready(&mut self, _broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        self.flush()?;
        self.take_answers(recorder)
    }

    fn oldest_sent_ns(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::oldest_sent_ns).min()
    }

    fn into_report(mut self: Box<Self>, ended: &Result<(), Error>) -> ProducerReport {
        let failure = match ended {
            Err(Error::Io { .. } | Error::Connect { .. }) => Failure::Disconnected,
            Err(Error::Deadline { .. }) => Failure::Timeout,
            _ => return self.report,
        };
        let unsettled: u64 = self.lanes.iter().map(Lane::unsettled_records).sum();
        *self.report.errors.entry(failure).or_default() += unsettled;
        self.report.timeouts += u64::from(failure == Failure::Timeout);
        self.report
    }
}
