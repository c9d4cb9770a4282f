//! What clients and main tell each other while they work, besides the figures: counters and orders without locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared by main and all clients of a phase.
#[derive(Debug, Default)]
pub struct Signals {
    acked: AtomicU64,
    consumed: AtomicU64,
    cuts: AtomicU64,
    rest_until_ns: AtomicU64,
    /// When something last went wrong at a client; 0 when nothing did.
    trouble_ns: AtomicU64,
}

impl Signals {
    /// Records that were answered without error.
    pub fn add_acked(&self, records: u64) {
        self.acked.fetch_add(records, Ordering::Relaxed);
    }

    /// Records that were read.
    pub fn add_consumed(&self, records: u64) {
        self.consumed.fetch_add(records, Ordering::Relaxed);
    }

    /// Records answered without error so far.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Records read so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Orders every client to close its connections.
    pub fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// How often connections were to be closed so far.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Orders consumers to ask for nothing until then.
    pub fn rest_until(&self, at_ns: u64) {
        self.rest_until_ns.store(at_ns, Ordering::Relaxed);
    }

    /// Until when consumers ask for nothing.
    pub fn rest_until_ns(&self) -> u64 {
        self.rest_until_ns.load(Ordering::Relaxed)
    }

    /// A connection was lost or could not be made, or was won back just now, or a request was refused.
    pub fn note_trouble(&self, now_ns: u64) {
        self.trouble_ns.fetch_max(now_ns, Ordering::Relaxed);
    }

    /// When something last went wrong at a client.
    pub fn trouble_ns(&self) -> Option<u64> {
        Some(self.trouble_ns.load(Ordering::Relaxed)).filter(|&at_ns| at_ns > 0)
    }
}
