//! `Metrics`: what one shard's thread has served, counted where it happens by plain additions; nothing is shared, and whoever asks gets a copy
//! by message ([`crate::admin`]). There are no labels by topic, partition or client: their number has no bound.

mod page;
mod text;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use engine::latency::LatencyHistogram;
use engine::shard::stats::CoreStats;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;

pub use self::page::page;

/// Counters of one thread.
#[derive(Default)]
pub struct Metrics {
    counters: RefCell<Counters>,
}

/// A copy of them.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Requests that ended, from the whole frame to the finished answer; a Fetch that waits for records counts its wait.
    pub requests: BTreeMap<ApiKey, LatencyHistogram>,
    /// Partitions of Produce and Fetch that were answered with an error.
    pub partition_errors: BTreeMap<(ApiKey, i16), u64>,
    /// Bytes of request frames.
    pub received_bytes: u64,
    /// Bytes of answers that left.
    pub sent_bytes: u64,
    /// Bytes of records in fetch answers.
    pub fetched_bytes: u64,
    /// Connections that ended, by reason.
    pub connections_ended: BTreeMap<&'static str, u64>,
}

impl Metrics {
    /// A request has its answer.
    pub fn request_ended(&self, api: ApiKey, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counters.borrow_mut().requests.entry(api).or_default().record(took_ns);
    }

    /// A partition is answered with an error.
    pub fn partition_failed(&self, api: ApiKey, code: ErrorCode) {
        *self.counters.borrow_mut().partition_errors.entry((api, code.code())).or_default() += 1;
    }

    /// A frame came in.
    pub fn received(&self, bytes: usize) {
        self.counters.borrow_mut().received_bytes += bytes as u64;
    }

    /// Answers left.
    pub fn sent(&self, bytes: usize) {
        self.counters.borrow_mut().sent_bytes += bytes as u64;
    }

    /// Records are answered to a Fetch.
    pub fn fetched(&self, bytes: usize) {
        self.counters.borrow_mut().fetched_bytes += bytes as u64;
    }

    /// A connection ended.
    pub fn connection_ended(&self, reason: &'static str) {
        *self.counters.borrow_mut().connections_ended.entry(reason).or_default() += 1;
    }

    /// A copy.
    pub fn counters(&self) -> Counters {
        self.counters.borrow().clone()
    }
}

/// Memory for one purpose.
#[derive(Clone, Copy, Debug)]
pub struct MemoryUse {
    /// What for.
    pub purpose: &'static str,
    /// Bytes held.
    pub bytes: usize,
    /// Bytes that it may hold.
    pub limit_bytes: usize,
}

/// What the system says of the process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessSnapshot {
    /// Its resident memory.
    pub resident_bytes: u64,
    /// Room on the file system of its data directory; None if the file system does not say.
    pub disk_free_bytes: Option<u64>,
    /// None where they are not counted.
    pub allocations: Option<Allocations>,
}

/// Memory taken from the allocator since the start.
#[derive(Clone, Copy, Debug)]
pub struct Allocations {
    /// Calls that gave memory, or gave more of it.
    pub count: u64,
    /// Bytes that they gave.
    pub bytes: u64,
}

impl Allocations {
    /// What was counted so far, by a build that counts.
    pub fn now() -> Option<Allocations> {
        #[cfg(feature = "allocation-counters")]
        {
            let stats = stats_alloc::INSTRUMENTED_SYSTEM.stats();
            let count = (stats.allocations + stats.reallocations) as u64;
            return Some(Allocations { count, bytes: stats.bytes_allocated as u64 });
        }
        #[cfg(not(feature = "allocation-counters"))]
        None
    }
}

/// Everything that one shard tells.
#[derive(Clone, Debug)]
pub struct ShardSnapshot {
    /// The shard.
    pub shard: u32,
    /// What it has served.
    pub counters: Counters,
    /// Connections that live there.
    pub connections: usize,
    /// What its engine has done.
    pub engine: CoreStats,
    /// What it holds.
    pub memory: Vec<MemoryUse>,
}
