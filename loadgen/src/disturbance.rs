//! Carries out the planned faults of a run, and sees how long it takes until all is as before.
//!
//! Main calls `act` at every look, and looks in time for what comes next, so a pause is as long as it was asked for to the
//! millisecond or so; what the result tells is measured.

use std::collections::VecDeque;

use rustix::process::{Pid, Signal, kill_process};

use crate::embedded::EmbeddedBroker;
use crate::error::Error;
use crate::fault::{FaultKind, FaultPlan};
use crate::host::listener;
use crate::result::FaultEvent;
use crate::signals::Signals;
use crate::started::StartedBroker;
use crate::timeline::Timeline;
use crate::workload::Workload;

/// A rate over less than this is mostly chance.
const RATE_WINDOW_NS: u64 = 100_000_000;

/// At low rates the window is as long as so many records take.
const RATE_WINDOW_RECORDS: f64 = 20.0;

/// This share of what is offered is called recovered.
const RECOVERED_SHARE: f64 = 0.9;

/// What can be done to the broker.
#[derive(Debug)]
pub struct Hands<'a> {
    /// The broker of the run, if it has one.
    pub embedded: Option<&'a mut EmbeddedBroker>,
    /// What `--start` started, if that was given.
    pub started: Option<&'a mut StartedBroker>,
    /// Where it is reached.
    pub bootstrap: &'a str,
    /// Its process.
    pub pid: &'a mut Option<u32>,
    /// Orders to the clients.
    pub signals: &'a Signals,
}

/// The faults of a run: those to come, the one that is on, those that were.
#[derive(Debug, Default)]
pub struct Disturber {
    timeline: Option<Timeline>,
    waiting: VecDeque<FaultPlan>,
    current: Option<Current>,
    events: Vec<FaultEvent>,
    records_per_s: f64,
}

#[derive(Debug)]
struct Current {
    plan: FaultPlan,
    began_ns: u64,
    stage: Stage,
    ended_ns: Option<u64>,
    recovered_ns: Option<u64>,
    /// What is called recovered.
    records_per_s: f64,
    /// When a window of the rate began, and the count at that moment.
    mark: (u64, u64),
}

#[derive(Debug)]
enum Stage {
    /// The process with this id stands still.
    Paused(Pid),
    /// Consumers rest.
    Resting,
    /// The broker was killed and is on its way back.
    Restarting,
    /// The clients are to recover.
    Over,
}

impl Disturber {
    /// The faults of `workload` in the measured window of `timeline`.
    pub fn new(workload: &Workload, timeline: Timeline) -> Self {
        Self {
            timeline: Some(timeline),
            waiting: workload.faults.iter().copied().collect(),
            records_per_s: workload.arrivals.records_per_s,
            ..Self::default()
        }
    }

    /// Refuses faults that nobody could carry out.
    pub fn check(workload: &Workload, pid: Option<u32>) -> Result<(), Error> {
        let Some(fault) = workload.faults.iter().find(|fault| fault.kind.needs_process()) else { return Ok(()) };
        match pid.map(process_id) {
            Some(Some(pid)) if pid != rustix::process::getpid() && !pid.is_init() => Ok(()),
            _ => Err(Error::Fault(format!(
                "{fault}: the broker's process is not known on this machine: give --broker-pid, or leave --bootstrap away"
            ))),
        }
    }

    /// When `act` is needed next.
    pub fn next_edge_ns(&self) -> Option<u64> {
        let end_ns = self.current.as_ref().and_then(Current::planned_end_ns);
        end_ns.or_else(|| self.waiting.front().and_then(|plan| self.begin_ns(plan)))
    }

    /// Does what is due.
    pub fn act(&mut self, now_ns: u64, hands: &mut Hands<'_>) -> Result<(), Error> {
        if let Some(current) = &mut self.current {
            current.go_on(now_ns, hands)?;
        }
        let due = self.waiting.front().and_then(|plan| self.begin_ns(plan)).is_some_and(|begin_ns| begin_ns <= now_ns);
        if due && let Some(plan) = self.waiting.pop_front() {
            self.conclude(hands.signals);
            let start_ns = self.timeline.map_or(now_ns, |timeline| timeline.start_ns);
            self.current = Some(Current::begin(plan, now_ns, self.expected_per_s(now_ns, start_ns, hands), hands)?);
        }
        Ok(())
    }

    /// Ends what is on, whatever its plan was, and tells all that was done.
    pub fn finish(&mut self, signals: &Signals) -> Vec<FaultEvent> {
        self.waiting.clear();
        self.conclude(signals);
        std::mem::take(&mut self.events)
    }

    fn begin_ns(&self, plan: &FaultPlan) -> Option<u64> {
        Some(self.timeline?.measure_ns + plan.at.as_nanos() as u64)
    }

    /// What is offered; in a closed loop, what came in the mean until now.
    fn expected_per_s(&self, now_ns: u64, start_ns: u64, hands: &Hands<'_>) -> f64 {
        if self.records_per_s > 0.0 {
            return self.records_per_s;
        }
        hands.signals.acked() as f64 / (now_ns.saturating_sub(start_ns).max(1) as f64 / 1e9)
    }

