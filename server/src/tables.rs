//! The tables of a shard under their budget: the engine's logs and producers, the groups, the transactional ids, the fetch sessions, the catalog. They are counted every while, a part at a
//! time; as long as they are full, what would make them grow is refused with an error that a client tries again: topics, partitions, members,
//! groups, transactional ids and large transactions. A producer that nobody knew takes the place of the most silent one.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::shard::census::TableBytes;

use crate::broker::Broker;

/// Between two parts of a count.
const STEP: Duration = Duration::from_millis(100);

/// What the tables of a shard took when they were counted last.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tables {
    /// The engine's.
    pub engine: TableBytes,
    /// Groups, their members and offsets.
    pub group_bytes: usize,
    /// Transactional ids and their partitions.
    pub transaction_bytes: usize,
    /// Fetch sessions.
    pub session_bytes: usize,
    /// This shard's part of the catalog, which all shards share.
    pub catalog_bytes: usize,
}

impl Tables {
    /// All of them.
    pub fn total_bytes(&self) -> usize {
        self.engine.total() + self.group_bytes + self.transaction_bytes + self.session_bytes + self.catalog_bytes
    }
}

/// The last count of one shard.
#[derive(Default)]
pub struct TableWatch {
    counted: Cell<Tables>,
    is_full: Cell<bool>,
}

impl TableWatch {
    /// The last count.
    pub fn counted(&self) -> Tables {
        self.counted.get()
    }
}

/// Counts for ever. `full_shards` is how many shards have full tables.
pub async fn watch(broker: Rc<Broker>, full_shards: Arc<AtomicUsize>) {
    let mut next_step = tokio::time::interval(STEP);
    loop {
        next_step.tick().await;
        if !broker.core.count_tables() {
            continue;
        }
        let mut counted = Tables { engine: broker.core.table_bytes(), ..Tables::default() };
        for partition in broker.groups.partitions() {
            next_step.tick().await;
            counted.group_bytes += broker.groups.memory_bytes(partition);
        }
        for partition in broker.transactions.partitions() {
            next_step.tick().await;
            counted.transaction_bytes += broker.transactions.memory_bytes(partition);
        }
        counted.session_bytes = broker.fetch_sessions.memory_bytes();
        counted.catalog_bytes = broker.catalog().memory_bytes() / broker.core.shard_count() as usize;
        broker.tables.counted.set(counted);
        let is_full = counted.total_bytes() > broker.memory.table_bytes;
        broker.groups.refuse_growth(is_full);
        broker.transactions.refuse_growth(is_full);
        if broker.tables.is_full.replace(is_full) != is_full {
            broker.core.tables_are_full(is_full);
            if is_full {
                full_shards.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    bytes = counted.total_bytes(),
                    limit_bytes = broker.memory.table_bytes,
                    shard = %broker.core.shard(),
                    "the tables are full: new topics, partitions, groups and members are refused (memory.max.bytes)"
                );
            } else {
                full_shards.fetch_sub(1, Ordering::Relaxed);
                tracing::info!(shard = %broker.core.shard(), "the tables have room again");
            }
        }
    }
}
