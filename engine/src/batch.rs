//! View of one v2 record batch: fixed places, checks, and the 12 bytes that a broker may rewrite; no copy, no allocation.
//!
//! Layout: Kafka's `DefaultRecordBatch`. The CRC-32C covers byte 21 to the end, so base offset (0..8) and leader
//! epoch (12..16) are outside it.

use crate::error::AppendError;

/// Bytes of the fixed header; a batch without records is this long.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes before the part that the batch's length field counts.
pub const BATCH_PREFIX_BYTES: usize = 12;
/// Where the part that the CRC covers begins.
pub const CRC_FROM: usize = 21;

/// The fixed header of a batch, copied out so that the broker's rewrites are made beside the received bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchHeader {
    raw: [u8; BATCH_HEADER_BYTES],
}

impl BatchHeader {
    /// Takes the header of the batch at the start of `bytes`; None if it is too short, has another magic or a length that `bytes` does not hold.
    pub fn parse(bytes: &[u8]) -> Option<BatchHeader> {
        let raw: [u8; BATCH_HEADER_BYTES] = bytes.get(..BATCH_HEADER_BYTES)?.try_into().ok()?;
        BatchHeader::of_fixed_part(raw)
            .filter(|header| header.total_bytes().is_some_and(|length| length <= bytes.len()))
    }

    /// The same for a batch that does not lie in one piece; the caller compares the length with what there is.
    pub fn of_fixed_part(raw: [u8; BATCH_HEADER_BYTES]) -> Option<BatchHeader> {
        let header = BatchHeader { raw };
        (header.magic() == 2 && header.total_bytes()? >= BATCH_HEADER_BYTES).then_some(header)
    }

    fn i16_at(&self, at: usize) -> i16 {
        i16::from_be_bytes([self.raw[at], self.raw[at + 1]])
    }
    fn i32_at(&self, at: usize) -> i32 {
        i32::from_be_bytes([self.raw[at], self.raw[at + 1], self.raw[at + 2], self.raw[at + 3]])
    }
    fn i64_at(&self, at: usize) -> i64 {
        (i64::from(self.i32_at(at)) << 32) | i64::from(self.i32_at(at + 4) as u32)
    }

