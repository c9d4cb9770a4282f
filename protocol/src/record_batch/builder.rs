//! Builds an uncompressed batch at the end of a buffer that the caller lends and gets back, so that the memory is reused.

use super::header::{
    BatchHeader, CRC_AT, CRC_COVERS_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC_V2, TRANSACTIONAL_BIT,
};
use super::varint::{VARLONG_BYTES_MAX, encoded_bytes, write};

/// Who produces, for idempotence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerFields {
    /// Id from `InitProducerId`, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
}

impl ProducerFields {
    /// A producer without idempotence.
    pub const NONE: Self = Self { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
}

/// A batch under construction. Offsets count from 0, as producers send them.
#[derive(Debug)]
pub struct BatchBuilder {
    buffer: Vec<u8>,
    start: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: ProducerFields,
    record_count: i32,
    attributes: i16,
}

impl BatchBuilder {
    /// Begins a batch behind whatever `buffer` holds already (a frame's head, or earlier batches).
    pub fn new(mut buffer: Vec<u8>, base_timestamp: i64, producer: ProducerFields) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; HEADER_BYTES]);
        Self { buffer, start, base_timestamp, max_timestamp: i64::MIN, producer, record_count: 0, attributes: 0 }
    }

    /// Makes it a part of its producer's transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= TRANSACTIONAL_BIT;
        self
    }

    /// Appends a record with headers.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let headers_bytes: usize =
            headers.iter().map(|(name, value)| nullable_bytes(Some(name.as_bytes())) + nullable_bytes(*value)).sum();
        self.append_fields(timestamp, key, value, headers.len(), headers_bytes);
        for (name, value) in headers {
            self.put_nullable(Some(name.as_bytes()));
            self.put_nullable(*value);
        }
    }

    /// Appends a record without headers: the load generator's way, one pass and no allocation once the buffer has grown.
    #[inline]
    pub fn append_payload(&mut self, timestamp: i64, key: Option<&[u8]>, value: &[u8]) {
        self.append_fields(timestamp, key, Some(value), 0, 0);
    }

    /// Bytes of the batch so far.
    pub fn batch_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Fills in the header and the CRC and gives the buffer back, the batch at its end. A batch must hold a record.
    pub fn finish(mut self) -> Vec<u8> {
        assert!(self.record_count > 0, "an empty batch has no last offset");
        let batch = &mut self.buffer[self.start..];
        let batch_length =
            i32::try_from(batch.len() - LENGTH_PREFIX_BYTES).expect("append_fields keeps a batch within 2 GiB");
        let header = BatchHeader {
            base_offset: 0,
            batch_length,
            partition_leader_epoch: -1,
            magic: MAGIC_V2,
            crc: 0,
            attributes: self.attributes,
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
            base_sequence: self.producer.base_sequence,
            record_count: self.record_count,
        };
        header.write(batch.first_chunk_mut().expect("new reserved the header"));
        let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
        batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        self.buffer
    }

    #[inline]
    fn append_fields(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers_count: usize,
        headers_bytes: usize,
    ) {
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(self.record_count);
        let record_bytes = 1
            + encoded_bytes(timestamp_delta)
            + encoded_bytes(offset_delta)
            + nullable_bytes(key)
            + nullable_bytes(value)
            + encoded_bytes(headers_count as i64)
            + headers_bytes;
        let bytes_after = self.batch_bytes() + VARLONG_BYTES_MAX + record_bytes;
        assert!(i32::try_from(bytes_after).is_ok(), "a batch's length is an i32");

        // The small fields are gathered on the stack, so that the buffer's capacity is checked once for all of them.
        let mut fields = [0; 5 * VARLONG_BYTES_MAX];
        let mut at = write(&mut fields, 0, record_bytes as i64);
        at += 1; // Attributes of a record are unused and zero.
        at = write(&mut fields, at, timestamp_delta);
        at = write(&mut fields, at, offset_delta);
        at = write(&mut fields, at, nullable_length(key));
        if let Some(key) = key {
            self.buffer.extend_from_slice(&fields[..at]);
            self.buffer.extend_from_slice(key);
            at = 0;
        }
        at = write(&mut fields, at, nullable_length(value));
        self.buffer.extend_from_slice(&fields[..at]);
        if let Some(value) = value {
            self.buffer.extend_from_slice(value);
        }
        let at = write(&mut fields, 0, headers_count as i64);
        self.buffer.extend_from_slice(&fields[..at]);
        self.record_count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    fn put_nullable(&mut self, bytes: Option<&[u8]>) {
        let mut length = [0; VARLONG_BYTES_MAX];
        let at = write(&mut length, 0, nullable_length(bytes));
        self.buffer.extend_from_slice(&length[..at]);
        self.buffer.extend_from_slice(bytes.unwrap_or_default());
    }
}

fn nullable_length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| bytes.len() as i64)
}

fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    encoded_bytes(nullable_length(bytes)) + bytes.map_or(0, <[u8]>::len)
}
