//! What compaction does to a batch: looks at its records, and makes a batch with fewer of them.

use super::header::{CRC_AT, CRC_COVERS_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES};
use super::{BatchError, BatchHeader, Record, records};
use crate::compression::{CompressionError, compress, decompress};

/// What is left of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Retained {
    /// All of it: the batch stays byte for byte.
    Whole,
    /// A batch with fewer records or a new delete horizon. Its offsets are those of the original.
    Rewritten(Vec<u8>),
    /// No record.
    Nothing,
}

/// Calls `visitor` for each record of one whole batch, in offset order. `output_bytes_max` bounds what decompression may give.
///
/// All records are seen or, where one is malformed, none: what cannot be read whole must not supersede anything. The records of a control
/// batch are markers, not data: it is passed over.
pub fn visit(
    batch: &[u8],
    output_bytes_max: usize,
    visitor: &mut dyn FnMut(&BatchHeader, &Record<'_>),
) -> Result<(), CompressionError> {
    let (header, body) = split(batch)?;
    if header.is_control() {
        return Ok(());
    }
    let body = decompress(header.compression()?, body, output_bytes_max)?;
    ordered_records(&header, &body).try_for_each(|record| record.map(drop))?;
    records(&header, &body).flatten().for_each(|record| visitor(&header, &record));
    Ok(())
}

/// Makes a batch of the records that `keep` wants, which is asked for each once, in offset order.
///
/// The new batch has the base offset, last offset delta, leader epoch, producer fields, flags and codec of the old one, so that offsets
/// and a producer's sequence read on as before; record count, maximum timestamp, lengths and CRC are its own. `delete_horizon_ms` goes
/// into its header when it keeps a tombstone and has no horizon yet (KIP-534). A control batch stays whole.
pub fn retain(
    batch: &[u8],
    output_bytes_max: usize,
    delete_horizon_ms: Option<i64>,
    keep: &mut dyn FnMut(&BatchHeader, &Record<'_>) -> bool,
) -> Result<Retained, CompressionError> {
    let (mut header, body) = split(batch)?;
    if header.is_control() {
        return Ok(Retained::Whole);
    }
    let codec = header.compression()?;
    let body = decompress(codec, body, output_bytes_max)?;

    // Whether a horizon is due, which changes the bytes of every record, is known only after the last of them.
    let mut keeps = Vec::new();
    let mut keeps_tombstone = false;
    for record in ordered_records(&header, &body) {
        let record = record?;
        let kept = keep(&header, &record);
        keeps.push(kept);
        keeps_tombstone |= kept && record.value.is_none();
    }
    let new_horizon_ms = delete_horizon_ms.filter(|_| keeps_tombstone && header.delete_horizon_ms().is_none());
    let kept_count = keeps.iter().filter(|kept| **kept).count();
    if kept_count == 0 {
        return Ok(Retained::Nothing);
    }
    if kept_count == keeps.len() && new_horizon_ms.is_none() {
        return Ok(Retained::Whole);
    }

    let old_base_timestamp = header.base_timestamp;
    if let Some(horizon_ms) = new_horizon_ms {
        header.set_delete_horizon_ms(horizon_ms);
    }
    let timestamp_shift = old_base_timestamp.wrapping_sub(header.base_timestamp);
    let mut new_body = Vec::new();
    let mut max_timestamp = i64::MIN;
    let kept = records(&header, &body).zip(keeps).filter(|(_, kept)| *kept);
    for (record, _) in kept {
        let record = record?;
        let timestamp_delta = record.timestamp_delta.wrapping_add(timestamp_shift);
        // With the time of the append in its header, this gives that time, which then stays as it is.
        max_timestamp = max_timestamp.max(header.timestamp(timestamp_delta));
        record.write_with_timestamp_delta(timestamp_delta, &mut new_body);
    }
    header.max_timestamp = max_timestamp;
    header.record_count = kept_count as i32;
    assemble(header, &compress(codec, &new_body)).map(Retained::Rewritten)
}

pub(super) fn split(batch: &[u8]) -> Result<(BatchHeader, &[u8]), BatchError> {
    let header = BatchHeader::parse(batch)?;
    let body = batch
        .get(HEADER_BYTES..header.total_bytes())
        .ok_or(BatchError::Truncated { needed_bytes: header.total_bytes(), available_bytes: batch.len() })?;
    Ok((header, body))
}

/// The records of a body. Nobody checked their offsets before, and a record without an offset of its own cannot be kept or dropped by it.
fn ordered_records<'a>(
    header: &BatchHeader,
    body: &'a [u8],
) -> impl Iterator<Item = Result<Record<'a>, BatchError>> + use<'a> {
    let last_offset_delta = header.last_offset_delta;
    let mut next_offset_delta = 0;
    (0..).zip(records(header, body)).map(move |(index, record)| {
        let record = record?;
        if !(next_offset_delta..=i64::from(last_offset_delta)).contains(&i64::from(record.offset_delta)) {
            return Err(BatchError::InvalidOffset { index });
        }
        next_offset_delta = i64::from(record.offset_delta) + 1;
        Ok(record)
    })
}

/// A batch of these fields and this body, with its length and CRC.
pub(super) fn assemble(mut header: BatchHeader, body: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let batch_bytes = HEADER_BYTES + body.len();
    header.batch_length = i32::try_from(batch_bytes - LENGTH_PREFIX_BYTES)
        .map_err(|_| CompressionError::OutputTooLarge { output_bytes_max: i32::MAX as usize })?;
    let mut batch = Vec::with_capacity(batch_bytes);
    batch.resize(HEADER_BYTES, 0);
    header.write(batch.first_chunk_mut().expect("resized to a header"));
    batch.extend_from_slice(body);
    let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(batch)
}

#[cfg(test)]
mod tests;
