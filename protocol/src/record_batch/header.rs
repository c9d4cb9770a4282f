//! The 61-byte header of a batch: one reader and one writer of its fixed offsets.

use super::BatchError;

/// Offset of the i64 base offset.
pub const BASE_OFFSET_AT: usize = 0;
/// Offset of the i32 count of the bytes that follow it.
pub const BATCH_LENGTH_AT: usize = 8;
/// Offset of the i32 leader epoch.
pub const PARTITION_LEADER_EPOCH_AT: usize = 12;
/// Offset of the i8 format version.
pub const MAGIC_AT: usize = 16;
/// Offset of the u32 CRC-32C.
pub const CRC_AT: usize = 17;
/// First byte that the CRC covers; it covers all to the end of the batch.
pub const CRC_COVERS_FROM: usize = 21;
/// Offset of the i16 attributes.
pub const ATTRIBUTES_AT: usize = 21;
/// Offset of the i32 difference of the last and the base offset.
pub const LAST_OFFSET_DELTA_AT: usize = 23;
/// Offset of the i64 base timestamp.
pub const BASE_TIMESTAMP_AT: usize = 27;
/// Offset of the i64 largest timestamp.
pub const MAX_TIMESTAMP_AT: usize = 35;
/// Offset of the i64 producer id.
pub const PRODUCER_ID_AT: usize = 43;
/// Offset of the i16 producer epoch.
pub const PRODUCER_EPOCH_AT: usize = 51;
/// Offset of the i32 first sequence number.
pub const BASE_SEQUENCE_AT: usize = 53;
/// Offset of the i32 count of records.
pub const RECORD_COUNT_AT: usize = 57;
/// Bytes of a header; the records follow.
pub const HEADER_BYTES: usize = 61;
/// Bytes before the part that the length field counts.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// The only format version that is spoken here.
pub const MAGIC_V2: i8 = 2;

const COMPRESSION_MASK: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;
const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy, raw or in xerial frames.
    Snappy,
    /// LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// The header fields of a batch, as they stand on the wire: lengths are checked, the other values are the producer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes that follow the length field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub partition_leader_epoch: i32,
    /// Format version, always 2.
    pub magic: i8,
    /// CRC-32C of byte 21 to the end.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// Offset of the last record less the base offset.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas count from; once the batch has a delete horizon, that horizon.
    pub base_timestamp: i64,
    /// Largest timestamp, or the append time.
    pub max_timestamp: i64,
    /// Idempotent producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Count of records, as claimed.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which need not hold the whole batch.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        // Magic comes first: a message of format 0 or 1 may be shorter than a v2 header and deserves its own name.
        if let Some(&magic) = bytes.get(MAGIC_AT) {
            let magic = magic.cast_signed();
            if magic != MAGIC_V2 {
                return Err(BatchError::UnsupportedMagic(magic));
            }
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Truncated { needed_bytes: HEADER_BYTES, available_bytes: bytes.len() });
        };
        let batch_length = i32::from_be_bytes(field(header, BATCH_LENGTH_AT));
        if batch_length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            return Err(BatchError::LengthTooSmall(batch_length));
        }
        Ok(Self {
            base_offset: i64::from_be_bytes(field(header, BASE_OFFSET_AT)),
            batch_length,
            partition_leader_epoch: i32::from_be_bytes(field(header, PARTITION_LEADER_EPOCH_AT)),
            magic: MAGIC_V2,
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: i16::from_be_bytes(field(header, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA_AT)),
            base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP_AT)),
            max_timestamp: i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(header, PRODUCER_ID_AT)),
            producer_epoch: i16::from_be_bytes(field(header, PRODUCER_EPOCH_AT)),
            base_sequence: i32::from_be_bytes(field(header, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(field(header, RECORD_COUNT_AT)),
        })
    }

    /// Writes all fields, the CRC as it stands in the struct.
    pub fn write(&self, header: &mut [u8; HEADER_BYTES]) {
        put(header, BASE_OFFSET_AT, self.base_offset.to_be_bytes());
        put(header, BATCH_LENGTH_AT, self.batch_length.to_be_bytes());
        put(header, PARTITION_LEADER_EPOCH_AT, self.partition_leader_epoch.to_be_bytes());
        put(header, MAGIC_AT, self.magic.to_be_bytes());
        put(header, CRC_AT, self.crc.to_be_bytes());
        put(header, ATTRIBUTES_AT, self.attributes.to_be_bytes());
        put(header, LAST_OFFSET_DELTA_AT, self.last_offset_delta.to_be_bytes());
        put(header, BASE_TIMESTAMP_AT, self.base_timestamp.to_be_bytes());
        put(header, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        put(header, PRODUCER_ID_AT, self.producer_id.to_be_bytes());
        put(header, PRODUCER_EPOCH_AT, self.producer_epoch.to_be_bytes());
        put(header, BASE_SEQUENCE_AT, self.base_sequence.to_be_bytes());
        put(header, RECORD_COUNT_AT, self.record_count.to_be_bytes());
    }

    /// Bytes of the whole batch, the 12 before the counted part included.
    pub fn total_bytes(&self) -> usize {
        // `parse` refused negative lengths; a hand-made header with one is clamped to none.
        LENGTH_PREFIX_BYTES + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        match self.attributes & COMPRESSION_MASK {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            unknown => Err(BatchError::UnknownCompression(unknown as u8)),
        }
    }

    /// Says that the records are compressed so.
    pub(super) fn set_compression(&mut self, codec: Compression) {
        self.attributes = self.attributes & !COMPRESSION_MASK | codec as i16;
    }

    /// Whether the batch holds a transaction marker instead of user records.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether every record carries the append time (`max_timestamp`) instead of its own.
    pub fn has_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// When the tombstones of the batch may go (KIP-534); `None` before a cleaner has met them.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_BIT != 0).then_some(self.base_timestamp)
    }

    /// Sets the delete horizon, whose place in a header is the base timestamp: the records' deltas must be made to count from it.
    pub fn set_delete_horizon_ms(&mut self, horizon_ms: i64) {
        self.attributes |= DELETE_HORIZON_BIT;
        self.base_timestamp = horizon_ms;
    }

    /// Offset of the last record. Wraps on hostile values instead of panicking.
    pub fn last_offset(&self) -> i64 {
        self.offset(self.last_offset_delta)
    }

    /// Offset of a record of this batch.
    pub fn offset(&self, offset_delta: i32) -> i64 {
        self.base_offset.wrapping_add(i64::from(offset_delta))
    }

    /// Timestamp of a record of this batch.
    pub fn timestamp(&self, timestamp_delta: i64) -> i64 {
        if self.has_log_append_time() { self.max_timestamp } else { self.base_timestamp.wrapping_add(timestamp_delta) }
    }

    /// Whether `batch` is whole and its bytes agree with the CRC.
    pub fn crc_is_valid(&self, batch: &[u8]) -> bool {
        batch.get(CRC_COVERS_FROM..self.total_bytes()).is_some_and(|covered| checksum::crc32c(covered) == self.crc)
    }
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, bytes: [u8; N]) {
    header[at..at + N].copy_from_slice(&bytes);
}
