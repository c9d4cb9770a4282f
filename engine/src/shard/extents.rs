//! Stretches of segments that were read, are read, or shall be, under one byte budget: read once, shared by all who ask.
//!
//! A segment's sequence is never reused while the process lives, and a segment with a read under way is leased, so what is found
//! here is never of an earlier life of a file. Only bytes whose writes had completed are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::kept_extents::Kept;
use super::read_stats::ReadStats;
use crate::journal::reader::{ExtentKey, extent_range};
use crate::ledger::{Charge, Ledger};
use crate::limits::{DISK_READS_AHEAD_MAX, EXTENT_BYTES};
use crate::memory::ShardMemory;
use crate::offset::{LogId, SegmentSequence};

/// Bytes of an extent that were read.
#[derive(Debug)]
pub(super) struct Stretch {
    pub from: u32,
    content: Bytes,
    _charge: Charge,
}

struct Holder(Arc<Stretch>);

impl AsRef<[u8]> for Holder {
    fn as_ref(&self) -> &[u8] {
        &self.0.content
    }
}

impl Stretch {
    fn covers(&self, range: &Range<u32>) -> bool {
        self.from <= range.start && range.end as usize <= self.from as usize + self.content.len()
    }

    /// Its bytes; the stretch counts as held as long as any slice of them lives.
    pub fn bytes(self: &Arc<Self>) -> Bytes {
        Bytes::from_owner(Holder(Arc::clone(self)))
    }
}

enum State {
    /// With what it will cost.
    Asked(Charge),
    /// The same; the read is under way.
    Reading(Charge),
    Ready(Arc<Stretch>),
}

struct Entry {
    range: Range<u32>,
    state: State,
    /// Reads that wait for it.
    waiters: Vec<usize>,
    /// The log for which it was read ahead, until somebody uses it.
    ahead_for: Option<LogId>,
    used_at: u64,
}

impl Entry {
    /// It is read, and nobody holds it.
    fn is_free(&self) -> bool {
        self.waiters.is_empty() && matches!(&self.state, State::Ready(stretch) if Arc::strong_count(stretch) == 1)
    }
}

/// What is known of an extent.
pub(super) enum Look {
    Ready(Arc<Stretch>),
    /// On its way, though perhaps not all that is wanted: look again when it came.
    Coming {
        covers: bool,
    },
    /// Read, but less than what is wanted.
    Short,
    Absent,
}

/// The extents of a shard.
pub(super) struct Extents {
    entries: BTreeMap<ExtentKey, Entry>,
    /// By last use.
    uses: BTreeMap<u64, ExtentKey>,
    clock: u64,
    asked: VecDeque<ExtentKey>,
    asked_ahead: VecDeque<ExtentKey>,
    in_flight: usize,
    memory: Ledger,
    bytes_max: usize,
    kept: Kept,
    ahead_bytes_max: usize,
    /// Logs whose read-ahead was for nothing.
    wasted: Vec<LogId>,
}

impl Extents {
    /// None yet, with their budgets.
    pub fn new(memory: &ShardMemory) -> Extents {
        Extents {
            entries: BTreeMap::new(),
            uses: BTreeMap::new(),
            clock: 0,
            asked: VecDeque::new(),
            asked_ahead: VecDeque::new(),
            in_flight: 0,
            memory: Ledger::default(),
            bytes_max: memory.read_bytes,
            kept: Kept::new(memory.read_bytes / EXTENT_BYTES),
            ahead_bytes_max: memory.read_ahead_bytes(),
            wasted: Vec::new(),
        }
    }

    /// Memory of all extents, whoever holds them.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Of these, what readers or answers hold.
    pub fn held_bytes(&self) -> usize {
        let free = self.entries.values().filter(|entry| match &entry.state {
            State::Ready(stretch) => Arc::strong_count(stretch) == 1,
            State::Asked(_) | State::Reading(_) => true,
        });
        self.memory.bytes().saturating_sub(free.count() * EXTENT_BYTES)
    }

    /// Bytes that were or will be read ahead and that nobody used yet.
    fn ahead_bytes(&self) -> usize {
        self.entries.values().filter(|entry| entry.ahead_for.is_some()).count() * EXTENT_BYTES
    }

    /// Looks without using.
    pub fn look(&self, key: ExtentKey, range: &Range<u32>) -> Look {
        match self.entries.get(&key) {
            None => Look::Absent,
            Some(Entry { state: State::Ready(stretch), .. }) if stretch.covers(range) => {
                Look::Ready(Arc::clone(stretch))
            }
            Some(Entry { state: State::Ready(_), .. }) => Look::Short,
            Some(entry) => Look::Coming { covers: entry.range.start <= range.start && range.end <= entry.range.end },
        }
    }

    /// A reader takes it, or waits for it and wants `range`. True if it was read ahead and this is its first use.
    pub fn use_it(&mut self, key: ExtentKey, range: &Range<u32>, waiter: Option<usize>, stats: &mut ReadStats) -> bool {
        self.clock += 1;
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        if matches!(entry.state, State::Asked(_)) {
            entry.range = entry.range.start.min(range.start)..entry.range.end.max(range.end);
        }
        self.uses.remove(&entry.used_at);
        entry.used_at = self.clock;
        self.uses.insert(self.clock, key);
        entry.waiters.extend(waiter);
        let was_ahead = entry.ahead_for.take().is_some();
        stats.read_ahead_hits += u64::from(was_ahead);
        if was_ahead && matches!(entry.state, State::Asked(_)) {
            self.asked.push_back(key);
        }
        was_ahead
    }

