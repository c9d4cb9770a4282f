//! One producer client: records become due, batches fill, requests fly, acknowledgements become latencies.
//!
//! It behaves like Kafka's own client: one partition at a time until its batch is full or has lingered, one request of
//! several partitions to each leader, at most so many unanswered. While nothing may be sent, what is due stays on the
//! schedule and keeps its intended time, so the wait shows in the latency and not in the memory.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::messages::produce::ProduceResponse;

use crate::clock::Clock;
use crate::cluster::{CALL_TIMEOUT, Topic, init_producer_id};
use crate::connection::{self, Receiver, Sender};
use crate::error::Error;
use crate::integrity::AckLedger;
use crate::payload::{PayloadWriter, Stamp};
use crate::recorder::Recorder;
use crate::request::{PRODUCE_VERSION_MAX, Request, Template};
use crate::result::Acks;
use crate::schedule::Schedule;
use crate::workload::Workload;

/// An answer names its partitions, little more; one of ten thousand partitions with messages stays below this.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Requests handed to the kernel in one call.
const SLICES_MAX: usize = 16;

/// What all producers of a run share.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    /// The load.
    pub workload: Workload,
    /// Where it goes.
    pub topic: Topic,
    /// Tag of this run's records.
    pub run: u32,
    /// The clock of the run.
    pub clock: Clock,
}

/// What a producer knows at its end.
#[derive(Debug, Default)]
pub struct ProducerReport {
    /// Which producer.
    pub index: u32,
    /// For each partition.
    pub ledgers: Vec<AckLedger>,
    /// Failed records by Kafka's error code, all phases.
    pub errors: BTreeMap<i16, u64>,
    /// Records due in the measured window.
    pub offered_records: u64,
    /// Of these, records that could not be sent before its end.
    pub unsent_records: u64,
}

/// One producer client.
#[derive(Debug)]
pub struct Producer {
    index: u32,
    settings: Arc<ProducerSettings>,
    template: Template,
    version: i16,
    identity: Option<(i64, i16)>,
    schedule: Option<Schedule>,
    /// The partition whose batch is filled now.
    partition: usize,
    links: Vec<Link>,
    records_left: u64,
    closing: bool,
    report: ProducerReport,
}

/// The connection to one leader.
#[derive(Debug)]
struct Link {
    sender: Sender,
    receiver: Receiver,
    open: Option<Request>,
    /// Sent or waiting for the socket, oldest first.
    in_flight: VecDeque<Request>,
    /// Requests of `in_flight` that the kernel has taken whole.
    written: usize,
    /// Bytes of the next one that it has taken.
    written_bytes: usize,
    spare: Vec<Request>,
    correlation_id: i32,
}

impl Producer {
    /// Connects to every leader; `first_token` and the following are its sockets'.
    pub fn open(
        index: u32,
        settings: Arc<ProducerSettings>,
        registry: &Registry,
        first_token: usize,
    ) -> Result<Self, Error> {
        let (workload, topic) = (&settings.workload, &settings.topic);
        let version = topic.versions.choose(ApiKey::Produce, PRODUCE_VERSION_MAX)?;
        let timeout_ms = CALL_TIMEOUT.as_millis() as i32;
        let template = Template::new(&topic.name, workload.acks, timeout_ms, version, workload.batch_bytes);
        let links = topic.brokers.iter().enumerate().map(|(broker, address)| {
            let token = Token(first_token + broker);
            let (sender, receiver) = connection::open(address, CALL_TIMEOUT, ANSWER_BYTES_MAX, registry, token)?;
            Ok(Link::new(sender, receiver))
        });
        let links = links.collect::<Result<Vec<_>, Error>>()?;
        let identity = if workload.idempotent { Some(init_producer_id(&topic.brokers[0])?) } else { None };
        let ledgers = vec![AckLedger::default(); topic.leaders.len()];
        Ok(Self {
            index,
            template,
            version,
            identity,
            schedule: None,
            partition: index as usize % topic.leaders.len(),
            links,
            records_left: u64::MAX,
            closing: false,
            report: ProducerReport { index, ledgers, ..ProducerReport::default() },
            settings,
        })
    }

    /// Starts to send at `origin_ns`: by schedule, or as fast as it goes.
    pub fn start(&mut self, origin_ns: u64, records_max: u64) {
        let workload = &self.settings.workload;
        self.records_left = records_max;
        self.schedule = (!workload.is_closed_loop()).then(|| {
            let share = workload.records_per_s / f64::from(workload.producers);
            Schedule::new(workload.arrival, share, origin_ns, workload.seed, u64::from(self.index))
        });
    }

