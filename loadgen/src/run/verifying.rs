//! The part of a run that belongs to a verification: its topic, the judgement over what earlier runs left there, its end.

use std::thread;
use std::time::{Duration, Instant};

use super::{Session, bulk_limit};
use crate::cluster::{self, TOPIC_PREFIX, Topic};
use crate::crew::{Crew, Roles, assignments};
use crate::error::Error;
use crate::evidence::Earlier;
use crate::integrity::{AckLedger, Tally};
use crate::ledger::Ledger;
use crate::result::{RunResult, Verdict};
use crate::timeline::Timeline;
use crate::verification::Verification;
use crate::workload::{InvalidWorkload, Workload};

/// Requests of a program that died may still be on their way through the broker.
const QUIET: Duration = Duration::from_secs(1);

/// Somebody else writes to the topic when it is not quiet by then.
const QUIET_TIMEOUT: Duration = Duration::from_secs(30);

/// Refuses what a ledger cannot tell of.
pub(super) fn check(workload: Workload, verification: Option<&Verification>) -> Result<Workload, InvalidWorkload> {
    if verification.is_some() && workload.transactions.is_some() {
        let what = "verify keeps an account of records, not of transactions: use run";
        return Err(InvalidWorkload::Transactions(what));
    }
    Ok(workload)
}

