//! CONTRACT: one OS thread, one ring, one journal, the partitions it owns.
//!
//! [`state::Shard`] is a synchronous state machine over [`crate::io::Io`]; [`core::Core`] is its asynchronous edge on a real
//! thread, [`mailbox`] the only path between threads, [`engine::Engine`] what starts and ends them.

mod appends;
pub mod census;
mod checkpoint;
mod cleaning;
mod compacting;
pub mod core;
pub mod disk_use;
#[cfg(test)]
mod driven;
pub mod engine;
mod extents;
mod fair_queue;
mod found;
mod kept_extents;
mod lookups;
pub mod mailbox;
mod read_ahead;
pub mod read_stats;
mod read_steps;
mod reading;
pub mod reads;
mod retention;
pub mod state;
pub mod stats;
mod storing;
mod sweep;
pub mod transactions;
mod trimming;
pub mod turn;
pub mod waiters;
