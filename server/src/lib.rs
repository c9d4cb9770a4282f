//! CONTRACT: speaks Kafka on sockets and turns requests into engine calls.

pub mod limits;
