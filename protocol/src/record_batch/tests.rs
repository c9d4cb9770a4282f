//! Claims about batches: what is built is read back, damage is seen, hostile bytes are harmless.

use kafka_protocol::records::RecordBatchDecoder;
use proptest::prelude::*;

use super::*;

type OwnedHeaders = Vec<(String, Option<Vec<u8>>)>;

#[derive(Debug, Clone, PartialEq)]
struct OwnedRecord {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
}

fn any_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200))
}

fn any_record() -> impl Strategy<Value = OwnedRecord> {
    let headers = proptest::collection::vec(("[a-c]{0,3}", any_bytes()), 0..4);
    (any::<i64>(), any_bytes(), any_bytes(), headers).prop_map(|(timestamp, key, value, headers)| OwnedRecord {
        timestamp,
        key,
        value,
        headers,
    })
}

fn build(base_timestamp: i64, producer: ProducerFields, owned: &[OwnedRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), base_timestamp, producer);
    for record in owned {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.finish()
}

fn read(header: &BatchHeader, batch: &[u8]) -> Result<Vec<OwnedRecord>, BatchError> {
    records(header, &batch[HEADER_BYTES..])
        .map(|record| {
            let record = record?;
            let headers = record
                .headers()
                .map(|header| header.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))))
                .collect::<Result<_, _>>()
                .expect("the builder writes whole headers");
            Ok(OwnedRecord {
                timestamp: header.timestamp(record.timestamp_delta),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers,
            })
        })
        .collect()
}

fn one_batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 1_000, ProducerFields::NONE);
    builder.append(1_000, None, Some(b"first"), &[]);
    builder.append(1_007, Some(b"key"), None, &[("trace", Some(b"1")), ("trace", None)]);
    builder.finish()
}

#[test]
fn a_batch_has_the_bytes_of_the_format() {
    let batch = one_batch();
    let body: &[u8] = &[
        // Length 11, attributes, timestamp +0, offset +0, null key, value "first", no headers.
        22, 0, 0, 0, 1, 10, b'f', b'i', b'r', b's', b't', 0,
        // Length 24, attributes, timestamp +7, offset +1, key "key", null value, two headers.
        48, 0, 14, 2, 6, b'k', b'e', b'y', 1, 4, 10, b't', b'r', b'a', b'c', b'e', 2, b'1', 10, b't', b'r', b'a', b'c',
        b'e', 1,
    ];
    assert_eq!(&batch[HEADER_BYTES..], body);
    assert_eq!(&batch[..CRC_AT], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 86, 255, 255, 255, 255, 2]);
    assert_eq!(batch[RECORD_COUNT_AT..HEADER_BYTES], [0, 0, 0, 2]);
}

#[test]
fn the_oracle_reads_what_the_builder_wrote() {
    let mut bytes = bytes::Bytes::from(one_batch());
    let decoded = RecordBatchDecoder::decode(&mut bytes).expect("the oracle accepts the batch");
    assert_eq!(decoded.records.len(), 2);
    assert_eq!(decoded.records[0].value.as_deref(), Some(b"first".as_slice()));
    assert_eq!(decoded.records[1].timestamp, 1_007);
    assert_eq!(decoded.records[1].offset, 1);
    assert_eq!(decoded.records[1].key.as_deref(), Some(b"key".as_slice()));
}

#[test]
fn duplicate_header_keys_are_kept_in_order() {
    let batch = one_batch();
    let header = BatchHeader::parse(&batch).expect("whole");
    let read = read(&header, &batch).expect("well formed");
    assert_eq!(read[1].headers, vec![("trace".to_owned(), Some(b"1".to_vec())), ("trace".to_owned(), None)]);
}

#[test]
fn a_truncated_last_batch_ends_a_fetch_answer_cleanly() {
    let mut answer = one_batch();
    let whole_bytes = answer.len();
    answer.extend_from_slice(&one_batch());
    for cut in 0..whole_bytes {
        let found: Vec<_> = batches(&answer[..whole_bytes + cut]).collect::<Result<_, _>>().expect("no damage");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.len(), whole_bytes);
    }
    assert_eq!(batches(&answer).count(), 2);
}

#[test]
fn old_formats_and_lying_lengths_are_named() {
    let mut batch = one_batch();
    batch[MAGIC_AT] = 1;
    assert_eq!(BatchHeader::parse(&batch), Err(BatchError::UnsupportedMagic(1)));
    assert_eq!(BatchHeader::parse(&batch[..30]), Err(BatchError::UnsupportedMagic(1)));
    let mut batch = one_batch();
    batch[BATCH_LENGTH_AT..PARTITION_LEADER_EPOCH_AT].copy_from_slice(&(-5i32).to_be_bytes());
    assert_eq!(BatchHeader::parse(&batch), Err(BatchError::LengthTooSmall(-5)));
    assert_eq!(batches(&batch).collect::<Vec<_>>(), vec![Err(BatchError::LengthTooSmall(-5))]);
    assert!(matches!(BatchHeader::parse(&one_batch()[..60]), Err(BatchError::Truncated { .. })));
}

