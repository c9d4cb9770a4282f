//! Consumer groups as Kafka's clients form them: members join at a coordinator, the first of them deals out the partitions, and
//! each commits how far it has come, so that whoever gets a partition next goes on there.
//!
//! A member is a machine of steps without a socket ([`Member`]); a [`crate::coordinator_link::CoordinatorLink`] carries its questions. What the members of
//! a group have read, committed and waited for meets in the [`Group`] that they share.

mod assignor;
mod books;
mod churn;
mod member;
mod question;
mod removal;
mod report;
mod wire;

pub use assignor::ASSIGNOR;
pub use books::{Group, PartitionBook, ReadRecords};
pub use churn::{Churn, Departure};
pub use member::{Change, Member};
pub use question::{Answer, Question};
pub use removal::delete_groups;
pub use report::{GroupReport, RebalanceSpan};
pub use wire::{decode, encode};

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How the consumers of a group come to their partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupProtocol {
    /// They are dealt out here and the broker knows of no group.
    Assigned,
    /// The members join at the broker, and rebalance.
    Classic,
}

/// How members behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Time between two commits of a member.
    pub commit_interval: Duration,
    /// A member that is silent for so long is taken out.
    pub session_timeout: Duration,
    /// Time between two signs of life.
    pub heartbeat_interval: Duration,
    /// Members that come and go on purpose.
    pub churn: Option<Churn>,
}
