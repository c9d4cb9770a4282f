//! CONTRACT: order and visibility of one log.

pub mod config;
pub mod epochs;
pub mod log_state;
mod payload;
pub mod producers;
pub(crate) mod producers_payload;

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use self::config::LogConfig;
use self::log_state::LogState;
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader, check_produced};
use crate::error::AppendError;
use crate::journal::commit::Entry;
use crate::journal::commit_buffer::SealedCommit;
use crate::offset::{Ends, LogId, Offset};

/// A batch that the tail still holds.
#[derive(Debug)]
struct TailBatch {
    base_offset: Offset,
    next_offset: Offset,
    commit: Rc<SealedCommit>,
    place: usize,
    length: usize,
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
    tail: VecDeque<TailBatch>,
}

impl Partition {
    /// A log whose whole state is durable.
    pub fn new(state: LogState, config: LogConfig) -> Partition {
        let ends = Ends::at(state.next);
        Partition { shown: state.next, state, config, ends, tail: VecDeque::new() }
    }

    /// Bytes of memory that it takes without its producers, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<(LogId, Partition)>() + self.state.places_bytes() + self.tail.capacity() * size_of::<TailBatch>()
    }

    /// Readers see everything below.
    pub fn high_watermark(&self) -> Offset {
        self.shown.max(if self.config.written_is_enough { self.ends.written } else { self.ends.durable })
    }

    /// Takes over a configuration; true if readers see more.
    pub fn configure(&mut self, config: LogConfig) -> bool {
        self.shown = self.high_watermark();
        self.config = config;
        self.high_watermark() > self.shown
    }

    /// Checks a produced batch but for its sequence; gives the header as it will be stored, offsets not yet placed.
    pub fn check(&self, batch: &[u8], bytes_max: usize, now_ms: i64) -> Result<BatchHeader, AppendError> {
        let mut header = check_produced(batch, self.config.message_bytes_max.min(bytes_max))?;
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

    /// The log's end moved in memory: [`LogState::apply`] was called.
    pub fn appended(&mut self) {
        self.ends.appended = self.state.next;
        self.ends.assert_ordered();
    }

    /// A sealed commit holds this batch: tail readers may have it once it is visible.
    pub fn sealed(&mut self, entry: &Entry, commit: &Rc<SealedCommit>) {
        let next_offset = entry.last_offset().plus(1);
        self.tail.push_back(TailBatch {
            base_offset: entry.base_offset,
            next_offset,
            commit: Rc::clone(commit),
            place: entry.place as usize,
            length: entry.length as usize,
        });
    }

    /// The write of this batch, and of everything before it, completed. True if readers see more.
    pub fn written(&mut self, entry: &Entry) -> bool {
        self.ends.written = self.ends.written.max(entry.last_offset().plus(1));
        self.ends.assert_ordered();
        self.config.written_is_enough
    }

    /// A flush covered this batch. True if readers see more.
    pub fn durable(&mut self, entry: &Entry) -> bool {
        self.ends.durable = self.ends.durable.max(entry.last_offset().plus(1));
        self.ends.assert_ordered();
        !self.config.written_is_enough
    }

    /// The tail forgets the oldest batch, which must be this one.
    pub fn forget(&mut self, entry: &Entry) {
        if self.tail.front().is_some_and(|batch| batch.base_offset == entry.base_offset) {
            self.tail.pop_front();
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

    /// Whole visible batches from the tail, as slices of commit buffers; neighbours become one slice.
    pub fn read_tail(&self, offset: Offset, bytes_max: usize, first_whole: bool) -> (Vec<Bytes>, usize) {
        let end = self.high_watermark();
        let first = self.tail.partition_point(|batch| batch.next_offset <= offset);
        let (mut slices, mut taken) = (Vec::new(), 0);
        let mut pending: Option<(&Rc<SealedCommit>, usize, usize)> = None;
        for batch in self.tail.range(first..).take_while(|batch| batch.next_offset <= end) {
            if taken + batch.length > bytes_max && !(taken == 0 && first_whole) {
                break;
            }
            taken += batch.length;
            pending = match pending {
                Some((commit, place, length)) if Rc::ptr_eq(commit, &batch.commit) && place + length == batch.place => {
                    Some((commit, place, length + batch.length))
                }
                other => {
                    if let Some((commit, place, length)) = other {
                        commit.slices(place, length, &mut slices);
                    }
                    Some((&batch.commit, batch.place, batch.length))
                }
            };
        }
        if let Some((commit, place, length)) = pending {
            commit.slices(place, length, &mut slices);
        }
        (slices, taken)
    }
}
