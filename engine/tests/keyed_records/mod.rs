//! Batches whose records have keys and values, and the codec that lets compaction look into them.

#![allow(dead_code, reason = "each file of claims uses its part")]

use engine::batch::BatchHeader;
use engine::cleaner::codec::{CodecError, Keep, RecordCodec, RecordView, Retained};
use engine::offset::Offset;

use crate::simulated_shard::batch_of;

const HEADER_BYTES: usize = 61;
/// Bytes of a record: offset delta (4 bytes), key (4), value (8; all ones for a tombstone), padding.
const RECORD_BYTES: usize = 1_000;
/// The value of a record that deletes its key.
pub const TOMBSTONE: u64 = u64::MAX;
/// How compaction looks into them.
pub const CODEC: RecordCodec = RecordCodec { visit, retain };

fn u32_of(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(record[at..at + 4].try_into().expect("4 bytes"))
}

fn value_of(record: &[u8]) -> u64 {
    u64::from_le_bytes(record[8..16].try_into().expect("8 bytes"))
}

fn view<'a>(header: &BatchHeader, record: &'a [u8]) -> RecordView<'a> {
    RecordView {
        offset: Offset(header.base_offset() + i64::from(u32_of(record, 0))),
        timestamp_ms: header.max_timestamp(),
        key: Some(&record[4..8]),
        is_tombstone: value_of(record) == TOMBSTONE,
    }
}

fn visit(batch: &[u8], visitor: &mut dyn FnMut(&RecordView<'_>)) -> Result<(), CodecError> {
    let header = BatchHeader::parse(batch).ok_or_else(|| CodecError("no batch".to_owned()))?;
    if header.is_control() {
        // Its one record has a key like any other: behind 5 bytes of lengths and deltas.
        let key = Some(&batch[HEADER_BYTES + 5..HEADER_BYTES + 9]);
        let (offset, timestamp_ms) = (Offset(header.base_offset()), header.max_timestamp());
        visitor(&RecordView { offset, timestamp_ms, key, is_tombstone: false });
    }
    batch[HEADER_BYTES..].chunks_exact(RECORD_BYTES).for_each(|record| visitor(&view(&header, record)));
    Ok(())
}

fn retain(batch: &[u8], delete_horizon_ms: Option<i64>, keep: Keep<'_>) -> Result<Retained, CodecError> {
    let header = BatchHeader::parse(batch).ok_or_else(|| CodecError("no batch".to_owned()))?;
    let records: Vec<&[u8]> = batch[HEADER_BYTES..].chunks_exact(RECORD_BYTES).collect();
    let kept: Vec<&[u8]> = records.iter().copied().filter(|record| keep(&view(&header, record))).collect();
    let horizon = delete_horizon_ms.filter(|_| kept.iter().any(|record| value_of(record) == TOMBSTONE));
    if kept.is_empty() {
        return Ok(Retained::Nothing);
    }
    if kept.len() == records.len() && horizon.is_none() {
        return Ok(Retained::Whole);
    }
    let mut bytes = batch[..HEADER_BYTES].to_vec();
    for record in &kept {
        bytes.extend_from_slice(record);
    }
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[57..61].copy_from_slice(&(kept.len() as i32).to_be_bytes());
    if let Some(horizon) = horizon {
        bytes[22] |= 0x40;
        bytes[27..35].copy_from_slice(&horizon.to_be_bytes());
    }
    let crc = checksum::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(Retained::Rewritten(bytes))
}

/// The records of a whole batch: offset, key and value.
pub fn records_of(batch: &[u8]) -> Vec<(i64, (u32, u64))> {
    let header = BatchHeader::parse(batch).expect("a whole batch");
    let records = batch[HEADER_BYTES..].chunks_exact(RECORD_BYTES);
    let offset = |record| header.base_offset() + i64::from(u32_of(record, 0));
    records.map(|record| (offset(record), (u32_of(record, 4), value_of(record)))).collect()
}

/// A batch of these keys and values.
pub fn keyed(records: &[(u32, u64)], producer: (i64, i16, i32), timestamp: i64) -> Vec<u8> {
    let mut bytes = batch_of(records.len() as i32, 0, 0, producer, timestamp);
    for (delta, (key, value)) in (0_u32..).zip(records) {
        let start = bytes.len();
        bytes.extend_from_slice(&delta.to_le_bytes());
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
        bytes.resize(start + RECORD_BYTES, 7);
    }
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = checksum::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}
