//! The threads of a run: one epoll loop a core for producers, one for consumers, each with clients of its own.
//!
//! A thread never blocks on a socket and looks at `Control` at least ten times a second, so that every phase ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mio::{Events, Poll, Token};

use crate::clock::{Clock, Timer};
use crate::cluster::CALL_TIMEOUT;
use crate::consumer::{Assignment, Consumer, ConsumerSettings, Reader};
use crate::error::{Error, local};
use crate::integrity::PartitionSeen;
use crate::payload::PayloadWriter;
use crate::producer::{Producer, ProducerReport, ProducerSettings};
use crate::recorder::{Outlet, Recorder};
use crate::signals::Signals;
use crate::timeline::Timeline;

/// A thread wakes at least this often, to hand over its second and to look at `Control`.
const TICK: Duration = Duration::from_millis(50);

/// What main tells its threads.
#[derive(Debug, Default)]
pub struct Control {
    /// Give up at once.
    pub abort: AtomicBool,
    /// Consumers end when they have read up to these offsets.
    pub targets: OnceLock<Vec<i64>>,
    /// Faults that consumers have found so far, for the progress line.
    pub faults: AtomicU64,
    /// Between main and its clients.
    pub signals: Arc<Signals>,
}

impl Control {
    fn check(&self) -> Result<(), Error> {
        if self.abort.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The epoll of one thread with its timer.
struct Loop {
    poll: Poll,
    events: Events,
    timer: Timer,
    clock: Clock,
}

impl Loop {
    /// The timer gets the token behind those of `sockets`.
    fn new(clock: Clock, sockets: usize) -> Result<Self, Error> {
        let poll = Poll::new().map_err(local("epoll"))?;
        let timer = Timer::register(poll.registry(), Token(sockets)).map_err(local("timerfd"))?;
        Ok(Self { poll, events: Events::with_capacity(1_024), timer, clock })
    }

    /// Sleeps until something happens or `wake_ns`; the tokens of sockets that are ready are in `events`.
    fn wait(&mut self, wake_ns: u64) -> Result<(), Error> {
        let now_ns = self.clock.now_ns();
        let mut timeout = TICK;
        if wake_ns <= now_ns {
            timeout = Duration::ZERO;
        } else if wake_ns < now_ns + TICK.as_nanos() as u64 {
            self.timer.arm(&self.clock, wake_ns).map_err(local("timerfd"))?;
        }
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            other => other.map_err(local("epoll")),
        }
    }
}

/// What a thread knows at its end, and whether that came as planned.
pub type Outcome<T> = (T, Result<(), Error>);

/// A thread of producers.
pub struct ProducerThread {
    epoll: Loop,
    producers: Vec<Producer>,
    /// Sockets of each.
    sockets: usize,
    payload: PayloadWriter,
    outlet: Option<Outlet>,
    records_max: u64,
}

impl ProducerThread {
    /// Connects the producers of these indices. Each stops by itself after `records_max` records.
    pub fn open(
        indices: &[u32],
        settings: &Arc<ProducerSettings>,
        outlet: Outlet,
        records_max: u64,
    ) -> Result<Self, Error> {
        let sockets = Producer::sockets(settings);
        let epoll = Loop::new(settings.clock, indices.len() * sockets)?;
        let producers = indices
            .iter()
            .enumerate()
            .map(|(place, &index)| Producer::open(index, settings.clone(), epoll.poll.registry(), place * sockets));
        Ok(Self {
            producers: producers.collect::<Result<_, _>>()?,
            epoll,
            sockets,
            payload: PayloadWriter::with_entropy(
                settings.workload.value_bytes_max(),
                settings.workload.records.entropy,
                settings.workload.seed,
            ),
            outlet: Some(outlet),
            records_max,
        })
    }

    /// Produces through all phases; returns when everything sent is answered. What is known is told also on failure.
    pub fn run(mut self, timeline: Timeline, control: &Control) -> Outcome<Vec<ProducerReport>> {
        let mut recorder = Recorder::new(timeline, self.outlet.take().expect("a thread runs once"));
        let ended = self.work(timeline, control, &mut recorder);
        recorder.finish();
        if ended.is_err() {
            let now_ns = self.epoll.clock.now_ns().min(timeline.end_ns);
            self.producers.iter_mut().for_each(|producer| producer.close(now_ns));
        }
        let reports = self.producers.into_iter().map(|producer| producer.into_report(&ended)).collect();
        (reports, ended)
    }

