//! CONTRACT: one OS thread, one ring, one journal, the partitions it owns.

pub mod core;
pub mod engine;
