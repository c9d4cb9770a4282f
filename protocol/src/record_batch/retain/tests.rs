//! Claims about rewritten batches: they hold exactly what was kept, where it was, whatever the codec; damage is an error and no more.

use kafka_protocol::records::{Record as TheirRecord, RecordBatchDecoder, TimestampType};
use proptest::prelude::*;

use super::super::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, BatchBuilder, Compression, MAX_TIMESTAMP_AT, PARTITION_LEADER_EPOCH_AT,
    ProducerFields,
};
use super::*;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const CAP: usize = 1 << 20;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// A record as the model knows it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    header: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Batch {
    base_offset: i64,
    base_timestamp: i64,
    leader_epoch: i32,
    producer: ProducerFields,
    flags: i16,
    records: Vec<Known>,
}

fn any_bytes(bytes_max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(0u8..4, 0..bytes_max))
}

/// Times far from each other, but sums of them in range: the oracle panics where they overflow.
fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..1_000, 1_700_000_000_000i64..1_700_000_100_000, Just(-1)]
}

fn any_batch() -> impl Strategy<Value = Batch> {
    let record = (any_time(), any_bytes(20), any_bytes(3_000), any_bytes(30));
    let flags = proptest::sample::select(vec![0, LOG_APPEND_TIME, TRANSACTIONAL, DELETE_HORIZON]);
    let producer = (0i64..1_000, 0i16..5, 0i32..1_000).prop_map(|(producer_id, producer_epoch, base_sequence)| {
        ProducerFields { producer_id, producer_epoch, base_sequence }
    });
    (0i64..1 << 50, any_time(), 0i32..9, producer, flags, proptest::collection::vec(record, 1..60)).prop_map(
        |(base_offset, base_timestamp, leader_epoch, producer, flags, records)| {
            let newest = records.iter().map(|record| record.0).max().unwrap_or(-1);
            let records = (base_offset..).zip(records);
            let records = records.map(|(offset, (timestamp, key, value, header))| Known {
                offset,
                timestamp: if flags == LOG_APPEND_TIME { newest } else { timestamp },
                key,
                value,
                header,
            });
            Batch { base_offset, base_timestamp, leader_epoch, producer, flags, records: records.collect() }
        },
    )
}

impl Batch {
    /// As it lies in a log: placed, stamped and compressed.
    fn encode(&self, codec: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), self.base_timestamp, self.producer);
        for record in &self.records {
            let header = [("h", record.header.as_deref())];
            let headers = if record.header.is_some() { &header[..] } else { &[] };
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), headers);
        }
        let plain = builder.finish();
        let mut header = BatchHeader::parse(&plain).expect("whole");
        header.base_offset = self.base_offset;
        header.partition_leader_epoch = self.leader_epoch;
        header.attributes = self.flags | codec as i16;
        assemble(header, &compress(codec, &plain[HEADER_BYTES..])).expect("small")
    }

    fn rewritten(&self, keeps: &[bool]) -> Vec<Known> {
        self.records.iter().zip(keeps).filter(|(_, kept)| **kept).map(|(record, _)| record.clone()).collect()
    }
}

fn read_with_the_oracle(batch: &[u8]) -> Vec<TheirRecord> {
    let mut bytes = bytes::Bytes::copy_from_slice(batch);
    let decoded = RecordBatchDecoder::decode(&mut bytes).expect("the oracle accepts the batch");
    assert!(bytes.is_empty(), "one batch");
    decoded.records
}

fn known(record: &TheirRecord) -> Known {
    let bytes = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
    Known {
        offset: record.offset,
        timestamp: record.timestamp,
        key: bytes(&record.key),
        value: bytes(&record.value),
        header: record.headers.values().next().and_then(bytes),
    }
}

fn visited(batch: &[u8]) -> Vec<Known> {
    let mut found = Vec::new();
    visit(batch, CAP, &mut |header, record| {
        found.push(Known {
            offset: header.offset(record.offset_delta),
            timestamp: header.timestamp(record.timestamp_delta),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            header: record.headers().next().and_then(|header| header.expect("well formed").1).map(<[u8]>::to_vec),
        });
    })
    .expect("well formed");
    found
}

fn retain_at(batch: &[u8], horizon_ms: Option<i64>, keeps: &[bool]) -> Retained {
    let mut asked = keeps.iter();
    let retained = retain(batch, CAP, horizon_ms, &mut |_, _| *asked.next().expect("each record is asked for once"));
    assert!(asked.next().is_none(), "every record is asked for");
    retained.expect("well formed")
}

