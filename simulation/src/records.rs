//! Records with keys, as producers of compacted topics send them. They are taken apart here by an own decoder: a fault of the broker's codec
//! would not see itself.

use engine::batch::{BATCH_HEADER_BYTES, BatchHeader};
use protocol::record_batch::{BatchBuilder, ProducerFields};

use crate::dice::Dice;

/// Of a thousand records so many delete their key.
const TOMBSTONE_PERMILLE: u64 = 150;
/// ... and so many have no key.
const KEYLESS_PERMILLE: u64 = 10;
/// Record timestamps of one batch lie so far apart at most.
const SPREAD_MS: u64 = 100;

/// One record: what must stay of it as long as it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its place in the batch.
    pub delta: i32,
    /// Its timestamp, ms.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Length and CRC of its value; a record without a value deletes its key.
    pub value: Option<(usize, u32)>,
    /// CRC of its headers.
    pub headers: u32,
}

impl Record {
    /// It deletes its key.
    pub fn is_tombstone(&self) -> bool {
        self.key.is_some() && self.value.is_none()
    }
}

/// A batch of `records` records with some of `keys` keys, whose values of up to `value_bytes` follow from `stamp`.
pub fn keyed_batch(
    dice: &mut Dice,
    (records, keys, value_bytes): (i32, u64, u64),
    stamp: u64,
    producer: (i64, i16, i32),
    timestamp_ms: i64,
) -> Vec<u8> {
    let (producer_id, producer_epoch, base_sequence) = producer;
    let producer = ProducerFields { producer_id, producer_epoch, base_sequence };
    let mut builder = BatchBuilder::new(Vec::new(), timestamp_ms, producer);
    for delta in 0..records {
        let key = dice.below(keys).to_be_bytes();
        let key = (!dice.chance(KEYLESS_PERMILLE)).then_some(&key[..]);
        let mut value = [stamp.to_be_bytes(), u64::from(delta as u32).to_be_bytes()].concat();
        value.resize(value.len() + dice.below(value_bytes) as usize, delta as u8);
        let value = (key.is_none() || !dice.chance(TOMBSTONE_PERMILLE)).then_some(&value[..]);
        let headers: &[(&str, Option<&[u8]>)] = if dice.chance(100) { &[("source", Some(b"here"))] } else { &[] };
        builder.append(timestamp_ms - dice.below(SPREAD_MS) as i64, key, value, headers);
    }
    builder.finish()
}

/// The records of a whole uncompressed batch; none if its body is something else.
pub fn parse(batch: &[u8]) -> Option<Vec<Record>> {
    let header = BatchHeader::parse(batch)?;
    let mut body = Fields(&batch[BATCH_HEADER_BYTES..header.total_bytes()?]);
    let records = (0..header.record_count()).map(|_| {
        let record = body.nullable()?.ok_or(Malformed)?;
        parse_record(record, header.base_timestamp())
    });
    let records = records.collect::<Result<_, Malformed>>().ok()?;
    body.0.is_empty().then_some(records)
}

fn parse_record(bytes: &[u8], base_timestamp: i64) -> Result<Record, Malformed> {
    let mut fields = Fields(bytes);
    let _attributes = fields.take(1)?;
    let timestamp = base_timestamp.wrapping_add(fields.varint()?);
    let delta = i32::try_from(fields.varint()?).or(Err(Malformed))?;
    let key = fields.nullable()?.map(<[u8]>::to_vec);
    let value = fields.nullable()?.map(|value| (value.len(), checksum::crc32c(value)));
    Ok(Record { delta, timestamp, key, value, headers: checksum::crc32c(fields.0) })
}

/// The bytes are no records.
struct Malformed;

/// What is left of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A zigzag number of seven bits a byte, lowest first.
    fn varint(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Malformed)
    }

    /// Bytes behind their length, or Kafka's null.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).or(Err(Malformed))?).map(Some),
        }
    }
}
