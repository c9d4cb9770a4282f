//! A disturbance that is planned with the load: what, when, for how long.
//!
//! Moments count from the start of the measured window, so that a fault never falls into the warm-up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::quantity::parse_duration;

/// A request without an answer for 30 s ends the run, so a pause stays well below.
const PAUSE_MAX: Duration = Duration::from_secs(25);

/// Planned faults of a run; more are a mistake.
pub const FAULTS_MAX: usize = 1_000;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The broker's process stands still (SIGSTOP, then SIGCONT).
    Pause(Duration),
    /// The broker's process dies (SIGKILL), and is started again where we started it.
    Kill,
    /// Every connection of the clients is closed.
    Cut,
    /// Consumers ask for nothing.
    SlowConsumer(Duration),
}

/// One planned disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// What is done.
    pub kind: FaultKind,
    /// From the start of the measured window.
    pub at: Duration,
}

impl FaultKind {
    /// How long it is made to last; `None` for what has no length of its own.
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::Pause(length) | Self::SlowConsumer(length) => Some(length),
            Self::Kill | Self::Cut => None,
        }
    }

    /// As in the result file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause(_) => "pause",
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::SlowConsumer(_) => "slow-consumer",
        }
    }

    /// Whether the broker's process must be known and within reach.
    pub fn needs_process(self) -> bool {
        matches!(self, Self::Pause(_) | Self::Kill)
    }
}

impl FaultPlan {
    /// When it is over, as far as that is planned; from the start of the measured window.
    pub fn end(&self) -> Duration {
        self.at.saturating_add(self.kind.length().unwrap_or_default())
    }
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "a fault is pause@10s:200ms, kill@15s, cut@20s or slow-consumer@5s:10s";
        let (name, when) = text.trim().split_once('@').ok_or_else(|| format!("{text:?}: {form}"))?;
        let (at, length) = match when.split_once(':') {
            Some((at, length)) => (at, Some(parse_duration(length)?)),
            None => (when, None),
        };
        let kind = match (name, length) {
            ("pause", Some(length)) if length > PAUSE_MAX => {
                return Err(format!("a pause of more than {} s leaves requests unanswered", PAUSE_MAX.as_secs()));
            }
            (_, Some(length)) if length.is_zero() => return Err(format!("{text:?} lasts no time")),
            ("pause", Some(length)) => FaultKind::Pause(length),
            ("slow-consumer", Some(length)) => FaultKind::SlowConsumer(length),
            ("kill", None) => FaultKind::Kill,
            ("cut", None) => FaultKind::Cut,
            _ => return Err(format!("{text:?}: {form}")),
        };
        Ok(Self { kind, at: parse_duration(at)? })
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}s", self.kind.name(), self.at.as_secs_f64())?;
        match self.kind.length() {
            Some(length) => write!(f, ":{}s", length.as_secs_f64()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_as_it_is_written() {
        for text in ["pause@10s:0.2s", "kill@15s", "cut@20.5s", "slow-consumer@5s:10s"] {
            let plan: FaultPlan = text.parse().expect(text);
            assert_eq!(plan.to_string(), text);
        }
        let pause: FaultPlan = "pause@10s:200ms".parse().expect("a pause");
        assert_eq!(pause.end(), Duration::from_millis(10_200));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_forms_that_are() {
        for text in ["", "pause", "pause@10s", "kill@1s:2s", "explode@1s", "pause@1s:0s", "pause@1s:26s", "cut@soon"] {
            assert!(text.parse::<FaultPlan>().is_err(), "{text}");
        }
        assert!("explode@1s".parse::<FaultPlan>().is_err_and(|error| error.contains("kill@15s")));
    }
}
