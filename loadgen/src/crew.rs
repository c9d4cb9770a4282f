//! The threads of one phase: dealt out over the cores, started together, waited for with a deadline, never for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::cluster::Topic;
use crate::collector::Collector;
use crate::consumer::{Assignment, ConsumerSettings, Reader};
use crate::error::{Error, local};
use crate::group::{Group, GroupReport};
use crate::integrity::PartitionSeen;
use crate::keys::KeyRule;
use crate::ledger::AckedRange;
use crate::producer::{ProducerReport, ProducerSettings};
use crate::timeline::Timeline;
use crate::worker::{ConsumerReport, ConsumerThread, Control, Outcome, ProducerThread};
use crate::workload::Workload;

/// A thread looks at its orders twenty times a second.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Kafka's brokers wait three seconds for company before they make a group's first generation.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long each thread's groups are looked after in turn, while they are joined.
const JOIN_LOOK: Duration = Duration::from_millis(2);

/// The clients of a phase, connected.
pub struct Crew {
    control: Arc<Control>,
    producers: Vec<ProducerThread>,
    consumers: Vec<ConsumerThread>,
    groups: Vec<Arc<Group>>,
}

/// Who takes part in a phase.
#[derive(Debug, Clone)]
pub struct Roles {
    /// The load.
    pub workload: Workload,
    /// What it goes to.
    pub topic: Topic,
    /// Tag of this run's records.
    pub run: u32,
    /// Producer clients of this phase, by index. A later phase has other indices, since each counts its own records.
    pub producers: Range<u32>,
    /// Records that each of them may send.
    pub records_max: u64,
    /// Consumer clients of this phase.
    pub readers: Vec<Assignment>,
    /// Tags of the runs whose records they expect.
    pub expected_runs: Vec<u32>,
    /// Who writes acknowledgements down, if anybody does.
    pub journal: Option<SyncSender<AckedRange>>,
    /// Where they begin to read, by partition; 0 where nothing is said.
    pub start_offsets: Vec<i64>,
}

impl Crew {
    /// Connects everybody.
    pub fn connect(roles: Roles, clock: Clock) -> Result<(Self, Collector), Error> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let hands = roles.producers.len().min(cores);
        let producers = deal(roles.producers, hands);
        let readers = roles.readers.len();
        let consumers = deal(roles.readers, readers.min(cores));
        let (collector, mut outlets) = Collector::new(producers.len() + consumers.len());
        let mut outlet = || outlets.pop().expect("one for each thread");
        let control: Arc<Control> = Arc::default();
        let settings = Arc::new(ProducerSettings {
            workload: roles.workload.clone(),
            signals: control.signals.clone(),
            journal: roles.journal,
            topic: roles.topic.clone(),
            run: roles.run,
            clock,
            filler: roles.workload.filler_pool().filter(|_| !producers.is_empty()).map(Arc::new),
            raw: roles.workload.raw_layout().filter(|_| !producers.is_empty()).map(Arc::new),
        });
        let producers = producers
            .iter()
            .map(|indices| ProducerThread::open(indices, &settings, outlet(), roles.records_max))
            .collect::<Result<_, _>>()?;
        // What earlier runs wrote may have had other keys.
        let is_own = roles.expected_runs == [roles.run];
        let mut settings = ConsumerSettings {
            topic: roles.topic,
            runs: roles.expected_runs,
            start_offsets: roles.start_offsets,
            producers: roles.workload.producers_in_all(),
            keys: if is_own { roles.workload.records.key_rule() } else { KeyRule::Any },
            verify: roles.workload.verify,
            isolation: roles.workload.isolation,
            survives_losses: roles.workload.survives_losses(),
            groups: Vec::new(),
            group_settings: roles.workload.group,
            signals: control.signals.clone(),
            clock,
        };
        settings.groups = groups(&settings, roles.workload.groups);
        let settings = Arc::new(settings);
        let consumers = consumers
            .iter()
            .map(|assignments| ConsumerThread::open(assignments, &settings, outlet()))
            .collect::<Result<_, _>>()?;
        Ok((Self { control, producers, consumers, groups: settings.groups.clone() }, collector))
    }

    /// Waits until all members of groups have their partitions.
    pub fn join_groups(&mut self, interrupted: &AtomicBool) -> Result<(), Error> {
        let deadline = Instant::now() + JOIN_TIMEOUT;
        let mut all_joined = self.groups.is_empty();
        while !all_joined {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if Instant::now() > deadline {
                return Err(Error::Deadline { phase: "joining the consumer groups", limit: JOIN_TIMEOUT });
            }
            all_joined = true;
            for thread in &mut self.consumers {
                all_joined &= thread.join(JOIN_LOOK)?;
            }
        }
        Ok(())
    }

    /// What its threads are told and tell while they work.
    pub fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Starts everybody.
    pub fn start(self, timeline: Timeline) -> Result<WorkingCrew, Error> {
        let Self { control, producers, consumers, groups } = self;
        for group in &groups {
            group.begin(timeline);
        }
        let (no_producers, no_consumers) = (Vec::new(), Vec::new());
        let reports = Reports::default();
        let mut crew = WorkingCrew { control, producers: no_producers, consumers: no_consumers, groups, reports };
        for (number, producer) in producers.into_iter().enumerate() {
            let control = crew.control.clone();
            crew.producers.push(spawn(format!("producer-{number}"), move || producer.run(timeline, &control))?);
        }
        for (number, consumer) in consumers.into_iter().enumerate() {
            let control = crew.control.clone();
            crew.consumers.push(spawn(format!("consumer-{number}"), move || consumer.run(timeline, &control))?);
        }
        Ok(crew)
    }
}