    /// Makes room for so many more; false if too much is held or on its way.
    pub fn make_room(&mut self, extents: usize, stats: &mut ReadStats) -> bool {
        while self.memory.bytes() + extents * EXTENT_BYTES > self.bytes_max {
            let free = self.uses.values().copied().find(|key| self.entries.get(key).is_some_and(Entry::is_free));
            let Some(key) = free else { return false };
            self.remove(key, stats);
        }
        true
    }

    /// Forgets what readers are through with, but for what is kept for those behind them.
    pub fn leave_behind(&mut self, stats: &mut ReadStats) {
        let is_left =
            |key: &ExtentKey| self.entries.get(key).is_some_and(|entry| entry.is_free() && entry.ahead_for.is_none());
        let left: Vec<ExtentKey> = self.uses.values().copied().filter(is_left).collect();
        let surplus = left.len().saturating_sub(self.kept.extents());
        for key in left.into_iter().take(surplus) {
            self.remove(key, stats);
            self.kept.forgot(key);
        }
    }

    fn remove(&mut self, key: ExtentKey, stats: &mut ReadStats) {
        if let Some(entry) = self.entries.remove(&key) {
            self.uses.remove(&entry.used_at);
            stats.read_ahead_wasted += u64::from(entry.ahead_for.is_some());
            self.wasted.extend(entry.ahead_for);
        }
    }

    /// Asks for a range of an extent, in place of what was known of it. Room was made.
    pub fn ask(&mut self, key: ExtentKey, range: Range<u32>, waiter: usize, stats: &mut ReadStats) {
        self.insert(key, range, vec![waiter], None, stats);
        self.asked.push_back(key);
    }

    /// The same for a reader that will come; false if the budget of read-ahead is used up.
    pub fn ask_ahead(&mut self, key: ExtentKey, range: Range<u32>, log: LogId, stats: &mut ReadStats) -> bool {
        if self.ahead_bytes() + EXTENT_BYTES > self.ahead_bytes_max || !self.make_room(1, stats) {
            return false;
        }
        self.insert(key, range, Vec::new(), Some(log), stats);
        self.asked_ahead.push_back(key);
        true
    }

    fn insert(
        &mut self,
        key: ExtentKey,
        range: Range<u32>,
        waiters: Vec<usize>,
        ahead_for: Option<LogId>,
        stats: &mut ReadStats,
    ) {
        assert!(!range.is_empty() && extent_range(key.number).start <= range.start, "extent {key:?} has no {range:?}");
        self.remove(key, stats);
        self.kept.missed(key);
        self.clock += 1;
        let state = State::Asked(self.memory.charge(EXTENT_BYTES));
        self.entries.insert(key, Entry { range, state, waiters, ahead_for, used_at: self.clock });
        self.uses.insert(self.clock, key);
    }

    /// Whether there is a read to submit.
    pub fn are_asked(&self) -> bool {
        !(self.asked.is_empty() && self.asked_ahead.is_empty())
    }

    /// The next read to submit, with at most `in_flight_max` under way.
    pub fn next_to_submit(&mut self, in_flight_max: usize) -> Option<(ExtentKey, Range<u32>)> {
        while self.in_flight < in_flight_max {
            let may_read_ahead = self.in_flight < DISK_READS_AHEAD_MAX;
            let next = self.asked.pop_front();
            let key = next.or_else(|| if may_read_ahead { self.asked_ahead.pop_front() } else { None })?;
            // One that was read ahead may stand in both queues.
            let Some(Entry { range, state: State::Asked(charge), waiters, ahead_for, used_at }) =
                self.take_if_asked(key)
            else {
                continue;
            };
            self.in_flight += 1;
            let (asked, state) = (range.clone(), State::Reading(charge));
            self.entries.insert(key, Entry { range, state, waiters, ahead_for, used_at });
            return Some((key, asked));
        }
        None
    }

    fn take_if_asked(&mut self, key: ExtentKey) -> Option<Entry> {
        let is_asked = self.entries.get(&key).is_some_and(|entry| matches!(entry.state, State::Asked(_)));
        if is_asked { self.entries.remove(&key) } else { None }
    }

    /// A read that was submitted ended. Gives those who wait for it; without content it is forgotten.
    pub fn arrived(&mut self, key: ExtentKey, content: Option<Bytes>, stats: &mut ReadStats) -> Vec<usize> {
        self.in_flight -= 1;
        let entry = self.entries.remove(&key).expect("an extent that is read is known");
        let Entry { range, state: State::Reading(charge), waiters, ahead_for, used_at } = entry else {
            panic!("extent {key:?} was not being read");
        };
        self.uses.remove(&used_at);
        if let Some(content) = content {
            let stretch = Arc::new(Stretch { from: range.start, content, _charge: charge });
            let state = State::Ready(stretch);
            self.uses.insert(used_at, key);
            self.entries.insert(key, Entry { range, state, waiters: Vec::new(), ahead_for, used_at });
        } else {
            stats.read_ahead_wasted += u64::from(ahead_for.is_some());
        }
        waiters
    }

    /// Forgets what was read of a segment, or of one extent of it: it is damaged, or another file stands for it now.
    pub fn forget(&mut self, segment: SegmentSequence, stats: &mut ReadStats) {
        let first = ExtentKey { segment, number: 0 };
        let last = ExtentKey { segment, number: u32::MAX };
        let ready = |(key, entry): (&ExtentKey, &Entry)| matches!(entry.state, State::Ready(_)).then_some(*key);
        let known: Vec<ExtentKey> = self.entries.range(first..=last).filter_map(ready).collect();
        for key in known {
            self.remove(key, stats);
        }
    }

    /// Logs whose read-ahead was forgotten unused since the last call.
    pub fn take_wasted(&mut self) -> Vec<LogId> {
        std::mem::take(&mut self.wasted)
    }
}
