//! The first record of a batch at or after a timestamp, as `ListOffsets` asks: exact to the record.

use super::{CompressionError, decompress};
use crate::record_batch::{BatchError, BatchHeader, HEADER_BYTES, records};

/// Offset and timestamp of the first record of `batch` from `least_offset` on (a log may start inside of a batch) whose timestamp is
/// `timestamp` or later.
///
/// `batch` is one whole batch with its CRC already checked. The header's maximum is trusted to skip batches, as Kafka does;
/// when it lies the answer is `None` and the caller goes on to the next batch.
pub fn first_record_at_or_after(
    batch: &[u8],
    least_offset: i64,
    timestamp: i64,
    output_bytes_max: usize,
) -> Result<Option<(i64, i64)>, CompressionError> {
    let header = BatchHeader::parse(batch)?;
    if header.max_timestamp < timestamp {
        return Ok(None);
    }
    let body = batch
        .get(HEADER_BYTES..header.total_bytes())
        .ok_or(BatchError::Truncated { needed_bytes: header.total_bytes(), available_bytes: batch.len() })?;
    let body = decompress(header.compression()?, body, output_bytes_max)?;
    for record in records(&header, &body) {
        let record = record?;
        let (offset, record_timestamp) = (header.offset(record.offset_delta), header.timestamp(record.timestamp_delta));
        if record_timestamp >= timestamp && offset >= least_offset {
            return Ok(Some((offset, record_timestamp)));
        }
    }
    Ok(None)
}
