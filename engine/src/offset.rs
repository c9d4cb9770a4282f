//! Offsets, positions and identities are different types, so that none is taken for another.

use std::fmt;

/// Position of a record in its log, as Kafka counts: from 0, one a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset `count` records further on.
    #[must_use]
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

/// A byte's place in a shard's journal: segment sequence x segment bytes + place in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct JournalPosition(pub u64);

/// Number of a commit in a shard's journal, from 1; 0 means before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CommitSequence(pub u64);

impl CommitSequence {
    /// The commit after this one.
    #[must_use]
    pub fn next(self) -> CommitSequence {
        CommitSequence(self.0 + 1)
    }
}

/// Number of a segment in a shard's journal, from 1, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SegmentSequence(pub u64);

/// Rises at every start of a shard; tells a commit from a stale one of an earlier life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Incarnation(pub u64);

/// Identity of a log (a partition's data), given by the catalog and never reused. 0 is the catalog's own log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LogId(pub u64);

/// The log that holds the catalog itself, on shard 0.
pub const CATALOG_LOG: LogId = LogId(0);

/// One thread, one ring, one journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ShardId(pub u32);

/// Where a log lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogRef {
    /// The shard that owns it.
    pub shard: ShardId,
    /// Its identity.
    pub log: LogId,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The three ends of something that grows: appended to memory, written to the file, flushed to stable storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ends<T> {
    /// Accepted and ordered, in memory.
    pub appended: T,
    /// The contiguous prefix whose writes completed: survives the process.
    pub written: T,
    /// The prefix that a flush covered: survives a power cut.
    pub durable: T,
}

impl<T: Ord + Copy + fmt::Debug> Ends<T> {
    /// All three ends at one place.
    pub fn at(end: T) -> Ends<T> {
        Ends { appended: end, written: end, durable: end }
    }

    /// The one invariant: appended >= written >= durable.
    pub fn assert_ordered(&self) {
        assert!(self.appended >= self.written, "written end is ahead of appended: {self:?}");
        assert!(self.written >= self.durable, "durable end is ahead of written: {self:?}");
    }
}
