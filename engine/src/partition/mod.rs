//! CONTRACT: order and visibility of one log.

pub mod config;
pub mod epochs;
pub mod log_state;
pub mod marker;
mod payload;
pub mod producers;
pub(crate) mod producers_payload;
pub mod transactions;
pub(crate) mod transactions_payload;

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use self::config::LogConfig;
use self::log_state::LogState;
use self::transactions::Isolation;
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader, check_produced};
use crate::error::AppendError;
use crate::journal::commit::Entry;
use crate::journal::commit_buffer::SealedCommit;
use crate::offset::{Ends, LogId, Offset};
use crate::tail::TAIL_BATCH_BYTES;

/// A batch that the tail still holds.
#[derive(Debug)]
struct TailBatch {
    base_offset: Offset,
    next_offset: Offset,
    commit: Rc<SealedCommit>,
    place: u32,
    length: u32,
    /// Its commit left the tail, and a copy is what is left of it.
    is_remnant: bool,
}

const _: () = assert!(size_of::<TailBatch>() <= TAIL_BATCH_BYTES, "the tail counts them");

/// How far what readers see moved, in bytes of batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// That became visible.
    pub visible_bytes: usize,
    /// That became stable; `usize::MAX` where the tail cannot tell.
    pub stable_bytes: usize,
}

/// What the tail gives to a read.
#[derive(Debug)]
pub struct TailRead {
    /// Whole batches, as slices of commit buffers.
    pub slices: Vec<Bytes>,
    /// Sum of their lengths.
    pub bytes: usize,
    /// The offset behind the last of them.
    pub next: Offset,
}

/// One log of this shard.
#[derive(Debug)]
pub struct Partition {
    /// What the journal can rebuild.
    pub state: LogState,
    /// What its topic wants.
    pub(crate) config: LogConfig,
    ends: Ends<Offset>,
    /// What readers were shown under an earlier configuration: the high watermark never falls below it.
    shown: Offset,
    /// The last stable offset when it was last looked at.
    stable: Offset,
    tail: VecDeque<TailBatch>,
    /// Bytes of its batches in the commits of the tail, remnants apart.
    recent_bytes: usize,
}

impl Partition {
    /// A log whose whole state is durable.
    pub fn new(mut state: LogState, config: LogConfig) -> Partition {
        let ends = Ends::at(state.next);
        state.transactions.settle(state.next);
        let (shown, stable) = (state.next, state.next);
        let mut partition = Partition { shown, stable, state, config, ends, tail: VecDeque::new(), recent_bytes: 0 };
        partition.stable = partition.last_stable_offset();
        partition
    }

