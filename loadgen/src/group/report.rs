//! What a group knows at its end.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// What a group knows at its end.
#[derive(Debug, Clone)]
pub struct GroupReport {
    /// Its number.
    pub group: u32,
    /// Generations in which members got partitions, in order; those from before the load began included.
    pub rebalances: Vec<RebalanceSpan>,
    /// Further ones.
    pub rebalances_untold: u64,
    /// Records that were read again.
    pub redelivered: u64,
    /// Commits that were answered without error while the clock ran: from the write to the answer, nanoseconds.
    pub commits: Histogram<u64>,
    /// Commits that were refused, by Kafka's error code.
    pub refused_commits: BTreeMap<i16, u64>,
    /// Positions that the broker gave to a member although a later one had been committed.
    pub lost_commits: u64,
}

/// One rebalance as the members saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebalanceSpan {
    /// The generation that came out of it.
    pub generation: i32,
    /// The first of its members stood without partitions.
    pub began_ns: u64,
    /// The last of them knew its partitions.
    pub ended_ns: u64,
    /// Members that got partitions or learned that there are none for them.
    pub members: u32,
    /// What had happened before, and when.
    pub causes: Vec<(u64, &'static str)>,
}
