//! Which batches a reader of what is committed drops: the broker names the aborted transactions of what it sends, and where their
//! markers are, the log says.

use std::collections::BTreeSet;

use protocol::messages::fetch::AbortedTransaction;
use protocol::record_batch::{BatchHeader, HEADER_BYTES, records};

/// The type of a marker that ends a transaction without its records.
const ABORT: [u8; 2] = [0, 0];

/// The aborted transactions of one partition in one answer.
#[derive(Debug)]
pub(super) struct Aborted {
    /// To come, the last one first.
    waiting: Vec<AbortedTransaction>,
    /// Producers whose records are dropped here.
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// Those that the broker named.
    pub(super) fn new(named: Option<&Vec<AbortedTransaction>>) -> Self {
        let mut waiting = named.cloned().unwrap_or_default();
        waiting.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Self { waiting, producers: BTreeSet::new() }
    }

    /// Whether the next batch in the order of offsets is to be dropped.
    pub(super) fn drops(&mut self, header: &BatchHeader, batch: &[u8]) -> bool {
        while let Some(next) = self.waiting.pop_if(|next| next.first_offset <= header.last_offset()) {
            self.producers.insert(next.producer_id);
        }
        if header.is_control() {
            if is_abort(header, batch) {
                self.producers.remove(&header.producer_id);
            }
            return false;
        }
        header.is_transactional() && self.producers.contains(&header.producer_id)
    }
}

/// The key of a marker is its version and its type.
fn is_abort(header: &BatchHeader, batch: &[u8]) -> bool {
    let key = records(header, &batch[HEADER_BYTES..]).next().and_then(Result::ok).and_then(|record| record.key);
    key.and_then(|key| key.get(2..4)) == Some(&ABORT)
}
