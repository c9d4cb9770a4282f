//! What compaction must know of the records inside a batch. The engine keeps batches opaque, so its user brings these two functions.

use thiserror::Error;

use crate::offset::Offset;

/// One record of a batch, as compaction sees it.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, ms since the epoch.
    pub timestamp_ms: i64,
    /// Its key; a record without one is not kept by a compacted log.
    pub key: Option<&'a [u8]>,
    /// It has no value: it deletes its key.
    pub is_tombstone: bool,
}

/// What is left of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Retained {
    /// Every record is kept and nothing in the header changes: the batch stays byte for byte.
    Whole,
    /// A whole batch with fewer records or a delete horizon: same base offset, last offset delta, leader epoch, producer fields and
    /// compression, right CRC.
    Rewritten(Vec<u8>),
    /// No record is kept.
    Nothing,
}

/// A batch whose records cannot be read. It is kept as it is, and said in the log.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("records cannot be read: {0}")]
pub struct CodecError(pub String);

/// Calls the visitor for each record of a whole v2 batch, in offset order. Output of decompression is bounded.
pub type Visit = fn(batch: &[u8], visitor: &mut dyn FnMut(&RecordView<'_>)) -> Result<(), CodecError>;

/// Says of a record whether it stays.
pub type Keep<'a> = &'a mut dyn FnMut(&RecordView<'_>) -> bool;

/// Keeps the records that `keep` wants. `delete_horizon_ms` is written into the header (KIP-534: attribute bit 6, base timestamp)
/// when the batch has none yet and holds a tombstone that is kept; None leaves the header's as it is.
pub type Retain = fn(batch: &[u8], delete_horizon_ms: Option<i64>, keep: Keep<'_>) -> Result<Retained, CodecError>;

/// How to look into batches and to make smaller ones. Plain functions: they hold no state and may run on any shard.
#[derive(Clone, Copy, Debug)]
pub struct RecordCodec {
    /// See [`Visit`].
    pub visit: Visit,
    /// See [`Retain`].
    pub retain: Retain,
}
