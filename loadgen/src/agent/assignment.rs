//! An agent's part of a phase: which clients it has, and what it must know to play them. All times are on the coordinator's clock.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::Topic;
use crate::consumer;
use crate::crew::Roles;
use crate::workload::{BATCH_BYTES_MAX, CONSUMERS_MAX, ClientMode, Workload};

/// The options allow so many of each.
const CLIENTS_MAX: usize = 1_000;
const PARTITIONS_MAX: usize = 10_000;
/// No load waits or lasts longer; a clock that is added to must not overflow.
const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

/// One agent's part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Where the run's clock begins, on the coordinator's monotonic clock.
    pub clock_origin_ns: i64,
    /// The whole load; each producer takes its share of the rate.
    pub workload: Workload,
    /// What it goes to.
    pub topic: Topic,
    /// Tag of the run's records.
    pub run: u32,
    /// Producer clients at this agent, by index.
    pub producers: Range<u32>,
    /// Records that each of them may send.
    pub records_max: u64,
    /// Consumer clients at this agent.
    pub readers: Vec<consumer::Assignment>,
    /// Tags of the runs whose records they expect.
    pub expected_runs: Vec<u32>,
    /// Where they begin to read, by partition; 0 where nothing is said.
    pub start_offsets: Vec<i64>,
}

impl Assignment {
    /// Deals a phase to so many agents: producers from the first one on, consumers from the last one on.
    pub fn deal(roles: &Roles, clock_origin_ns: i64, agents: usize) -> Vec<Self> {
        let producers = roles.producers.clone();
        let readers = roles.readers.len();
        let part = |agent: usize| {
            let (from, to) = slice(producers.len(), agents, agent);
            let (first, last) = slice(readers, agents, agents - 1 - agent);
            Self {
                clock_origin_ns,
                workload: roles.workload.clone(),
                topic: roles.topic.clone(),
                run: roles.run,
                producers: producers.start + from as u32..producers.start + to as u32,
                records_max: roles.records_max,
                readers: roles.readers[first..last].to_vec(),
                expected_runs: roles.expected_runs.clone(),
                start_offsets: roles.start_offsets.clone(),
            }
        };
        (0..agents).map(part).collect()
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.readers.is_empty()
    }

    /// Holds what came over the wire against the bounds that options have.
    pub fn check(&self) -> Result<(), String> {
        let (workload, topic) = (&self.workload, &self.topic);
        if !(1..=CLIENTS_MAX as u32).contains(&workload.producers) {
            return Err("the producers are too many".into());
        }
        if workload.batch_bytes as u64 > BATCH_BYTES_MAX {
            return Err("the batches are too large".into());
        }
        let shape = workload.arrivals.check().and_then(|()| workload.records.check(workload.batch_bytes as u64));
        shape.map_err(|error| format!("its load cannot be: {error}"))?;
        let is_mean = workload.record_bytes == workload.records.sizes.mean_bytes().round() as usize;
        let encodes = workload.client_mode == ClientMode::Modelled || workload.records.what_raw_cannot().is_none();
        let groups = 1..=CONSUMERS_MAX;
        let mut waits = [workload.linger, workload.warmup, workload.duration].into_iter();
        let mut readers = self.readers.iter();
        let mut partitions = self.readers.iter().flat_map(|reader| &reader.partitions);
        let rules = [
            (is_mean, "the size of records is not that of their shape"),
            (encodes, "such records cannot be encoded ahead"),
            (waits.all(|wait| wait <= WAIT_MAX), "a wait is longer than a year"),
            (groups.contains(&workload.groups), "the groups are too many"),
            (workload.transactions.is_none(), "transactions keep their account in one process"),
            (workload.group.is_none(), "a group's account is kept in one process"),
            (readers.all(|reader| reader.group < workload.groups), "a consumer has no such group"),
            ((1..=CLIENTS_MAX).contains(&workload.in_flight), "the requests in flight are out of bounds"),
            (self.producers.end <= workload.producers_in_all(), "a producer has no place in the load"),
            (self.readers.len() <= CONSUMERS_MAX as usize, "the consumers are too many"),
            ((1..=PARTITIONS_MAX).contains(&topic.leaders.len()), "the partitions are too many"),
            (topic.leaders.len() == workload.partitions as usize, "topic and load differ in their partitions"),
            (self.expected_runs == [self.run], "records of other runs are expected"),
            (topic.brokers.len() <= topic.leaders.len(), "there are more leaders than partitions"),
            (topic.leaders.iter().all(|&leader| leader < topic.brokers.len()), "a partition has no leader"),
            (partitions.all(|&one| (one as usize) < topic.leaders.len()), "a consumer has no such partition"),
        ];
        rules.iter().find(|rule| !rule.0).map_or(Ok(()), |rule| Err(rule.1.into()))
    }
}

