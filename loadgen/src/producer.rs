//! One producer client: records become due, batches fill, requests fly, acknowledgements become latencies.
//!
//! It behaves like Kafka's own client: one partition for a batch or two at a time (`sticky.rs`), one request of
//! several partitions to each leader, at most so many unanswered. While nothing may be sent, what is due stays on the
//! schedule and keeps its intended time, so the wait shows in the latency and not in the memory.

mod accumulator;
mod answered_offsets;
mod by_partition;
mod codec;
mod link;
mod recovery;
mod report;
mod stay;
mod sticky;
mod transacting;
mod transaction;

pub use answered_offsets::AnsweredOffsets;
pub use report::{Failure, ProducerReport};
pub use transacting::transactional_id;
pub use transaction::TransactionReport;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::messages::produce::ProduceResponse;

use crate::clock::Clock;
use crate::cluster::{CALL_TIMEOUT, Topic, init_producer_id};
use crate::connection::{self, Receiver};
use crate::error::Error;
use crate::filler::FillerPool;
use crate::integrity::AckLedger;
use crate::ledger::AckedRange;
use crate::payload::PayloadWriter;
use crate::raw_batch::BatchLayout;
use crate::recorder::Recorder;
use crate::request::{PRODUCE_VERSION_MAX, Request, Template};
use crate::result::Acks;
use crate::schedule::Schedule;
use crate::signals::Signals;
use crate::workload::Workload;
use by_partition::ByPartition;
use link::Link;
use report::record_batch;
use stay::Stay;
use transacting::Transacting;

