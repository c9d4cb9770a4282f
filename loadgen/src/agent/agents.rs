//! All agents of a run, as their coordinator sees them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::link::{Link, SILENCE_TIMEOUT};
use crate::agent::message::{Order, Report};
use crate::agent::phase::Phase;
use crate::agent::token::Token;
use crate::agent::usage::AgentUsage;
use crate::clock::Clock;
use crate::error::Error;
use crate::host::ProcessReading;
use crate::options::TargetOptions;
use crate::result::{AgentClock, AgentResources, HostEnvironment};
use crate::worker::Control;
use crate::workload::{InvalidWorkload, Workload};

/// How often the coordinator looks at its agents while it has nothing else to do.
pub const LOOK: Duration = Duration::from_millis(2);

/// The agents, which a run and the crews of its phases use in turn.
pub type SharedAgents = Rc<RefCell<Agents>>;

/// All agents of a run.
#[derive(Debug)]
pub struct Agents {
    members: Vec<Member>,
    clock: Clock,
    measured_ns: (u64, u64),
}

/// One agent and what it does now.
#[derive(Debug)]
pub struct Member {
    pub(super) link: Link,
    pub(super) phase: Option<Phase>,
    usage: AgentUsage,
    /// Another agent sees the same broker process.
    sees_what_others_see: bool,
}

/// What the processes of a run use elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageElsewhere {
    /// All agents that take load.
    pub loadgen: ProcessReading,
    /// The broker processes beside agents.
    pub broker: Option<ProcessReading>,
}

/// What a result tells of the agents.
#[derive(Debug, Default)]
pub struct AgentsAccount {
    /// Their machines.
    pub environments: Vec<HostEnvironment>,
    /// Their clocks.
    pub clocks: Vec<AgentClock>,
    /// What they used.
    pub resources: Vec<AgentResources>,
    /// Those that went away before the end, and how that showed.
    pub lost: Vec<String>,
    /// How many of them took load.
    pub workers: usize,
}

impl Agents {
    /// Greets the agents that the options name; none when they name none.
    pub fn open(target: &TargetOptions, bootstrap: &str, clock: Clock) -> Result<Option<SharedAgents>, Error> {
        if target.agents.is_empty() {
            return Ok(None);
        }
        let refused = |what| Error::Agent { address: target.agents.join(","), what };
        let token = Token::find(target.token_file.as_deref()).map_err(refused)?;
        let (mut members, mut processes) = (Vec::<Member>::new(), BTreeSet::new());
        for address in &target.agents {
            let link = Link::open(address, token.as_ref(), bootstrap)?;
            let process = link.welcome().broker.clone();
            let sees_what_others_see = process.is_some_and(|process| !processes.insert(process));
            members.push(Member { link, phase: None, usage: AgentUsage::default(), sees_what_others_see });
        }
        let mut agents = Self { members, clock, measured_ns: (u64::MAX, u64::MAX) };
        agents.wait_for_usage()?;
        Ok(Some(Rc::new(RefCell::new(agents))))
    }

    /// Every agent must have something to do, or the load is not spread as it seems.
    pub fn check(&self, workload: &Workload, is_verification: bool) -> Result<(), InvalidWorkload> {
        if self.has_workers() && is_verification {
            return Err(InvalidWorkload::VerifyByAgents);
        }
        if self.has_workers() && workload.transactions.is_some() {
            let what = "transactions keep their account in the process that sends: leave --agents out";
            return Err(InvalidWorkload::Transactions(what));
        }
        if self.has_workers() && workload.group.is_some() {
            return Err(InvalidWorkload::GroupByAgents);
        }
        if self.has_workers() && !workload.faults.is_empty() {
            // Agents do not tell at once what was acknowledged, so that nobody could say when the broker was back.
            return Err(InvalidWorkload::Fault("is planned for clients of this process, not for --agents".into()));
        }
        let (agents, clients) =
            (self.workers(), workload.producers + workload.consumers.min(workload.partitions) * workload.groups);
        if agents > clients as usize {
            return Err(InvalidWorkload::IdleAgents(agents, clients));
        }
        Ok(())
    }

