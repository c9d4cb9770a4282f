//! What administrators ask, and how much memory transactional ids take.

use super::coordinator::{Coordinator, Entry};
use super::record::partitions_bytes;
use super::{ListRequest, Partitions, Transaction, TransactionDescription, TransactionError, TransactionListing};
use crate::limits::{TRANSACTION_PARTITION_BYTES_MAX, TRANSACTION_PARTITION_BYTES_SMALL};

/// Memory of a partition in the set of a transaction, about.
const PARTITION_BYTES: usize = 16;

impl Coordinator {
    /// Whether new transactional ids and large transactions are refused, for want of memory. The error is retriable, and those that are there
    /// go on.
    pub fn refuse_growth(&mut self, grows_no_more: bool) {
        self.grows_no_more = grows_no_more;
    }

    /// Bytes of memory of all ids, about.
    pub fn memory_bytes(&self) -> usize {
        let of_entry = |(id, entry): (&String, &Entry)| {
            let partitions = &entry.current.partitions;
            let indexes: usize = partitions.values().map(std::collections::BTreeSet::len).sum();
            2 * (size_of::<Entry>() + id.len() + partitions_bytes(partitions) + indexes * PARTITION_BYTES)
        };
        self.entries.iter().map(of_entry).sum()
    }

    /// Whether a transaction may have these partitions.
    pub(super) fn check_size(&self, partitions: &Partitions) -> Result<(), TransactionError> {
        match partitions_bytes(partitions) {
            bytes if bytes > TRANSACTION_PARTITION_BYTES_MAX => Err(TransactionError::InvalidRequest),
            bytes if bytes > TRANSACTION_PARTITION_BYTES_SMALL && self.grows_no_more => {
                Err(TransactionError::CoordinatorNotAvailable)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn describe(&self, transactional_id: &str) -> Result<TransactionDescription, TransactionError> {
        let entry = self.entries.get(transactional_id).filter(|entry| entry.current.is_given());
        let current = &entry.ok_or(TransactionError::TransactionalIdNotFound)?.current;
        Ok(TransactionDescription {
            status: current.status,
            timeout_ms: current.timeout_ms,
            started_ms: current.started_ms,
            producer: current.producer,
            partitions: current.partitions.clone(),
        })
    }

    pub(super) fn list(&self, request: &ListRequest, now_ms: i64) -> Vec<TransactionListing> {
        let passes = |current: &Transaction| {
            let ids = &request.producer_ids;
            current.is_given()
                && request.statuses.as_ref().is_none_or(|statuses| statuses.contains(&current.status))
                && (ids.is_empty() || ids.contains(&current.producer.id))
                && (request.longer_than_ms < 0 || now_ms.saturating_sub(current.started_ms) > request.longer_than_ms)
        };
        let passing = self.entries.iter().filter(|(_, entry)| passes(&entry.current));
        let listings = passing.map(|(transactional_id, entry)| TransactionListing {
            transactional_id: transactional_id.clone(),
            producer_id: entry.current.producer.id,
            status: entry.current.status,
        });
        listings.collect()
    }
}
