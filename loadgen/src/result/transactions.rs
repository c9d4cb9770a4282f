//! Transactions: how producers were to write in them, and what became of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Latency;

/// How producers write in transactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transactions {
    /// A transaction ends with so many records; absent when only its age ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_max: Option<u64>,
    /// It ends at this age at the latest.
    pub duration_max_ms: f64,
    /// Share of transactions that are aborted, 0 to 1.
    pub abort_share: f64,
}

/// What became of the transactions of a run, warm-up included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionSummary {
    /// Transactions that were committed.
    pub committed: u64,
    /// Transactions that were aborted.
    pub aborted: u64,
    /// Records of the aborted ones, acknowledged when they were written.
    pub aborted_records: u64,
    /// From the write of a commit to its answer, in the measured window; each transaction is one sample.
    pub commit: Latency,
    /// Requests to the coordinator that were asked again, by Kafka's error name. While the transaction before is still being
    /// completed, that is usual.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: BTreeMap<String, u64>,
}