    fn work(&mut self, timeline: Timeline, control: &Control, recorder: &mut Recorder) -> Result<(), Error> {
        let Self { epoll, producers, sockets, payload, records_max, .. } = self;
        let (sockets, records_max) = (*sockets, *records_max);
        let mut warming_up = true;
        for producer in producers.iter_mut() {
            producer.start(timeline.start_ns, records_max);
        }
        loop {
            control.check()?;
            let now_ns = epoll.clock.now_ns();
            recorder.roll(now_ns);
            producers.iter_mut().try_for_each(|producer| producer.recover(now_ns, epoll.poll.registry()))?;
            if warming_up && now_ns >= timeline.measure_ns {
                warming_up = false;
                for producer in producers.iter_mut() {
                    producer.restart(timeline.measure_ns);
                }
            }
            if now_ns >= timeline.end_ns {
                for producer in producers.iter_mut() {
                    // What became due while we slept towards the end still belongs to the window.
                    producer.fill(timeline.end_ns - 1, payload, recorder)?;
                    producer.close(timeline.end_ns);
                }
            }
            if producers.iter().all(Producer::is_idle) {
                return Ok(());
            }
            for producer in producers.iter_mut() {
                producer.fill(now_ns, payload, recorder)?;
                producer.tend(now_ns, epoll.poll.registry())?;
            }
            check_answers(
                "answering a produce request",
                now_ns,
                producers.iter().filter_map(Producer::oldest_sent_ns),
            )?;
            let next_phase_ns = if warming_up { timeline.measure_ns } else { timeline.end_ns };
            let wake_ns = producers.iter().map(Producer::next_wake_ns).min().unwrap_or(u64::MAX);
            epoll.wait(if now_ns < timeline.end_ns { wake_ns.min(next_phase_ns) } else { wake_ns })?;
            for event in &epoll.events {
                let Token(token) = event.token();
                let Some(producer) = producers.get_mut(token / sockets) else { continue };
                if producer.is_coordinator(token % sockets) {
                    producer.on_coordinator_ready(epoll.clock.now_ns(), epoll.poll.registry(), recorder)?;
                } else {
                    producer.on_ready(token % sockets, recorder)?;
                }
            }
        }
    }
}

/// A thread of consumers.
pub struct ConsumerThread {
    epoll: Loop,
    consumers: Vec<Consumer>,
    /// Sockets of each.
    sockets: usize,
    reached_ns: Option<u64>,
    outlet: Option<Outlet>,
}

/// What a thread of consumers read.
#[derive(Debug)]
pub struct ConsumerReport {
    /// By group and partition.
    pub seen: Vec<(Reader, PartitionSeen)>,
    /// When the last of its partitions was read up to its target.
    pub finished_ns: u64,
}

impl ConsumerThread {
    /// Connects one consumer for each assignment.
    pub fn open(assignments: &[Assignment], settings: &Arc<ConsumerSettings>, outlet: Outlet) -> Result<Self, Error> {
        let sockets = Consumer::sockets(settings);
        let epoll = Loop::new(settings.clock, assignments.len() * sockets)?;
        let consumers = assignments.iter().enumerate().map(|(place, assignment)| {
            Consumer::open(assignment, settings.clone(), epoll.poll.registry(), place * sockets)
        });
        let consumers = consumers.collect::<Result<_, _>>()?;
        Ok(Self { consumers, epoll, sockets, reached_ns: None, outlet: Some(outlet) })
    }

    /// Lets the consumers go on with joining their groups for a moment; whether all have their partitions.
    pub fn join(&mut self, moment: Duration) -> Result<bool, Error> {
        let Self { epoll, consumers, sockets, .. } = self;
        let now_ns = epoll.clock.now_ns();
        consumers.iter_mut().try_for_each(|consumer| consumer.tend(now_ns, epoll.poll.registry()))?;
        epoll.wait(now_ns + moment.as_nanos() as u64)?;
        for event in &epoll.events {
            let Token(token) = event.token();
            let consumer = consumers.get_mut(token / *sockets);
            if let Some(consumer) = consumer.filter(|consumer| consumer.is_coordinator(token % *sockets)) {
                consumer.on_coordinator_ready(epoll.clock.now_ns(), epoll.poll.registry())?;
            }
        }
        Ok(consumers.iter().all(Consumer::is_assigned))
    }

    /// Reads until main names targets and they are reached. What was read is told also on failure.
    pub fn run(mut self, timeline: Timeline, control: &Control) -> Outcome<ConsumerReport> {
        let mut recorder = Recorder::new(timeline, self.outlet.take().expect("a thread runs once"));
        let ended = self.work(control, &mut recorder);
        recorder.finish();
        let finished_ns = self.reached_ns.unwrap_or_else(|| self.epoll.clock.now_ns());
        let seen = self.consumers.into_iter().flat_map(Consumer::into_seen).collect();
        (ConsumerReport { seen, finished_ns }, ended)
    }

    fn work(&mut self, control: &Control, recorder: &mut Recorder) -> Result<(), Error> {
        loop {
            control.check()?;
            let Self { epoll, consumers, sockets, reached_ns, .. } = self;
            let (registry, now_ns) = (epoll.poll.registry(), epoll.clock.now_ns());
            recorder.roll(now_ns);
            consumers.iter_mut().try_for_each(|consumer| consumer.recover(now_ns, registry))?;
            consumers.iter_mut().try_for_each(|consumer| consumer.tend(now_ns, registry))?;
            if let Some(targets) = control.targets.get() {
                if consumers.iter().all(|one| one.has_reached(targets)) {
                    reached_ns.get_or_insert(now_ns);
                }
                let mut all_ended = true;
                for consumer in consumers.iter_mut() {
                    all_ended &= consumer.has_ended(targets);
                }
                if all_ended {
                    return Ok(());
                }
            }
            consumers.iter_mut().try_for_each(Consumer::poll)?;
            check_answers("answering a fetch", now_ns, consumers.iter().filter_map(Consumer::oldest_sent_ns))?;
            epoll.wait(u64::MAX)?;
            for event in &epoll.events {
                let Token(token) = event.token();
                let Some(consumer) = consumers.get_mut(token / *sockets) else { continue };
                if consumer.is_coordinator(token % *sockets) {
                    consumer.on_coordinator_ready(epoll.clock.now_ns(), epoll.poll.registry())?;
                    continue;
                }
                let faults = consumer.on_ready(token % *sockets, recorder)?;
                if faults > 0 {
                    control.faults.fetch_add(faults, Ordering::Relaxed);
                }
            }
        }
    }
}

fn check_answers(phase: &'static str, now_ns: u64, sent: impl Iterator<Item = u64>) -> Result<(), Error> {
    let limit = CALL_TIMEOUT;
    match sent.min() {
        Some(sent_ns) if now_ns.saturating_sub(sent_ns) > limit.as_nanos() as u64 => {
            Err(Error::Deadline { phase, limit })
        }
        _ => Ok(()),
    }
}
