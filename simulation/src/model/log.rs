//! `LogModel`: what was sent to one log, what was promised of it, and what was shown.

use std::collections::BTreeMap;

use engine::offset::{CommitSequence, Ends};
use engine::partition::config::LogConfig;
use engine::shard::state::LogView;

use super::End;
use super::compaction::Sight;
use super::keys::Keys;
use super::transactions::Transactions;
use crate::batches::{Opened, Seen};

/// A batch that the log took.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// What a reader must see.
    pub batch: Seen,
    /// Where it went.
    pub commit: CommitSequence,
    /// It was acknowledged as durable, or recovered, which makes it durable.
    pub promised: bool,
    /// It was acknowledged as written.
    pub written: bool,
}

impl Sent {
    /// Whether the batch must be there after such an end.
    pub fn must_be_kept(&self, end: End, ends: Ends<CommitSequence>) -> bool {
        match end {
            End::PowerLost => self.promised || self.commit <= ends.durable,
            End::Killed | End::Stopped => self.promised || self.written || self.commit <= ends.written,
        }
    }
}

/// One log.
#[derive(Clone, Debug)]
pub struct LogModel {
    /// Its shard.
    pub shard: usize,
    /// Its settings.
    pub config: LogConfig,
    /// The commit that made it, and whether that is durable.
    pub made: (CommitSequence, bool),
    /// By base offset, without gaps, from some place below the log start; what compaction takes stays here.
    pub sent: BTreeMap<i64, Sent>,
    /// Their records, where they have any.
    pub keys: Keys,
    /// Its transactions.
    pub transactions: Transactions,
    /// It is or was a compacted log.
    pub was_compacted: bool,
    /// The offset that the next batch gets.
    pub next: i64,
    /// The log start that was acknowledged.
    pub start_promised: i64,
    /// The largest log start that was asked for.
    pub start_asked: i64,
    /// The largest log start that was asked for or shown.
    pub start_most: i64,
    /// The log start and the high watermark that were last shown.
    pub shown: (i64, i64),
    /// The last stable offset that was last shown.
    pub stable_shown: i64,
    /// The epoch that was shown last: no batch may be appended below it.
    pub epoch_least: i32,
    /// The epoch that is durable.
    pub epoch_promised: i32,
}

impl LogModel {
    /// A new log.
    pub fn new(shard: usize, config: LogConfig, made: CommitSequence) -> LogModel {
        LogModel {
            shard,
            config,
            made: (made, false),
            sent: BTreeMap::new(),
            keys: Keys::default(),
            transactions: Transactions::default(),
            was_compacted: config.compact,
            next: 0,
            start_promised: 0,
            start_asked: 0,
            start_most: 0,
            shown: (0, 0),
            stable_shown: 0,
            epoch_least: 0,
            epoch_promised: 0,
        }
    }

    /// A batch was taken; true if it is new, false if it is the repetition of one that is there.
    pub fn took(&mut self, batch: Seen, commit: CommitSequence, may_repeat: bool, durable: CommitSequence) -> bool {
        if batch.base == self.next {
            assert!(batch.epoch >= self.epoch_least, "the leader epoch went back: {batch:?}, {}", self.epoch_least);
            assert!(commit > durable, "a batch was given to commit {commit:?}, which is durable already");
            self.epoch_least = batch.epoch;
            self.next = batch.end;
            self.sent.insert(batch.base, Sent { batch, commit, promised: false, written: false });
            return true;
        }
        assert!(may_repeat, "a new batch got offset {} although the log ends at {}", batch.base, self.next);
        let Some(original) = self.sent.get(&batch.base) else {
            assert!(
                batch.base < self.start_most,
                "a repeated batch was answered with offset {}, where nothing is",
                batch.base
            );
            return false;
        };
        assert_eq!(
            original.batch.crc, batch.crc,
            "the answer to a repeated batch names another one's offset {}",
            batch.base
        );
        let waits_enough = commit == original.commit || original.promised || original.commit <= durable;
        assert!(
            waits_enough,
            "the answer to a repeated batch waits for {commit:?}, its original is in {:?}",
            original.commit
        );
        false
    }

    /// It has other settings from now on.
    pub fn configured(&mut self, config: LogConfig) {
        self.config = config;
        self.was_compacted |= config.compact;
    }

    /// What clients see of the log only moves forward. Gives how many batches are too old to be there.
    pub fn show(&mut self, view: &LogView, ends: Ends<CommitSequence>, now_ms: i64) -> u64 {
        let (start, end) = (view.start.0, view.high_watermark.0);
        assert!(end >= self.shown.1, "the high watermark went back from {} to {end}", self.shown.1);
        assert!(start <= end && end <= self.next, "ends out of order: {start} {end} {}", self.next);
        assert!(
            view.leader_epoch >= self.epoch_least,
            "the leader epoch went back from {} to {}",
            self.epoch_least,
            view.leader_epoch
        );
        self.epoch_least = view.leader_epoch;
        if end > self.shown.1 && !self.config.written_is_enough {
            let news = self.sent.range(..end).next_back().expect("a high watermark ends a batch").1;
            assert!(news.batch.end == end, "the high watermark {end} is inside of {news:?}");
            assert!(
                news.commit <= ends.durable,
                "the high watermark {end} shows {news:?}, durable is {:?}",
                ends.durable
            );
        }
        self.shown.1 = end;
        let stable = view.last_stable_offset.0;
        assert!(stable >= self.stable_shown, "the last stable offset went back from {} to {stable}", self.stable_shown);
        self.check_stable(view);
        self.stable_shown = stable;
        self.show_start(start, &Sight { end, durable: ends.durable, now_ms })
    }

    /// What a start found takes the place of what was sent. What is there now is durable.
    pub fn recovered(&mut self, found: &[Opened], view: &LogView, unclean: bool) {
        let (start, end) = (view.start.0, view.high_watermark.0);
        // The audit found them, or why they are not there.
        self.sent.retain(|&base, sent| base < end && sent.batch.end > start);
        self.sent.values_mut().for_each(|sent| sent.promised = true);
        self.keys.cut(end);
        self.transactions.cut(end);
        self.check_stable(view);
        self.stable_shown = view.last_stable_offset.0;
        for batch in found {
            if let Some(horizon_ms) = batch.horizon_ms {
                self.keys.show_horizon(batch.seen.base, horizon_ms);
            }
        }
        self.next = end;
        self.shown = (start, end);
        self.start_promised = start;
        self.made.1 = true;
        assert!(
            !unclean || view.leader_epoch > self.epoch_least,
            "an unclean stop left the leader epoch at {}",
            view.leader_epoch
        );
        assert!(
            view.leader_epoch >= self.epoch_least,
            "the leader epoch fell from {} to {}, {} was durable",
            self.epoch_least,
            view.leader_epoch,
            self.epoch_promised
        );
        self.epoch_least = view.leader_epoch;
        self.epoch_promised = view.leader_epoch;
    }
}