/// The clients of a phase, at work. Dropping it tells them to stop.
#[derive(Debug)]
pub struct WorkingCrew {
    control: Arc<Control>,
    producers: Vec<JoinHandle<Outcome<Vec<ProducerReport>>>>,
    consumers: Vec<JoinHandle<Outcome<ConsumerReport>>>,
    groups: Vec<Arc<Group>>,
    reports: Reports,
}

/// What the clients knew when they ended.
#[derive(Debug, Default)]
pub struct Reports {
    /// By producer client.
    pub producers: BTreeMap<u32, ProducerReport>,
    /// What was read, by group and partition.
    pub seen: BTreeMap<Reader, PartitionSeen>,
    /// When the last consumer had read all it should.
    pub finished_ns: Option<u64>,
    /// What groups at the broker went through.
    pub groups: Vec<GroupReport>,
    /// Producer clients whose account went away with their agent.
    pub lost_producers: BTreeSet<u32>,
    /// After the loss of an agent, the other agents' consumers read up to the end of their partitions.
    pub read_after_loss: bool,
}

impl Reports {
    /// Batches that were refused for now and sent again, by Kafka's error code.
    pub fn retried_batches(&self) -> BTreeMap<i16, u64> {
        let mut sum = BTreeMap::new();
        for (&code, batches) in self.producers.values().flat_map(|report| &report.retried) {
            *sum.entry(code).or_default() += batches;
        }
        sum
    }

    /// Adds what another phase found out.
    pub fn absorb(&mut self, other: Self) {
        self.producers.extend(other.producers);
        self.seen.extend(other.seen);
        self.finished_ns = self.finished_ns.max(other.finished_ns);
        self.groups.extend(other.groups);
        self.lost_producers.extend(other.lost_producers);
        self.read_after_loss |= other.read_after_loss;
    }

    /// Takes producers without an account out of what was read.
    pub fn forget_lost_producers(&mut self) {
        for seen in self.seen.values_mut() {
            self.lost_producers.iter().for_each(|&producer| seen.forget_producer(producer));
        }
    }
}

impl WorkingCrew {
    /// Takes in who has ended; whether all producers have. The first error is everybody's.
    pub fn producers_have_ended(&mut self) -> Result<bool, Error> {
        for ended in self.producers.extract_if(.., |thread| thread.is_finished()) {
            let (reports, outcome) = ended.join().map_err(|_| Error::Panicked("producer"))?;
            self.reports.producers.extend(reports.into_iter().map(|report| (report.index, report)));
            outcome?;
        }
        Ok(self.producers.is_empty())
    }

