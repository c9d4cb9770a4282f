//! Consumer groups at the broker: how their members were to behave, and what the groups went through.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Latency;

/// How the members of consumer groups behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMembership {
    /// `classic`: members join and sync, and the first of them deals out the partitions.
    pub protocol: String,
    /// How it does: `range`.
    pub assignor: String,
    /// Time between two commits of a member.
    pub commit_interval_ms: f64,
    /// Silence after which the broker takes a member out.
    pub session_timeout_ms: f64,
    /// Time between two signs of life of a member.
    pub heartbeat_interval_ms: f64,
    /// Members that come and go on purpose; absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<GroupChurn>,
}

/// Members that come and go on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupChurn {
    /// After each such time in the measured window one member of every group goes; it is back half of it later.
    pub interval_ms: f64,
    /// `leave` or `die`.
    pub departure: String,
}

/// What the consumer groups of a run went through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupSummary {
    /// Before the load began: from the first request to join until the last member had its partitions.
    pub join_secs: f64,
    /// Rebalances since then, over all groups.
    pub rebalances: u64,
    /// Mean length of a rebalance; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance_secs_mean: Option<f64>,
    /// The longest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance_secs_max: Option<f64>,
    /// From the write of a commit to its answer, in the measured window; each commit is one sample.
    pub commit: Latency,
    /// Commits that were refused, by Kafka's error name; in a rebalance that is usual.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_commits: BTreeMap<String, u64>,
}

/// One rebalance, as the members saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rebalance {
    /// Seconds from the start of the first phase until the first member stood without partitions.
    pub t_secs: f64,
    /// Number of the group.
    pub group: u32,
    /// The generation that came out of it.
    pub generation: i32,
    /// Members in it.
    pub members: u32,
    /// From then until the last member of the new generation knew its partitions.
    pub duration_secs: f64,
    /// What had happened since the rebalance before: `leave`, `death`, `return`, `expelled`; empty when the broker wanted it by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// From the first of these causes until the last member knew its partitions; absent without causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_cause_secs: Option<f64>,
}