    /// Bytes of memory that it takes without its producers, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<(LogId, Partition)>() + self.state.places_bytes() + self.tail.capacity() * size_of::<TailBatch>()
    }

    /// Readers see everything below.
    pub fn high_watermark(&self) -> Offset {
        self.shown.max(if self.config.written_is_enough { self.ends.written } else { self.ends.durable })
    }

    /// Readers of what is decided see everything below: no transaction that has not visibly ended reaches below it. It never falls, except
    /// with a log start that was lost before it was durable.
    pub fn last_stable_offset(&self) -> Offset {
        let end = self.high_watermark();
        self.state.transactions.first_unstable().map_or(end, |first| first.min(end).max(self.state.start))
    }

    /// The end for readers.
    pub fn end_for(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::Uncommitted => self.high_watermark(),
            Isolation::Committed => self.last_stable_offset(),
        }
    }

    /// Takes over a configuration; true if readers see more.
    pub fn configure(&mut self, config: LogConfig) -> bool {
        self.shown = self.high_watermark();
        self.config = config;
        let end = self.high_watermark();
        self.state.transactions.settle(end);
        end > self.shown
    }

    /// Checks a produced batch but for its sequence; gives the header as it will be stored, offsets not yet placed.
    pub fn check(&self, batch: &[u8], bytes_max: usize, now_ms: i64) -> Result<BatchHeader, AppendError> {
        let mut header = check_produced(batch, self.config.message_bytes_max.min(bytes_max))?;
        // In a log of its own the broker writes for producers, whose sequences it does not know.
        if header.producer_id() >= 0 && header.base_sequence() < 0 && !self.config.uses_reserve {
            return Err(AppendError::Invalid("producer id without a sequence"));
        }
        if self.config.log_append_time {
            header.stamp(now_ms, &batch[BATCH_HEADER_BYTES..]);
        } else {
            let newest = header.max_timestamp();
            if newest > now_ms.saturating_add(self.config.timestamp_after_max_ms) {
                return Err(AppendError::InvalidTimestamp("later than message.timestamp.after.max.ms allows"));
            }
            if newest >= 0 && newest < now_ms.saturating_sub(self.config.timestamp_before_max_ms) {
                return Err(AppendError::InvalidTimestamp("earlier than message.timestamp.before.max.ms allows"));
            }
        }
        Ok(header)
    }

    /// Forgets the aborted transactions that compaction has dropped all records of, when the tail holds none of them either.
    pub fn forget_cleaned_transactions(&mut self) {
        let gone = self.state.cleaned_upto.min(self.tail_start());
        self.state.transactions.forget_aborted_below(gone);
    }

    /// The log's end moved in memory: [`LogState::apply`] was called.
    pub fn appended(&mut self) {
        self.ends.appended = self.state.next;
        self.ends.assert_ordered();
    }

    /// A sealed commit holds this batch: tail readers may have it once it is visible.
    pub fn sealed(&mut self, entry: &Entry, commit: &Rc<SealedCommit>) {
        self.recent_bytes += entry.length as usize;
        self.tail.push_back(TailBatch {
            base_offset: entry.base_offset,
            next_offset: entry.last_offset().plus(1),
            commit: Rc::clone(commit),
            place: entry.place,
            length: entry.length,
            is_remnant: false,
        });
    }

    /// The write of this batch, and of everything before it, completed. What readers see more.
    pub fn written(&mut self, entry: &Entry) -> Option<Moved> {
        self.ends.written = self.ends.written.max(entry.last_offset().plus(1));
        self.ends.assert_ordered();
        self.config.written_is_enough.then(|| self.moved(entry))
    }

    /// A flush covered this batch. What readers see more.
    pub fn durable(&mut self, entry: &Entry) -> Option<Moved> {
        self.ends.durable = self.ends.durable.max(entry.last_offset().plus(1));
        self.ends.assert_ordered();
        (!self.config.written_is_enough).then(|| self.moved(entry))
    }

    /// The high watermark moved behind this batch.
    fn moved(&mut self, entry: &Entry) -> Moved {
        let visible_bytes = entry.length as usize;
        if !self.state.transactions.is_calm() {
            self.state.transactions.settle(self.high_watermark());
        }
        let stable = self.last_stable_offset();
        let before = std::mem::replace(&mut self.stable, stable);
        let is_only_this = before == entry.base_offset && stable == entry.last_offset().plus(1);
        let stable_bytes = if is_only_this { visible_bytes } else { self.tail_bytes_between(before, stable) };
        Moved { visible_bytes, stable_bytes }
    }

    fn tail_bytes_between(&self, from: Offset, end: Offset) -> usize {
        if from >= end {
            return 0;
        }
        if !self.tail_holds(from) {
            return usize::MAX;
        }
        let first = self.tail.partition_point(|batch| batch.next_offset <= from);
        self.tail.range(first..).take_while(|batch| batch.next_offset <= end).map(|batch| batch.length as usize).sum()
    }

    /// Bytes of its batches in the commits of the tail, without what outlived its commit.
    pub fn recent_bytes(&self) -> usize {
        self.recent_bytes
    }

    /// The tail forgets a batch, and with it all that is older: what it holds of a log has no holes.
    pub fn forget(&mut self, entry: &Entry) {
        while let Some(batch) = self.tail.front().filter(|batch| batch.base_offset <= entry.base_offset) {
            self.recent_bytes -= if batch.is_remnant { 0 } else { batch.length as usize };
            self.tail.pop_front();
        }
    }

    /// A batch outlives its commit in a remnant of it, unless it was forgotten. `entry` is that of the remnant.
    pub fn outlive(&mut self, entry: &Entry, remnant: &Rc<SealedCommit>) {
        let at = self.tail.binary_search_by_key(&entry.base_offset, |batch| batch.base_offset);
        if let Ok(batch) = at.map(|at| &mut self.tail[at]) {
            self.recent_bytes -= batch.length as usize;
            (batch.commit, batch.place, batch.is_remnant) = (Rc::clone(remnant), entry.place, true);
        }
    }

    /// The first offset that the tail holds, with everything after it.
    pub fn tail_start(&self) -> Offset {
        self.tail.front().map_or(self.state.next, |batch| batch.base_offset)
    }

    /// Whether the tail holds everything from `offset` on.
    pub fn tail_holds(&self, offset: Offset) -> bool {
        offset >= self.tail_start()
    }

    /// Whole batches below `end` from the tail, as slices of commit buffers; neighbours become one slice.
    pub fn read_tail(&self, offset: Offset, end: Offset, bytes_max: usize, first_whole: bool) -> TailRead {
        let first = self.tail.partition_point(|batch| batch.next_offset <= offset);
        let (mut slices, mut taken, mut next) = (Vec::new(), 0, offset);
        let mut pending: Option<(&Rc<SealedCommit>, usize, usize)> = None;
        for batch in self.tail.range(first..).take_while(|batch| batch.next_offset <= end) {
            let (batch_place, batch_length) = (batch.place as usize, batch.length as usize);
            if taken + batch_length > bytes_max && !(taken == 0 && first_whole) {
                break;
            }
            taken += batch_length;
            next = batch.next_offset;
            pending = match pending {
                Some((commit, place, length)) if Rc::ptr_eq(commit, &batch.commit) && place + length == batch_place => {
                    Some((commit, place, length + batch_length))
                }
                other => {
                    if let Some((commit, place, length)) = other {
                        commit.slices(place, length, &mut slices);
                    }
                    Some((&batch.commit, batch_place, batch_length))
                }
            };
        }
        if let Some((commit, place, length)) = pending {
            commit.slices(place, length, &mut slices);
        }
        TailRead { slices, bytes: taken, next }
    }
}
