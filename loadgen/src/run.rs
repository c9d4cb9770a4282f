//! `loadgen run`: broker, topic, warm-up, measured window, drain, verification, result, in this order.
//!
//! Whatever happens on the way, the evidence gathered so far becomes a result file; only then is anything torn down.

mod broker;
mod bulk;
mod disturbing;
mod grouping;
mod verifying;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::agent::{Agents, SharedAgents, UsageElsewhere};
use crate::assemble;
use crate::clients::{Clients, WorkingClients};
use crate::clock::Clock;
use crate::cluster::Topic;
use crate::collector::Collector;
use crate::cores::{self, Pinned};
use crate::crew::{Roles, readers};
use crate::disturbance::Disturber;
use crate::embedded::{self, EmbeddedBroker};
use crate::error::Error;
use crate::evidence::Evidence;
use crate::options::{LoadOptions, TargetOptions};
use crate::peer;
use crate::probe::Probe;
use crate::progress::Progress;
use crate::result::RunResult;
use crate::sasl::Login;
use crate::started::StartedBroker;
use crate::timeline::{SECOND_NS, Timeline};
use crate::usage::UsageMeter;
use crate::verification::Verification;
use crate::worker::Control;
use crate::workload::{Mode, Verify, Workload};
use bulk::bulk_limit;

/// Time for what is in flight at the end of the window to be answered.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(35);

/// How often main looks at its threads.
const LOOK: Duration = Duration::from_millis(20);

/// Carries out a run. The result always exists; its `error` says whether the run came to its end.
pub fn execute(
    load: &LoadOptions,
    target: &TargetOptions,
    progress: &mut Progress,
    interrupted: Arc<AtomicBool>,
) -> Result<RunResult, Error> {
    execute_as_part(load, target, None, progress, interrupted)
}

/// The same as a part of a verification, which outlives this program.
pub fn execute_as_part(
    load: &LoadOptions,
    target: &TargetOptions,
    verification: Option<Verification>,
    progress: &mut Progress,
    interrupted: Arc<AtomicBool>,
) -> Result<RunResult, Error> {
    let workload = verifying::check(Workload::from_options(load)?, verification.as_ref())?;
    cores::check(target)?;
    target.speaks.check(&workload)?;
    let login = Login::from_options(target)?;
    // A connection that is opened again does not log in.
    let is_churned = workload.group.as_ref().is_some_and(|group| group.churn.is_some());
    if login.is_some() && (workload.survives_losses() || is_churned) {
        return Err(Error::LoginWithFaults);
    }
    let mut session = Session {
        clock: Clock::start(),
        progress,
        interrupted,
        target,
        login,
        broker: None,
        started: None,
        broker_pid: None,
        pinned: None,
        disturber: Disturber::default(),
        verification,
        start_offsets: Vec::new(),
        agents: None,
        control: Arc::default(),
        next_look_ns: 0,
        evidence: Evidence::new(workload, target.bootstrap.is_none()),
    };
    let outcome = session.carry_out();
    let outcome = session.end_journal().and(outcome);
    if let Err(error) = outcome {
        // The broker's end explains a broken connection, not the other way round.
        let cause = session.broker.as_mut().and_then(EmbeddedBroker::failure).unwrap_or(error);
        session.evidence.error = Some(cause);
        session.evidence.stopped_ns = Some(session.clock.now_ns());
    }
    if let Some(agents) = &session.agents {
        session.evidence.agents = agents.borrow_mut().close();
    }
    session.evidence.reports.forget_lost_producers();
    session.pinned = None;
    session.evidence.probe_after = Some(Probe::take(session.evidence.data_directory.as_deref()));
    let result = assemble::result(&session.evidence, target);
    session.tear_down(&result);
    Ok(result)
}

struct Session<'a> {
    clock: Clock,
    progress: &'a mut Progress,
    interrupted: Arc<AtomicBool>,
    target: &'a TargetOptions,
    /// Who this process is to the broker, if that asks.
    login: Option<Arc<Login>>,
    broker: Option<EmbeddedBroker>,
    /// Stops what `--start` started.
    started: Option<StartedBroker>,
    /// The broker's process where it is known.
    broker_pid: Option<u32>,
    /// Keeps this process to its cores while the load goes on.
    pinned: Option<Pinned>,
    disturber: Disturber,
    verification: Option<Verification>,
    /// Where this run's records begin, by partition; 0 where nothing is said.
    start_offsets: Vec<i64>,
    /// Who works instead of this process, or measures for it.
    agents: Option<SharedAgents>,
    /// Of the phase that goes on.
    control: Arc<Control>,
    next_look_ns: u64,
    evidence: Evidence,
}

