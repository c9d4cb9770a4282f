//! Offers a stated load to any Kafka endpoint and reports what happened, honestly.
//!
//! Latency counts from the intended send time, every record is verified, and every result carries its
//! environment, its full configuration and its durability class.

pub mod agent;
pub mod assemble;
pub mod campaign;
pub mod ceiling;
pub mod client;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod collector;
pub mod command;
pub mod compare;
pub mod connection;
pub mod consumer;
pub mod crew;
pub mod disturbance;
pub mod duel;
pub mod embedded;
pub mod error;
pub mod evidence;
pub mod fault;
pub mod goal;
pub mod host;
pub mod integrity;
pub mod ledger;
pub mod local_broker;
pub mod options;
pub mod outage;
pub mod payload;
pub mod preset;
pub mod probe;
pub mod producer;
pub mod progress;
pub mod quantity;
pub mod recorder;
pub mod report;
pub mod request;
pub mod result;
pub mod run;
pub mod schedule;
pub mod search;
pub mod settings;
pub mod side;
pub mod signals;
pub mod started;
pub mod statistics;
pub mod sustained;
pub mod timeline;
pub mod usage;
pub mod verification;
pub mod worker;
pub mod workload;
