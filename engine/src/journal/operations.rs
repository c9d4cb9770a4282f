//! The operations in flight of a shard: what each token means.

use slab::Slab;

use super::live_segments::SegmentName;
use super::reader::ExtentKey;
use crate::io::{Completion, Io, Op, Token};
use crate::offset::{CommitSequence, SegmentSequence};

/// Why an operation was submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A part of a commit, or the header block of the segment that it opens.
    CommitWrite(CommitSequence),
    /// A whole commit, durable with its write.
    CommitThrough(CommitSequence),
    /// The flush of one file of a group.
    Flush,
    /// The file system is asked how much is free.
    LookForSpace,
    /// A new segment file in this slot.
    CreateSegment {
        /// The slot.
        slot: u32,
    },
    /// Zeros into a spare segment.
    Zero {
        /// The slot.
        slot: u32,
    },
    /// The flush after a spare was zeroed.
    ZeroSync {
        /// The slot.
        slot: u32,
    },
    /// The index of a sealed segment is written.
    IndexWrite(SegmentSequence),
    /// A file is removed.
    Remove,
    /// The index of a sealed segment is read for lookups.
    IndexRead(SegmentName),
    /// A step of the cleaner's job.
    Clean(CleanStep),
    /// An extent of a segment is read.
    Read(ExtentKey),
}

/// What the cleaner's job does with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CleanStep {
    /// Reads the index of this victim.
    Index(usize),
    /// This read of the present sweep.
    Read(usize),
    /// Makes the output's file, of so many bytes.
    Create(u64),
    /// Writes a part of the output.
    Write,
    /// Flushes it.
    Sync,
    /// Writes its index.
    IndexFile,
}

/// The shard's `Io` with the meaning of every token in flight.
pub struct Operations<I: Io> {
    /// The seam.
    pub io: I,
    in_flight: Slab<Purpose>,
}

impl<I: Io> Operations<I> {
    /// No operation in flight.
    pub fn new(io: I) -> Operations<I> {
        Operations { io, in_flight: Slab::new() }
    }

    /// Queues an operation for the next [`Io::start`].
    pub fn submit(&mut self, purpose: Purpose, op: Op) {
        let token = Token(self.in_flight.insert(purpose) as u64);
        self.io.submit(token, op);
    }

    /// The purpose of a completion, which is then no longer in flight.
    pub fn purpose(&mut self, completion: &Completion) -> Purpose {
        self.in_flight.remove(completion.token.0 as usize)
    }

    /// Operations in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