impl Session<'_> {
    fn carry_out(&mut self) -> Result<(), Error> {
        // Before a broker starts, which writes its spare segments for a while and would be taken for noise.
        let embedded = self.target.bootstrap.is_none().then(|| embedded::data_parent(self.target)).flatten();
        self.evidence.probe_before = Some(Probe::take(embedded.as_deref()));
        let (bootstrap, pid) = self.find_broker()?;
        self.evidence.bootstrap = Some(bootstrap.clone());
        self.agents = Agents::open(self.target, &bootstrap, self.clock)?;
        if let Some(agents) = &self.agents {
            agents.borrow().check(&self.evidence.workload, self.verification.is_some())?;
        }
        self.evidence.usage = Some(UsageMeter::new(pid, &self.usage_elsewhere(), self.clock.now_ns()));
        self.broker_pid = pid;
        Disturber::check(&self.evidence.workload, pid)?;
        let topic = self.prepare_topic(&bootstrap)?;
        self.evidence.topic = Some(topic.clone());
        self.evidence.target_config = peer::describe(&topic, &bootstrap);
        if !self.judge_earlier(&topic)? {
            // What was lost before this run is not found by going on.
            return Ok(());
        }
        let workload = self.evidence.workload.clone();
        match workload.mode {
            Mode::Both => self.produce(&topic, workload.consumers),
            Mode::Produce => {
                let produced = self.produce(&topic, 0);
                // What the agents that are left have sent is still judged.
                if workload.verify == Verify::Off || !matches!(produced, Ok(()) | Err(Error::AgentLost { .. })) {
                    return produced;
                }
                let read = self.read_back(&topic);
                produced.and(read)
            }
            Mode::Consume => {
                self.prefill(&topic)?;
                self.consume(&topic)
            }
            Mode::Drain => {
                self.prefill(&topic)?;
                self.produce(&topic, workload.consumers)
            }
        }
    }

    /// Warm-up, measured window and drain; with consumers, also their way to the end of the topic.
    fn produce(&mut self, topic: &Topic, consumers: u32) -> Result<(), Error> {
        let workload = &self.evidence.workload;
        let (warmup, duration, verify) = (workload.warmup, workload.duration, workload.verify);
        let producers = workload.producers_in_all() - workload.producers..workload.producers_in_all();
        let (crew, collector) = self.connect(workload.clone(), topic, producers, u64::MAX, consumers)?;
        let start_ns = self.clock.now_ns() + crew.start_delay_ns();
        let measure_ns = start_ns + warmup.as_nanos() as u64;
        let timeline = Timeline { start_ns, measure_ns, end_ns: measure_ns + duration.as_nanos() as u64 };
        self.begin(timeline, collector);
        self.disturber = Disturber::new(&self.evidence.workload, timeline);
        let mut crew = crew.start(timeline)?;
        let outcome = self.see_through(&mut crew, timeline, topic, consumers > 0, verify);
        self.evidence.faults = self.disturber.finish(&self.control.signals);
        self.evidence.reports.absorb(crew.into_reports());
        self.settle_collector();
        outcome
    }

    fn see_through(
        &mut self,
        crew: &mut WorkingClients,
        timeline: Timeline,
        topic: &Topic,
        consumed: bool,
        verify: Verify,
    ) -> Result<(), Error> {
        let planned = Duration::from_nanos(timeline.end_ns - timeline.start_ns);
        self.watch("the load", planned + DRAIN_TIMEOUT, || crew.producers_have_ended())?;
        let produced = Instant::now();
        if !consumed {
            return Ok(());
        }
        let targets = if verify == Verify::Full { self.end_offsets(topic)? } else { Vec::new() };
        crew.set_targets(targets);
        let workload = &self.evidence.workload;
        let backlog = self.evidence.backlog_records * u64::from(workload.groups) * workload.payload_bytes();
        let limit = bulk_limit(backlog) + planned * 4;
        self.watch("reading up to the end", limit, || crew.consumers_have_ended())?;
        self.evidence.drain = Some(produced.elapsed());
        self.evidence.verified = verify == Verify::Full;
        Ok(())
    }

    /// Reads the whole topic after a run that only produced.
    fn read_back(&mut self, topic: &Topic) -> Result<(), Error> {
        self.progress.say("reading everything back to verify it");
        let workload = self.evidence.workload.clone();
        let readers = workload.producers.max(1);
        let (crew, _) = self.connect(workload, topic, 0..0, 0, readers)?;
        let targets = self.end_offsets(topic)?;
        let records: i64 = targets.iter().sum();
        let limit = bulk_limit(records as u64 * self.evidence.workload.payload_bytes());
        // Nothing of this is measured: the window closed long ago.
        let mut crew = crew.start(Timeline { start_ns: 0, measure_ns: 0, end_ns: 1 })?;
        crew.set_targets(targets);
        let outcome = self.watch_quietly("reading everything back", limit, || crew.consumers_have_ended());
        self.evidence.reports.absorb(crew.into_reports());
        self.evidence.verified = outcome.is_ok();
        outcome
    }

    /// Fills the topic as fast as it goes.
    fn prefill(&mut self, topic: &Topic) -> Result<(), Error> {
        let workload = self.evidence.workload.in_closed_loop();
        let records = workload.prefill_bytes.div_ceil(workload.payload_bytes());
        let share = records.div_ceil(u64::from(workload.producers));
        let limit = bulk_limit(workload.prefill_bytes);
        self.progress.say(&format!("filling the topic with {records} records"));
        let producers = 0..workload.producers;
        let (crew, _collector) = self.connect(workload, topic, producers, share, 0)?;
        let start_ns = self.clock.now_ns();
        let end_ns = start_ns + limit.as_nanos() as u64;
        let mut crew = crew.start(Timeline { start_ns, measure_ns: start_ns, end_ns })?;
        let outcome = self.watch_quietly("filling the topic", limit, || crew.producers_have_ended());
        self.evidence.backlog_records = records;
        self.evidence.reports.absorb(crew.into_reports());
        outcome
    }

    /// Consumes a filled topic against the clock.
    fn consume(&mut self, topic: &Topic) -> Result<(), Error> {
        let workload = &self.evidence.workload;
        let limit = bulk_limit(workload.prefill_bytes.saturating_mul(u64::from(workload.groups)));
        let duration = workload.duration;
        if workload.cold {
            crate::host::drop_page_cache()?;
        }
        let (crew, collector) = self.connect(workload.clone(), topic, 0..0, 0, workload.consumers)?;
        let targets = self.end_offsets(topic)?;
        let start_ns = self.clock.now_ns();
        let end_ns = start_ns + duration.as_nanos() as u64;
        let timeline = Timeline { start_ns, measure_ns: start_ns, end_ns };
        self.begin(timeline, collector);
        let mut crew = crew.start(timeline)?;
        crew.set_targets(targets);
        let outcome = self.watch("consuming the topic", duration + limit, || crew.consumers_have_ended());
        let reports = crew.into_reports();
        self.evidence.consumed_all_ns = reports.finished_ns;
        self.evidence.reports.absorb(reports);
        self.settle_collector();
        self.evidence.verified = outcome.is_ok();
        outcome
    }

    fn connect(
        &mut self,
        workload: Workload,
        topic: &Topic,
        producers: Range<u32>,
        records_max: u64,
        consumers: u32,
    ) -> Result<(Clients, Collector), Error> {
        let readers = readers(&workload, topic.leaders.len() as u32, consumers);
        let roles = Roles {
            workload,
            topic: topic.clone(),
            run: self.evidence.run,
            producers,
            records_max,
            readers,
            expected_runs: vec![self.evidence.run],
            journal: self.verification.as_ref().and_then(Verification::sender),
            start_offsets: self.start_offsets.clone(),
        };
        let (mut crew, collector) = Clients::connect(roles, self.clock, self.agents.as_ref())?;
        self.control = crew.control();
        self.join_groups(&mut crew, consumers)?;
        Ok((crew, collector))
    }

    fn begin(&mut self, timeline: Timeline, collector: Collector) {
        self.next_look_ns = timeline.start_ns;
        if let Some(agents) = &self.agents {
            agents.borrow_mut().measure(timeline.measure_ns, timeline.end_ns);
        }
        self.evidence.timeline = Some(timeline);
        self.evidence.collector = Some(collector);
    }

    /// Collects, samples and shows while a phase goes on, until it has ended or its time is over.
    fn watch(
        &mut self,
        phase: &'static str,
        limit: Duration,
        mut ended: impl FnMut() -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let looked = Instant::now();
            let pause = self.pause();
            if let Some(collector) = &mut self.evidence.collector {
                collector.collect(pause);
            }
            let now_ns = self.clock.now_ns();
            self.disturb(now_ns)?;
            if now_ns >= self.next_look_ns {
                self.next_look_ns = now_ns - (now_ns - self.next_look_ns) % SECOND_NS + SECOND_NS;
                let elsewhere = self.usage_elsewhere();
                if let Some(usage) = &mut self.evidence.usage {
                    usage.sample(&elsewhere, now_ns);
                }
                self.show(now_ns);
            }
            if ended()? {
                return Ok(());
            }
            self.check(phase, began, limit)?;
            std::thread::sleep(pause.saturating_sub(looked.elapsed()));
        }
    }

    /// Waits for a phase that is not measured.
    fn watch_quietly(
        &self,
        phase: &'static str,
        limit: Duration,
        mut ended: impl FnMut() -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let began = Instant::now();
        while !ended()? {
            self.check(phase, began, limit)?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// What the threads handed over at their end.
    fn settle_collector(&mut self) {
        while self.evidence.collector.as_mut().is_some_and(Collector::has_arrivals) {}
    }

    fn usage_elsewhere(&self) -> UsageElsewhere {
        self.agents.as_ref().map(|agents| agents.borrow().usage()).unwrap_or_default()
    }

    fn check(&self, phase: &'static str, began: Instant, limit: Duration) -> Result<(), Error> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if self.verification.as_ref().is_some_and(Verification::has_failed) {
            return Err(Error::Ledger("cannot be written any more".into()));
        }
        if began.elapsed() > limit { Err(Error::Deadline { phase, limit }) } else { Ok(()) }
    }

    fn show(&mut self, now_ns: u64) {
        let faults = self.control.faults.load(Ordering::Relaxed);
        if let Some(snapshot) = self.evidence.snapshot(now_ns, faults) {
            self.progress.show(&snapshot);
        }
    }
}
