//! The decision table of recovery. Each row has a name for the log, what recovery does, and a test in `recovery/tests`.
//!
//! *End* is the place behind the last valid commit. A commit *proves* a place if its `durable_upto` lies beyond it.

use std::fmt;

/// What recovery does about a [`Case`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing: it is in order.
    Accept,
    /// Ends the journal there and overwrites with zeros what lies behind. Nothing that was proven durable is lost.
    Cut,
    /// Puts right what holds no data of its own.
    Repair,
    /// Starts, but for the partitions whose batches lie there: they take no records until the damaged ones are deleted, and reads of those
    /// fail. Nothing is cut.
    Quarantine,
    /// Does not start, and changes nothing.
    Refuse,
}

macro_rules! cases {
    ($($(#[$doc:meta])* $case:ident => $name:literal, $action:ident;)*) => {
        /// A row of the table.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Case { $($(#[$doc])* $case,)* }

        impl Case {
            /// Every row.
            pub const ALL: &[Case] = &[$(Case::$case,)*];

            /// The name in the log and in messages.
            pub fn name(self) -> &'static str {
                match self { $(Case::$case => $name,)* }
            }

            /// What recovery does.
            pub fn action(self) -> Action {
                match self { $(Case::$case => Action::$action,)* }
            }
        }
    };
}

cases! {
    /// No segment holds a commit.
    FreshShard => "fresh shard", Accept;
    /// At the end no commit of this segment begins, and none follows.
    CleanEnd => "clean end", Accept;
    /// A segment before the base that its checkpoint does not list, or that was replaced since: its file is free.
    SegmentDead => "segment no longer alive", Accept;

    /// At the end a commit begins whose header, table, payloads or padding are not whole; no valid commit follows.
    TornTail => "torn tail", Cut;
    /// Valid commits follow the end, none of which proves it: a write was lost before its flush.
    LostWrite => "lost write before its flush", Cut;
    /// At the end stands a whole commit with a lower incarnation or another commit sequence than its place asks for.
    StaleCommit => "stale commit", Cut;
    /// The newest segment was opened but its first commit is not there: the segment is given back.
    SegmentUnused => "segment without a commit", Cut;
    /// The newest segment ends inside its checkpoint, which repeats what older segments say: the segment is given back.
    CheckpointUnfinished => "unfinished checkpoint", Cut;
    /// A file holds commits behind the end, none of which proves it, but not the header of their segment: it is given back.
    SegmentHeaderLost => "segment header lost before its flush", Cut;

    /// A slot's file has no bytes or no content: its creation was interrupted. It is removed.
    FileUnfinished => "unfinished segment file", Repair;
    /// A clustered segment that the journal does not name: its swap never became durable, or it was replaced since. It is removed.
    ClusteredOrphan => "clustered segment without a name", Repair;
    /// A sealed segment has no index: it is rebuilt.
    IndexMissing => "index missing", Repair;
    /// A sealed segment's index is damaged: it is rebuilt.
    IndexDamaged => "index damaged", Repair;
    /// An index describes another segment or disagrees with the journal: it is rebuilt.
    IndexForeign => "index of another segment", Repair;
    /// A sealed segment without a usable index is not whole: what can be read of it is taken. If a log needs the rest, that is a `LogGap`.
    SealedSegmentDamaged => "sealed segment not whole", Repair;
    /// One superblock slot is unreadable: the start after its lost one is skipped, and the slot is written anew.
    SuperblockSlotDamaged => "superblock slot damaged", Repair;
    /// The clean marker is of an earlier start, or the journal goes on behind it: it is ignored.
    CleanMarkerStale => "clean marker out of date", Repair;

    /// A later commit proves a commit whose header and table are whole, but batches in it are not what was written.
    DurableBatchDamaged => "durable batch damaged", Quarantine;

    /// The meta file is missing but a journal exists.
    MetaLost => "meta file lost", Refuse;
    /// The meta file is not what was written.
    MetaDamaged => "meta file damaged", Refuse;
    /// A shard's superblock file is missing or both slots are unreadable.
    SuperblockDamaged => "superblock damaged", Refuse;
    /// The superblock belongs to another shard or directory.
    SuperblockForeign => "superblock of another shard or directory", Refuse;
    /// A later commit proves the end, where a commit stands that is damaged elsewhere than in its batches.
    DurableCommitDamaged => "durable commit damaged", Refuse;
    /// A later commit proves the end, where only zeros stand.
    DurableCommitZeroed => "durable commit zeroed", Refuse;
    /// A later commit proves the end, and the segment after it is missing.
    SegmentMissing => "segment missing", Refuse;
    /// A file's header block is damaged and commits behind the end stand in it.
    SegmentHeaderDamaged => "segment header damaged", Refuse;
    /// A segment of another shard, directory or segment size.
    SegmentForeign => "segment of another shard or directory", Refuse;
    /// Two files claim the same place in the journal.
    SegmentDuplicate => "segment twice", Refuse;
    /// A segment's file is shorter or longer than a segment.
    SegmentWrongLength => "segment of a wrong length", Refuse;
    /// No segment begins with a complete checkpoint, although older ones were recycled.
    CheckpointMissing => "checkpoint missing", Refuse;
    /// A clustered segment that the journal names is not there, or its header block is damaged.
    ClusteredMissing => "clustered segment missing", Refuse;
    /// A clustered segment without a usable index does not hold all of its commits.
    ClusteredDamaged => "clustered segment not whole", Refuse;
    /// A commit or segment is of a start that the superblock does not know.
    IncarnationAhead => "incarnation ahead of the superblock", Refuse;
    /// A commit with a right header CRC says what this engine never writes.
    CommitMalformed => "malformed commit", Refuse;
    /// The clean marker names a commit behind the end.
    CleanEndMissing => "journal ends before the clean marker", Refuse;
    /// The segments do not hold all offsets between a log's start and end.
    LogGap => "offsets of a log missing", Refuse;
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Accept => "in order",
            Action::Cut => "cut as unacknowledged",
            Action::Repair => "rebuilt",
            Action::Quarantine => "its partitions are quarantined",
            Action::Refuse => "refused",
        })
    }
}
