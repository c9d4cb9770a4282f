//! Which records of a compacted log stay: the newest of each key, by a bounded map over the dirty section, as Kafka does it. Records of aborted
//! transactions are none; markers stay for ever.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

use super::aborted::AbortedTransactions;
use super::codec::{RecordCodec, RecordView, Retained};
use super::plan::Item;
use super::stats::CleanerStats;
use crate::batch::{BatchHeader, crc_is_valid};
use crate::offset::{LogId, Offset};

/// Kafka's attribute bit 6: the base timestamp field holds the time from which tombstones may go.
const HAS_DELETE_HORIZON: i16 = 0x40;

/// Newest offset of each key of the dirty section. Keys stand in it by 128 bits of keyed `SipHash` (two of 64, each under a random seed of
/// this start): nobody can make keys that collide, and with the most keys that the map takes, chance does so once in 2^88 passes. A
/// collision would drop the newest value of a key, so 64 bits would not be enough.
#[derive(Debug)]
pub struct KeyMap {
    seeds: [u64; 2],
    newest: HashMap<u128, Offset>,
    keys_max: usize,
}

impl KeyMap {
    /// An empty map for at most so many keys.
    pub fn new(seeds: [u64; 2], keys_max: usize) -> KeyMap {
        KeyMap { seeds, newest: HashMap::new(), keys_max }
    }

    fn hash(&self, key: &[u8]) -> u128 {
        let [high, low] = self.seeds.map(|seed| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(seed);
            hasher.write(key);
            hasher.finish()
        });
        u128::from(high) << 64 | u128::from(low)
    }

    /// Notes a record; false if the map is full.
    fn note(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        if self.newest.len() >= self.keys_max && !self.newest.contains_key(&hash) {
            return false;
        }
        let newest = self.newest.entry(hash).or_insert(offset);
        *newest = (*newest).max(offset);
        true
    }

    fn has_newer(&self, key: &[u8], offset: Offset) -> bool {
        self.newest.get(&self.hash(key)).is_some_and(|newest| *newest > offset)
    }
}

/// Times and bounds of one pass over a log.
#[derive(Clone, Copy, Debug)]
pub struct PassBounds {
    /// The log.
    pub log: LogId,
    /// The dirty section begins here.
    pub from: Offset,
    /// Nothing from here on is judged.
    pub upto: Offset,
    /// Wall clock, ms.
    pub now_ms: i64,
    /// Batches with younger records end the dirty section.
    pub youngest_ms: i64,
    /// How long tombstones stay.
    pub delete_retention_ms: i64,
    /// Tombstones may go: every older segment is rewritten before them. Otherwise what they deleted would be back.
    pub drops_tombstones: bool,
}

/// One pass: first it takes notes, then it sifts.
pub struct Sieve {
    codec: RecordCodec,
    bounds: PassBounds,
    map: KeyMap,
    aborted: Rc<AbortedTransactions>,
}

impl Sieve {
    /// A pass with what is known of its keys, and of what was aborted.
    pub fn new(codec: RecordCodec, bounds: PassBounds, map: KeyMap, aborted: Rc<AbortedTransactions>) -> Sieve {
        Sieve { codec, bounds, map, aborted }
    }

    /// The log that it is for.
    pub fn log(&self) -> LogId {
        self.bounds.log
    }
    /// Where the judged section ends; it may have moved while notes were taken.
    pub fn bounds(&self) -> PassBounds {
        self.bounds
    }
    /// The map alone.
    pub fn into_map(self) -> KeyMap {
        self.map
    }

    /// The items that notes are taken of.
    pub fn wanted(&self, items: Vec<Item>) -> Vec<Item> {
        let PassBounds { log: wanted, from, upto, .. } = self.bounds;
        let is_wanted = |item: &Item| match *item {
            Item::Piece { log, run, .. } => log == wanted && run.last_offset() >= from && run.base_offset < upto,
            Item::Cover { .. } => false,
        };
        items.into_iter().filter(is_wanted).collect()
    }

    /// Notes the keys of a batch. Where the map is full or the records are too young, the judged section ends.
    pub fn note(&mut self, header: &BatchHeader, batch: &[u8]) {
        let base = Offset(header.base_offset());
        if base >= self.bounds.upto || last_offset(header) < self.bounds.from {
            return;
        }
        if header.max_timestamp() > self.bounds.youngest_ms {
            self.bounds.upto = base;
            return;
        }
        // A marker's key is none of a client's.
        if header.is_control() || self.aborted.hold(header) {
            return;
        }
        let (map, mut has_room) = (&mut self.map, true);
        // A batch that cannot be read is kept whole, and so are its keys' older records.
        let _ = (self.codec.visit)(batch, &mut |record| {
            if let Some(key) = record.key {
                has_room &= map.note(key, record.offset);
            }
        });
        if !has_room {
            self.bounds.upto = base;
        }
    }

    /// What is left of a batch.
    pub fn keep(&mut self, header: &BatchHeader, batch: &[u8], stats: &mut CleanerStats) -> Result<Retained, String> {
        if last_offset(header) >= self.bounds.upto || header.is_control() {
            return Ok(Retained::Whole);
        }
        if self.aborted.hold(header) {
            stats.records_removed += u64::from(header.record_count().unsigned_abs());
            return Ok(Retained::Nothing);
        }
        let horizon_ms = delete_horizon_ms(header);
        let drops_tombstones =
            self.bounds.drops_tombstones && horizon_ms.is_some_and(|horizon_ms| horizon_ms <= self.bounds.now_ms);
        let new_horizon_ms =
            horizon_ms.is_none().then(|| self.bounds.now_ms.saturating_add(self.bounds.delete_retention_ms));
        let (map, mut removed) = (&self.map, 0);
        let mut keep = |record: &RecordView<'_>| {
            let stays = record.key.is_some_and(|key| !map.has_newer(key, record.offset))
                && !(record.is_tombstone && drops_tombstones);
            removed += u64::from(!stays);
            stays
        };
        let retained = match (self.codec.retain)(batch, new_horizon_ms, &mut keep) {
            Ok(retained) => retained,
            Err(error) => {
                tracing::warn!(log = self.bounds.log.0, offset = header.base_offset(), %error, "a batch is not compacted");
                return Ok(Retained::Whole);
            }
        };
        stats.records_removed += removed;
        match retained {
            Retained::Rewritten(bytes) if !has_same_place(header, &bytes) => {
                Err(format!("the rewritten batch at offset {} is wrong", header.base_offset()))
            }
            retained => Ok(retained),
        }
    }
}

fn last_offset(header: &BatchHeader) -> Offset {
    Offset(header.base_offset()).plus(i64::from(header.last_offset_delta()))
}

fn delete_horizon_ms(header: &BatchHeader) -> Option<i64> {
    (header.attributes() & HAS_DELETE_HORIZON != 0).then(|| header.base_timestamp())
}

/// A rewritten batch stands where the old one stood.
fn has_same_place(old: &BatchHeader, bytes: &[u8]) -> bool {
    BatchHeader::parse(bytes).is_some_and(|new| {
        new.total_bytes() == Some(bytes.len())
            && new.base_offset() == old.base_offset()
            && new.last_offset_delta() == old.last_offset_delta()
            && new.leader_epoch() == old.leader_epoch()
            && crc_is_valid(bytes, &new)
    })
}