fn three_records() -> Batch {
    let record = |offset, timestamp, value: Option<&[u8]>| Known {
        offset,
        timestamp,
        key: Some(vec![offset as u8]),
        value: value.map(<[u8]>::to_vec),
        header: None,
    };
    Batch {
        base_offset: 100,
        base_timestamp: 1_000,
        leader_epoch: 3,
        producer: ProducerFields { producer_id: 7, producer_epoch: 1, base_sequence: 40 },
        flags: 0,
        records: vec![record(100, 1_000, Some(b"a")), record(101, 1_005, None), record(102, 1_002, Some(b"c"))],
    }
}

#[test]
fn a_horizon_is_set_once_and_only_with_a_tombstone_that_stays() {
    for codec in CODECS {
        let batch = three_records().encode(codec);
        assert_eq!(retain_at(&batch, None, &[true; 3]), Retained::Whole);
        let Retained::Rewritten(without) = retain_at(&batch, Some(9_000), &[true, false, true]) else {
            panic!("a record goes")
        };
        assert_eq!(BatchHeader::parse(&without).expect("whole").delete_horizon_ms(), None, "{codec:?}");
        let Retained::Rewritten(marked) = retain_at(&batch, Some(9_000), &[true; 3]) else {
            panic!("it gets a horizon")
        };
        let header = BatchHeader::parse(&marked).expect("whole");
        assert_eq!((header.delete_horizon_ms(), header.base_timestamp), (Some(9_000), 9_000));
        assert_eq!(visited(&marked), three_records().records, "the records keep their times");
        assert_eq!(retain_at(&marked, Some(99_000), &[true; 3]), Retained::Whole);
        let Retained::Rewritten(fewer) = retain_at(&marked, Some(99_000), &[false, true, true]) else {
            panic!("a record goes")
        };
        assert_eq!(BatchHeader::parse(&fewer).expect("whole").delete_horizon_ms(), Some(9_000));
    }
}

#[test]
fn a_control_batch_is_no_data_and_stays() {
    let batch = Batch { flags: CONTROL | TRANSACTIONAL, ..three_records() }.encode(Compression::None);
    assert_eq!(visited(&batch), []);
    let retained = retain(&batch, CAP, Some(5), &mut |_, _| panic!("nobody asks")).expect("well formed");
    assert_eq!(retained, Retained::Whole);
}

#[test]
fn records_without_an_offset_of_their_own_are_an_error() {
    let batch = three_records().encode(Compression::None);
    let header = BatchHeader::parse(&batch).expect("whole");
    let mut order = Vec::new();
    for record in records(&header, &batch[HEADER_BYTES..]) {
        let mut bytes = Vec::new();
        let record = record.expect("well formed");
        record.write_with_timestamp_delta(record.timestamp_delta, &mut bytes);
        order.push(bytes);
    }
    let of = |order: &[&Vec<u8>], last_offset_delta| {
        let header = BatchHeader { record_count: order.len() as i32, last_offset_delta, ..header };
        let body: Vec<u8> = order.iter().flat_map(|record| record.iter().copied()).collect();
        let mut seen = 0;
        let outcome = visit(&assemble(header, &body).expect("small"), CAP, &mut |_, _| seen += 1);
        assert_eq!(seen, if outcome.is_ok() { order.len() } else { 0 }, "all or none");
        outcome
    };
    let [a, b, c] = &order[..] else { panic!("three records") };
    assert!(of(&[a, b, c], 2).is_ok() && of(&[a, c], 2).is_ok() && of(&[b], 2).is_ok());
    let wrong_at = |index| Some(BatchError::InvalidOffset { index });
    let error = |outcome| match outcome {
        Err(CompressionError::Batch(error)) => Some(error),
        _ => None,
    };
    assert_eq!(error(of(&[b, a, c], 2)), wrong_at(1));
    assert_eq!(error(of(&[a, b, b], 2)), wrong_at(2));
    assert_eq!(error(of(&[a, b, c], 1)), wrong_at(2));
    assert_eq!(error(of(&[a], -1)), wrong_at(0));
}

