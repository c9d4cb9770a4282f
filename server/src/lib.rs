//! CONTRACT: speaks Kafka on sockets and turns requests into engine calls.
//!
//! [`serve`] runs a broker until it is told to stop; the binary and the load generator's embedded broker are thin shells around it.
//! One engine shard is one thread: it owns its connections, its partitions and the groups whose offsets partitions it has; other
//! shards are reached by message only ([`broker::Broker`] is what a shard knows).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod admin;
pub mod answer_budget;
pub mod api;
pub mod available_memory;
pub mod awaited;
pub mod broker;
pub mod catalog;
mod check;
pub mod cli;
pub mod clock;
pub mod closing_log;
pub mod compaction;
pub mod config;
pub mod config_edits;
pub mod config_type;
pub mod connection;
pub mod connection_caps;
mod dump;
pub mod exit;
pub mod fetch_sessions;
pub mod frame_budget;
pub mod frame_reader;
pub mod group;
pub mod group_config;
pub mod group_edge;
pub mod internal_topics;
pub mod limits;
pub mod listener;
pub mod memory_plan;
pub mod metrics;
pub mod nodes;
pub mod producer_ids;
pub mod recompression;
pub mod request;
mod serve;
pub mod shard_service;
pub mod start_report;
pub mod state_log;
pub mod tables;
pub mod topic_config;
pub mod transaction;
pub mod transaction_edge;
pub mod unserved;

pub use serve::serve;
