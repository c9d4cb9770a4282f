//! Record batches as producers send them. The engine never looks inside a body, so a stamp makes each one unlike all others.

use engine::batch::{BATCH_HEADER_BYTES, BatchHeader, crc_is_valid};

use crate::records::{Record, parse};

/// Kafka's attribute bit 6: the base timestamp is the time from which the batch's tombstones may go.
const HAS_DELETE_HORIZON: i16 = 0x40;

/// (id, epoch, first sequence) of a batch without an idempotent producer.
pub const NOBODY: (i64, i16, i32) = (-1, -1, -1);

/// A batch of `records` records with a right CRC, whose body of `body_bytes` follows from `stamp`.
pub fn batch(records: i32, body_bytes: usize, stamp: u64, producer: (i64, i16, i32), timestamp_ms: i64) -> Vec<u8> {
    let mut raw = Vec::with_capacity(BATCH_HEADER_BYTES + body_bytes);
    raw.resize(BATCH_HEADER_BYTES, 0);
    let mut word = stamp;
    while raw.len() < BATCH_HEADER_BYTES + body_bytes {
        raw.extend(word.to_be_bytes());
        // Neighbouring blocks of one batch are unlike too.
        word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    }
    raw.truncate(BATCH_HEADER_BYTES + body_bytes.max(8));
    let length = (raw.len() - 12) as i32;
    raw[8..12].copy_from_slice(&length.to_be_bytes());
    raw[16] = 2;
    raw[23..27].copy_from_slice(&(records - 1).to_be_bytes());
    raw[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
    raw[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    raw[43..51].copy_from_slice(&producer.0.to_be_bytes());
    raw[51..53].copy_from_slice(&producer.1.to_be_bytes());
    raw[53..57].copy_from_slice(&producer.2.to_be_bytes());
    raw[57..61].copy_from_slice(&records.to_be_bytes());
    let crc = checksum::crc32c(&raw[21..]);
    raw[17..21].copy_from_slice(&crc.to_be_bytes());
    raw
}

/// The same batch as part of its producer's transaction.
pub fn transactional(mut batch: Vec<u8>) -> Vec<u8> {
    batch[22] |= 0x10;
    let crc = checksum::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A batch as a read gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Offset of its first record.
    pub base: i64,
    /// Offset behind its last record.
    pub end: i64,
    /// Stored leader epoch.
    pub epoch: i32,
    /// Its largest timestamp.
    pub max_timestamp: i64,
    /// Its CRC, which its bytes have.
    pub crc: u32,
    /// Its bytes.
    pub bytes: usize,
    /// Who sent it, as [`NOBODY`] is written.
    pub producer: (i64, i16, i32),
}

/// A batch with what can be seen inside.
#[derive(Debug)]
pub struct Opened {
    /// Its header.
    pub seen: Seen,
    /// Its records, if it holds any that can be read.
    pub records: Option<Vec<Record>>,
    /// The time from which its tombstones may go.
    pub horizon_ms: Option<i64>,
}

impl Seen {
    /// What a header says.
    pub fn of(header: &BatchHeader) -> Seen {
        Seen {
            base: header.base_offset(),
            end: header.base_offset() + i64::from(header.last_offset_delta()) + 1,
            epoch: header.leader_epoch(),
            max_timestamp: header.max_timestamp(),
            crc: header.crc(),
            bytes: header.total_bytes().unwrap_or(0),
            producer: (header.producer_id(), header.producer_epoch(), header.base_sequence()),
        }
    }
}

/// The batches of a read. Whatever was read is whole batches with right CRCs.
pub fn opened(bytes: &[u8]) -> Vec<Opened> {
    let mut place = 0;
    let mut found = Vec::new();
    while place < bytes.len() {
        let header = BatchHeader::parse(&bytes[place..]).expect("a read gives whole batches");
        let seen = Seen::of(&header);
        let whole = &bytes[place..place + seen.bytes];
        assert!(crc_is_valid(whole, &header), "a read gave a batch with a wrong CRC: {seen:?}");
        let horizon_ms = (header.attributes() & HAS_DELETE_HORIZON != 0).then(|| header.base_timestamp());
        found.push(Opened { seen, records: parse(whole), horizon_ms });
        place += seen.bytes;
    }
    found
}
