//! `Engine`: opens a data directory and runs one thread a shard.

use std::future::Future;
use std::path::PathBuf;

use super::core::Core;

/// What the engine is started with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The data directory; made if it does not exist.
    pub directory: PathBuf,
    /// Shards of a new directory (default: one a core); an existing one keeps its number.
    pub shards: Option<u32>,
    /// Segment size of a new directory.
    pub segment_bytes: u64,
    /// Tail buffers of the whole process, split between the shards.
    pub tail_bytes: usize,
    /// Pin each shard's thread to a core.
    pub pin: bool,
}

/// A running engine.
pub struct Engine {}

#[allow(unused_variables, missing_docs)]
impl Engine {
    /// Locks and recovers the directory, then runs `service` on every shard's thread. Returns when all shards run.
    /// A service that returns ends its shard: the engine flushes, and writes the clean marker when all have ended.
    pub fn start<S, F>(config: EngineConfig, service: S) -> Result<Engine, crate::error::AppendError>
    where
        S: Fn(Core) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + 'static,
    {
        todo!()
    }
    /// Waits until every shard has ended and the clean marker is written.
    pub fn join(self) {
        todo!()
    }
}
