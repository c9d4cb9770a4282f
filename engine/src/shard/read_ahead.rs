//! Who reads in order, and how far ahead of it is read: more while that is used, less when it was for nothing.

use std::collections::VecDeque;

use super::extents::Look;
use super::reads::Reads;
use super::state::Shard;
use crate::io::Io;
use crate::journal::index::Run;
use crate::journal::reader::{ExtentKey, Goal, Reach};
use crate::limits::{READ_AHEAD_DEPTH_BYTES_FIRST, READ_AHEAD_DEPTH_BYTES_MAX, READ_EXTENTS_MAX, READ_STREAMS_MAX};
use crate::offset::{LogId, Offset};

/// A reader's place in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stream {
    log: LogId,
    next: Offset,
    depth_bytes: usize,
}

/// The readers behind the tail that were seen last; the newest stands last.
#[derive(Default, Debug)]
pub(super) struct Streams {
    streams: VecDeque<Stream>,
}

impl Streams {
    /// A reader of `log` asked at `from` and goes on at `next`; `used_ahead` says that it found what was read ahead. Gives how many bytes
    /// are worth reading ahead of it.
    pub fn moved(&mut self, log: LogId, from: Offset, next: Offset, used_ahead: bool) -> usize {
        let known = self.streams.iter().rposition(|stream| stream.log == log && stream.next == from);
        let depth_bytes = match known.and_then(|at| self.streams.remove(at)) {
            None => 0,
            Some(stream) if stream.depth_bytes == 0 => READ_AHEAD_DEPTH_BYTES_FIRST,
            Some(stream) if used_ahead => (stream.depth_bytes * 2).min(READ_AHEAD_DEPTH_BYTES_MAX),
            Some(stream) => stream.depth_bytes,
        };
        if self.streams.len() == READ_STREAMS_MAX {
            self.streams.pop_front();
        }
        self.streams.push_back(Stream { log, next, depth_bytes });
        depth_bytes
    }

    /// An extent that was read ahead for a log was forgotten unused.
    pub fn wasted(&mut self, log: LogId) {
        for stream in self.streams.iter_mut().filter(|stream| stream.log == log) {
            stream.depth_bytes /= 2;
        }
    }
}

impl<I: Io> Shard<I> {
    /// A read of a log from `start` ended at `from`: what the reader will ask for next is read now, if it reads in order. Sparse data is read
    /// ahead only where others read too.
    pub(super) fn read_ahead(&mut self, log: LogId, start: Offset, mut from: Offset, used_ahead: bool) {
        let Reads { extents, stats, .. } = &mut self.reads;
        extents.leave_behind(stats);
        for log in extents.take_wasted() {
            self.reads.streams.wasted(log);
        }
        let mut bytes_left = self.reads.streams.moved(log, start, from, used_ahead);
        let Some(end) =
            self.partitions.get(&log).map(|partition| partition.high_watermark().min(partition.tail_start()))
        else {
            return;
        };
        while bytes_left > 0 && from < end {
            let goal = Goal::Offset(from);
            let Some(segment) = self.segment_for(log, goal, from) else { return };
            let reach = Reach { bytes_max: bytes_left, extents_max: READ_EXTENTS_MAX };
            let Some(plan) = self.plan_in(segment, log, goal, from..end, reach) else { return };
            if plan.is_sparse() && self.reads.shared != Some(segment) {
                return;
            }
            for (&number, range) in &plan.extents {
                let key = ExtentKey { segment, number };
                if matches!(self.reads.extents.look(key, range), Look::Absent) {
                    let range = self.whole(key, range);
                    let Reads { extents, stats, .. } = &mut self.reads;
                    if !extents.ask_ahead(key, range, log, stats) {
                        return;
                    }
                    self.lease_for_read(segment);
                }
            }
            bytes_left = bytes_left.saturating_sub(plan.bytes);
            let searched_upto = plan.runs.last().map(Run::last_offset).or_else(|| self.span_end(log, segment));
            from = searched_upto.map_or(end, |last| last.plus(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(1);

    #[test]
    fn depth_grows_while_it_is_used_and_shrinks_when_wasted() {
        let mut streams = Streams::default();
        let mut depth = |from: i64, used| streams.moved(LOG, Offset(from), Offset(from + 10), used);
        assert_eq!(depth(0, false), 0, "one read is no stream");
        assert_eq!(depth(10, false), READ_AHEAD_DEPTH_BYTES_FIRST);
        assert_eq!(depth(20, false), READ_AHEAD_DEPTH_BYTES_FIRST);
        assert_eq!(depth(30, true), 2 * READ_AHEAD_DEPTH_BYTES_FIRST);
        for step in 4..20 {
            depth(step * 10, true);
        }
        assert_eq!(depth(200, true), READ_AHEAD_DEPTH_BYTES_MAX);
        assert_eq!(depth(900, true), 0, "a jump is another stream");
        streams.wasted(LOG);
        assert_eq!(streams.moved(LOG, Offset(210), Offset(220), false), READ_AHEAD_DEPTH_BYTES_MAX / 2);
    }

    #[test]
    fn readers_that_are_silent_are_forgotten() {
        let mut streams = Streams::default();
        for log in 0..=READ_STREAMS_MAX as u64 {
            streams.moved(LogId(log), Offset(0), Offset(1), false);
        }
        assert_eq!(streams.moved(LogId(0), Offset(1), Offset(2), false), 0);
        assert_eq!(streams.streams.len(), READ_STREAMS_MAX);
    }
}