/// The part of `whole` things that falls to one of `parts`: contiguous, the first ones one larger.
fn slice(whole: usize, parts: usize, part: usize) -> (usize, usize) {
    let (each, rest) = (whole / parts, whole % parts);
    let start = part * each + part.min(rest);
    (start, start + each + usize::from(part < rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crew::assignments;
    use crate::keys::KeySettings;
    use crate::sizes::SizeMixture;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        run: crate::options::RunOptions,
    }

    /// The roles of a run by its options, at a broker that is not there.
    pub(in crate::agent) fn roles(options: &str) -> Roles {
        let line = <Line as clap::Parser>::parse_from(format!("loadgen {options}").split_whitespace());
        let workload = Workload::from_options(&line.run.load).expect("consistent");
        let partitions = workload.partitions;
        let topic = Topic {
            name: "loadgen-test".into(),
            brokers: vec!["127.0.0.1:1".into()],
            leaders: vec![0; partitions as usize],
            versions: crate::client::Versions::default(),
            nodes: 1,
        };
        let readers = assignments(partitions, workload.consumers, workload.groups);
        Roles {
            producers: 0..workload.producers,
            readers,
            workload,
            topic,
            run: 1,
            records_max: 9,
            expected_runs: vec![1],
            journal: None,
            start_offsets: Vec::new(),
        }
    }

    #[test]
    fn every_client_and_every_partition_falls_to_one_agent() {
        for (producers, consumers, groups, agents) in
            [(5, 3, 1, 2), (1, 1, 1, 2), (3, 0, 1, 3), (7, 9, 1, 4), (2, 2, 3, 3)]
        {
            let line = format!("--producers {producers} --consumers {consumers} --groups {groups} --partitions 12");
            let roles = roles(&line);
            let parts = Assignment::deal(&roles, 5, agents);
            let indices: Vec<u32> = parts.iter().flat_map(|part| part.producers.clone()).collect();
            assert_eq!(indices, (0..producers).collect::<Vec<_>>());
            let all = if consumers == 0 { 0 } else { 12 };
            for group in 0..groups {
                let readers = parts.iter().flat_map(|part| &part.readers).filter(|reader| reader.group == group);
                let mut partitions: Vec<u32> = readers.flat_map(|reader| reader.partitions.clone()).collect();
                partitions.sort_unstable();
                assert_eq!(partitions, (0..all).collect::<Vec<_>>());
            }
            assert!(parts.iter().all(|part| part.check() == Ok(()) && !part.is_empty()), "{parts:?}");
        }
    }

    fn keys(key_space: u64, key_bytes: u32) -> KeySettings {
        KeySettings { key_space, key_bytes, zipf_exponent: None }
    }

    fn reader(group: u32, partition: u32) -> Vec<consumer::Assignment> {
        vec![consumer::Assignment { group, partitions: vec![partition] }]
    }

    #[test]
    fn a_part_that_no_option_allows_is_refused() {
        let good = &Assignment::deal(&roles(""), 5, 1)[0];
        let refuses = |change: fn(&mut Assignment)| {
            let mut part = good.clone();
            change(&mut part);
            part.check().is_err()
        };
        assert!(!refuses(|_| ()));
        assert!(refuses(|part| part.workload.record_bytes = 1));
        assert!(refuses(|part| part.workload.batch_bytes = usize::MAX));
        assert!(refuses(|part| part.workload.record_bytes = usize::MAX));
        assert!(refuses(|part| part.workload.records.sizes = SizeMixture::fixed(u64::MAX)));
        assert!(refuses(|part| part.workload.records.entropy = f64::NAN));
        assert!(refuses(|part| part.workload.arrivals.records_per_s = f64::NAN));
        assert!(refuses(|part| part.workload.arrivals.ramp_from_per_s = Some(0.0)));
        assert!(refuses(|part| part.workload.arrivals.bursts = Some((Duration::ZERO, Duration::ZERO))));
        assert!(!refuses(|part| part.workload.records.keys = Some(keys(10, 8))));
        assert!(refuses(|part| part.workload.records.keys = Some(keys(0, 8))));
        assert!(refuses(|part| part.workload.records.keys = Some(keys(10, u32::MAX))));
        assert!(refuses(|part| {
            part.workload.records.keys = Some(keys(10, 8));
            part.workload.client_mode = ClientMode::Raw;
        }));
        assert!(refuses(|part| part.workload.linger = Duration::MAX));
        assert!(refuses(|part| part.workload.warmup = Duration::MAX));
        assert!(refuses(|part| part.workload.duration = Duration::MAX));
        assert!(refuses(|part| part.workload.groups = u32::MAX));
        assert!(refuses(|part| {
            part.workload.transactions = roles("--transaction-records 5").workload.transactions;
        }));
        assert!(refuses(|part| {
            part.workload.group = roles("--group-protocol classic").workload.group;
        }));
        assert!(refuses(|part| part.workload.in_flight = 0));
        assert!(refuses(|part| part.workload.producers = u32::MAX / 2));
        assert!(refuses(|part| part.producers = 0..9));
        assert!(refuses(|part| part.topic.leaders = vec![7; 4]));
        assert!(refuses(|part| part.topic.leaders = Vec::new()));
        assert!(!refuses(|part| part.readers = reader(0, 3)));
        assert!(refuses(|part| part.readers = reader(0, 4)));
        assert!(refuses(|part| part.readers = reader(1, 3)));
    }
}
