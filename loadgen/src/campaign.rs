//! Several runs that belong together: each is labelled with its place, judged, and written before the next one begins, so that an
//! interruption costs at most the run that goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ceiling::{CeilingUse, add_ceiling};
use crate::error::{Error, local};
use crate::goal::GoalExpression;
use crate::options::{LoadOptions, OutputOptions, TargetOptions};
use crate::peer::Dialect;
use crate::progress::Progress;
use crate::quantity::Rate;
use crate::report::write_files;
use crate::result::{Kind, Repeat, RunResult, Verdict};
use crate::run;

/// Tag of a run that ended early or lost records: kept as evidence, never a sample.
const FAILED: &str = "failed";

/// Makes the runs of one command.
pub struct Campaign {
    suite: String,
    directory: PathBuf,
    ceiling: CeilingUse,
    goals: Vec<GoalExpression>,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
}

/// The place of a run in its campaign.
#[derive(Debug, Clone)]
pub struct Place {
    /// What the run is for.
    pub kind: Kind,
    /// The side that it belongs to.
    pub label: Option<String>,
    /// Which of several equal runs it is.
    pub repeat: Option<Repeat>,
    /// What the live view says while it goes on: `run 3 of 10, candidate`.
    pub title: String,
}

impl Campaign {
    /// A campaign of this name. Its files go into a folder of that name below `--out`.
    pub fn new(suite: &str, output: &OutputOptions, goals: Vec<GoalExpression>, interrupted: Arc<AtomicBool>) -> Self {
        Self {
            suite: suite.to_owned(),
            directory: output.out.join(suite),
            ceiling: output.ceiling,
            goals,
            progress: Progress::new(output.quiet),
            interrupted,
        }
    }

    /// Does the work and takes the live view away, before anything is printed; what was found, and the folder of the files.
    pub fn conduct<T>(mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<(T, PathBuf), Error> {
        let outcome = work(&mut self);
        self.progress.finish();
        Ok((outcome?, self.directory))
    }

    /// Makes one run and writes its files. A run that ended early is a result; one that could not begin, or was interrupted, is an error.
    pub fn make(&mut self, load: &LoadOptions, target: &TargetOptions, place: Place) -> Result<RunResult, Error> {
        let result = self.measure(load, target, place)?;
        self.write(&result)?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        Ok(result)
    }

    /// The same without the files.
    pub fn measure(&mut self, load: &LoadOptions, target: &TargetOptions, place: Place) -> Result<RunResult, Error> {
        self.progress.set_title(&place.title);
        let mut result = run::execute(load, target, &mut self.progress, self.interrupted.clone())?;
        result.kind = place.kind;
        result.label = place.label;
        result.suite = Some(self.suite.clone());
        result.repeat = place.repeat;
        result.slo = self.goals.iter().map(|goal| goal.judge(&result)).collect();
        // The ceiling is that of the clients of Kafka's protocol.
        if target.speaks == Dialect::Kafka {
            add_ceiling(&mut result, load, self.ceiling, &mut self.progress);
        }
        if result.error.is_some() || result.integrity.verdict == Verdict::Fail {
            result.tags.push(FAILED.to_owned());
        }
        Ok(result)
    }

    fn write(&self, result: &RunResult) -> Result<(), Error> {
        let written = write_files(result, &self.directory);
        written.map(|_| ()).map_err(local(format!("cannot write the result to {}", self.directory.display())))
    }

    /// What the load reaches as fast as it goes, records a second: where a search and a curve take their range from.
    pub fn closed_loop(&mut self, load: &LoadOptions, target: &TargetOptions) -> Result<f64, Error> {
        let load = LoadOptions { rate: Rate::Unlimited, ..load.clone() };
        let title = "closed loop, for the range".into();
        let result = self.make(&load, target, Place { kind: Kind::Search, label: None, repeat: None, title })?;
        let reached = result.summary.produce.as_ref().map_or(0.0, |produce| produce.achieved.records_per_s);
        match result.error {
            Some(error) => Err(Error::Probe(error)),
            None if reached > 0.0 => Ok(reached),
            None => Err(Error::Probe("nothing was acknowledged".into())),
        }
    }

    /// Writes the last run's files anew with a tag.
    pub fn tag_last(&self, result: &mut RunResult, tag: &str) -> Result<(), Error> {
        result.tags.push(tag.to_owned());
        self.write(result)
    }

    /// Whether the user wants an end: a run that was made meanwhile says nothing.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// A line for the user.
    pub fn say(&self, line: &str) {
        self.progress.say(line);
    }
}