#[test]
fn a_count_that_disagrees_with_the_body_is_an_error() {
    let batch = one_batch();
    let mut header = BatchHeader::parse(&batch).expect("whole");
    header.record_count = i32::MAX;
    assert_eq!(read(&header, &batch), Err(BatchError::InvalidRecord { index: 2 }));
    header.record_count = 1;
    assert!(matches!(read(&header, &batch), Err(BatchError::TrailingBytes(_))));
    header.record_count = -1;
    assert!(matches!(read(&header, &batch), Err(BatchError::TrailingBytes(_))));
}

#[test]
fn log_append_time_is_the_time_of_every_record() {
    let mut header = BatchHeader::parse(&one_batch()).expect("whole");
    header.attributes |= 1 << 3;
    assert_eq!(header.timestamp(3), header.max_timestamp);
}

#[test]
fn a_batch_is_built_behind_what_the_buffer_holds() {
    let mut builder = BatchBuilder::new(b"head".to_vec(), 0, ProducerFields::NONE);
    builder.append_payload(5, None, b"value");
    assert_eq!(builder.record_count(), 1);
    let batch_bytes = builder.batch_bytes();
    let buffer = builder.finish();
    assert_eq!(&buffer[..4], b"head");
    assert_eq!(buffer.len(), 4 + batch_bytes);
    let header = BatchHeader::parse(&buffer[4..]).expect("whole");
    assert!(header.crc_is_valid(&buffer[4..]));
}

#[test]
fn every_flipped_byte_is_caught_by_the_crc() {
    let batch = one_batch();
    for at in CRC_COVERS_FROM..batch.len() {
        for bit in 0..8 {
            let mut damaged = batch.clone();
            damaged[at] ^= 1 << bit;
            let header = BatchHeader::parse(&damaged).expect("the length is intact");
            assert!(!header.crc_is_valid(&damaged), "byte {at}, bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        base_timestamp: i64,
        producer_id: i64,
        producer_epoch: i16,
        base_sequence: i32,
        owned in proptest::collection::vec(any_record(), 1..40),
    ) {
        let producer = ProducerFields { producer_id, producer_epoch, base_sequence };
        let batch = build(base_timestamp, producer, &owned);
        let header = BatchHeader::parse(&batch).expect("whole");
        prop_assert_eq!(header.total_bytes(), batch.len());
        prop_assert!(header.crc_is_valid(&batch));
        prop_assert_eq!(header.last_offset(), owned.len() as i64 - 1);
        prop_assert_eq!(header.producer_id, producer_id);
        prop_assert_eq!(header.producer_epoch, producer_epoch);
        prop_assert_eq!(header.base_sequence, base_sequence);
        prop_assert_eq!(Some(header.max_timestamp), owned.iter().map(|record| record.timestamp).max());
        prop_assert_eq!(header.compression(), Ok(Compression::None));
        prop_assert_eq!(read(&header, &batch), Ok(owned));
        let mut rewritten = [0; HEADER_BYTES];
        header.write(&mut rewritten);
        prop_assert_eq!(&rewritten[..], &batch[..HEADER_BYTES]);
    }

    #[test]
    fn varints_keep_every_value(value: i64) {
        let mut bytes = [0; varint::VARLONG_BYTES_MAX];
        let end = varint::write(&mut bytes, 0, value);
        prop_assert_eq!(end, varint::encoded_bytes(value));
        let mut rest = &bytes[..end];
        prop_assert_eq!(varint::take_long(&mut rest), Some(value));
        prop_assert!(rest.is_empty());
        let mut cut = &bytes[..end - 1];
        prop_assert_eq!(varint::take_long(&mut cut), None);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), count: i32) {
        let mut header = BatchHeader::parse(&one_batch()).expect("whole");
        header.record_count = count;
        for record in records(&header, &bytes).flatten() {
            let _ = record.headers().count();
        }
        for (header, batch) in batches(&bytes).flatten() {
            let _ = records(&header, &batch[HEADER_BYTES..]).count();
        }
    }

    #[test]
    fn damaged_batches_never_panic(at in 0usize..100, byte: u8, record in any_record()) {
        let mut batch = build(0, ProducerFields::NONE, &[record]);
        let at = at % batch.len();
        batch[at] = byte;
        for (header, batch) in batches(&batch).flatten() {
            let _ = (header.compression(), header.last_offset(), header.crc_is_valid(batch));
            for record in records(&header, &batch[HEADER_BYTES..]).flatten() {
                let _ = record.headers().count();
            }
        }
    }
}

#[test]
fn a_transactional_batch_says_so_and_nothing_else_differs() {
    let producer = ProducerFields { producer_id: 7, producer_epoch: 2, base_sequence: 0 };
    let build = |builder: BatchBuilder| {
        let mut builder = builder;
        builder.append_payload(1, None, b"v");
        builder.finish()
    };
    let plain = build(BatchBuilder::new(Vec::new(), 1, producer));
    let transactional = build(BatchBuilder::new(Vec::new(), 1, producer).transactional());
    let parse = |batch: &[u8]| BatchHeader::parse(batch).expect("a whole batch");
    let (plain, header) = (parse(&plain), parse(&transactional));
    assert!(header.is_transactional() && !header.is_control() && header.crc_is_valid(&transactional));
    assert!(!plain.is_transactional());
    assert_eq!(BatchHeader { attributes: 0, crc: plain.crc, ..header }, plain);
}