#[test]
fn a_bomb_and_a_lie_about_the_count_are_errors() {
    let mut bomb = three_records();
    bomb.records[0].value = Some(vec![0; 4 * CAP]);
    for codec in CODECS {
        let bytes = bomb.encode(codec);
        let keep_all = &mut |_: &BatchHeader, _: &Record<'_>| true;
        assert!(matches!(retain(&bytes, CAP, None, keep_all), Err(CompressionError::OutputTooLarge { .. })));
        let mut header = BatchHeader::parse(&bytes).expect("whole");
        header.record_count = i32::MAX;
        let lie = assemble(header, &bytes[HEADER_BYTES..]).expect("small");
        assert!(retain(&lie, 8 * CAP, None, keep_all).is_err());
        assert!(retain(&bytes[..bytes.len() - 1], 8 * CAP, None, keep_all).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_left_agrees_with_the_model_and_the_oracle(
        batch in any_batch(),
        keeps in proptest::collection::vec(any::<bool>(), 60),
        keeps_all in prop::bool::weighted(0.1),
        horizon_ms in proptest::option::of(any_time()),
    ) {
        let keeps: Vec<bool> = keeps[..batch.records.len()].iter().map(|kept| *kept || keeps_all).collect();
        let expected = batch.rewritten(&keeps);
        for codec in CODECS {
            let before = batch.encode(codec);
            prop_assert_eq!(&visited(&before), &batch.records);
            let old = BatchHeader::parse(&before).expect("whole");
            let sets_horizon = horizon_ms.is_some()
                && old.delete_horizon_ms().is_none()
                && expected.iter().any(|record| record.value.is_none());
            let after = match retain_at(&before, horizon_ms, &keeps) {
                Retained::Nothing => {
                    prop_assert!(expected.is_empty());
                    continue;
                }
                Retained::Whole => {
                    prop_assert!(expected.len() == batch.records.len() && !sets_horizon);
                    continue;
                }
                Retained::Rewritten(after) => after,
            };
            prop_assert!(expected.len() < batch.records.len() || sets_horizon);
            prop_assert_eq!(&visited(&after), &expected);

            let new = BatchHeader::parse(&after).expect("whole");
            prop_assert!(new.crc_is_valid(&after));
            prop_assert_eq!(new.total_bytes(), after.len());
            let base_timestamp = horizon_ms.filter(|_| sets_horizon).unwrap_or(old.base_timestamp);
            prop_assert_eq!(new, BatchHeader {
                batch_length: new.batch_length,
                crc: new.crc,
                attributes: old.attributes | if sets_horizon { DELETE_HORIZON } else { 0 },
                base_timestamp,
                max_timestamp: expected.iter().map(|record| record.timestamp).max().expect("not empty"),
                record_count: expected.len() as i32,
                ..old
            });

            let theirs = read_with_the_oracle(&after);
            for record in &theirs {
                prop_assert_eq!(record.delete_horizon, new.delete_horizon_ms().is_some());
                prop_assert_eq!(record.transactional, new.is_transactional());
                prop_assert_eq!(record.timestamp_type == TimestampType::LogAppend, new.has_log_append_time());
                prop_assert_eq!(record.partition_leader_epoch, batch.leader_epoch);
                prop_assert_eq!((record.producer_id, record.producer_epoch),
                    (batch.producer.producer_id, batch.producer.producer_epoch));
                prop_assert_eq!(i64::from(record.sequence),
                    i64::from(batch.producer.base_sequence) + record.offset - batch.base_offset);
            }
            prop_assert_eq!(theirs.iter().map(known).collect::<Vec<_>>(), expected.clone());
        }
    }

    #[test]
    fn damage_is_never_a_panic_or_more_memory_than_granted(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        batch in any_batch(),
    ) {
        for codec in CODECS {
            let mut bytes = batch.encode(codec);
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = visit(&bytes, CAP, &mut |_, record| assert!(record.headers().count() < CAP));
            if let Ok(Retained::Rewritten(after)) = retain(&bytes, CAP, Some(1), &mut |header, record| {
                header.offset(record.offset_delta) % 2 == 0
            }) {
                let header = BatchHeader::parse(&after).expect("whole");
                prop_assert!(header.crc_is_valid(&after));
            }
        }
    }
}

#[test]
fn the_fixed_fields_lie_where_the_format_says() {
    let Retained::Rewritten(after) =
        retain_at(&three_records().encode(Compression::None), Some(2_000), &[false, true, true])
    else {
        panic!("a record goes")
    };
    assert_eq!(after[BASE_OFFSET_AT..][..8], 100i64.to_be_bytes());
    assert_eq!(after[PARTITION_LEADER_EPOCH_AT..][..4], 3i32.to_be_bytes());
    assert_eq!(after[ATTRIBUTES_AT..][..2], DELETE_HORIZON.to_be_bytes());
    assert_eq!(after[MAX_TIMESTAMP_AT..][..8], 1_005i64.to_be_bytes());
    // Length 8, attributes, timestamp 1005 - 2000, offset +1, key, null value, no headers; then its neighbour.
    let body = [16, 0, 0xc5, 0x0f, 2, 2, 101, 1, 0, 18, 0, 0xcb, 0x0f, 4, 2, 102, 2, b'c', 0];
    assert_eq!(after[HEADER_BYTES..], body);
}
