//! Segments that the cleaner makes take the place of older ones.

use super::{Segment, SegmentSet};
use crate::io::Io;
use crate::journal::live_segments::{LiveSegments, Replacement, SegmentName};
use crate::journal::operations::Operations;
use crate::offset::SegmentSequence;

impl SegmentSet {
    /// The segments that may be cleaned, in order: older than a proven checkpoint.
    pub fn cleanable(&self) -> impl Iterator<Item = (SegmentSequence, &Segment)> {
        self.segments.range(..self.checkpointed_from).map(|(&sequence, segment)| (sequence, segment))
    }

    /// The segments older than `before`, as they are once `pending` holds.
    pub fn live_before(&self, before: SegmentSequence, pending: Option<&Replacement>) -> LiveSegments {
        let mut live = LiveSegments::default();
        for (&sequence, segment) in self.segments.range(..before) {
            live.insert(SegmentName { sequence, generation: segment.generation });
        }
        if let Some(replacement) = pending {
            live.replace(replacement);
        }
        live
    }

    /// A replacement is durable: the victims, on which nobody reads, are given back, and the output has the place of the newest.
    pub fn swap<I: Io>(&mut self, operations: &mut Operations<I>, replacement: &Replacement, output: Option<Segment>) {
        for victim in &replacement.victims {
            let segment = self.segments.remove(&victim.sequence).expect("a victim stays until it is swapped");
            assert_eq!((segment.generation, segment.leases), (victim.generation, 0), "victim {victim} is in use");
            self.give_back(operations, &segment);
        }
        if let Some((name, segment)) = replacement.output.zip(output) {
            self.segments.insert(name.sequence, segment);
        }
    }
}