impl Session<'_> {
    /// The topic of the run: a new one, or the one of the ledger.
    pub(super) fn prepare_topic(&mut self, bootstrap: &str) -> Result<Topic, Error> {
        let (partitions, replicas) = (self.evidence.workload.partitions, self.evidence.workload.replication_factor);
        let name = format!("{TOPIC_PREFIX}{:08x}", self.evidence.run);
        let Some(verification) = &mut self.verification else {
            return cluster::create_topic(bootstrap, &name, partitions, replicas);
        };
        if let Some(ledger) = verification.ledger() {
            let found = &ledger.topic;
            if !found.topic.starts_with(TOPIC_PREFIX) {
                return Err(Error::Ledger(format!("names the topic {:?}, which is none of ours", found.topic)));
            }
            self.evidence.workload.partitions = found.partitions;
            return cluster::find_topic(bootstrap, &found.topic, found.partitions).map_err(|error| match error {
                Error::Deadline { .. } => Error::Ledger(format!(
                    "tells of topic {}, which is not at {bootstrap}: deleted or lost",
                    found.topic
                )),
                other => other,
            });
        }
        // The ledger comes first: a topic that nobody knows of would stay for ever.
        verification.create(bootstrap, &name, partitions)?;
        self.progress.say(&format!("ledger  {}", verification.path().display()));
        cluster::create_topic(bootstrap, &name, partitions, replicas)
    }

    /// Reads the topic from its start and holds it against the ledger; whether all is there, so that the run can go on.
    pub(super) fn judge_earlier(&mut self, topic: &Topic) -> Result<bool, Error> {
        let Some(verification) = &self.verification else { return Ok(true) };
        let Some(ledger) = verification.ledger().cloned() else { return Ok(true) };
        if !ledger.runs.is_empty() {
            self.progress.say("judging what was acknowledged before");
            let ends = self.quiet_ends(topic)?;
            let earlier = self.read_earlier(topic, &ledger, ends.clone())?;
            let passes = earlier.tally.passes();
            self.evidence.earlier = Some(earlier);
            self.start_offsets = ends;
            if !passes {
                self.evidence.verified = true;
                return Ok(false);
            }
        }
        let (tag, producers) = (self.evidence.run, self.evidence.workload.producers);
        self.verification.as_mut().map_or(Ok(()), |verification| verification.begin_run(tag, producers))?;
        Ok(true)
    }

    fn quiet_ends(&self, topic: &Topic) -> Result<Vec<i64>, Error> {
        let began = Instant::now();
        let mut ends = cluster::end_offsets(topic)?;
        loop {
            thread::sleep(QUIET);
            let later = cluster::end_offsets(topic)?;
            if later == ends {
                return Ok(ends);
            }
            ends = later;
            self.check("waiting until nobody writes to the topic", began, QUIET_TIMEOUT)?;
        }
    }

    fn read_earlier(&mut self, topic: &Topic, ledger: &Ledger, ends: Vec<i64>) -> Result<Earlier, Error> {
        let mut workload = self.evidence.workload.clone();
        (workload.groups, workload.group) = (1, None);
        workload.producers = ledger.runs.iter().map(|run| run.run.producers).max().unwrap_or(1);
        let producers = workload.producers;
        let records: i64 = ends.iter().sum();
        let limit = bulk_limit(records as u64 * workload.payload_bytes());
        let roles = Roles {
            topic: topic.clone(),
            run: self.evidence.run,
            producers: 0..0,
            records_max: 0,
            readers: assignments(topic.leaders.len() as u32, workload.consumers.max(1), 1),
            expected_runs: ledger.runs.iter().map(|run| run.run.tag).collect(),
            journal: None,
            start_offsets: Vec::new(),
            workload,
        };
        let (crew, _) = Crew::connect(roles, self.clock)?;
        let mut crew = crew.start(Timeline { start_ns: 0, measure_ns: 0, end_ns: 1 })?;
        crew.set_targets(ends);
        self.watch_quietly("judging what was acknowledged before", limit, || crew.consumers_have_ended())?;
        let mut earlier = Earlier { runs: ledger.runs.len(), tally: Tally::default(), missing_first: None };
        for ((_, partition), seen) in &crew.into_reports().seen {
            let streams = ledger.runs.iter().flat_map(|run| (0..producers).map(move |producer| (run, producer)));
            let promised: Vec<AckLedger> = streams
                .enumerate()
                .map(|(place, (run, producer))| {
                    let mut promised = run.promised(producer, *partition);
                    // How many it made before it died, only the topic can tell.
                    promised.produced = promised.produced.max(seen.next_of(place));
                    promised
                })
                .collect();
            let promised: Vec<&AckLedger> = promised.iter().collect();
            earlier.tally.settle(&promised, Some(seen));
            let first = Tally::first_missing(&promised, seen).filter(|_| earlier.missing_first.is_none());
            earlier.missing_first = earlier.missing_first.or_else(|| {
                let (place, (start, end)) = first?;
                let (run, producer) = (place / producers as usize + 1, place % producers as usize);
                let last = end - 1;
                Some(format!(
                    "of those before: run {run}, partition {partition}, producer {producer}, records {start} to {last}"
                ))
            });
        }
        Ok(earlier)
    }

    /// All that was acknowledged is on disk, or the run has failed.
    pub(super) fn end_journal(&mut self) -> Result<(), Error> {
        self.verification.as_mut().map_or(Ok(()), Verification::end_run)
    }

    /// Removes what the run made. What cannot be removed is said and spoils nothing.
    pub(super) fn tear_down(&mut self, result: &RunResult) {
        let (Some(topic), Some(bootstrap)) = (&self.evidence.topic, &self.evidence.bootstrap) else { return };
        // A failed verification is looked into or resumed; for both the topic is needed.
        let was_interrupted = matches!(self.evidence.error, Some(Error::Interrupted));
        let has_failed = result.integrity.verdict == Verdict::Fail || (result.error.is_some() && !was_interrupted);
        let keeps = self.target.keep_topic || (self.verification.is_some() && has_failed);
        if keeps {
            if self.verification.is_some() {
                self.progress.say(&format!("topic {} stays, with its ledger", topic.name));
            }
            return;
        }
        self.remove_groups(bootstrap, &topic.name);
        // The embedded broker's topics go with its directory.
        if self.broker.is_none()
            && let Err(error) = cluster::delete_topic(bootstrap, &topic.name)
        {
            self.progress.say(&format!("topic {} is still there: {error}", topic.name));
            return;
        }
        if let Some(Err(error)) = self.verification.as_mut().map(Verification::end) {
            self.progress.say(&format!("the topic is gone, which the ledger does not say: {error}"));
        }
    }
}
