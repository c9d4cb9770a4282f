//! What is persisted of a transactional id, and the records of `__transaction_state` in Kafka's own formats.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::messages::consumer_offsets::{decode_versioned, encode_versioned};
use protocol::messages::transaction_log::{TransactionLogKey, TransactionLogPartitions, TransactionLogValue};
use protocol::record_batch::{BatchBuilder, ProducerFields};

use super::{NO_EPOCH, ProducerIdentity, Status};

const KEY_VERSION: i16 = 0;
const VALUE_VERSION: i16 = 0;

/// Partitions by topic.
pub type Partitions = BTreeMap<String, BTreeSet<i32>>;

/// The state of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its producer.
    pub producer: ProducerIdentity,
    /// How long a transaction may be open.
    pub timeout_ms: i32,
    /// Where it stands.
    pub status: Status,
    /// What the transaction writes; nothing when none is open.
    pub partitions: Partitions,
    /// When this change was made.
    pub updated_ms: i64,
    /// When the last transaction began, or -1.
    pub started_ms: i64,
}

impl Transaction {
    /// One that nobody has yet.
    pub(super) fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer: ProducerIdentity { id: producer_id, epoch: NO_EPOCH },
            timeout_ms,
            status: Status::Empty,
            partitions: Partitions::new(),
            updated_ms: now_ms,
            started_ms: -1,
        }
    }

    /// Whether a producer was ever given this state.
    pub(super) fn is_given(&self) -> bool {
        self.producer.epoch != NO_EPOCH
    }
}

/// One record, key and value together. A value of `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The key.
    pub transactional_id: String,
    /// The state.
    pub value: Option<Transaction>,
}

impl TransactionRecord {
    /// Appends the record to a batch.
    pub(super) fn append_to(&self, batch: &mut BatchBuilder, now_ms: i64) {
        let key = encode_versioned(&TransactionLogKey { transactional_id: &self.transactional_id }, KEY_VERSION);
        let value = self.value.as_ref().map(encode_value);
        batch.append(now_ms, Some(&key), value.as_deref(), &[]);
    }

    /// The record as a batch of its own.
    pub(super) fn batch(&self, now_ms: i64) -> Vec<u8> {
        let mut batch = BatchBuilder::new(Vec::new(), now_ms, ProducerFields::NONE);
        self.append_to(&mut batch, now_ms);
        batch.finish()
    }

    /// Reads a record; the error says what is wrong.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, String> {
        let (_, key) = decode_versioned::<TransactionLogKey>(key).map_err(|error| format!("key: {error}"))?;
        let value = value.map(decode_value).transpose()?;
        Ok(Self { transactional_id: key.transactional_id.to_owned(), value })
    }
}

/// No less than what partitions take in a record.
pub(super) fn partitions_bytes(partitions: &Partitions) -> usize {
    const TOPIC_BYTES: usize = 8;
    partitions.iter().map(|(topic, indexes)| TOPIC_BYTES + topic.len() + size_of::<i32>() * indexes.len()).sum()
}

fn encode_value(transaction: &Transaction) -> Bytes {
    let partitions = transaction
        .partitions
        .iter()
        .map(|(topic, indexes)| TransactionLogPartitions { topic, partition_ids: indexes.iter().copied().collect() });
    // As Kafka does, which reads the partitions of an id without a transaction as null.
    let partitions = (transaction.status != Status::Empty).then(|| partitions.collect());
    let value = TransactionLogValue {
        producer_id: transaction.producer.id,
        producer_epoch: transaction.producer.epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.status.number(),
        transaction_partitions: partitions,
        transaction_last_update_timestamp_ms: transaction.updated_ms,
        transaction_start_timestamp_ms: transaction.started_ms,
    };
    encode_versioned(&value, VALUE_VERSION)
}

fn decode_value(value: &[u8]) -> Result<Transaction, String> {
    let (_, value) = decode_versioned::<TransactionLogValue>(value).map_err(|error| format!("value: {error}"))?;
    let status = Status::from_number(value.transaction_status)
        .ok_or_else(|| format!("unknown transaction status {}", value.transaction_status))?;
    let partitions = value.transaction_partitions.unwrap_or_default();
    let partitions =
        partitions.into_iter().map(|topic| (topic.topic.to_owned(), topic.partition_ids.into_iter().collect()));
    Ok(Transaction {
        producer: ProducerIdentity { id: value.producer_id, epoch: value.producer_epoch },
        timeout_ms: value.transaction_timeout_ms,
        status,
        partitions: partitions.collect(),
        updated_ms: value.transaction_last_update_timestamp_ms,
        started_ms: value.transaction_start_timestamp_ms,
    })
}
