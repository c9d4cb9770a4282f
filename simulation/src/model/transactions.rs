//! What readers of what is decided may see: nothing at or above the first record of a transaction that has not visibly ended, and with the list of
//! aborted ones, as Kafka's clients use it, exactly the records that count.

use std::collections::{BTreeMap, BTreeSet};

use engine::offset::LogId;
use engine::partition::transactions::AbortedTransaction;
use engine::shard::state::LogView;

use super::LogModel;
use crate::batches::Opened;

/// A batch of a transaction.
#[derive(Clone, Copy, Debug)]
struct Part {
    producer: i64,
    end: i64,
    /// The marker that ended its transaction.
    marker: Option<i64>,
}

/// What became of the records of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// They count.
    Counts,
    /// They never were.
    Aborted,
    /// Nobody knows yet.
    Undecided,
}

/// The transactions of one log.
#[derive(Clone, Default, Debug)]
pub struct Transactions {
    parts: BTreeMap<i64, Part>,
    /// By offset: whether the marker aborts.
    markers: BTreeMap<i64, bool>,
}

impl Transactions {
    /// A batch of a producer's transaction was taken.
    pub fn took(&mut self, base: i64, end: i64, producer: i64) {
        self.parts.insert(base, Part { producer, end, marker: None });
    }

    /// A marker was taken.
    pub fn marked(&mut self, base: i64, producer: i64, aborts: bool) {
        let open = self.parts.values_mut().filter(|part| part.producer == producer && part.marker.is_none());
        open.for_each(|part| part.marker = Some(base));
        self.markers.insert(base, aborts);
    }

    /// What an end took away: what was decided above it is not decided any more.
    pub fn cut(&mut self, end: i64) {
        self.parts.split_off(&end);
        self.markers.split_off(&end);
        for part in self.parts.values_mut() {
            part.marker = part.marker.filter(|marker| *marker < end);
        }
    }

    /// What became of a batch, for who sees everything below `visible_end`.
    pub fn fate(&self, base: i64, visible_end: i64) -> Fate {
        let Some(part) = self.parts.get(&base) else { return Fate::Counts };
        match part.marker.filter(|marker| *marker < visible_end) {
            None => Fate::Undecided,
            Some(marker) if self.markers[&marker] => Fate::Aborted,
            Some(_) => Fate::Counts,
        }
    }

    /// Whether a transaction of the producer has records and no marker.
    pub fn is_open(&self, producer: i64) -> bool {
        self.parts.values().any(|part| part.producer == producer && part.marker.is_none())
    }

    /// Producers of transactions without a marker that have records from an offset on.
    pub fn open_from(&self, start: i64) -> BTreeSet<i64> {
        let open = self.parts.values().filter(|part| part.marker.is_none() && part.end > start);
        open.map(|part| part.producer).collect()
    }

    /// How many transactions are open, or were aborted.
    pub fn remembered(&self) -> usize {
        let open = self.parts.values().filter(|part| part.marker.is_none()).count();
        open + self.markers.values().filter(|aborts| **aborts).count()
    }

    /// Least and most that the last stable offset may be. They differ where the log start passed records of a transaction: it may be
    /// remembered from its first record, or from the first that came afterwards.
    fn stable_bounds(&self, view: &LogView) -> (i64, i64) {
        let (start, end) = (view.start.0, view.high_watermark.0);
        let undecided = self.parts.range(..end).filter(|(base, _)| self.fate(**base, end) == Fate::Undecided);
        let (mut least, mut most) = (end, end);
        for (&base, part) in undecided {
            least = least.min(base.max(start));
            if part.end > start {
                most = most.min(base.max(start));
            }
        }
        (least, most)
    }
}

impl LogModel {
    /// The last stable offset lies where it must.
    pub fn check_stable(&self, view: &LogView) {
        let (least, most) = self.transactions.stable_bounds(view);
        let stable = view.last_stable_offset.0;
        assert!(
            (least..=most).contains(&stable),
            "the last stable offset is {stable}, not in {least}..={most}: {view:?}"
        );
    }

    /// What a read of what is decided gave, looked at as Kafka's consumers do; `view` goes with it. Gives how many batches were aborted.
    pub fn check_decided(&self, log: LogId, batches: &[Opened], aborted: &[AbortedTransaction], view: &LogView) -> u64 {
        // A log start moves it at once, everything else at turns.
        self.check_stable(view);
        let stable = view.last_stable_offset.0;
        let sorted = aborted.windows(2).all(|pair| pair[0].first_offset < pair[1].first_offset);
        assert!(sorted, "{log:?}: aborted transactions are out of order: {aborted:?}");
        let (first, end) =
            (batches.first().map_or(0, |batch| batch.seen.base), batches.last().map_or(0, |batch| batch.seen.end));
        for told in aborted {
            let (from, marker) = (told.first_offset.0, told.last_offset.0);
            let reaches = from < end && marker >= first;
            let part = self.transactions.parts.get(&from);
            // What is below the log start the model may have forgotten.
            let is_true = part.is_some_and(|part| part.producer == told.producer_id && part.marker == Some(marker));
            let is_gone = part.is_none() && from < self.shown.0;
            assert!(reaches && (is_true || is_gone), "{log:?}: {told:?} is told of {first}..{end}, but {part:?}");
            assert!(self.transactions.markers.get(&marker) == Some(&true), "{log:?}: {told:?} was not aborted");
        }
        let (mut coming, mut skipped, mut count) = (aborted.iter().peekable(), BTreeSet::new(), 0);
        for batch in batches {
            let (seen, producer) = (&batch.seen, batch.seen.producer.0);
            assert!(seen.end <= stable, "{log:?}: {seen:?} is above the last stable offset {stable}");
            while let Some(told) = coming.next_if(|told| told.first_offset.0 < seen.end) {
                skipped.insert(told.producer_id);
            }
            if let Some(aborts) = self.transactions.markers.get(&seen.base) {
                if *aborts {
                    skipped.remove(&producer);
                }
                continue;
            }
            let is_skipped = self.transactions.parts.contains_key(&seen.base) && skipped.contains(&producer);
            let fate = self.transactions.fate(seen.base, view.high_watermark.0);
            let expected = if is_skipped { Fate::Aborted } else { Fate::Counts };
            assert_eq!(fate, expected, "{log:?}: {seen:?} is taken wrongly with {aborted:?}");
            count += u64::from(is_skipped);
        }
        count
    }
}
