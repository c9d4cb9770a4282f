//! A coordinator's memory from its log and back: replay of the partition, and the snapshot that replaces an old log.

use protocol::record_batch::{BatchBuilder, ProducerFields};

use super::coordinator::{Coordinator, Effect, Entry};
use super::{Status, TransactionRecord};
use crate::limits::TRANSACTION_SNAPSHOT_BATCH_BYTES;

impl Coordinator {
    /// Replays a record, in order of their offsets, before [`Coordinator::loaded`]. The error says what is wrong with it.
    pub fn load(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        assert!(self.is_loading(), "a loaded coordinator has newer state than its log");
        let record = TransactionRecord::decode(key.unwrap_or_default(), value)?;
        match record.value {
            Some(transaction) => self.entries.insert(record.transactional_id, Entry::new(transaction)),
            None => self.entries.remove(&record.transactional_id),
        };
        Ok(())
    }

    /// Ends the replay. Transactions that were decided are carried through: their markers are written, be it once more.
    pub fn loaded(&mut self, now_ms: i64) -> Vec<Effect> {
        assert!(self.is_loading(), "a coordinator is loaded once");
        let ids: Vec<_> = self.entries.keys().cloned().collect();
        for id in ids {
            if matches!(self.entries[&id].current.status, Status::PrepareCommit | Status::PrepareAbort) {
                self.write_markers(&id);
            }
            self.reschedule(&id);
        }
        self.serve_from(now_ms);
        std::mem::take(&mut self.effects)
    }

    /// Batches that hold all that the log must say, so that what lies before them can be dropped.
    ///
    /// They must take their place in the log at once, before any later append: they contain the changes that are still on their way, since
    /// those lie before them and would otherwise be undone by older values.
    pub fn snapshot(&self, now_ms: i64) -> Vec<Vec<u8>> {
        let mut batches = Vec::new();
        let mut open: Option<BatchBuilder> = None;
        for (transactional_id, entry) in &self.entries {
            let newest = entry.pending.as_ref().map_or(&entry.current, |pending| &pending.next);
            if newest.status == Status::Dead || !newest.is_given() {
                continue;
            }
            let value = Some(newest.clone());
            let batch = open.get_or_insert_with(|| BatchBuilder::new(Vec::new(), now_ms, ProducerFields::NONE));
            TransactionRecord { transactional_id: transactional_id.clone(), value }.append_to(batch, now_ms);
            if batch.batch_bytes() >= TRANSACTION_SNAPSHOT_BATCH_BYTES {
                batches.extend(open.take().map(BatchBuilder::finish));
            }
        }
        batches.extend(open.map(BatchBuilder::finish));
        batches
    }
}