    /// The measured window begins: what the warm-up still owes is forgotten.
    pub fn restart(&mut self, origin_ns: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.restart(origin_ns);
        }
    }

    /// Builds and sends what is due at `now_ns`.
    pub fn fill(&mut self, now_ns: u64, payload: &mut PayloadWriter, recorder: &mut Recorder) -> Result<(), Error> {
        while !self.closing && self.is_due(now_ns) && self.prepare_batch(now_ns, recorder)? {
            self.append_due(now_ns, payload);
            self.close_if_full(recorder)?;
        }
        for broker in 0..self.links.len() {
            let link = &self.links[broker];
            let Some(open) = &link.open else { continue };
            let may_send = link.in_flight.len() < self.settings.workload.in_flight;
            let worth_sending = self.closing || open.has_full_batch() || self.linger_end_ns(open) <= now_ns;
            if may_send && worth_sending && open.first_intended_ns().is_some() {
                self.dispatch(broker, recorder)?;
            }
        }
        Ok(())
    }

    /// Stops at the end of the window: what is built is still sent, what is only due is counted as unsent.
    pub fn close(&mut self, end_ns: u64) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        if let Some(schedule) = &mut self.schedule {
            let sent = schedule.issued();
            self.report.unsent_records = schedule.count_until(end_ns);
            self.report.offered_records = sent + self.report.unsent_records;
        }
    }

    /// Everything sent is answered, and nothing more is to be sent.
    pub fn is_idle(&self) -> bool {
        let nothing_left = self.closing || self.records_left == 0;
        nothing_left && self.links.iter().all(|link| link.open.is_none() && link.in_flight.is_empty())
    }

    /// When `fill` is worth calling again, if nothing is answered before.
    pub fn next_wake_ns(&self) -> u64 {
        let mut wake_ns = u64::MAX;
        let settings = &self.settings.workload;
        for link in self.links.iter().filter(|link| link.in_flight.len() < settings.in_flight) {
            if let Some(open) = link.open.as_ref().filter(|open| open.first_intended_ns().is_some()) {
                wake_ns = wake_ns.min(self.linger_end_ns(open));
            }
        }
        if let Some(schedule) = self.schedule.as_ref().filter(|_| !self.closing && self.records_left > 0) {
            let link = &self.links[self.settings.topic.leaders[self.partition]];
            let blocked = link.in_flight.len() >= settings.in_flight;
            let room = link.open.as_ref().map_or(0, |open| open.room(settings.record_bytes, &self.template));
            if room > 0 {
                // Nothing is lost by sleeping until the batch is full: its records are built with their own times.
                wake_ns = wake_ns.min(schedule.estimate_ns(room));
            } else if !blocked {
                wake_ns = wake_ns.min(self.wake_for_new_batch_ns(schedule));
            }
        }
        wake_ns
    }

    /// A socket became readable or writable.
    pub fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        self.links[broker].flush(&self.settings.clock)?;
        if self.settings.workload.acks == Acks::None {
            return self.settle_unacknowledged(broker, recorder);
        }
        let Self { links, settings, report, version, identity, .. } = self;
        let link = &mut links[broker];
        while let Some(bytes) = link.receiver.next_frame()? {
            let now_ns = settings.clock.now_ns();
            let decoded = frame::decode_response::<ProduceResponse<'_>>(bytes, ApiKey::Produce, *version);
            let address = &settings.topic.brokers[broker];
            let (correlation_id, response) =
                decoded.map_err(|source| Error::Decode { api: ApiKey::Produce, address: address.clone(), source })?;
            let wrong = |what| Error::Answer { api: ApiKey::Produce, address: address.clone(), what };
            // An answer to a request that is not wholly written would be a second answer to the one before.
            let request = if link.written > 0 { link.in_flight.pop_front() } else { None };
            let request = request.ok_or_else(|| wrong("there was no request"))?;
            link.written -= 1;
            if request.correlation_id != correlation_id {
                return Err(wrong("a foreign correlation id"));
            }
            report.settle(&request, &response, now_ns, recorder).map_err(wrong)?;
            link.spare.push(request);
            if let (Some(_), Some(&code)) = (&identity, report.errors.keys().next()) {
                // The batches behind a failed one are refused too: its numbers are missing.
                return Err(Error::Broker { api: ApiKey::Produce, code });
            }
        }
        Ok(())
    }

    /// The oldest request without an answer.
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        let oldest = self.links.iter().filter_map(|link| link.in_flight.front());
        oldest.map(|request| request.sent_ns).filter(|&sent_ns| sent_ns > 0).min()
    }

    /// What is known at the end.
    pub fn into_report(self) -> ProducerReport {
        self.report
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.records_left > 0 && self.schedule.as_ref().is_none_or(|schedule| schedule.peek_ns() <= now_ns)
    }

    fn linger_end_ns(&self, request: &Request) -> u64 {
        let linger_ns = self.settings.workload.linger.as_nanos() as u64;
        request.first_intended_ns().map_or(u64::MAX, |intended_ns| intended_ns.saturating_add(linger_ns))
    }

    /// The first record of a batch has the whole linger to wait, unless the batch is full before.
    fn wake_for_new_batch_ns(&self, schedule: &Schedule) -> u64 {
        let workload = &self.settings.workload;
        let records = (workload.batch_bytes / workload.record_bytes).max(1);
        let linger_end_ns = schedule.peek_ns().saturating_add(workload.linger.as_nanos() as u64);
        linger_end_ns.min(schedule.estimate_ns(records))
    }

    /// Makes sure that a batch of the current partition is open; false when nothing may be built now.
    fn prepare_batch(&mut self, now_ns: u64, recorder: &mut Recorder) -> Result<bool, Error> {
        let partition = self.partition as u32;
        let broker = self.settings.topic.leaders[self.partition];
        if let Some(open) = &self.links[broker].open {
            if open.open_partition() == Some(partition) {
                return Ok(true);
            }
            if !open.takes_batch(partition, &self.template) {
                if self.links[broker].in_flight.len() >= self.settings.workload.in_flight {
                    return Ok(false);
                }
                self.dispatch(broker, recorder)?;
            }
        }
        let link = &mut self.links[broker];
        let open = link.open.get_or_insert_with(|| {
            let mut request = link.spare.pop().unwrap_or_default();
            request.begin(&self.template);
            request
        });
        let first_sequence = self.report.ledgers[self.partition].produced;
        open.open_batch(partition, first_sequence, self.settings.clock.unix_ms(now_ns), self.identity);
        Ok(true)
    }

    /// Appends what is due and fits.
    fn append_due(&mut self, now_ns: u64, payload: &mut PayloadWriter) {
        let ledger = &mut self.report.ledgers[self.partition];
        let link = &mut self.links[self.settings.topic.leaders[self.partition]];
        let open = link.open.as_mut().expect("prepare_batch opened it");
        // One look at the clock a batch; in a closed loop a record is due when its batch is begun.
        let now_ns = if self.schedule.is_none() { self.settings.clock.now_ns() } else { now_ns };
        let room = open.room(self.settings.workload.record_bytes, &self.template) as u64;
        let mut stamp = Stamp {
            run: self.settings.run,
            producer: self.index,
            partition: self.partition as u32,
            sequence: ledger.produced,
            intended_ns: now_ns,
        };
        for _ in 0..room.min(self.records_left) {
            if let Some(schedule) = &mut self.schedule {
                if schedule.peek_ns() > now_ns {
                    break;
                }
                stamp.intended_ns = schedule.advance();
            }
            open.append(payload.value(&stamp), stamp.intended_ns);
            stamp.sequence += 1;
        }
        self.records_left -= stamp.sequence - ledger.produced;
        ledger.produced = stamp.sequence;
    }

    /// Moves on to the next partition when the batch takes no more, and sends when it may.
    fn close_if_full(&mut self, recorder: &mut Recorder) -> Result<(), Error> {
        let broker = self.settings.topic.leaders[self.partition];
        let Some(open) = &mut self.links[broker].open else { return Ok(()) };
        if open.room(self.settings.workload.record_bytes, &self.template) > 0 && self.records_left > 0 {
            return Ok(());
        }
        open.close_batch(true);
        self.partition = (self.partition + 1) % self.settings.topic.leaders.len();
        if self.links[broker].in_flight.len() < self.settings.workload.in_flight {
            self.dispatch(broker, recorder)?;
        }
        Ok(())
    }

    /// Sends the open request as it is.
    fn dispatch(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        let link = &mut self.links[broker];
        let Some(mut request) = link.open.take() else { return Ok(()) };
        if request.open_partition().is_some() {
            request.close_batch(false);
            self.partition = (self.partition + 1) % self.settings.topic.leaders.len();
        }
        link.correlation_id = link.correlation_id.wrapping_add(1);
        request.finish(link.correlation_id);
        link.in_flight.push_back(request);
        link.flush(&self.settings.clock)?;
        if self.settings.workload.acks == Acks::None { self.settle_unacknowledged(broker, recorder) } else { Ok(()) }
    }

    /// acks=0: a request is done when the kernel has it. Nothing is known of its records, so none counts as kept.
    fn settle_unacknowledged(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        let link = &mut self.links[broker];
        // Kafka closes the connection on an error; reading is how we learn of it.
        if link.receiver.next_frame()?.is_some() {
            let address = link.receiver.address().into();
            return Err(Error::Answer { api: ApiKey::Produce, address, what: "acks=0 has no answer" });
        }
        let now_ns = self.settings.clock.now_ns();
        while link.written > 0 {
            link.written -= 1;
            let Some(request) = link.in_flight.pop_front() else { break };
            for (batch, runs) in request.batches() {
                record_batch(recorder, batch.records, batch.bytes, runs, request.sent_ns, now_ns);
            }
            link.spare.push(request);
        }
        Ok(())
    }
}

