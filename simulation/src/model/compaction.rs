//! What compaction may take: a record that a newer visible one of its key supersedes and that is not too young, and a tombstone after its time.
//! Nothing else is ever missing, and what is there is as it was sent.

use engine::offset::{CommitSequence, LogId};

use super::LogModel;
use super::log::Sent;
use super::transactions::Fate;
use crate::batches::Opened;

/// The moment at which something is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// What lies below is visible.
    pub end: i64,
    /// What lies in commits up to here is durable.
    pub durable: CommitSequence,
    /// Wall clock, ms.
    pub now_ms: i64,
}

impl LogModel {
    /// The record at `offset` may be missing. Nothing is taken from where something is not decided.
    pub fn may_be_gone(&self, offset: i64, sight: &Sight) -> bool {
        let is_reached = self.was_compacted && offset < self.stable_shown;
        let Some(keyed) = self.keys.at(offset).filter(|_| is_reached) else { return false };
        match self.transactions.fate(keyed.batch, sight.end) {
            Fate::Aborted => return true,
            Fate::Undecided => return false,
            Fate::Counts => {}
        }
        if keyed.record.key.is_none() {
            return true;
        }
        let lag_ms = self.config.min_compaction_lag_ms;
        let youngest_ms = if lag_ms > 0 { sight.now_ms - lag_ms } else { i64::MAX };
        let counts = |batch: i64| self.transactions.fate(batch, sight.end) == Fate::Counts;
        let is_durable =
            |batch: i64| self.sent.get(&batch).is_some_and(|sent| sent.promised || sent.commit <= sight.durable);
        let mut newer = self.keys.newer(offset, sight.end);
        let is_superseded =
            keyed.record.timestamp <= youngest_ms && newer.any(|keyed| counts(keyed.batch) && is_durable(keyed.batch));
        let least_ms = keyed.taken_ms.saturating_add(self.config.delete_retention_ms);
        let horizon_ms = self.keys.horizon(keyed.batch).unwrap_or(least_ms).max(least_ms);
        is_superseded || (keyed.record.is_tombstone() && horizon_ms <= sight.now_ms)
    }

    /// No record of the batch must be there.
    pub fn batch_may_be_gone(&self, sent: &Sent, sight: &Sight) -> bool {
        if self.is_aborted(sent, sight) {
            return true;
        }
        let mut records = self.keys.within(sent.batch.base, sent.batch.end).peekable();
        records.peek().is_some() && records.all(|(offset, _)| self.may_be_gone(offset, sight))
    }

    /// Compaction may drop the batch without looking into it.
    fn is_aborted(&self, sent: &Sent, sight: &Sight) -> bool {
        self.was_compacted && self.transactions.fate(sent.batch.base, sight.end) == Fate::Aborted
    }

    /// Timestamp of the youngest record of the batch that must be there; of a batch that nobody looks into, the header's.
    pub fn youngest_ms(&self, sent: &Sent, sight: &Sight) -> Option<i64> {
        if self.is_aborted(sent, sight) {
            return None;
        }
        let mut records = self.keys.within(sent.batch.base, sent.batch.end).peekable();
        if !self.was_compacted || records.peek().is_none() {
            return Some(sent.batch.max_timestamp);
        }
        let staying = records.filter(|(offset, _)| !self.may_be_gone(*offset, sight));
        staying.map(|(_, keyed)| keyed.record.timestamp).max()
    }

    /// A reader finds nothing from one offset to another; gives how many records it misses.
    pub fn check_gap(&self, log: LogId, (from, to): (i64, i64), sight: &Sight) -> u64 {
        let mut gone = 0;
        for (_, sent) in self.sent.range(..to).rev().take_while(|(_, sent)| sent.batch.end > from) {
            assert!(self.batch_may_be_gone(sent, sight), "{log:?}: {sent:?} is missing in {from}..{to}, {sight:?}");
            gone += (sent.batch.end - sent.batch.base) as u64;
        }
        gone
    }

    /// A reader finds a batch: it is what was sent, or what compaction leaves of that. Gives how many records it lost.
    pub fn check_batch(&self, log: LogId, found: &Opened, sight: &Sight) -> u64 {
        let seen = &found.seen;
        let sent = self.sent.get(&seen.base).map(|sent| &sent.batch);
        if sent == Some(seen) {
            return 0;
        }
        let same_place = sent.is_some_and(|sent| {
            (sent.base, sent.end, sent.epoch, sent.producer) == (seen.base, seen.end, seen.epoch, seen.producer)
        });
        assert!(same_place && self.was_compacted, "{log:?} shows what nobody sent: {seen:?}, sent {sent:?}");
        let records = found.records.as_ref().expect("what compaction leaves is records");
        assert!(!records.is_empty(), "{log:?}: {seen:?} is empty");
        let sorted = records.windows(2).all(|pair| pair[0].delta < pair[1].delta);
        assert!(sorted, "{log:?}: the records of {seen:?} are out of order");
        for record in records {
            let keyed = self.keys.at(seen.base + i64::from(record.delta));
            assert_eq!(
                keyed.map(|keyed| &keyed.record),
                Some(record),
                "{log:?}: compaction changed a record of {seen:?}"
            );
        }
        let youngest_ms = records.iter().map(|record| record.timestamp).max();
        assert_eq!(youngest_ms, Some(seen.max_timestamp), "{log:?}: the largest timestamp of {seen:?} is wrong");
        self.check_horizon(log, found, sight);
        let mut gone = 0;
        for (offset, keyed) in self.keys.within(seen.base, seen.end) {
            if records.iter().all(|record| record.delta != keyed.record.delta) {
                let may_be_gone = self.may_be_gone(offset, sight);
                assert!(may_be_gone, "{log:?}: record {offset} of {seen:?} is missing: {keyed:?}, {sight:?}");
                gone += 1;
            }
        }
        gone
    }

    /// A delete horizon lies the time behind a cleaning that the topic says.
    fn check_horizon(&self, log: LogId, found: &Opened, sight: &Sight) {
        let Some(horizon_ms) = found.horizon_ms else { return };
        let (base, retention_ms) = (found.seen.base, self.config.delete_retention_ms);
        let taken_ms = self.keys.at(base).map_or(i64::MIN, |keyed| keyed.taken_ms);
        let allowed = taken_ms.saturating_add(retention_ms)..=sight.now_ms.saturating_add(retention_ms);
        assert!(
            allowed.contains(&horizon_ms),
            "{log:?}: the batch at {base} has delete horizon {horizon_ms}, not in {allowed:?}"
        );
    }
}
