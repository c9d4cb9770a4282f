//! What the entries of a commit stand for (see FORMAT.md).

use crate::batch::BATCH_HEADER_BYTES;

/// What an entry stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// One Kafka record batch.
    Batch = 1,
    /// The whole state of a log at this place.
    LogState = 2,
    /// The log start offset rises to the entry's base offset.
    LogStart = 3,
    /// The log is gone for ever.
    LogDelete = 4,
    /// A leader epoch begins at the entry's base offset.
    Epoch = 5,
    /// The producer table of a log.
    Producers = 6,
    /// Segments whose live data is in a clustered segment from here on.
    Replacement = 7,
    /// Nothing but the header's `durable_upto`.
    Watermark = 8,
    /// The live segments before this one: part of each checkpoint.
    Segments = 9,
    /// In a clustered segment: which offsets of a log it stands for, also where no batch is left.
    Covered = 10,
    /// The log was compacted up to the entry's base offset.
    Cleaned = 11,
    /// The transactions of a log, behind its producers.
    Transactions = 12,
}

impl EntryKind {
    pub(super) fn decode(byte: u8) -> Option<EntryKind> {
        Some(match byte {
            1 => EntryKind::Batch,
            2 => EntryKind::LogState,
            3 => EntryKind::LogStart,
            4 => EntryKind::LogDelete,
            5 => EntryKind::Epoch,
            6 => EntryKind::Producers,
            7 => EntryKind::Replacement,
            8 => EntryKind::Watermark,
            9 => EntryKind::Segments,
            10 => EntryKind::Covered,
            11 => EntryKind::Cleaned,
            12 => EntryKind::Transactions,
            _ => return None,
        })
    }

    /// Least bytes of a payload of this kind, or None for a kind that carries none.
    pub(super) fn payload_bytes_min(self) -> Option<usize> {
        match self {
            EntryKind::Batch => Some(BATCH_HEADER_BYTES),
            EntryKind::LogState => Some(12),
            EntryKind::Producers | EntryKind::Segments => Some(4),
            EntryKind::Replacement | EntryKind::Covered | EntryKind::Transactions => Some(8),
            EntryKind::LogStart
            | EntryKind::LogDelete
            | EntryKind::Epoch
            | EntryKind::Watermark
            | EntryKind::Cleaned => None,
        }
    }
}
