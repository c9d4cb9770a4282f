//! The runs of a suite, one after the other, with the peers that they need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::file::Suite;
use super::machine::lacks_room;
use super::peer::Peer;
use super::place;
use super::plan::{Cell, RateOf, Step};
use super::running::{Running, install, warm_up};
use super::seek::highest_rate;
use crate::campaign::{Campaign, Place};
use crate::ceiling::CeilingUse;
use crate::error::{Error, local};
use crate::options::{LoadOptions, OutputOptions};
use crate::progress::Progress;
use crate::quantity::Rate;
use crate::report::write_whole;
use crate::result::{Kind, Repeat, RunResult, Verdict};
use crate::statistics::median;

pub use super::running::Surroundings;

/// What was deleted has left the disk by then.
const ROOM_TIMEOUT: Duration = Duration::from_secs(30);
const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// Carries a suite out.
pub struct Conduct<'a> {
    /// What is asked for.
    pub suite: &'a Suite,
    /// Where results go.
    pub place: &'a place::Place,
    /// Where everything else lies.
    pub around: Surroundings,
    /// Whether the generator's own ceiling comes into the results.
    pub ceiling: CeilingUse,
    /// No progress.
    pub quiet: bool,
    /// Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Conducted {
    /// Runs that were made now.
    pub made: usize,
    /// Runs that were there.
    pub found: usize,
    /// Runs that are still to be made when the suite goes on.
    pub left: usize,
    /// What the reader of the figures must know, in whole lines.
    pub notes: Vec<String>,
}

/// The peers and what came in between.
#[derive(Default)]
struct Session {
    running: BTreeMap<String, Running>,
    /// Peers that are not to be had today.
    skipped: BTreeSet<String>,
    /// Peers and cells that failed: the next repeat would fail too.
    given_up: BTreeSet<(usize, usize)>,
    conducted: Conducted,
}

