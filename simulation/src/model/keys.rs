//! `Keys`: the records of a log that has keys: which one supersedes which, and how long a tombstone must stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::records::Record;

/// A record that the log took.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// As it was sent.
    pub record: Record,
    /// Wall clock when it was taken, ms.
    pub taken_ms: i64,
    /// The batch that holds it.
    pub batch: i64,
}

/// The records of one log.
#[derive(Clone, Default, Debug)]
pub struct Keys {
    records: BTreeMap<i64, Keyed>,
    by_key: BTreeMap<Vec<u8>, BTreeSet<i64>>,
    /// By base offset: the delete horizon that a batch was seen with.
    horizons: BTreeMap<i64, i64>,
}

impl Keys {
    /// A batch was taken at `base`.
    pub fn took(&mut self, base: i64, records: Vec<Record>, taken_ms: i64) {
        for record in records {
            let offset = base + i64::from(record.delta);
            if let Some(key) = &record.key {
                self.by_key.entry(key.clone()).or_default().insert(offset);
            }
            self.records.insert(offset, Keyed { record, taken_ms, batch: base });
        }
    }

    /// What an end took away.
    pub fn cut(&mut self, end: i64) {
        self.records.split_off(&end);
        self.horizons.split_off(&end);
        self.by_key.values_mut().for_each(|offsets| drop(offsets.split_off(&end)));
    }

    /// The record at an offset.
    pub fn at(&self, offset: i64) -> Option<&Keyed> {
        self.records.get(&offset)
    }

    /// The records from one offset to another.
    pub fn within(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Keyed)> {
        self.records.range(from..to.max(from)).map(|(&offset, keyed)| (offset, keyed))
    }

    /// The records below `end` that supersede the one at `offset`, oldest first.
    pub fn newer(&self, offset: i64, end: i64) -> impl Iterator<Item = &Keyed> {
        let key = self.at(offset).and_then(|keyed| keyed.record.key.as_ref());
        let newer = key.and_then(|key| self.by_key.get(key)).filter(|_| offset + 1 < end);
        newer.into_iter().flat_map(move |offsets| offsets.range(offset + 1..end)).filter_map(|at| self.at(*at))
    }

    /// The newest record of each key below `end`, of those in batches that count.
    pub fn newest(&self, end: i64, counts: impl Fn(i64) -> bool) -> impl Iterator<Item = (&[u8], i64)> {
        self.by_key.iter().filter_map(move |(key, offsets)| {
            let is_it = |offset: &&i64| self.at(**offset).is_some_and(|keyed| counts(keyed.batch));
            Some((&key[..], *offsets.range(..end).rev().find(is_it)?))
        })
    }

    /// The delete horizon of the batch at a base offset, as it was seen.
    pub fn horizon(&self, base: i64) -> Option<i64> {
        self.horizons.get(&base).copied()
    }

    /// A batch shows its delete horizon, which stays what it is.
    pub fn show_horizon(&mut self, base: i64, horizon_ms: i64) {
        let known = *self.horizons.entry(base).or_insert(horizon_ms);
        assert_eq!(known, horizon_ms, "the delete horizon of the batch at {base} moved");
    }
}
