//! `ProducerIds`: a shard hands out producer ids from a block that the catalog made durable before; a crash wastes the rest of the block.

use std::cell::RefCell;
use std::ops::Range;

use tokio::sync::Mutex;

use crate::broker::Broker;
use crate::catalog::CatalogError;
use crate::limits::PRODUCER_ID_BLOCK;

/// The rest of the newest block.
#[derive(Default)]
pub struct ProducerIds {
    block: RefCell<Range<i64>>,
    refilling: Mutex<()>,
}

impl ProducerIds {
    /// An id that nobody had before.
    pub async fn next(&self, broker: &Broker) -> Result<i64, CatalogError> {
        let _refilling = self.refilling.lock().await;
        if let Some(id) = self.block.borrow_mut().next() {
            return Ok(id);
        }
        let first = broker
            .with_owner(|owner| async move { owner.take_producer_ids().await })
            .await
            .map_err(|_| CatalogError::Stopping)??;
        let mut block = first..first + PRODUCER_ID_BLOCK;
        let id = block.next();
        self.block.replace(block);
        id.ok_or(CatalogError::Stopping)
    }
}