impl Conduct<'_> {
    /// Makes all runs that are not there, until the limit. An interruption is an error; what was made stays.
    pub fn carry_out(&self) -> Result<Conducted, Error> {
        let created = fs::create_dir_all(&self.around.data);
        created.map_err(local(format!("cannot create {}", self.around.data.display())))?;
        let began = Instant::now();
        let mut session = Session::default();
        let steps = self.suite.steps();
        for (number, step) in steps.iter().enumerate() {
            let (cell, peer) = (&self.suite.cells[step.cell], &self.suite.peers[step.peer]);
            let file = self.place.file(&peer.name, &cell.name, step.repeat);
            if file.exists() {
                session.conducted.found += 1;
                continue;
            }
            if session.skipped.contains(&peer.name) || session.given_up.contains(&(step.peer, step.cell)) {
                continue;
            }
            if self.suite.limit.is_some_and(|limit| began.elapsed() + cell.run_estimate() > limit) {
                session.conducted.left += 1;
                continue;
            }
            let title = format!("run {} of {}: {}, {}", number + 1, steps.len(), cell.name, peer.name);
            match self.step(&mut session, *step, &title, &file) {
                Ok(()) => {}
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    session.given_up.insert((step.peer, step.cell));
                    session.note(&format!("{}, {}: {error}", peer.name, cell.name));
                }
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
        }
        let left = session.conducted.left;
        if left > 0 {
            session.note(&format!("{left} runs are left for the next call: the limit of the suite was reached"));
        }
        Ok(session.conducted)
    }

    fn step(&self, session: &mut Session, step: Step, title: &str, file: &Path) -> Result<(), Error> {
        let (cell, peer) = (&self.suite.cells[step.cell], &self.suite.peers[step.peer]);
        if !self.is_up(session, peer)? {
            return Ok(());
        }
        // Of nothing that ran, nothing is on its way out.
        let patience = if session.conducted.made > 0 { ROOM_TIMEOUT } else { Duration::ZERO };
        self.wait_for_room(cell, peer, patience)?;
        let wrong = |what: String| Error::Suite(what);
        let bootstrap = session.running.get(peer.process()).map(Running::bootstrap);
        let mut target = peer.target(bootstrap).map_err(wrong)?;
        if target.bootstrap.is_none() && target.broker_cores.is_none() {
            // The embedded broker has the cores that other peers are started on.
            target.broker_cores.clone_from(&self.suite.split.broker_cores);
        }
        let mut load = peer.load(cell).map_err(wrong)?;
        if let Some(of) = &cell.rate_of {
            load.rate = Rate::Records(self.rate_of(of, &load)?);
        }
        let repeats = self.suite.repeats_of(cell);
        let repeat = Repeat { index: step.repeat, of: repeats, block: step.repeat, order: step.order, seed: load.seed };
        let place =
            Place { kind: Kind::Run, label: Some(peer.name.clone()), repeat: Some(repeat), title: title.to_owned() };
        let output = self.output(cell);
        let campaign = Campaign::new(&self.suite.name, &output, cell.goals.clone(), self.interrupted.clone());
        let (result, _) = campaign.conduct(|campaign| {
            if cell.find_max {
                highest_rate(campaign, &load, &target, &place)
            } else {
                campaign.measure(&load, &target, place)
            }
        })?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        write(&result, file)?;
        session.conducted.made += 1;
        if let Some(running) = session.running.get(peer.process()) {
            running.settle(self.suite.peer(peer.process()).unwrap_or(peer))?;
        }
        if result.integrity.verdict == Verdict::Fail {
            session.note(&format!("{}, {}: acknowledged records were lost or harmed", peer.name, cell.name));
        }
        match result.error {
            Some(error) => Err(Error::Suite(error)),
            None => Ok(()),
        }
    }

    /// Starts a peer that does not run; false when it is not to be had today.
    fn is_up(&self, session: &mut Session, peer: &Peer) -> Result<bool, Error> {
        let host = self.suite.peer(peer.process()).unwrap_or(peer);
        let Some(start) = &host.start else { return Ok(true) };
        if session.running.get(&host.name).is_some_and(Running::is_well) {
            return Ok(true);
        }
        if session.running.remove(&host.name).is_some() {
            session.note(&format!("{} had to be started again", host.name));
        }
        match self.bring_up(host, start) {
            Ok(running) => {
                session.running.insert(host.name.clone(), running);
                Ok(true)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                let users = self.suite.peers.iter().filter(|one| one.process() == host.name);
                session.skipped.extend(users.map(|one| one.name.clone()));
                session.note(&format!("{} is skipped: {error}", host.name));
                Ok(false)
            }
        }
    }

    fn bring_up(&self, peer: &Peer, start: &str) -> Result<Running, Error> {
        let mut progress = Progress::new(self.quiet);
        progress.say(&format!("installing and starting {}", peer.name));
        install(peer, self.suite, &self.around, &self.interrupted)?;
        let anywhere = peer.target(Some("127.0.0.1:1")).map_err(Error::Suite)?;
        let running = Running::start(peer, start, anywhere.speaks, (self.suite, &self.around), &self.interrupted)?;
        let target = peer.target(Some(running.bootstrap())).map_err(Error::Suite)?;
        // Of a process that only others use, the load of none of its own cells is known to fit; the first does.
        let cells = &self.suite.cells;
        let cell = cells.iter().find(|cell| peer.plays(&cell.name)).or(cells.first());
        let cell = cell.ok_or_else(|| Error::Suite("there is no cell".into()))?;
        let load = peer.load(cell).map_err(Error::Suite)?;
        progress.say(&format!("warming {} up for {} s", peer.name, self.suite.warmup.as_secs()));
        warm_up(&target, &load, self.suite.warmup, &mut progress, &self.interrupted)?;
        running.settle(peer)?;
        progress.finish();
        Ok(running)
    }

    /// What a run before left behind may still be on its way out.
    fn wait_for_room(&self, cell: &Cell, peer: &Peer, patience: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        while let Some(why) = lacks_room(cell, &self.around.data, peer.in_memory) {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if Instant::now() >= deadline {
                return Err(Error::Suite(format!(
                    "not started: {why}; free some, or give a smaller `disk` in the suite"
                )));
            }
            thread::sleep(ROOM_PAUSE);
        }
        Ok(())
    }

    /// A share of the median that another peer reached, in records of this load.
    fn rate_of(&self, of: &RateOf, load: &LoadOptions) -> Result<f64, Error> {
        let rates: Vec<f64> = (1..=self.suite.repeats)
            .filter_map(|repeat| read(&self.place.file(&of.peer, &of.cell, repeat)))
            .filter(RunResult::is_sample)
            .filter_map(|run| Some(run.summary.produce?.achieved.bytes_per_s))
            .collect();
        let reached = median(&rates).filter(|&bytes_per_s| bytes_per_s > 0.0);
        let reached = reached
            .ok_or_else(|| Error::Suite(format!("{} has no result in {} to take a rate of", of.peer, of.cell)))?;
        Ok((reached * of.share / load.payload_bytes_mean()).max(1.0))
    }

    fn output(&self, cell: &Cell) -> OutputOptions {
        OutputOptions {
            out: PathBuf::from("."),
            json: None,
            html: None,
            ceiling: self.ceiling,
            goals: cell.goals.clone(),
            quiet: self.quiet,
        }
    }
}

impl Session {
    fn note(&mut self, note: &str) {
        // A cause of several lines is told by its first.
        let line = note.lines().next().unwrap_or_default().to_owned();
        eprintln!("loadgen: {line}");
        self.conducted.notes.push(line);
    }
}

fn write(result: &RunResult, file: &Path) -> Result<(), Error> {
    let cannot = || local(format!("cannot write the result to {}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(cannot())?;
    }
    let mut json = serde_json::to_vec_pretty(result).map_err(|error| cannot()(error.into()))?;
    json.push(b'\n');
    write_whole(file, &json).map_err(cannot())
}

/// A result of ours that is there; what cannot be read counts as absent.
fn read(file: &Path) -> Option<RunResult> {
    let length = fs::metadata(file).ok()?.len();
    let text = (length <= crate::compare::FILE_BYTES_MAX).then(|| fs::read(file).ok())??;
    serde_json::from_slice(&text).ok()
}
