//! The payload of a transactions entry (FORMAT.md): what is open and what was aborted in a log, in each checkpoint behind its producers.

use super::payload::Fields;
use super::producers::{OpenTransaction, ProducerTable};
use super::transactions::{AbortedTransaction, TransactionTable};
use crate::limits::{ABORTED_TRANSACTIONS_PER_LOG_MAX, PRODUCERS_PER_LOG_MAX};
use crate::offset::Offset;

/// What stands for the offsets of a producer that has nothing open.
const NOTHING_OPEN: i64 = -1;

/// Writes it; false if there is nothing to write.
pub fn encode_transactions(producers: &ProducerTable, transactions: &TransactionTable, into: &mut Vec<u8>) -> bool {
    let known = || producers.iter().filter(|(_, producer)| producer.is_transactional());
    into.extend_from_slice(&(known().count() as u32).to_le_bytes());
    for (id, producer) in known() {
        let offsets = producer.transaction.map(|open| (open.first_offset.0, open.last_offset.0));
        let (first_offset, last_offset) = offsets.unwrap_or((NOTHING_OPEN, NOTHING_OPEN));
        into.extend_from_slice(&id.to_le_bytes());
        into.extend_from_slice(&producer.coordinator_epoch.to_le_bytes());
        into.extend_from_slice(&first_offset.to_le_bytes());
        into.extend_from_slice(&last_offset.to_le_bytes());
    }
    into.extend_from_slice(&(transactions.aborted_count() as u32).to_le_bytes());
    for aborted in transactions.aborted() {
        into.extend_from_slice(&aborted.producer_id.to_le_bytes());
        into.extend_from_slice(&aborted.first_offset.0.to_le_bytes());
        into.extend_from_slice(&aborted.last_offset.0.to_le_bytes());
    }
    transactions.aborted_count() > 0 || known().next().is_some()
}

/// Reads it, with the producers of its log at hand; None if it is no such payload.
pub fn decode_transactions(payload: &[u8], producers: &mut ProducerTable) -> Option<TransactionTable> {
    let mut fields = Fields(payload);
    let mut transactions = TransactionTable::default();
    producers.forget_transactions();
    let known = fields.u32()? as usize;
    if known > PRODUCERS_PER_LOG_MAX {
        return None;
    }
    for _ in 0..known {
        let id = fields.i64()?;
        let producer = producers.get_mut(id)?;
        producer.coordinator_epoch = fields.i32()?;
        let (first_offset, last_offset) = (Offset(fields.i64()?), Offset(fields.i64()?));
        if first_offset.0 == NOTHING_OPEN {
            continue;
        }
        if first_offset.0 < 0 || last_offset < first_offset {
            return None;
        }
        producer.transaction = Some(OpenTransaction { first_offset, last_offset });
        transactions.opened(first_offset, id);
    }
    let aborted = fields.u32()? as usize;
    if aborted > ABORTED_TRANSACTIONS_PER_LOG_MAX {
        return None;
    }
    let mut before = Offset(-1);
    for _ in 0..aborted {
        let producer_id = fields.i64()?;
        let (first_offset, last_offset) = (Offset(fields.i64()?), Offset(fields.i64()?));
        if last_offset <= before || first_offset.0 < 0 || last_offset <= first_offset {
            return None;
        }
        before = last_offset;
        transactions.note_aborted(AbortedTransaction { producer_id, first_offset, last_offset });
    }
    fields.0.is_empty().then_some(transactions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ABORTED_BYTES, TRANSACTIONAL_PRODUCER_BYTES};
    use crate::partition::producers::Producer;

    fn sample() -> (ProducerTable, TransactionTable) {
        let (mut producers, mut transactions) = (ProducerTable::default(), TransactionTable::default());
        for (id, coordinator_epoch, open) in
            [(3, -1, None), (4, 2, None), (5, -1, Some((40, 44))), (6, 0, Some((7, 7)))]
        {
            let mut producer = Producer::new(1, 9);
            producer.coordinator_epoch = coordinator_epoch;
            producer.transaction = open.map(|(first, last)| {
                transactions.opened(Offset(first), id);
                OpenTransaction { first_offset: Offset(first), last_offset: Offset(last) }
            });
            producers.restore(id, producer);
        }
        for (producer_id, first, last) in [(4, 10, 12), (9, 2, 30)] {
            let (first_offset, last_offset) = (Offset(first), Offset(last));
            transactions.note_aborted(AbortedTransaction { producer_id, first_offset, last_offset });
        }
        (producers, transactions)
    }

    #[test]
    fn what_is_open_and_what_was_aborted_is_read_back() {
        let (producers, transactions) = sample();
        let mut payload = Vec::new();
        assert!(encode_transactions(&producers, &transactions, &mut payload));
        assert_eq!(payload.len(), 8 + 3 * TRANSACTIONAL_PRODUCER_BYTES + 2 * ABORTED_BYTES, "what the limits count");
        let mut plain = ProducerTable::default();
        for (id, _) in producers.iter() {
            plain.restore(id, Producer::new(1, 9));
        }
        assert_eq!(decode_transactions(&payload, &mut plain), Some(transactions));
        assert_eq!(plain, producers);
        let nothing = (ProducerTable::default(), TransactionTable::default());
        assert!(!encode_transactions(&nothing.0, &nothing.1, &mut Vec::new()));
    }

    #[test]
    fn truncated_oversized_and_impossible_payloads_are_refused() {
        let (producers, transactions) = sample();
        let mut payload = Vec::new();
        encode_transactions(&producers, &transactions, &mut payload);
        for length in 0..payload.len() {
            assert_eq!(decode_transactions(&payload[..length], &mut producers.clone()), None, "{length} bytes");
        }
        assert_eq!(
            decode_transactions(&payload, &mut ProducerTable::default()),
            None,
            "of producers that are not known"
        );
        assert_eq!(decode_transactions(&u32::MAX.to_le_bytes(), &mut producers.clone()), None);
        let (first_aborted, bytes) = (payload.len() - 48, payload.len());
        payload[first_aborted..].rotate_left(24);
        assert_eq!(decode_transactions(&payload[..bytes], &mut producers.clone()), None, "markers out of order");
    }
}
