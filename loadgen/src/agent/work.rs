//! An agent's clients in one phase. Producers and consumers are crews of their own, so that the ones can stop without the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::agent::assignment::Assignment;
use crate::agent::message::{Report, SecondReport, Side};
use crate::clock::Clock;
use crate::collector::{Collector, Merged};
use crate::crew::{Crew, Reports, Roles, WorkingCrew};
use crate::error::Error;
use crate::timeline::Timeline;
use crate::worker::Control;

/// The clients of a phase.
pub struct Work {
    crews: Vec<SideCrew>,
}

/// The clients of one kind.
struct SideCrew {
    side: Side,
    stage: Stage,
    control: Arc<Control>,
    collector: Collector,
    seconds: Receiver<Merged>,
    faults_told: u64,
}

enum Stage {
    Connected(Crew),
    Working(WorkingCrew),
    /// What they know waits for who asks.
    Ended(Option<WorkingCrew>),
}

impl Work {
    /// Connects everybody.
    pub fn connect(assignment: Assignment, clock: Clock) -> Result<Self, Error> {
        let Assignment { workload, topic, run, producers, records_max, readers, expected_runs, start_offsets, .. } =
            assignment;
        let roles = Roles {
            workload,
            topic,
            run,
            producers: 0..0,
            records_max,
            readers: Vec::new(),
            expected_runs,
            journal: None,
            start_offsets,
        };
        let parts =
            [(Side::Producers, Roles { producers, ..roles.clone() }), (Side::Consumers, Roles { readers, ..roles })];
        let parts = parts.into_iter().filter(|(_, roles)| !roles.producers.is_empty() || !roles.readers.is_empty());
        let crews = parts.map(|(side, roles)| SideCrew::connect(side, roles, clock)).collect::<Result<_, _>>()?;
        Ok(Self { crews })
    }

    /// Starts everybody.
    pub fn start(&mut self, timeline: Timeline) -> Result<(), Error> {
        self.crews.iter_mut().try_for_each(|crew| crew.start(timeline))
    }

    /// Consumers end when they have read up to these offsets.
    pub fn set_targets(&self, targets: &[i64]) {
        for crew in &self.crews {
            // Targets are set once in a phase; a second setting would change nothing.
            let _ = crew.control.targets.set(targets.to_vec());
        }
    }

    /// These clients give up at once.
    pub fn quit(&self, side: Side) {
        for crew in self.crews.iter().filter(|crew| crew.side == side) {
            crew.control.abort.store(true, Ordering::Relaxed);
        }
    }

    /// What has happened since the last look.
    pub fn look(&mut self, reports: &mut Vec<Report>) {
        self.crews.iter_mut().for_each(|crew| crew.look(reports));
    }

    /// What everybody knows at the end, whoever still works being told to stop; [`Report::Finished`] is the last.
    pub fn finish(self, reports: &mut Vec<Report>) {
        let mut known = Reports::default();
        for mut crew in self.crews {
            crew.control.abort.store(true, Ordering::Relaxed);
            if let Stage::Working(working) | Stage::Ended(Some(working)) = crew.stage {
                known.absorb(working.into_reports());
            }
            crew.stage = Stage::Ended(None);
            while crew.collector.collect(Duration::ZERO) && crew.collector.has_arrivals() {}
            crew.hand_over_seconds(reports);
        }
        reports.extend(known.producers.into_values().map(|report| Report::Producer(Box::new(report))));
        reports.extend(known.seen.into_iter().map(|(reader, seen)| Report::Seen(reader, Box::new(seen))));
        reports.push(Report::Finished(known.finished_ns));
    }
}

impl SideCrew {
    fn connect(side: Side, roles: Roles, clock: Clock) -> Result<Self, Error> {
        let (crew, mut collector) = Crew::connect(roles, clock)?;
        let (control, seconds) = (crew.control(), collector.hand_on());
        Ok(Self { side, stage: Stage::Connected(crew), control, collector, seconds, faults_told: 0 })
    }

    fn start(&mut self, timeline: Timeline) -> Result<(), Error> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended(None)) {
            Stage::Connected(crew) => Stage::Working(crew.start(timeline)?),
            other => other,
        };
        Ok(())
    }

    fn look(&mut self, reports: &mut Vec<Report>) {
        self.collector.collect(Duration::ZERO);
        self.hand_over_seconds(reports);
        let faults = self.control.faults.load(Ordering::Relaxed);
        if faults > self.faults_told {
            reports.push(Report::Faults(faults - self.faults_told));
            self.faults_told = faults;
        }
        let Stage::Working(crew) = &mut self.stage else { return };
        let ended = match self.side {
            Side::Producers => crew.producers_have_ended(),
            Side::Consumers => crew.consumers_have_ended(),
        };
        let was_told = self.control.abort.load(Ordering::Relaxed);
        let error = match ended {
            Ok(false) => return,
            // Each thread says that it was interrupted; the last one makes the crew complete.
            Err(Error::Interrupted) if was_told => return,
            Ok(true) => None,
            Err(error) => Some(error.to_string()),
        };
        // Threads that have gone have left all their seconds.
        while self.collector.collect(Duration::ZERO) && self.collector.has_arrivals() {}
        self.hand_over_seconds(reports);
        reports.push(Report::Ended(self.side, error));
        let stage = std::mem::replace(&mut self.stage, Stage::Ended(None));
        if let Stage::Working(crew) = stage {
            self.stage = Stage::Ended(Some(crew));
        }
    }

    fn hand_over_seconds(&mut self, reports: &mut Vec<Report>) {
        for merged in self.seconds.try_iter() {
            // A histogram of fixed bounds always has a text form.
            reports.extend(SecondReport::of(self.side, &merged).ok().map(Report::Second));
        }
    }
}