    /// Offset of the first record.
    pub fn base_offset(&self) -> i64 {
        self.i64_at(0)
    }
    /// Bytes of the whole batch; None for a negative length field.
    pub fn total_bytes(&self) -> Option<usize> {
        Some(usize::try_from(self.i32_at(8)).ok()? + BATCH_PREFIX_BYTES)
    }
    /// Partition leader epoch.
    pub fn leader_epoch(&self) -> i32 {
        self.i32_at(12)
    }
    /// Format version; 2 is the only one.
    pub fn magic(&self) -> u8 {
        self.raw[16]
    }
    /// The CRC field.
    pub fn crc(&self) -> u32 {
        self.i32_at(17) as u32
    }
    /// Attribute bits.
    pub fn attributes(&self) -> i16 {
        self.i16_at(21)
    }
    /// Offset of the last record minus that of the first.
    pub fn last_offset_delta(&self) -> i32 {
        self.i32_at(23)
    }
    /// Timestamp that the records' are relative to, ms, or the delete horizon of a compacted batch.
    pub fn base_timestamp(&self) -> i64 {
        self.i64_at(27)
    }
    /// Largest record timestamp, ms.
    pub fn max_timestamp(&self) -> i64 {
        self.i64_at(35)
    }
    /// Producer id, -1 for a producer without idempotence.
    pub fn producer_id(&self) -> i64 {
        self.i64_at(43)
    }
    /// Producer epoch.
    pub fn producer_epoch(&self) -> i16 {
        self.i16_at(51)
    }
    /// Sequence of the first record.
    pub fn base_sequence(&self) -> i32 {
        self.i32_at(53)
    }
    /// Number of records.
    pub fn record_count(&self) -> i32 {
        self.i32_at(57)
    }
    /// Timestamps were given by the broker.
    pub fn has_log_append_time(&self) -> bool {
        self.attributes() & 0x08 != 0
    }
    /// Part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & 0x10 != 0
    }
    /// A control batch, which only a broker may write.
    pub fn is_control(&self) -> bool {
        self.attributes() & 0x20 != 0
    }

    /// The header as bytes.
    pub fn bytes(&self) -> &[u8; BATCH_HEADER_BYTES] {
        &self.raw
    }
    /// Sets what a broker gives to every batch.
    pub fn place_at(&mut self, base_offset: i64, leader_epoch: i32) {
        self.raw[0..8].copy_from_slice(&base_offset.to_be_bytes());
        self.raw[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    }
    /// Gives the batch a broker's timestamp, and the CRC that goes with it; `body` is what follows the header.
    pub fn stamp(&mut self, timestamp_ms: i64, body: &[u8]) {
        let attributes = self.attributes() | 0x08;
        self.raw[21..23].copy_from_slice(&attributes.to_be_bytes());
        self.raw[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
        let crc = checksum::crc32c_append(checksum::crc32c(&self.raw[CRC_FROM..]), body);
        self.raw[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

/// Whether the CRC-32C of a whole batch is right.
pub fn crc_is_valid(batch: &[u8], header: &BatchHeader) -> bool {
    checksum::crc32c(&batch[CRC_FROM..]) == header.crc()
}

/// Checks a producer's batch: one whole batch, right CRC, sane counts. Sequences, producer state and log settings are checked elsewhere.
pub fn check_produced(batch: &[u8], bytes_max: usize) -> Result<BatchHeader, AppendError> {
    if batch.len() > bytes_max {
        return Err(AppendError::TooLarge { bytes: batch.len(), limit: bytes_max });
    }
    if batch.len() < BATCH_HEADER_BYTES {
        return Err(AppendError::Corrupt("shorter than a batch header"));
    }
    if batch[16] != 2 {
        return Err(AppendError::Invalid("magic is not 2"));
    }
    let header = BatchHeader::parse(batch).ok_or(AppendError::Corrupt("length field does not fit the bytes"))?;
    if header.total_bytes() != Some(batch.len()) {
        return Err(AppendError::Invalid("more than one batch for a partition"));
    }
    if !crc_is_valid(batch, &header) {
        return Err(AppendError::Corrupt("CRC is wrong"));
    }
    if header.base_offset() != 0 {
        return Err(AppendError::Invalid("base offset of a produced batch is not 0"));
    }
    if header.record_count() <= 0 || header.last_offset_delta() != header.record_count() - 1 {
        return Err(AppendError::Invalid("record count and last offset delta disagree"));
    }
    if header.is_control() {
        return Err(AppendError::Invalid("control batch from a client"));
    }
    if header.is_transactional() && header.producer_id() < 0 {
        return Err(AppendError::Invalid("transactional batch without a producer id"));
    }
    if header.producer_id() >= 0 && header.producer_epoch() < 0 {
        return Err(AppendError::Invalid("producer id without an epoch"));
    }
    if header.has_log_append_time() {
        return Err(AppendError::InvalidTimestamp("timestamp type was set by the producer"));
    }
    Ok(header)
}

/// Walks whole batches that lie back to back. Ends at the first bytes that are no whole batch.
pub fn walk(bytes: &[u8]) -> impl Iterator<Item = (usize, BatchHeader)> + '_ {
    let mut place = 0;
    std::iter::from_fn(move || {
        let header = BatchHeader::parse(bytes.get(place..)?)?;
        let at = place;
        place += header.total_bytes()?;
        Some((at, header))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A batch with `records` records of `record_bytes` opaque bytes each (the engine never looks inside).
    pub(crate) fn batch(records: i32, record_bytes: usize, producer: (i64, i16, i32), timestamp: i64) -> Vec<u8> {
        let body = vec![0x5a_u8; records as usize * record_bytes];
        let mut raw = [0_u8; BATCH_HEADER_BYTES];
        raw[8..12].copy_from_slice(&((BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES + body.len()) as i32).to_be_bytes());
        raw[16] = 2;
        raw[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        raw[27..35].copy_from_slice(&timestamp.to_be_bytes());
        raw[35..43].copy_from_slice(&timestamp.to_be_bytes());
        raw[43..51].copy_from_slice(&producer.0.to_be_bytes());
        raw[51..53].copy_from_slice(&producer.1.to_be_bytes());
        raw[53..57].copy_from_slice(&producer.2.to_be_bytes());
        raw[57..61].copy_from_slice(&records.to_be_bytes());
        let crc = checksum::crc32c_append(checksum::crc32c(&raw[CRC_FROM..]), &body);
        raw[17..21].copy_from_slice(&crc.to_be_bytes());
        [&raw[..], &body].concat()
    }

    /// The same, as part of its producer's transaction.
    pub(crate) fn transactional(
        records: i32,
        record_bytes: usize,
        producer: (i64, i16, i32),
        timestamp: i64,
    ) -> Vec<u8> {
        let mut batch = batch(records, record_bytes, producer, timestamp);
        batch[22] |= 0x10;
        let crc = checksum::crc32c(&batch[CRC_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    #[test]
    fn a_good_batch_passes_and_every_flip_is_caught() {
        let good = batch(3, 20, (-1, -1, -1), 1_000);
        assert!(check_produced(&good, 1 << 20).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            // The leader epoch is the broker's to set: the producer's value is not looked at.
            assert_eq!(check_produced(&bad, 1 << 20).is_ok(), (12..16).contains(&at), "byte {at}");
        }
    }

    #[test]
    fn two_batches_magic_1_and_oversize_are_refused() {
        let one = batch(1, 10, (-1, -1, -1), 0);
        let two = [one.clone(), one.clone()].concat();
        assert_eq!(
            check_produced(&two, 1 << 20).err(),
            Some(AppendError::Invalid("more than one batch for a partition"))
        );
        let mut old = one.clone();
        old[16] = 1;
        assert_eq!(check_produced(&old, 1 << 20).err(), Some(AppendError::Invalid("magic is not 2")));
        assert!(matches!(check_produced(&one, 60), Err(AppendError::TooLarge { .. })));
    }

    #[test]
    fn a_stamped_batch_has_a_right_crc() {
        let bytes = batch(2, 30, (7, 0, 0), 5);
        let mut header = BatchHeader::parse(&bytes).expect("whole batch");
        header.place_at(99, 4);
        header.stamp(777, &bytes[BATCH_HEADER_BYTES..]);
        let stored = [&header.bytes()[..], &bytes[BATCH_HEADER_BYTES..]].concat();
        let read = BatchHeader::parse(&stored).expect("whole batch");
        assert!(crc_is_valid(&stored, &read));
        assert_eq!((read.base_offset(), read.leader_epoch(), read.max_timestamp()), (99, 4, 777));
        assert!(read.has_log_append_time());
    }
}
