//! The messages and records of transactions.

use protocol::Message;
use protocol::messages::consumer_offsets::{decode_versioned, encode_versioned};
use protocol::messages::transaction_log::{TransactionLogKey, TransactionLogPartitions, TransactionLogValue};
use protocol::messages::{add_partitions_to_txn, end_txn};
use protocol::reader::{DecodeError, Reader};

use crate::hex;

#[test]
fn added_partitions_have_kafkas_layout() {
    let request = add_partitions_to_txn::AddPartitionsToTxnRequest {
        transactional_id: "a",
        producer_id: 7,
        producer_epoch: 2,
        topics: vec![add_partitions_to_txn::AddPartitionsToTxnTopic { name: "t", partitions: vec![0, 3] }],
    };
    let classic = "0001 61 0000000000000007 0002 00000001 0001 74 00000002 00000000 00000003";
    assert_golden!(request.clone(), 0, classic);
    assert_golden!(request, 3, "02 61 0000000000000007 0002 02 02 74 03 00000000 00000003 00 00");
}

#[test]
fn the_end_of_a_transaction_that_bumps_the_epoch_is_not_spoken() {
    let request = end_txn::EndTxnRequest { transactional_id: "a", producer_id: 7, producer_epoch: 2, committed: true };
    assert_golden!(request, 4, "02 61 0000000000000007 0002 01 00");
    let read = end_txn::EndTxnRequest::decode(&mut Reader::new(&[0; 64]), 5).map(|_| ());
    assert_eq!(read, Err(DecodeError::UnsupportedVersion(5)));
}

#[test]
fn transactional_ids_have_kafkas_layout() {
    let key = TransactionLogKey { transactional_id: "a" };
    let bytes = hex("0000  0001 61");
    assert_eq!(encode_versioned(&key, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, key)));

    let value = TransactionLogValue {
        producer_id: 7,
        producer_epoch: 2,
        transaction_timeout_ms: 60_000,
        transaction_status: 1,
        transaction_partitions: Some(vec![TransactionLogPartitions { topic: "t", partition_ids: vec![0, 3] }]),
        transaction_last_update_timestamp_ms: 1_700_000_000_000,
        transaction_start_timestamp_ms: -1,
    };
    let bytes = hex("0000  0000000000000007 0002 0000ea60 01 00000001  0001 74 00000002 00000000 00000003
         0000018bcfe56800 ffffffffffffffff");
    assert_eq!(encode_versioned(&value, 0), bytes);
    assert_eq!(decode_versioned(&bytes), Ok((0, value.clone())));

    let without = TransactionLogValue { transaction_partitions: None, ..value };
    let bytes = hex("0000  0000000000000007 0002 0000ea60 01 ffffffff  0000018bcfe56800 ffffffffffffffff");
    assert_eq!(encode_versioned(&without, 0), bytes);
}
