//! The clients of one phase at agents: connected everywhere, started at one moment, waited for with a deadline.
//!
//! A lost agent ends the phase. The others' producers then stop and the others' consumers read up to the end of their partitions, so
//! that what remains is judged: every record of a producer whose account has come, in every partition whose reader has answered.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::agents::{LOOK, SharedAgents};
use crate::agent::assignment::Assignment;
use crate::agent::link::Link;
use crate::agent::message::{Order, Side};
use crate::agent::phase::Phase;
use crate::clock::Clock;
use crate::cluster::{self, Topic};
use crate::collector::Collector;
use crate::crew::{Reports, Roles};
use crate::error::Error;
use crate::timeline::Timeline;
use crate::worker::Control;

/// A leader that does not answer takes an agent thirty seconds; more than a few of them are no cluster to measure.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(120);

/// Agents' threads stop within two seconds; then their accounts cross the network.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);

/// After the loss of an agent: producers stop at once, consumers have this long to read what is there.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_AFTER_LOSS_TIMEOUT: Duration = Duration::from_secs(60);

/// The clients of a phase, connected.
#[derive(Debug)]
pub struct RemoteCrew {
    agents: SharedAgents,
    control: Arc<Control>,
    topic: Topic,
}

impl RemoteCrew {
    /// Deals the roles to the agents, which connect.
    pub fn connect(roles: &Roles, clock: Clock, agents: &SharedAgents) -> Result<(Self, Collector), Error> {
        let mut shared = agents.borrow_mut();
        let workers = shared.workers();
        if workers == 0 {
            return Err(Error::AgentLost { address: shared.addresses(), what: "none is left to take load".into() });
        }
        let parts = Assignment::deal(roles, clock.origin_ns(), workers);
        let kinds = |part: &Assignment| usize::from(!part.producers.is_empty()) + usize::from(!part.readers.is_empty());
        let (collector, mut outlets) = Collector::new(parts.iter().map(kinds).sum());
        for (member, part) in shared.workers_mut().zip(parts).filter(|(_, part)| !part.is_empty()) {
            let mut outlet = |is_needed: bool| is_needed.then(|| outlets.pop().expect("one for each kind of client"));
            let (producers, consumers) = (outlet(!part.producers.is_empty()), outlet(!part.readers.is_empty()));
            member.phase = Some(Phase::new(part.clone(), producers, consumers));
            member.link.order(&Order::Connect(Box::new(part)));
        }
        drop(shared);
        let mut crew = Self { agents: agents.clone(), control: Arc::default(), topic: roles.topic.clone() };
        let outcome = crew.wait_for_connections();
        if outcome.is_err() {
            crew.agents.borrow_mut().order(&Order::Finish);
            crew.abandon();
        }
        outcome.map(|()| (crew, collector))
    }

    /// What is told of the clients while they work.
    pub fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Starts everybody.
    pub fn start(self, timeline: Timeline) -> WorkingRemoteCrew {
        let mut agents = self.agents.borrow_mut();
        agents.players_mut().for_each(|(_, phase)| phase.start(timeline));
        agents.order(&Order::Start(timeline));
        drop(agents);
        WorkingRemoteCrew { crew: self, has_targets: Cell::new(false) }
    }

    fn wait_for_connections(&mut self) -> Result<(), Error> {
        let connected = |link: &Link, phase: &Phase| {
            check(link, phase, Side::Producers)?;
            check(link, phase, Side::Consumers)?;
            Ok(phase.is_connected())
        };
        let limit = CONNECT_TIMEOUT;
        if self.wait(limit, connected)? {
            Ok(())
        } else {
            Err(Error::Deadline { phase: "connecting at agents", limit })
        }
    }

