//! What a read has found: batches, and what a reader of what is decided must know of them.

use bytes::Bytes;

use super::reads::{ReadBatches, ReadRequest};
use super::state::{LogView, Shard};
use crate::io::Io;
use crate::offset::Offset;
use crate::partition::TailRead;
use crate::partition::transactions::{AbortedTransaction, Isolation};

/// All of it so far.
#[derive(Default)]
pub(super) struct Found {
    pub slices: Vec<Bytes>,
    pub bytes: usize,
    /// Known with the batches: the log forgets it when it gives them up.
    pub aborted: Vec<AbortedTransaction>,
}

impl Found {
    pub(super) fn append(&mut self, mut more: Found) {
        self.slices.append(&mut more.slices);
        self.bytes += more.bytes;
        self.aborted.append(&mut more.aborted);
    }

    /// One that reaches into several steps was found by each.
    pub(super) fn into_batches(mut self, view: LogView) -> ReadBatches {
        self.aborted.sort_unstable_by_key(|aborted| aborted.first_offset);
        self.aborted.dedup();
        ReadBatches { slices: self.slices, bytes: self.bytes, aborted: self.aborted, view }
    }
}

impl<I: Io> Shard<I> {
    /// What the tail holds from an offset on; None if it begins behind it, or the log does: what was aborted below its start is forgotten.
    pub(super) fn read_tail(&mut self, request: ReadRequest, from: Offset) -> Option<Found> {
        let partition = self.partitions.get(&request.log)?;
        if !partition.tail_holds(from) || from < partition.state.start {
            return None;
        }
        let end = partition.end_for(request.isolation);
        let TailRead { mut slices, bytes, next } =
            partition.read_tail(from, end, request.bytes_max, request.first_whole);
        let aborted = self.aborted_between(request, from, next);
        if self.tail.is_pinned_too_much() {
            self.reads.stats.copied_bytes += bytes as u64;
            unpin(&mut slices);
        }
        self.reads.stats.delivered_from_tail_bytes += bytes as u64;
        Some(Found { slices, bytes, aborted })
    }

    /// What a reader must know of batches that it gets.
    pub(super) fn aborted_between(&self, request: ReadRequest, from: Offset, next: Offset) -> Vec<AbortedTransaction> {
        match self.partitions.get(&request.log) {
            Some(partition) if request.isolation == Isolation::Committed && next > from => {
                partition.state.transactions.aborted_between(from, next)
            }
            _ => Vec::new(),
        }
    }
}

/// Copies what would keep whole buffers alive.
pub(super) fn unpin(slices: &mut [Bytes]) {
    for slice in slices {
        *slice = Bytes::copy_from_slice(slice);
    }
}
