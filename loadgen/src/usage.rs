//! What broker, load generator and machine used, once a second, and what that is over the measured window.

use std::time::Duration;

use crate::agent::UsageElsewhere;
use crate::host::{ProcessReading, ProcessSampler, SystemReading};
use crate::progress::ProcessUse;
use crate::result::{ProcessResources, Resources};

/// Looks at the processes of a run.
#[derive(Debug)]
pub struct UsageMeter {
    broker: Option<ProcessSampler>,
    /// What earlier processes of the broker had used when they ended.
    carried: ProcessReading,
    loadgen: Option<ProcessSampler>,
    idle: Usage,
    samples: Vec<Usage>,
}

/// One look.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// When, on the run's clock.
    pub at_ns: u64,
    /// The broker; absent when its process is out of reach.
    pub broker: Option<ProcessReading>,
    /// This process, and the agents that work for it.
    pub loadgen: Option<ProcessReading>,
    /// The machine.
    pub system: SystemReading,
}

impl UsageMeter {
    /// A meter of a broker process on this machine, if there is one, taking the idle look now. A broker that is measured here is not
    /// taken from elsewhere.
    pub fn new(broker_pid: Option<u32>, elsewhere: &UsageElsewhere, now_ns: u64) -> Self {
        let broker = broker_pid.and_then(ProcessSampler::of_pid);
        let loadgen = ProcessSampler::of_self();
        let idle = look(broker.as_ref(), loadgen.as_ref(), elsewhere, now_ns);
        Self { broker, carried: ProcessReading::default(), loadgen, idle, samples: Vec::new() }
    }

    /// Takes a look.
    pub fn sample(&mut self, elsewhere: &UsageElsewhere, now_ns: u64) {
        let mut usage = look(self.broker.as_ref(), self.loadgen.as_ref(), elsewhere, now_ns);
        if let Some(broker) = &mut usage.broker {
            broker.cpu_user += self.carried.cpu_user;
            broker.cpu_system += self.carried.cpu_system;
            broker.disk = broker.disk.map(|disk| disk.plus(&self.carried.disk.unwrap_or_default()));
        }
        self.samples.push(usage);
    }

    /// The broker was started again as another process: its use is added to that of the one before.
    pub fn follow(&mut self, pid: u32) {
        self.broker = ProcessSampler::of_pid(pid);
        self.carried = self.samples.iter().rev().find_map(|usage| usage.broker).unwrap_or(self.carried);
    }

    /// The looks in order.
    pub fn samples(&self) -> &[Usage] {
        &self.samples
    }

    /// What broker and load generator used between the last two looks.
    pub fn last_second(&self) -> (Option<ProcessUse>, Option<ProcessUse>) {
        let (last, before) = match self.samples.as_slice() {
            [.., before, last] => (last, before),
            [last] => (last, &self.idle),
            [] => return (None, None),
        };
        let secs = last.at_ns.saturating_sub(before.at_ns) as f64 / 1e9;
        let process = |of: fn(&Usage) -> Option<ProcessReading>| {
            let (now, earlier) = (of(last)?, of(before)?);
            let cpu_cores = now.cpu().saturating_sub(earlier.cpu()).as_secs_f64() / secs.max(1e-3);
            Some(ProcessUse { cpu_cores, rss_bytes: now.rss_bytes })
        };
        (process(|usage| usage.broker), process(|usage| usage.loadgen))
    }

    /// What was used between two moments, for so many records with so many bytes of payload.
    pub fn between(&self, from_ns: u64, to_ns: u64, records: u64, payload_bytes: u64) -> Resources {
        let first = self.samples.iter().rev().find(|usage| usage.at_ns <= from_ns).unwrap_or(&self.idle);
        let last = self.samples.iter().find(|usage| usage.at_ns >= to_ns).or(self.samples.last());
        let Some(last) = last else { return Resources::default() };
        let within = || self.samples.iter().filter(|usage| (from_ns..=to_ns).contains(&usage.at_ns));
        let process = |of: fn(&Usage) -> Option<ProcessReading>| {
            let (before, after) = (of(first)?, of(last)?);
            let used = |now: Duration, earlier: Duration| now.saturating_sub(earlier).as_secs_f64();
            let cpu_user_secs = used(after.cpu_user, before.cpu_user);
            let cpu_system_secs = used(after.cpu_system, before.cpu_system);
            let cpu_secs = cpu_user_secs + cpu_system_secs;
            Some(ProcessResources {
                cpu_user_secs,
                cpu_system_secs,
                cpu_s_per_gb: (payload_bytes > 0).then(|| cpu_secs / (payload_bytes as f64 / 1e9)),
                cpu_us_per_record: (records > 0).then(|| cpu_secs * 1e6 / records as f64),
                disk_read_bytes: None,
                disk_written_bytes: None,
                rss_idle_bytes: of(&self.idle).map(|idle| idle.rss_bytes),
                rss_max_bytes: within().filter_map(of).map(|reading| reading.rss_bytes).max(),
            })
        };
        let mut broker = process(|usage| usage.broker);
        let disk = |usage: &Usage| usage.broker.and_then(|broker| broker.disk);
        if let Some((broker, (before, after))) = broker.as_mut().zip(disk(first).zip(disk(last))) {
            let moved = after.since(&before);
            (broker.disk_read_bytes, broker.disk_written_bytes) = (Some(moved.read), Some(moved.written));
        }
        Resources {
            broker,
            loadgen: process(|usage| usage.loadgen),
            host: Some(last.system.pressure_since(&first.system)),
            agents: Vec::new(),
        }
    }
}

fn look(
    broker: Option<&ProcessSampler>,
    loadgen: Option<&ProcessSampler>,
    elsewhere: &UsageElsewhere,
    at_ns: u64,
) -> Usage {
    Usage {
        at_ns,
        broker: broker.map_or(elsewhere.broker, ProcessSampler::read),
        loadgen: loadgen.and_then(ProcessSampler::read).map(|reading| reading.plus(&elsewhere.loadgen)),
        system: SystemReading::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows_between_two_looks() {
        let mut meter = UsageMeter::new(Some(std::process::id()), &UsageElsewhere::default(), 1);
        meter.sample(&UsageElsewhere::default(), 10);
        let before = meter.samples()[0].loadgen.expect("our own process").cpu();
        let mut sum = 0_u64;
        while ProcessSampler::of_self().and_then(|me| me.read()).is_some_and(|now| now.cpu() == before) {
            sum = std::hint::black_box((0..1_000_000_u64).fold(sum, u64::wrapping_add));
        }
        meter.sample(&UsageElsewhere::default(), 20);
        let used = meter.between(10, 20, 1_000_000, 1_000_000_000);
        let broker = used.broker.expect("we are our own broker here");
        assert!(broker.cpu_secs() > 0.0 && broker.cpu_s_per_gb.is_some_and(|cost| cost > 0.0));
        assert_eq!(broker.cpu_us_per_record, broker.cpu_s_per_gb, "of records of 1,000 B");
        assert_eq!(broker.disk_read_bytes.is_some(), meter.samples()[0].loadgen.is_some_and(|me| me.disk.is_some()));
        assert!(broker.rss_max_bytes.is_some_and(|bytes| bytes > 0));
    }
}