    /// Looks until something holds for everybody; false when it did not within `limit`.
    fn wait(&mut self, limit: Duration, holds: impl Fn(&Link, &Phase) -> Result<bool, Error>) -> Result<bool, Error> {
        let deadline = Instant::now() + limit;
        while !self.all(&holds)? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::sleep(LOOK);
        }
        Ok(true)
    }

    /// Whether something holds for everybody who takes part; an error is that of the first who has one.
    fn all(&mut self, holds: impl Fn(&Link, &Phase) -> Result<bool, Error>) -> Result<bool, Error> {
        let mut agents = self.agents.borrow_mut();
        agents.tend(&self.control);
        let mut all = true;
        for (link, phase) in agents.players_mut() {
            all &= holds(link, phase)?;
        }
        Ok(all)
    }

    /// What everybody knows. Whoever does not tell it in time is lost.
    fn abandon(&mut self) -> Reports {
        let told = |link: &Link, phase: &Phase| Ok(phase.is_finished() || link.lost().is_some());
        let all_told = self.wait(FINISH_TIMEOUT, told).unwrap_or(false);
        let mut agents = self.agents.borrow_mut();
        if !all_told {
            for (link, _) in agents.players_mut().filter(|(_, phase)| !phase.is_finished()) {
                link.lose("it does not tell what its clients know".into());
            }
        }
        let mut reports = Reports::default();
        agents.end_phase().into_iter().for_each(|phase| reports.absorb(phase.into_reports()));
        reports
    }
}

/// The clients of a phase, at work.
#[derive(Debug)]
pub struct WorkingRemoteCrew {
    crew: RemoteCrew,
    has_targets: Cell<bool>,
}

impl WorkingRemoteCrew {
    /// Takes in what has come; whether all clients of this kind have ended. The first error is everybody's.
    pub fn have_ended(&mut self, side: Side) -> Result<bool, Error> {
        self.crew.all(|link, phase| {
            check(link, phase, Side::Producers)?;
            check(link, phase, Side::Consumers)?;
            Ok(!phase.is_at_work(side))
        })
    }

    /// Consumers end when they have read up to these offsets.
    pub fn set_targets(&self, targets: Vec<i64>) {
        self.has_targets.set(true);
        self.crew.agents.borrow_mut().order(&Order::Targets(targets));
    }

    /// What everybody knows. Who still works is told to stop and gets a moment for it.
    pub fn into_reports(mut self) -> Reports {
        let has_lost = self.crew.agents.borrow_mut().players_mut().any(|(link, _)| link.lost().is_some());
        let read_after_loss = has_lost && self.settle_after_loss().unwrap_or(false);
        self.crew.agents.borrow_mut().order(&Order::Finish);
        let mut reports = self.crew.abandon();
        reports.read_after_loss = read_after_loss;
        reports
    }

    /// Whether those who are left have read all that is there.
    fn settle_after_loss(&mut self) -> Result<bool, Error> {
        self.crew.agents.borrow_mut().order(&Order::Quit(Side::Producers));
        let quit = |link: &Link, phase: &Phase| Ok(link.lost().is_some() || !phase.is_at_work(Side::Producers));
        if !self.crew.wait(QUIT_TIMEOUT, quit)? {
            return Ok(false);
        }
        if !self.has_targets.get() {
            self.set_targets(cluster::end_offsets(&self.crew.topic)?);
        }
        let has_read = |link: &Link, phase: &Phase| {
            if link.lost().is_none() {
                check(link, phase, Side::Consumers)?;
            }
            Ok(link.lost().is_some() || !phase.is_at_work(Side::Consumers))
        };
        let have_read = self.crew.wait(READ_AFTER_LOSS_TIMEOUT, has_read)?;
        let mut agents = self.crew.agents.borrow_mut();
        let mut left = agents.players_mut().filter(|(link, _)| link.lost().is_none());
        Ok(have_read && left.any(|(_, phase)| !phase.assignment().readers.is_empty()))
    }
}

/// Whether an agent is there and its clients have had no error.
fn check(link: &Link, phase: &Phase, side: Side) -> Result<(), Error> {
    let address = || link.address().to_owned();
    if let Some(what) = phase.error(side) {
        return Err(Error::Agent { address: address(), what: what.into() });
    }
    match link.lost() {
        Some(what) => Err(Error::AgentLost { address: address(), what: what.into() }),
        None => Ok(()),
    }
}