impl Link {
    fn new(sender: Sender, receiver: Receiver) -> Self {
        Self {
            sender,
            receiver,
            open: None,
            in_flight: VecDeque::new(),
            written: 0,
            written_bytes: 0,
            spare: Vec::new(),
            correlation_id: 0,
        }
    }

    /// Hands the kernel as much as it takes.
    fn flush(&mut self, clock: &Clock) -> Result<(), Error> {
        while self.written < self.in_flight.len() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for request in self.in_flight.iter().skip(self.written).take(SLICES_MAX) {
                let skip = if count == 0 { self.written_bytes } else { 0 };
                slices[count] = IoSlice::new(&request.bytes()[skip..]);
                count += 1;
            }
            let now_ns = clock.now_ns();
            let mut taken = self.sender.write(&slices[..count])?;
            if taken == 0 {
                return Ok(());
            }
            while taken > 0 {
                let request = &mut self.in_flight[self.written];
                if self.written_bytes == 0 {
                    request.sent_ns = now_ns;
                }
                let left = request.bytes().len() - self.written_bytes;
                if taken < left {
                    self.written_bytes += taken;
                    break;
                }
                taken -= left;
                self.written += 1;
                self.written_bytes = 0;
            }
        }
        Ok(())
    }
}

impl ProducerReport {
    /// Books an answer: acknowledged ranges into the ledgers, latencies into the recorder.
    fn settle(
        &mut self,
        request: &Request,
        response: &ProduceResponse<'_>,
        now_ns: u64,
        recorder: &mut Recorder,
    ) -> Result<(), &'static str> {
        recorder.roll(now_ns);
        if let Some(counts) = recorder.counts(now_ns) {
            counts.produce_requests += 1;
            counts.produce_in_flight_ns += now_ns.saturating_sub(request.sent_ns);
        }
        let answers = || response.responses.iter().flat_map(|topic| &topic.partition_responses);
        // Brokers answer in the order of the request; one that does not is searched.
        let mut in_order = answers();
        for (batch, runs) in request.batches() {
            let partition = batch.partition as i32;
            let answer = in_order.next().filter(|answer| answer.index == partition);
            let answer = answer.or_else(|| answers().find(|answer| answer.index == partition));
            match answer.ok_or("a partition is missing")?.error_code {
                0 => {
                    let end = batch.first_sequence + u64::from(batch.records);
                    self.ledgers[batch.partition as usize].acked.push(batch.first_sequence, end);
                    record_batch(recorder, batch.records, batch.bytes, runs, request.sent_ns, now_ns);
                }
                code => {
                    *self.errors.entry(code).or_default() += u64::from(batch.records);
                    if let Some(counts) = recorder.counts(now_ns) {
                        counts.failed_records += u64::from(batch.records);
                    }
                }
            }
        }
        Ok(())
    }
}

fn record_batch(recorder: &mut Recorder, records: u32, bytes: u32, runs: &[(u64, u32)], sent_ns: u64, now_ns: u64) {
    if let Some(counts) = recorder.counts(now_ns) {
        counts.acked_records += u64::from(records);
        counts.acked_batches += 1;
        counts.acked_batch_bytes += u64::from(bytes);
    }
    let first_intended_ns = runs.first().map_or(sent_ns, |run| run.0);
    recorder.record_service(first_intended_ns, sent_ns, now_ns, u64::from(records));
    for &(intended_ns, count) in runs {
        recorder.record_response(intended_ns, sent_ns, now_ns, u64::from(count));
    }
}
