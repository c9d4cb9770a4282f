//! CONTRACT: given record batches, keeps ordered durable logs on this machine. Knows nothing of Kafka's requests.

pub mod batch;
pub mod cleaner;
pub mod data_directory;
pub mod error;
pub mod io;
pub mod journal;
pub mod latency;
pub mod ledger;
pub mod limits;
pub mod memory;
pub mod offset;
pub mod partition;
pub mod recovery;
pub mod shard;
pub mod tail;
