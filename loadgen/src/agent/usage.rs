//! What an agent and its machine did in the measured window, from the reports that it sends all the time.

use crate::agent::message::UsageReport;
use crate::host::ProcessReading;
use crate::result::{AgentResources, HostPressure};

/// The reports of one agent.
#[derive(Debug, Default)]
pub struct AgentUsage {
    last: Option<UsageReport>,
    /// The first and the last reading within the window.
    window: Option<(ProcessReading, ProcessReading)>,
    steal: Mean,
    cpu_pressure: Mean,
    io_pressure: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn note(&mut self, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.sum += value.clamp(0.0, 1.0);
            self.count += 1;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl AgentUsage {
    /// Takes in a report, which is of the measured window or not.
    pub fn note(&mut self, report: UsageReport, is_measured: bool) {
        if is_measured {
            if let Some(reading) = report.agent {
                let first = self.window.map_or(reading, |window| window.0);
                self.window = Some((first, reading));
            }
            self.steal.note(report.pressure.steal_share);
            self.cpu_pressure.note(report.pressure.cpu_pressure_share);
            self.io_pressure.note(report.pressure.io_pressure_share);
        }
        self.last = Some(report);
    }

    /// The last report.
    pub fn last(&self) -> Option<&UsageReport> {
        self.last.as_ref()
    }

    /// The sum of the window.
    pub fn resources(&self, agent: &str, beside_broker: bool) -> AgentResources {
        let cpu_secs = self.window.map_or(0.0, |(first, last)| last.since(&first).cpu().as_secs_f64());
        AgentResources {
            agent: agent.into(),
            beside_broker,
            cpu_secs,
            host: HostPressure {
                steal_share: self.steal.value(),
                cpu_pressure_share: self.cpu_pressure.value(),
                io_pressure_share: self.io_pressure.value(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_the_measured_window_counts() {
        let report = |cpu_ms, steal| UsageReport {
            agent: Some(ProcessReading { cpu_user: Duration::from_millis(cpu_ms), ..ProcessReading::default() }),
            broker: None,
            pressure: HostPressure { steal_share: steal, ..HostPressure::default() },
        };
        let mut usage = AgentUsage::default();
        usage.note(report(500, Some(1.0)), false);
        usage.note(report(600, Some(0.1)), true);
        usage.note(report(800, Some(0.3)), true);
        usage.note(report(950, None), true);
        usage.note(report(5_000, Some(1.0)), false);
        let used = usage.resources("a:1", true);
        assert!((used.cpu_secs - 0.35).abs() < 1e-9);
        assert!(used.host.steal_share.is_some_and(|share| (share - 0.2).abs() < 1e-9));
        assert_eq!((used.host.io_pressure_share, used.beside_broker), (None, true));
    }
}
