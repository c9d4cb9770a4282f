//! The clients of a phase, wherever they are: threads of this process, or agents on several hosts.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::agent::{RemoteCrew, SharedAgents, Side, WorkingRemoteCrew};
use crate::clock::Clock;
use crate::collector::Collector;
use crate::crew::{Crew, Reports, Roles, WorkingCrew};
use crate::error::Error;
use crate::timeline::Timeline;
use crate::worker::Control;

/// From the last connection to the first send: threads start at once, an order must first be everywhere.
const START_DELAY_NS: u64 = 20_000_000;
const REMOTE_START_DELAY_NS: u64 = 500_000_000;

/// The clients of a phase, connected.
pub enum Clients {
    /// In this process.
    Here(Crew),
    /// At agents.
    Elsewhere(RemoteCrew),
}

/// The clients of a phase, at work.
#[derive(Debug)]
pub enum WorkingClients {
    /// In this process.
    Here(WorkingCrew),
    /// At agents.
    Elsewhere(WorkingRemoteCrew),
}

impl Clients {
    /// Connects everybody: at the agents, if there are any that take load.
    pub fn connect(roles: Roles, clock: Clock, agents: Option<&SharedAgents>) -> Result<(Self, Collector), Error> {
        if let Some(agents) = agents.filter(|agents| agents.borrow().has_workers()) {
            let (crew, collector) = RemoteCrew::connect(&roles, clock, agents)?;
            return Ok((Self::Elsewhere(crew), collector));
        }
        let (crew, collector) = Crew::connect(roles, clock)?;
        Ok((Self::Here(crew), collector))
    }

    /// Waits until all members of groups have their partitions; at agents there are no groups.
    pub fn join_groups(&mut self, interrupted: &AtomicBool) -> Result<(), Error> {
        match self {
            Self::Here(crew) => crew.join_groups(interrupted),
            Self::Elsewhere(_) => Ok(()),
        }
    }

    /// What they are told and tell while they work.
    pub fn control(&self) -> Arc<Control> {
        match self {
            Self::Here(crew) => crew.control(),
            Self::Elsewhere(crew) => crew.control(),
        }
    }

    /// Time that they need from the order to the start.
    pub fn start_delay_ns(&self) -> u64 {
        match self {
            Self::Here(_) => START_DELAY_NS,
            Self::Elsewhere(_) => REMOTE_START_DELAY_NS,
        }
    }

    /// Starts everybody.
    pub fn start(self, timeline: Timeline) -> Result<WorkingClients, Error> {
        match self {
            Self::Here(crew) => crew.start(timeline).map(WorkingClients::Here),
            Self::Elsewhere(crew) => Ok(WorkingClients::Elsewhere(crew.start(timeline))),
        }
    }
}

impl WorkingClients {
    /// Whether all producers have ended. The first error is everybody's.
    pub fn producers_have_ended(&mut self) -> Result<bool, Error> {
        match self {
            Self::Here(crew) => crew.producers_have_ended(),
            Self::Elsewhere(crew) => crew.have_ended(Side::Producers),
        }
    }

    /// The same for consumers, which end once they have targets.
    pub fn consumers_have_ended(&mut self) -> Result<bool, Error> {
        match self {
            Self::Here(crew) => crew.consumers_have_ended(),
            Self::Elsewhere(crew) => crew.have_ended(Side::Consumers),
        }
    }

    /// Consumers end when they have read up to these offsets, one for each partition; without any, at once.
    pub fn set_targets(&self, targets: Vec<i64>) {
        match self {
            Self::Here(crew) => crew.set_targets(targets),
            Self::Elsewhere(crew) => crew.set_targets(targets),
        }
    }

    /// What everybody knows. Who still works is told to stop and gets a moment for it.
    pub fn into_reports(self) -> Reports {
        match self {
            Self::Here(crew) => crew.into_reports(),
            Self::Elsewhere(crew) => crew.into_reports(),
        }
    }
}