    /// The same for consumers, which end once they have targets.
    pub fn consumers_have_ended(&mut self) -> Result<bool, Error> {
        for ended in self.consumers.extract_if(.., |thread| thread.is_finished()) {
            let (report, outcome) = ended.join().map_err(|_| Error::Panicked("consumer"))?;
            self.reports.seen.extend(report.seen);
            self.reports.finished_ns = self.reports.finished_ns.max(Some(report.finished_ns));
            outcome?;
        }
        Ok(self.consumers.is_empty())
    }

    /// Consumers end when they have read up to these offsets, one for each partition; without any, at once.
    pub fn set_targets(&self, targets: Vec<i64>) {
        // Targets are set once in a phase; a second setting would change nothing.
        let _ = self.control.targets.set(targets);
    }

    /// What everybody knows. Who still works is told to stop and gets a moment for it.
    pub fn into_reports(mut self) -> Reports {
        self.control.abort.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + STOP_TIMEOUT;
        // Errors of those who were told to stop say nothing new.
        while !(self.producers_have_ended().unwrap_or(false) && self.consumers_have_ended().unwrap_or(false))
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(1));
        }
        self.reports.seen.extend(self.groups.iter().flat_map(|group| group.seen()));
        self.reports.groups.extend(self.groups.iter().map(|group| group.report()));
        std::mem::take(&mut self.reports)
    }
}

impl Drop for WorkingCrew {
    fn drop(&mut self) {
        self.control.abort.store(true, Ordering::Relaxed);
    }
}

fn spawn<T: Send + 'static>(name: String, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Error> {
    thread::Builder::new().name(name).spawn(work).map_err(local("cannot start a thread"))
}

/// The groups that consumers join at the broker; none where partitions are dealt out.
fn groups(settings: &ConsumerSettings, groups: u32) -> Vec<Arc<Group>> {
    if settings.group_settings.is_none() {
        return Vec::new();
    }
    let partitions = settings.topic.leaders.len() as u32;
    let books = || (0..partitions).map(|partition| settings.new_book(partition)).collect();
    (0..groups).map(|number| Group::new(number, group_name(&settings.topic.name, number), books())).collect()
}

/// The name of a group at the broker: that of its topic, and so one of ours.
pub fn group_name(topic: &str, number: u32) -> String {
    format!("{topic}-group-{number}")
}

/// The consumers of a load. What members of groups at the broker read, it says.
pub fn readers(workload: &Workload, partitions: u32, consumers: u32) -> Vec<Assignment> {
    if workload.group.is_none() {
        return assignments(partitions, consumers, workload.groups);
    }
    let of_group = |group| (0..consumers).map(move |_| Assignment { group, partitions: Vec::new() });
    (0..workload.groups).flat_map(of_group).collect()
}

/// In each group, the partitions are shared by the consumers; those without any stay away.
pub fn assignments(partitions: u32, consumers: u32, groups: u32) -> Vec<Assignment> {
    let of_group = |group| {
        let shares = deal(0..partitions, consumers.min(partitions) as usize);
        shares.into_iter().map(move |partitions| Assignment { group, partitions })
    };
    (0..groups).flat_map(of_group).collect()
}

/// Deals cards to `hands` players in turn.
fn deal<T>(cards: impl IntoIterator<Item = T>, hands: usize) -> Vec<Vec<T>> {
    let mut dealt: Vec<Vec<T>> = (0..hands).map(|_| Vec::new()).collect();
    for (number, card) in cards.into_iter().enumerate() {
        if hands > 0 {
            dealt[number % hands].push(card);
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_reads_every_partition_once() {
        let dealt = assignments(3, 2, 2);
        let of = |group| dealt.iter().filter(move |one| one.group == group).map(|one| one.partitions.clone());
        for group in 0..2 {
            assert_eq!(of(group).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
        }
        assert_eq!((assignments(2, 5, 1).len(), assignments(2, 0, 3).len()), (2, 0));
    }

    #[test]
    fn work_is_dealt_evenly_and_nothing_is_left_over() {
        assert_eq!(deal(0..5, 2), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(deal(0..2, 1), [vec![0, 1]]);
        assert!(deal(0..3, 0).is_empty());
    }
}
