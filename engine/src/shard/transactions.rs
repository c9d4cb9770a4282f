//! What a shard tells of its transactions, and how many it takes on: checkpoints carry all of them, and an aborted one is never forgotten
//! while its records are there.

use std::future::Future;

use super::checkpoint::TRANSACTIONS_BYTES;
use super::core::{Core, LogRef};
use super::state::{Refusal, Shard};
use crate::error::AppendError;
use crate::io::Io;
use crate::limits::{
    ABORTED_BYTES, ABORTED_TRANSACTIONS_PER_LOG_MAX, OPEN_TRANSACTIONS_PER_LOG_MAX, PRODUCER_BYTES_MAX,
    TRANSACTIONS_LOG_PART, TRANSACTIONS_SEGMENT_PART,
};
use crate::offset::{LogId, Offset};
use crate::partition::producers::ProducerTable;
use crate::partition::transactions::TransactionTable;

/// What an open transaction takes in a checkpoint: its producer, which is not forgotten meanwhile, and what it leaves if it is aborted.
const OPEN_BYTES: u64 = (PRODUCER_BYTES_MAX + ABORTED_BYTES) as u64;

/// How many transactions a shard takes on.
#[derive(Default)]
pub(super) struct TransactionQuota {
    /// Transactions that may be opened before they are counted again.
    left: u64,
    /// They were counted in this turn.
    pub(super) is_counted: bool,
    /// Batches that began one for which there was no room.
    pub(super) refused: u64,
}

/// A producer of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerView {
    /// Its id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record in this epoch; -1 = none.
    pub last_sequence: i32,
    /// Timestamp of its last batch or marker, ms.
    pub last_timestamp_ms: i64,
    /// Epoch of the coordinator that wrote its last marker; -1 = none did.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub transaction_start: Option<Offset>,
}

impl<I: Io> Shard<I> {
    /// Refuses a batch that would begin a transaction for which there is no room.
    pub(super) fn check_room_for_transaction(&mut self, log: LogId, producer_id: i64) -> Result<(), Refusal> {
        let state = self.partitions.get(&log).map(|partition| &partition.state);
        let Some(state) = state
            .filter(|state| state.producers.get(producer_id).is_none_or(|producer| producer.transaction.is_none()))
        else {
            return Ok(());
        };
        let transactions = &state.transactions;
        let log_bytes_max = self.transactions_bytes_max() / TRANSACTIONS_LOG_PART;
        let is_full = transactions.open_count() >= OPEN_TRANSACTIONS_PER_LOG_MAX
            || transactions.open_count() + transactions.aborted_count() >= ABORTED_TRANSACTIONS_PER_LOG_MAX
            || transactions_bytes(transactions) + OPEN_BYTES > log_bytes_max;
        // Once a turn: a flood of refused batches must not count the tables of all logs for each.
        if self.transactions.left == 0 && !self.transactions.is_counted {
            self.transactions.is_counted = true;
            self.transactions.left = self.count_transactions_left();
        }
        if is_full || self.transactions.left == 0 {
            self.transactions.refused += 1;
            return Err(Refusal::Error(AppendError::TooManyTransactions));
        }
        self.transactions.left -= 1;
        Ok(())
    }

    fn transactions_bytes_max(&self) -> u64 {
        self.journal.segment_bytes() / TRANSACTIONS_SEGMENT_PART
    }

    /// How many may be opened before they are counted again.
    fn count_transactions_left(&self) -> u64 {
        let tables = self.partitions.values().map(|partition| &partition.state.transactions);
        self.transactions_bytes_max().saturating_sub(tables.map(transactions_bytes).sum()) / OPEN_BYTES
    }

    /// The producers of a log that are remembered, by id; none for a log that is not there.
    pub fn producers(&self, log: LogId) -> Vec<ProducerView> {
        let known = self.partitions.get(&log).map(|partition| &partition.state.producers);
        let producers = known.into_iter().flat_map(ProducerTable::iter);
        let mut views: Vec<ProducerView> = producers
            .map(|(producer_id, producer)| {
                let last = producer.batches.back();
                let batch_at = last.map(|batch| (batch.last_offset, batch.timestamp));
                let last_timestamp_ms =
                    batch_at.max(producer.last_marker).map_or(producer.last_seen_ms, |(_, time)| time);
                ProducerView {
                    producer_id,
                    producer_epoch: producer.epoch,
                    last_sequence: last.map_or(-1, |batch| batch.last_sequence),
                    last_timestamp_ms,
                    coordinator_epoch: producer.coordinator_epoch,
                    transaction_start: producer.transaction.map(|open| open.first_offset),
                }
            })
            .collect();
        views.sort_unstable_by_key(|view| view.producer_id);
        views
    }
}

/// What the transactions of a log take in a checkpoint, with what the open ones may leave.
fn transactions_bytes(transactions: &TransactionTable) -> u64 {
    let is_any = transactions.open_count() + transactions.aborted_count() > 0;
    let table = if is_any { TRANSACTIONS_BYTES } else { 0 };
    table + transactions.open_count() as u64 * OPEN_BYTES + (transactions.aborted_count() * ABORTED_BYTES) as u64
}

impl Core {
    /// [`Shard::producers`], wherever the log lives (`DescribeProducers`).
    pub fn producers(&self, log: LogRef) -> impl Future<Output = Vec<ProducerView>> + 'static {
        let answer = self.on(log.shard, move |core| async move { core.inner.shard.borrow().producers(log.log) });
        async move { answer.await.unwrap_or_default() }
    }
}
