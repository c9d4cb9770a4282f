//! The control batch that ends a transaction in a log: 78 bytes, as Kafka's clients know it. Only the broker writes it.

use crate::batch::{BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, BatchHeader, CRC_FROM};

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkerKind {
    /// Its records never were.
    Abort,
    /// Its records count.
    Commit,
}

/// What ends a producer's transaction in one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionMarker {
    /// Whose transaction.
    pub producer_id: i64,
    /// From now on the producer's epoch: older ones are fenced.
    pub producer_epoch: i16,
    /// Epoch of the coordinator that decided; an older one is fenced.
    pub coordinator_epoch: i32,
    /// What it decided.
    pub kind: MarkerKind,
}

/// Bytes of the one record: its length, 4 bytes of framing, key (version, type) and value (version, coordinator epoch).
const RECORD_BYTES: usize = 17;
/// Bytes of a marker's batch.
pub const MARKER_BYTES: usize = BATCH_HEADER_BYTES + RECORD_BYTES;
/// Transactional and control.
const ATTRIBUTES: i16 = 0x30;

impl TransactionMarker {
    /// The whole batch, offsets not yet placed.
    pub fn batch(&self, timestamp_ms: i64) -> [u8; MARKER_BYTES] {
        let mut raw = [0; MARKER_BYTES];
        raw[8..12].copy_from_slice(&((MARKER_BYTES - BATCH_PREFIX_BYTES) as i32).to_be_bytes());
        raw[16] = 2;
        raw[21..23].copy_from_slice(&ATTRIBUTES.to_be_bytes());
        raw[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
        raw[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
        raw[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        raw[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        raw[53..57].copy_from_slice(&(-1_i32).to_be_bytes());
        raw[57..61].copy_from_slice(&1_i32.to_be_bytes());
        raw[BATCH_HEADER_BYTES..].copy_from_slice(&self.record());
        let crc = checksum::crc32c(&raw[CRC_FROM..]);
        raw[17..21].copy_from_slice(&crc.to_be_bytes());
        raw
    }

    /// Lengths are zigzag varints: 16 of the record, 4 of the key, 6 of the value.
    fn record(&self) -> [u8; RECORD_BYTES] {
        let kind = match self.kind {
            MarkerKind::Abort => 0,
            MarkerKind::Commit => 1,
        };
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, a, b, c, d, 0]
    }

    /// Reads a control batch of a log; None if it is none that this engine writes.
    pub fn parse(header: &BatchHeader, body: &[u8]) -> Option<TransactionMarker> {
        let record: &[u8; RECORD_BYTES] = body.get(..RECORD_BYTES)?.try_into().ok()?;
        let kind = if record[8] == 0 { MarkerKind::Abort } else { MarkerKind::Commit };
        let marker = TransactionMarker {
            producer_id: header.producer_id(),
            producer_epoch: header.producer_epoch(),
            coordinator_epoch: i32::from_be_bytes([record[12], record[13], record[14], record[15]]),
            kind,
        };
        (header.total_bytes() == Some(MARKER_BYTES) && marker.record() == *record).then_some(marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::crc_is_valid;

    #[test]
    fn a_marker_is_read_back_as_it_was_written_and_nothing_else_is_one() {
        for kind in [MarkerKind::Abort, MarkerKind::Commit] {
            let marker = TransactionMarker { producer_id: 7, producer_epoch: 3, coordinator_epoch: 260, kind };
            let batch = marker.batch(1_000);
            let header = BatchHeader::parse(&batch).expect("a whole batch");
            assert!(crc_is_valid(&batch, &header) && header.is_control() && header.is_transactional());
            assert_eq!((header.base_sequence(), header.record_count(), header.last_offset_delta()), (-1, 1, 0));
            let body = &batch[BATCH_HEADER_BYTES..];
            assert_eq!(TransactionMarker::parse(&header, body), Some(marker));
            for at in (0..RECORD_BYTES).filter(|at| !(12..16).contains(at)) {
                let mut bad = body.to_vec();
                bad[at] ^= 2;
                assert_eq!(TransactionMarker::parse(&header, &bad), None, "byte {at}");
            }
            assert_eq!(TransactionMarker::parse(&header, &body[1..]), None);
        }
    }
}
