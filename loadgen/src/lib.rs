//! Offers a stated load to any Kafka endpoint and reports what happened, honestly.
//!
//! Latency counts from the intended send time, every record is verified, and every result carries its
//! environment, its full configuration and its durability class.

pub mod host;
pub mod progress;
pub mod report;
pub mod result;
