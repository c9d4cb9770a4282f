//! A record batch of format v2: its header read in place, its records walked without allocation, and a builder for new ones.
//!
//! All integers are big-endian. The CRC-32C covers byte 21 to the end, so a broker may rewrite the base offset and the
//! leader epoch without touching it. Nothing here trusts a length or a count: each is checked against the bytes at hand.

mod builder;
mod header;
mod recompress;
mod record;
mod retain;
mod varint;

pub use builder::{BatchBuilder, ProducerFields};
pub use header::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, BATCH_LENGTH_AT, BatchHeader, CRC_AT,
    CRC_COVERS_FROM, Compression, HEADER_BYTES, LAST_OFFSET_DELTA_AT, LENGTH_PREFIX_BYTES, MAGIC_AT, MAGIC_V2,
    MAX_TIMESTAMP_AT, PARTITION_LEADER_EPOCH_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT, RECORD_COUNT_AT,
};
pub use recompress::{Recompressed, recompress};
pub use record::{InvalidHeader, Record, RecordHeaders, Records, records};
pub use retain::{Retained, retain, visit};

/// Why bytes are not a batch of format v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than a header, or than the header announces.
    #[error("batch needs {needed_bytes} bytes, {available_bytes} are there")]
    Truncated {
        /// Bytes that the header or its length field ask for.
        needed_bytes: usize,
        /// Bytes that were given.
        available_bytes: usize,
    },
    /// The length field is negative or too small for a header.
    #[error("batch length {0} is smaller than a header")]
    LengthTooSmall(i32),
    /// A message format that is not v2.
    #[error("magic {0} is not supported")]
    UnsupportedMagic(i8),
    /// Codec bits that name no codec.
    #[error("compression codec {0} is unknown")]
    UnknownCompression(u8),
    /// A record, or one of its fields, is malformed.
    #[error("record {index} of the batch is malformed")]
    InvalidRecord {
        /// Position of the record in its batch.
        index: u32,
    },
    /// A record lies before its predecessor, or outside the offsets that the header states.
    #[error("record {index} of the batch has no offset of its own in the batch")]
    InvalidOffset {
        /// Position of the record in its batch.
        index: u32,
    },
    /// Bytes are left after the last record.
    #[error("{0} bytes follow the last record")]
    TrailingBytes(usize),
}

/// The batches that lie one after another in a fetch answer, each with its whole bytes.
///
/// A fetch answer may be cut anywhere: a truncated last batch ends the iteration without an error. After an error the
/// iteration ends, because the start of the next batch is then unknown.
pub fn batches(bytes: &[u8]) -> impl Iterator<Item = Result<(BatchHeader, &[u8]), BatchError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match BatchHeader::parse(rest) {
            Ok(header) if header.total_bytes() <= rest.len() => {
                let (batch, after) = rest.split_at(header.total_bytes());
                rest = after;
                Some(Ok((header, batch)))
            }
            Ok(_) | Err(BatchError::Truncated { .. }) => {
                rest = &[];
                None
            }
            Err(error) => {
                rest = &[];
                Some(Err(error))
            }
        }
    })
}

#[cfg(test)]
mod tests;