    fn conclude(&mut self, signals: &Signals) {
        let Some(current) = self.current.take() else { return };
        let since_begin = |at_ns: u64| at_ns.saturating_sub(current.began_ns) as f64 / 1e9;
        let start_ns = self.timeline.map_or(0, |timeline| timeline.start_ns);
        self.events.push(FaultEvent {
            t_secs: current.began_ns.saturating_sub(start_ns) as f64 / 1e9,
            kind: current.plan.kind.name().to_owned(),
            duration_secs: current.ended_ns.map(since_begin),
            recovery_secs: current.recovered_ns.map(since_begin),
            error_window_secs: signals.trouble_ns().filter(|&at_ns| at_ns >= current.began_ns).map(since_begin),
        });
    }
}

impl Current {
    fn begin(plan: FaultPlan, now_ns: u64, records_per_s: f64, hands: &mut Hands<'_>) -> Result<Self, Error> {
        let pid = hands.pid.and_then(process_id);
        let stage = match (plan.kind, pid) {
            (FaultKind::Pause(_), Some(pid)) => {
                signal(pid, Signal::STOP, plan)?;
                Stage::Paused(pid)
            }
            (FaultKind::Kill, Some(pid)) => {
                signal(pid, Signal::KILL, plan)?;
                begin_restart(hands)?
            }
            (FaultKind::Pause(_) | FaultKind::Kill, None) => {
                return Err(Error::Fault(format!("{plan}: the broker's process is not known any more")));
            }
            (FaultKind::Cut, _) => {
                hands.signals.cut();
                Stage::Over
            }
            (FaultKind::SlowConsumer(length), _) => {
                hands.signals.rest_until(now_ns + length.as_nanos() as u64);
                Stage::Resting
            }
        };
        let mut current = Self {
            plan,
            began_ns: now_ns,
            stage,
            ended_ns: None,
            recovered_ns: None,
            records_per_s,
            mark: (now_ns, 0),
        };
        current.mark = (now_ns, current.count(hands.signals));
        Ok(current)
    }

    fn planned_end_ns(&self) -> Option<u64> {
        let lasts = matches!(self.stage, Stage::Paused(_) | Stage::Resting);
        let length = self.plan.kind.length().filter(|_| lasts)?;
        Some(self.began_ns + length.as_nanos() as u64)
    }

    fn go_on(&mut self, now_ns: u64, hands: &mut Hands<'_>) -> Result<(), Error> {
        let is_over = match &self.stage {
            Stage::Over => {
                self.watch_rate(now_ns, hands.signals);
                return Ok(());
            }
            Stage::Restarting => is_back(hands)?,
            Stage::Paused(_) | Stage::Resting => self.planned_end_ns().is_some_and(|end_ns| end_ns <= now_ns),
        };
        if is_over {
            if let Stage::Paused(pid) = self.stage {
                signal(pid, Signal::CONT, self.plan)?;
            }
            self.stage = Stage::Over;
            self.ended_ns = Some(now_ns);
            self.mark = (now_ns, self.count(hands.signals));
        }
        Ok(())
    }

    /// All was well again from the begin of the first window with enough records in it, or from the last error in there.
    fn watch_rate(&mut self, now_ns: u64, signals: &Signals) {
        if self.recovered_ns.is_some() {
            return;
        }
        let window_ns = RATE_WINDOW_NS.max((RATE_WINDOW_RECORDS / self.records_per_s.max(0.01) * 1e9) as u64);
        let (began_ns, before) = self.mark;
        let lasted_ns = now_ns.saturating_sub(began_ns);
        if lasted_ns < window_ns {
            return;
        }
        let count = self.count(signals);
        let per_s = (count - before) as f64 / (lasted_ns as f64 / 1e9);
        if per_s >= self.records_per_s * RECOVERED_SHARE {
            // The rate over a window hides a gap at its begin that was made up for at its end.
            self.recovered_ns = Some(signals.trouble_ns().map_or(began_ns, |trouble_ns| trouble_ns.max(began_ns)));
        }
        self.mark = (now_ns, count);
    }

    /// What the fault disturbs: reading, or else writing.
    fn count(&self, signals: &Signals) -> u64 {
        if matches!(self.plan.kind, FaultKind::SlowConsumer(_)) { signals.consumed() } else { signals.acked() }
    }
}

impl Drop for Current {
    /// However the run ends, the broker is not left standing.
    fn drop(&mut self) {
        if let Stage::Paused(pid) = self.stage {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

fn begin_restart(hands: &mut Hands<'_>) -> Result<Stage, Error> {
    if let Some(embedded) = &mut hands.embedded {
        embedded.restart()?;
        return Ok(Stage::Restarting);
    }
    if let Some(started) = &mut hands.started {
        started.note_kill();
        return Ok(Stage::Restarting);
    }
    // Whoever started it may start it again; the clients try for a minute.
    Ok(Stage::Over)
}

fn is_back(hands: &mut Hands<'_>) -> Result<bool, Error> {
    if let Some(embedded) = &mut hands.embedded {
        let is_ready = embedded.is_ready()?;
        *hands.pid = is_ready.then(|| embedded.pid());
        return Ok(is_ready);
    }
    let Some(started) = &mut hands.started else { return Ok(true) };
    let answers = started.bring_back(hands.bootstrap)?;
    *hands.pid = answers.then(|| listener::local_pid(hands.bootstrap)).flatten();
    Ok(answers)
}

fn process_id(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn signal(pid: Pid, signal: Signal, plan: FaultPlan) -> Result<(), Error> {
    kill_process(pid, signal)
        .map_err(|error| Error::Fault(format!("{plan}: cannot signal process {}: {error}", pid.as_raw_pid())))
}
