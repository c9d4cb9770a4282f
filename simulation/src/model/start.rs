//! What may move a log start: whoever asks for it, age beyond `retention.ms`, and size beyond `retention.bytes`.

use super::LogModel;
use super::compaction::Sight;
use super::log::Sent;

impl LogModel {
    /// The log start is seen at `start`; gives how many batches it left behind because of their age.
    pub fn show_start(&mut self, start: i64, sight: &Sight) -> u64 {
        assert!(start >= self.shown.0, "the log start went back from {} to {start}", self.shown.0);
        let kept_from = self.shown.0.max(self.start_asked);
        let left = self.sent.range(..start).map(|(_, sent)| sent);
        let left = left.filter(|sent| start > kept_from && sent.batch.end > kept_from);
        let mut expired = 0;
        for sent in left {
            let is_old = self.is_old(sent, sight);
            assert!(
                is_old || self.is_excess(sent),
                "the log start went to {start} past {sent:?} at {}, {:?}",
                sight.now_ms,
                self.config
            );
            expired += u64::from(is_old);
        }
        self.shown.0 = start;
        self.start_most = self.start_most.max(start);
        expired
    }

    /// Everything in the batch that must be there is older than `retention.ms`.
    fn is_old(&self, sent: &Sent, sight: &Sight) -> bool {
        let oldest_ms = sight.now_ms - self.config.retention_ms;
        self.config.delete
            && self.config.retention_ms >= 0
            && self.youngest_ms(sent, sight).is_none_or(|youngest_ms| (0..oldest_ms).contains(&youngest_ms))
    }

    /// Without the batch the log is still as large as `retention.bytes` says.
    fn is_excess(&self, sent: &Sent) -> bool {
        let behind = self.sent.range(sent.batch.end..).map(|(_, sent)| sent.batch.bytes as i64);
        self.config.delete && self.config.retention_bytes >= 0 && behind.sum::<i64>() >= self.config.retention_bytes
    }

    /// Everything that was sent and is held yet is too old: it has to go.
    pub fn is_stuck(&self, now_ms: i64) -> bool {
        let oldest_ms = now_ms - self.config.retention_ms;
        let mut held = self.sent.values().filter(|sent| sent.batch.end > self.shown.0);
        self.config.delete
            && self.config.retention_ms >= 0
            && self.shown.0 < self.shown.1
            && held.all(|sent| (0..oldest_ms).contains(&sent.batch.max_timestamp))
    }
}
