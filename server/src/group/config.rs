//! The settings of groups, under Kafka's names, with Kafka's defaults.

use std::fmt;
use std::str::FromStr;

use super::Assignor;
use crate::limits::GROUP_MEMBERS_MAX;

/// What a broker's configuration says about groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`: how long the first join of an empty group waits for company.
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// `group.max.size`, in members.
    pub members_max: usize,
    /// Of groups of the consumer protocol.
    pub consumer: ConsumerConfig,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds: how long offsets outlive their group's last member.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            initial_rebalance_delay_ms: 3_000,
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 30 * 60 * 1_000,
            members_max: GROUP_MEMBERS_MAX,
            consumer: ConsumerConfig::default(),
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_interval_ms: 10 * 60 * 1_000,
        }
    }
}

/// What it says about groups of the consumer protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// `group.consumer.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`, in members.
    pub members_max: usize,
    /// `group.consumer.assignors`.
    pub assignors: Assignors,
    /// `group.consumer.migration.policy`.
    pub migration: MigrationPolicy,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            members_max: GROUP_MEMBERS_MAX,
            assignors: Assignors::default(),
            migration: MigrationPolicy::default(),
        }
    }
}

/// The assignors that members may vote for; the first is taken where nobody votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignors {
    first: Assignor,
    second: Option<Assignor>,
}

impl Default for Assignors {
    fn default() -> Self {
        Self { first: Assignor::Uniform, second: Some(Assignor::Range) }
    }
}

impl Assignors {
    /// All of them, in order.
    pub fn all(self) -> impl DoubleEndedIterator<Item = Assignor> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    /// Their names, for people.
    pub fn listed(self) -> String {
        self.all().map(Assignor::name).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Assignors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.all().map(Assignor::name).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Assignors {
    type Err = &'static str;

    fn from_str(names: &str) -> Result<Self, Self::Err> {
        let mut named = names.split(',').map(|name| Assignor::named(name.trim()).ok_or("is none of uniform, range"));
        let first = named.next().ok_or("names no assignor")??;
        let second = named.next().transpose()?;
        if named.next().is_some() || second == Some(first) {
            return Err("names an assignor twice");
        }
        Ok(Self { first, second })
    }
}

/// Whether a group goes from one protocol to the other while members are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationPolicy {
    /// From the classic protocol to the consumer protocol.
    pub upgrades: bool,
    /// Back again.
    pub downgrades: bool,
}

impl Default for MigrationPolicy {
    fn default() -> Self {
        Self { upgrades: true, downgrades: true }
    }
}

impl fmt::Display for MigrationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.upgrades, self.downgrades) {
            (true, true) => "bidirectional",
            (true, false) => "upgrade",
            (false, true) => "downgrade",
            (false, false) => "disabled",
        })
    }
}

impl FromStr for MigrationPolicy {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let (upgrades, downgrades) = match name.to_ascii_lowercase().as_str() {
            "bidirectional" => (true, true),
            "upgrade" => (true, false),
            "downgrade" => (false, true),
            "disabled" => (false, false),
            _ => return Err("String must be one of (case insensitive): BIDIRECTIONAL, UPGRADE, DOWNGRADE, DISABLED"),
        };
        Ok(Self { upgrades, downgrades })
    }
}