    /// Whether the load comes from agents at all, or from this process, with agents that only measure.
    pub fn has_workers(&self) -> bool {
        self.members.iter().any(|member| !member.link.welcome().is_monitor)
    }

    /// Agents that take load and are not lost.
    pub fn workers(&self) -> usize {
        self.members.iter().filter(|member| member.is_worker()).count()
    }

    /// The window of the run's clock in which use counts.
    pub fn measure(&mut self, from_ns: u64, to_ns: u64) {
        self.measured_ns = (from_ns, to_ns);
    }

    /// What is used elsewhere, as of the last reports.
    pub fn usage(&self) -> UsageElsewhere {
        let mut sum = UsageElsewhere::default();
        for member in &self.members {
            let Some(last) = member.usage.last() else { continue };
            if let Some(reading) = last.agent.filter(|_| !member.link.welcome().is_monitor) {
                sum.loadgen = sum.loadgen.plus(&reading);
            }
            if let Some(reading) = last.broker.filter(|_| !member.sees_what_others_see) {
                sum.broker = Some(sum.broker.unwrap_or_default().plus(&reading));
            }
        }
        sum
    }

    /// Takes in what has come from all of them. What cannot be true ends the connection to who said it.
    pub fn tend(&mut self, control: &Control) {
        let now_ns = self.clock.now_ns();
        let is_measured = (self.measured_ns.0..self.measured_ns.1).contains(&now_ns);
        for Member { link, phase, usage, .. } in &mut self.members {
            while let Some(report) = link.next_report() {
                let outcome = match (report, phase.as_mut()) {
                    (Report::Usage(report), _) => {
                        usage.note(report, is_measured);
                        Ok(())
                    }
                    (report, Some(phase)) => phase.take(report, control),
                    (_, None) => Err("it told of work that it was not given".into()),
                };
                if let Err(what) = outcome {
                    link.lose(what);
                }
            }
        }
    }

    /// Says goodbye to all; what the result tells of them.
    pub fn close(&mut self) -> AgentsAccount {
        // The last probes came after the run.
        self.tend(&Control::default());
        let mut account = AgentsAccount::default();
        for Member { link, usage, .. } in &mut self.members {
            let welcome = link.welcome();
            account.environments.push(welcome.environment.clone());
            account.workers += usize::from(!welcome.is_monitor);
            account.resources.push(usage.resources(link.address(), welcome.broker.is_some()));
            if let Some(clock_offset) = link.track().summary() {
                account.clocks.push(AgentClock { agent: link.address().into(), clock_offset });
            }
            account.lost.extend(link.lost().map(|what| format!("{}: {what}", link.address())));
            link.close();
        }
        account
    }

    pub(super) fn addresses(&self) -> String {
        self.members.iter().map(|member| member.link.address()).collect::<Vec<_>>().join(",")
    }

    pub(super) fn workers_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().filter(|member| member.is_worker())
    }

    /// Those who take part in the present phase, the lost among them.
    pub(super) fn players_mut(&mut self) -> impl Iterator<Item = (&mut Link, &mut Phase)> {
        self.members.iter_mut().filter_map(|member| Some((&mut member.link, member.phase.as_mut()?)))
    }

    /// Takes the phase away from all.
    pub(super) fn end_phase(&mut self) -> Vec<Phase> {
        self.members.iter_mut().filter_map(|member| member.phase.take()).collect()
    }

    /// Tells all who take part and are not lost.
    pub(super) fn order(&mut self, order: &Order) {
        self.players_mut().for_each(|(link, _)| link.order(order));
    }

    /// The first look at the processes is the one that later ones are held against.
    fn wait_for_usage(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + SILENCE_TIMEOUT;
        loop {
            self.tend(&Control::default());
            let Some(silent) = self.members.iter().find(|member| member.usage.last().is_none()) else { return Ok(()) };
            let late = (Instant::now() > deadline).then_some("it does not tell what it uses");
            if let Some(what) = silent.link.lost().or(late) {
                return Err(Error::Agent { address: silent.link.address().into(), what: what.into() });
            }
            thread::sleep(LOOK);
        }
    }
}

impl Member {
    fn is_worker(&self) -> bool {
        !self.link.welcome().is_monitor && self.link.lost().is_none()
    }
}
