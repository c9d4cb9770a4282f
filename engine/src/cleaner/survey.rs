//! A look at all spans of a shard, a few at a time: what is alive in each segment, and which compacted logs are dirty.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::limits::CLEANER_SURVEY_SPANS_MAX;
use crate::offset::{LogId, Offset, SegmentSequence};
use crate::partition::Partition;
use crate::partition::log_state::LogSpan;

/// What a compacted log could win.
#[derive(Clone, Debug)]
pub(crate) struct Dirty {
    pub log: LogId,
    /// Nothing from here on may be compacted.
    pub upto: Offset,
    /// The segments that hold it below, oldest first; those of the dirty section are the last `uncleaned`.
    pub segments: Vec<SegmentSequence>,
    pub uncleaned: usize,
    /// It waited for longer than the topic allows.
    pub is_overdue: bool,
}

/// A look under way.
#[derive(Default)]
pub(crate) struct Survey {
    /// The log that was looked at last.
    last: Option<LogId>,
    pub live_bytes: BTreeMap<SegmentSequence, u64>,
    pub dirty: Vec<Dirty>,
}

impl Survey {
    /// Looks at some more logs; true when all were seen. `cleanable` are the segments that may be cleaned.
    pub fn step(
        &mut self,
        partitions: &BTreeMap<LogId, Partition>,
        cleanable: &BTreeSet<SegmentSequence>,
        attempted_upto: &BTreeMap<LogId, Offset>,
        now_ms: i64,
    ) -> bool {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut seen = 0;
        for (&log, partition) in partitions.range((from, Bound::Unbounded)) {
            for span in &partition.state.spans {
                *self.live_bytes.entry(span.segment).or_default() += span.bytes;
            }
            if partition.config.compact {
                let attempted = attempted_upto.get(&log).copied().unwrap_or_default();
                self.dirty.extend(dirty(log, partition, cleanable, attempted, now_ms));
            }
            self.last = Some(log);
            seen += partition.state.spans.len() + 1;
            if seen >= CLEANER_SURVEY_SPANS_MAX {
                return false;
            }
        }
        true
    }
}

fn dirty(
    log: LogId,
    partition: &Partition,
    cleanable: &BTreeSet<SegmentSequence>,
    attempted_upto: Offset,
    now_ms: i64,
) -> Option<Dirty> {
    let (state, config) = (&partition.state, &partition.config);
    let count = state.spans.iter().take_while(|span| cleanable.contains(&span.segment)).count();
    let spans = state.spans.range(..count);
    // The batch with the last record stays as it is, so that a reader always finds the end.
    let upto = state.spans.get(count).map_or(state.next.plus(-1), |span| span.first_offset);
    // What is not decided yet is neither newest nor superseded. The batch before it stays as well: readers of what is decided find their end.
    let upto = upto.min(partition.last_stable_offset().plus(-1));
    let is_dirty = |span: &&LogSpan| span.last_offset >= state.cleaned_upto && span.first_offset < upto;
    let total: u64 = spans.clone().filter(|span| span.first_offset < upto).map(|span| span.bytes).sum();
    let dirty: u64 = spans.clone().filter(is_dirty).map(|span| span.bytes).sum();
    let oldest_ms = spans.clone().filter(is_dirty).map(|span| span.max_timestamp).next()?;
    let is_overdue = oldest_ms < now_ms.saturating_sub(config.max_compaction_lag_ms);
    let is_worth = u128::from(dirty) * 1000 >= u128::from(total) * u128::from(config.min_dirty_permille);
    let is_new = upto > attempted_upto && upto > state.cleaned_upto;
    (dirty > 0 && is_new && (is_worth || is_overdue)).then(|| Dirty {
        log,
        upto,
        segments: spans.clone().filter(|span| span.first_offset < upto).map(|span| span.segment).collect(),
        uncleaned: spans.filter(is_dirty).count(),
        is_overdue,
    })
}
