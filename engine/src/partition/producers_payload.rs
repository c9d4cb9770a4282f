//! The payload of a producers entry (FORMAT.md): the producer table of a log, in each checkpoint.

use super::payload::Fields;
use super::producers::{Producer, ProducerBatch, ProducerTable};
use crate::limits::{PRODUCER_BATCHES_MAX, PRODUCERS_PER_LOG_MAX};
use crate::offset::{CommitSequence, Offset};

/// Payload of a producers entry (FORMAT.md).
pub fn encode_producers(table: &ProducerTable, into: &mut Vec<u8>) {
    into.extend_from_slice(&(table.len() as u32).to_le_bytes());
    for (id, producer) in table.iter() {
        into.extend_from_slice(&id.to_le_bytes());
        into.extend_from_slice(&producer.epoch.to_le_bytes());
        into.extend_from_slice(&producer.last_seen_ms.to_le_bytes());
        into.push(producer.batches.len() as u8);
        for batch in &producer.batches {
            into.extend_from_slice(&batch.first_sequence.to_le_bytes());
            into.extend_from_slice(&batch.last_sequence.to_le_bytes());
            into.extend_from_slice(&batch.base_offset.0.to_le_bytes());
            into.extend_from_slice(&batch.last_offset.0.to_le_bytes());
            into.extend_from_slice(&batch.timestamp.to_le_bytes());
        }
    }
}

/// Reads it; None if it is no such payload.
pub fn decode_producers(payload: &[u8]) -> Option<ProducerTable> {
    let mut fields = Fields(payload);
    let count = fields.u32()? as usize;
    if count > PRODUCERS_PER_LOG_MAX {
        return None;
    }
    let mut table = ProducerTable::default();
    for _ in 0..count {
        let id = fields.i64()?;
        let mut producer = Producer::new(fields.i16()?, fields.i64()?);
        let batches = usize::from(fields.u8()?);
        if batches > PRODUCER_BATCHES_MAX {
            return None;
        }
        for _ in 0..batches {
            producer.batches.push_back(ProducerBatch {
                first_sequence: fields.i32()?,
                last_sequence: fields.i32()?,
                base_offset: Offset(fields.i64()?),
                last_offset: Offset(fields.i64()?),
                timestamp: fields.i64()?,
                commit: CommitSequence(0),
            });
        }
        table.restore(id, producer);
    }
    fields.0.is_empty().then_some(table)
}
