//! Load from several hosts: a coordinator (`loadgen run --agents`) spreads the producers and consumers of one run over agents
//! (`loadgen agent`), and judges the run as if they were its own.
//!
//! All times are on the coordinator's clock. An agent converts, with an offset that probes over the control connection bound from both
//! sides while the run goes on, so that end-to-end times between hosts mean something, and the result says how much.

mod agents;
mod assignment;
mod clock_offset;
mod frame;
mod link;
mod message;
mod meter;
mod phase;
mod remote_crew;
mod server;
mod session;
mod token;
mod usage;
mod work;

pub use agents::{Agents, AgentsAccount, SharedAgents, UsageElsewhere};
pub use message::Side;
pub use remote_crew::{RemoteCrew, WorkingRemoteCrew};
pub use server::{AgentServer, ListenError};
pub use token::Token;