/// An answer names its partitions, little more; one of ten thousand partitions with messages stays below this.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    /// Of records that are not all alike; absent where they are.
    pub filler: Option<Arc<FillerPool>>,
    /// Between main and its clients.
    pub signals: Arc<Signals>,
    /// Who writes acknowledgements down, if anybody does.
    pub journal: Option<SyncSender<AckedRange>>,
    /// In raw mode, how batches are encoded ahead.
    pub raw: Option<Arc<BatchLayout>>,
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
    /// How long it will be.
    stay: Stay,
    /// A record has come after the last full batch.
    is_followed: bool,
    /// Where records go that are not all alike.
    by_partition: Option<ByPartition>,
    links: Vec<Link>,
    /// With transactions, their coordinator.
    transacting: Option<Transacting>,
    /// What comes back on each link.
    receivers: Vec<Receiver>,
    first_token: usize,
    /// Orders to close the connections that have been followed.
    cuts: u64,
    records_left: u64,
    closing: bool,
    report: ProducerReport,
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
        let mut template = Template::new(&topic.name, workload.acks, timeout_ms, version, workload.batch_bytes);
        if let Some(layout) = &settings.raw {
            template = template.with_raw_batches(layout.clone());
        }
        let (mut links, mut receivers) = (Vec::new(), Vec::new());
        for (broker, address) in topic.brokers.iter().enumerate() {
            let token = Token(first_token + broker);
            let (sender, receiver) =
                connection::open(address, topic.login.as_deref(), ANSWER_BYTES_MAX, registry, token)?;
            links.push(Link::new(sender));
            receivers.push(receiver);
        }
        let transacting = Transacting::open(index, &settings, registry, first_token + topic.brokers.len())?;
        let login = topic.login.as_deref();
        let identity = match &transacting {
            Some(transacting) => Some(transacting.identity()),
            None if workload.idempotent => Some(init_producer_id(login, &topic.brokers[0], None)?),
            None => None,
        };
        if transacting.is_some() {
            template = template.in_transactions(&transactional_id(&topic.name, index), version);
        }
        let by_partition = ByPartition::new(index, &settings, identity);
        let ledgers = vec![AckLedger::default(); topic.leaders.len()];
        let undecided = transacting.is_some().then(Vec::new);
        let journal = settings.journal.clone();
        Ok(Self {
            index,
            template,
            version,
            identity,
            schedule: None,
            partition: index as usize % topic.leaders.len(),
            stay: Stay::new(workload.seed, index),
            is_followed: true,
            by_partition,
            links,
            receivers,
            first_token,
            cuts: 0,
            records_left: u64::MAX,
            closing: false,
            transacting,
            report: ProducerReport {
                index,
                journal,
                ledgers,
                offsets: vec![AnsweredOffsets::default(); topic.leaders.len()],
                undecided,
                ..ProducerReport::default()
            },
            settings,
        })
    }

    /// Starts to send at `origin_ns`: by schedule, or as fast as it goes.
    pub fn start(&mut self, origin_ns: u64, records_max: u64) {
        self.records_left = records_max;
        self.schedule = self.settings.workload.schedule(self.index, origin_ns);
    }

    /// The measured window begins: what the warm-up still owes is forgotten.
    pub fn restart(&mut self, origin_ns: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.restart(origin_ns);
        }
    }

    /// Builds and sends what is due at `now_ns`.
    pub fn fill(&mut self, now_ns: u64, payload: &mut PayloadWriter, recorder: &mut Recorder) -> Result<(), Error> {
        if self.by_partition.is_some() {
            return self.fill_by_partition(now_ns, recorder);
        }
        while !self.closing
            && self.is_due(now_ns)
            && !self.waits_its_turn()
            && self.may_write(now_ns)
            && self.prepare_batch(now_ns, recorder)?
        {
            self.append_due(now_ns, payload);
            self.close_if_full(recorder)?;
        }
        for broker in 0..self.links.len() {
            let link = &mut self.links[broker];
            let resent = link.resend(now_ns, &self.settings.clock);
            self.endure(broker, resent)?;
            let link = &self.links[broker];
            let Some(open) = &link.open else { continue };
            let may_send = link.has_room(self.settings.workload.in_flight);
            let may_leave_full = self.is_followed || !self.waits_for_follower();
            let worth_sending =
                self.hurries() || open.has_full_batch() && may_leave_full || self.linger_end_ns(open) <= now_ns;
            if may_send && worth_sending && open.first_intended_ns().is_some() {
                self.dispatch(broker, recorder)?;
            }
        }
        Ok(())
    }

    /// One request at a time in a closed loop: the next is begun when the one before is answered, or its latency would count that wait too.
    fn waits_its_turn(&self) -> bool {
        let link = &self.links[self.settings.topic.leaders[self.partition]];
        self.schedule.is_none() && self.settings.workload.in_flight == 1 && !link.has_room(1)
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
        let is_decided = self.transacting.as_ref().is_none_or(|transacting| transacting.transactions.is_idle());
        nothing_left && self.is_flushed() && is_decided
    }

    /// Everything written is answered.
    fn is_flushed(&self) -> bool {
        let nothing_waits = self.by_partition.as_ref().is_none_or(ByPartition::is_empty);
        nothing_waits && self.links.iter().all(Link::is_idle)
    }

    /// Sockets of one producer of this load.
    pub fn sockets(settings: &ProducerSettings) -> usize {
        settings.topic.brokers.len() + usize::from(settings.workload.transactions.is_some())
    }

    /// When `fill` is worth calling again, if nothing is answered before.
    pub fn next_wake_ns(&self) -> u64 {
        let mut wake_ns = self.links.iter().filter_map(Link::resend_at_ns).min().unwrap_or(u64::MAX);
        if let Some(transacting) = &self.transacting {
            wake_ns = wake_ns.min(transacting.transactions.next_wake_ns());
        }
        if let Some(by_partition) = &self.by_partition {
            return wake_ns.min(self.next_wake_by_partition_ns(by_partition));
        }
        let settings = &self.settings.workload;
        for link in self.links.iter().filter(|link| link.has_room(settings.in_flight)) {
            if let Some(open) = link.open.as_ref().filter(|open| open.first_intended_ns().is_some()) {
                wake_ns = wake_ns.min(self.linger_end_ns(open));
            }
        }
        let will_send = !self.closing && self.records_left > 0 && !self.is_held();
        if let Some(schedule) = self.schedule.as_ref().filter(|_| will_send) {
            let link = &self.links[self.settings.topic.leaders[self.partition]];
            let blocked = !link.has_room(settings.in_flight);
            let room = link.open.as_ref().map_or(0, |open| open.room(settings.value_bytes_max(), &self.template));
            if room > 0 {
                // Nothing is lost by sleeping until the batch is full: its records are built with their own times.
                wake_ns = wake_ns.min(schedule.estimate_ns(room + usize::from(self.waits_for_follower())));
            } else if !blocked {
                let wake_for_next_ns =
                    if self.is_followed { self.wake_for_new_batch_ns(schedule) } else { schedule.peek_ns() };
                wake_ns = wake_ns.min(wake_for_next_ns);
            }
        }
        wake_ns
    }

    /// A socket became readable or writable.
    pub fn on_ready(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        if self.links[broker].outage.is_down() {
            return Ok(());
        }
        let outcome = self.exchange(broker, recorder);
        self.endure(broker, outcome)
    }

    /// Hands over what waits and takes what has come.
    fn exchange(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        self.links[broker].flush(&self.settings.clock)?;
        if self.settings.workload.acks == Acks::None {
            return self.settle_unacknowledged(broker, recorder);
        }
        let Self { links, receivers, settings, report, version, identity, .. } = self;
        let link = &mut links[broker];
        while let Some(bytes) = receivers[broker].next_frame()? {
            let now_ns = settings.clock.now_ns();
            let decoded = frame::decode_response::<ProduceResponse<'_>>(bytes, ApiKey::Produce, *version);
            let address = &settings.topic.brokers[broker];
            let (correlation_id, response) =
                decoded.map_err(|source| Error::Decode { api: ApiKey::Produce, address: address.clone(), source })?;
            let wrong = |what| Error::Answer { api: ApiKey::Produce, address: address.clone(), what };
            // An answer to a request that is not wholly written would be a second answer to the one before.
            let request = link.pop_written().ok_or_else(|| wrong("there was no request"))?;
            if request.correlation_id != correlation_id {
                return Err(wrong("a foreign correlation id"));
            }
            let is_numbered = identity.is_some();
            let was_out = link.outage.note_answer();
            let goes_again = is_numbered && (report.note_passing_refusals(&request, &response) || link.goes_back());
            if goes_again || was_out {
                settings.signals.note_trouble(now_ns);
            }
            let settled = if goes_again { link.keep_refused(request, now_ns) } else { Some(request) };
            let Some(request) = settled else { continue };
            let acked = report.acked_records;
            report.settle(&request, &response, now_ns, recorder).map_err(wrong)?;
            settings.signals.add_acked(report.acked_records - acked);
            link.give_spare(request);
            if let (true, Some(&Failure::Refused(code))) = (is_numbered, report.errors.keys().next()) {
                // The batches behind a failed one are refused too: its numbers are missing.
                return Err(Error::Broker { api: ApiKey::Produce, code });
            }
        }
        Ok(())
    }

    /// The oldest request without an answer.
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        self.links.iter().filter_map(Link::oldest_sent_ns).min()
    }

    /// What is known at the end, which `ended` early or not.
    pub fn into_report(mut self, ended: &Result<(), Error>) -> ProducerReport {
        if let Err(error) = ended {
            self.report.note_unsettled(self.links.iter().flat_map(Link::unsettled), error);
        }
        self.report.transactions = self.transacting.map(|transacting| transacting.transactions.report);
        self.report
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.records_left > 0 && self.schedule.as_ref().is_none_or(|schedule| schedule.peek_ns() <= now_ns)
    }

    fn linger_end_ns(&self, request: &Request) -> u64 {
        let linger_ns = self.settings.workload.linger.as_nanos() as u64;
        request.first_intended_ns().map_or(u64::MAX, |intended_ns| intended_ns.saturating_add(linger_ns))
    }

    /// Sends the open request as it is.
    fn dispatch(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        let outcome = self.send_open(broker, recorder);
        self.endure(broker, outcome)
    }

    fn send_open(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        let link = &mut self.links[broker];
        let Some(mut request) = link.open.take() else { return Ok(()) };
        let cut_short_bytes = request.open_batch_bytes();
        request.close_batch(false);
        if let Some(bytes) = cut_short_bytes {
            self.note_cut_short(bytes);
        }
        self.links[broker].send(request, &self.settings.clock)?;
        if self.settings.workload.acks == Acks::None { self.settle_unacknowledged(broker, recorder) } else { Ok(()) }
    }

    /// acks=0: a request is done when the kernel has it. Nothing is known of its records, so none counts as kept.
    fn settle_unacknowledged(&mut self, broker: usize, recorder: &mut Recorder) -> Result<(), Error> {
        let link = &mut self.links[broker];
        // Kafka closes the connection on an error; reading is how we learn of it.
        let receiver = &mut self.receivers[broker];
        if receiver.next_frame()?.is_some() {
            let address = receiver.address().into();
            return Err(Error::Answer { api: ApiKey::Produce, address, what: "acks=0 has no answer" });
        }
        let now_ns = self.settings.clock.now_ns();
        while let Some(request) = link.pop_written() {
            for (batch, runs) in request.batches() {
                record_batch(recorder, batch, runs, request.sent_ns, now_ns);
                self.report.acked_records += u64::from(batch.records);
                self.settings.signals.add_acked(u64::from(batch.records));
            }
            if link.outage.note_answer() {
                self.settings.signals.note_trouble(now_ns);
            }
            link.give_spare(request);
        }
        Ok(())
    }
}
