//! What an agent tells of its machine: the broker's process where that is beside it, its own use, and how much others disturbed.

use std::net::{ToSocketAddrs, UdpSocket};

use crate::agent::message::{BrokerProcess, UsageReport};
use crate::host::{ProcessReading, ProcessSampler, SystemReading, listener};

/// Looks at processes and machine between two reports.
#[derive(Debug)]
pub struct Meter {
    own: Option<ProcessSampler>,
    /// An agent lives longer than a run, and earlier runs are not this one's.
    own_before: ProcessReading,
    broker: Option<ProcessSampler>,
    system: SystemReading,
}

impl Meter {
    /// Begins now.
    pub fn new(broker: Option<&BrokerProcess>) -> Self {
        let own = ProcessSampler::of_self();
        let own_before = own.as_ref().and_then(ProcessSampler::read).unwrap_or_default();
        let broker = broker.and_then(|process| ProcessSampler::of_pid(process.pid));
        Self { own, own_before, broker, system: SystemReading::now() }
    }

    /// What was used since the beginning, and the disturbance since the last look.
    pub fn look(&mut self) -> UsageReport {
        let system = SystemReading::now();
        let pressure = system.pressure_since(&self.system);
        self.system = system;
        let own = self.own.as_ref().and_then(ProcessSampler::read);
        UsageReport {
            agent: own.map(|reading| reading.since(&self.own_before)),
            broker: self.broker.as_ref().and_then(ProcessSampler::read),
            pressure,
        }
    }
}

/// The process on this host that takes connections to `address`.
pub fn broker_beside(address: &str) -> Option<BrokerProcess> {
    let pid = listener::local_pid(address).or_else(|| {
        // A listener on all addresses serves this one only if it is one of ours, and then also the loopback.
        let ours = address.to_socket_addrs().ok()?.find(|one| UdpSocket::bind((one.ip(), 0)).is_ok())?;
        listener::local_pid(&format!("127.0.0.1:{}", ours.port()))
    })?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(BrokerProcess { boot_id: boot_id.trim().to_owned(), pid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_of_another_host_is_not_looked_for_here() {
        // An address for documentation, which no host has.
        assert_eq!(broker_beside("192.0.2.1:9092"), None);
        assert_eq!(broker_beside("nowhere"), None);
    }

    #[test]
    fn what_was_used_before_the_coordinator_came_is_not_told() {
        let mut meter = Meter::new(None);
        let report = meter.look();
        assert!(report.agent.is_some_and(|reading| reading.cpu().as_secs() < 10 && reading.rss_bytes > 0));
        assert_eq!(report.broker, None);
    }
}
