//! What compaction knows of Kafka's records: the engine's codec, and the rule that a compacted topic takes no record without a key.

use engine::cleaner::codec::{CodecError, Keep, RecordCodec, RecordView, Retained};
use engine::offset::Offset;
use protocol::compression::CompressionError;
use protocol::record_batch::{self, BatchHeader, Record};

use crate::limits::DECOMPRESSED_BYTES_MAX;

/// How the engine's cleaner reads batches and makes smaller ones.
pub const CODEC: RecordCodec = RecordCodec { visit, retain };

fn visit(batch: &[u8], visitor: &mut dyn FnMut(&RecordView<'_>)) -> Result<(), CodecError> {
    record_batch::visit(batch, DECOMPRESSED_BYTES_MAX, &mut |header, record| visitor(&view(header, record)))
        .map_err(|error| CodecError(error.to_string()))
}

fn retain(batch: &[u8], delete_horizon_ms: Option<i64>, keep: Keep<'_>) -> Result<Retained, CodecError> {
    let retained = record_batch::retain(batch, DECOMPRESSED_BYTES_MAX, delete_horizon_ms, &mut |header, record| {
        keep(&view(header, record))
    });
    match retained.map_err(|error| CodecError(error.to_string()))? {
        record_batch::Retained::Whole => Ok(Retained::Whole),
        record_batch::Retained::Nothing => Ok(Retained::Nothing),
        // The producer may have compressed harder than we do.
        record_batch::Retained::Rewritten(batch) if batch.len() > engine::limits::BATCH_BYTES_MAX => {
            Err(CodecError(format!("what is left takes {} bytes, more than a batch may", batch.len())))
        }
        record_batch::Retained::Rewritten(batch) => Ok(Retained::Rewritten(batch)),
    }
}

fn view<'a>(header: &BatchHeader, record: &Record<'a>) -> RecordView<'a> {
    RecordView {
        offset: Offset(header.offset(record.offset_delta)),
        timestamp_ms: header.timestamp(record.timestamp_delta),
        key: record.key,
        is_tombstone: record.value.is_none(),
    }
}

/// Positions in the batch of the records without a key, the first `count_max` of them.
pub fn records_without_key(batch: &[u8], count_max: usize) -> Result<Vec<i32>, CompressionError> {
    let mut found = Vec::new();
    let mut index = 0;
    record_batch::visit(batch, DECOMPRESSED_BYTES_MAX, &mut |_, record| {
        if record.key.is_none() && found.len() < count_max {
            found.push(index);
        }
        index += 1;
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use engine::batch::{check_produced, crc_is_valid, walk};
    use protocol::compression::compress;
    use protocol::record_batch::{BatchBuilder, Compression, HEADER_BYTES, LENGTH_PREFIX_BYTES, ProducerFields};

    use super::*;

    const CODECS: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// Key, value and time of each record.
    fn batch(codec: Compression, records: &[(Option<&str>, Option<&str>, i64)]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 1_000, ProducerFields::NONE);
        for (key, value, timestamp) in records {
            builder.append(*timestamp, key.map(str::as_bytes), value.map(str::as_bytes), &[]);
        }
        let plain = builder.finish();
        let body = compress(codec, &plain[HEADER_BYTES..]);
        let mut header = BatchHeader::parse(&plain).unwrap();
        header.attributes = codec as i16;
        header.batch_length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len()) as i32;
        let mut bytes = [0; HEADER_BYTES];
        header.write(&mut bytes);
        header.crc = checksum::crc32c(&[&bytes[record_batch::CRC_COVERS_FROM..], &body].concat());
        header.write(&mut bytes);
        [&bytes[..], &body].concat()
    }

    const RECORDS: [(Option<&str>, Option<&str>, i64); 4] = [
        (Some("a"), Some("1"), 1_000),
        (None, Some("no key"), 1_003),
        (Some("b"), None, 1_002),
        (Some("a"), Some("2"), 1_001),
    ];

    #[test]
    fn the_engine_sees_every_record_as_it_is() {
        for codec in CODECS {
            let mut seen = Vec::new();
            let mut visitor = |record: &RecordView<'_>| {
                let key = record.key.map(|key| String::from_utf8(key.to_vec()).unwrap());
                seen.push((record.offset.0, record.timestamp_ms, key, record.is_tombstone));
            };
            (CODEC.visit)(&batch(codec, &RECORDS), &mut visitor).unwrap();
            let key = |key: &str| Some(key.to_owned());
            let expected = [
                (0, 1_000, key("a"), false),
                (1, 1_003, None, false),
                (2, 1_002, key("b"), true),
                (3, 1_001, key("a"), false),
            ];
            assert_eq!(seen, expected, "{codec:?}");
        }
    }

    #[test]
    fn what_is_left_is_a_batch_to_the_engine() {
        for codec in CODECS {
            let before = batch(codec, &RECORDS);
            // All records and a horizon: even a producer could have sent that.
            let Retained::Rewritten(marked) = (CODEC.retain)(&before, Some(5_000), &mut |_| true).unwrap() else {
                panic!("it gets a horizon")
            };
            check_produced(&marked, 1 << 20).unwrap();
            let Retained::Rewritten(fewer) = (CODEC.retain)(&before, None, &mut |record| record.offset.0 == 3).unwrap()
            else {
                panic!("records go")
            };
            let walked: Vec<_> = walk(&fewer).collect();
            let [(0, header)] = &walked[..] else { panic!("one batch") };
            assert_eq!(header.total_bytes(), Some(fewer.len()));
            assert!(crc_is_valid(&fewer, header));
            assert_eq!((header.record_count(), header.last_offset_delta(), header.max_timestamp()), (1, 3, 1_001));
            assert_eq!((CODEC.retain)(&before, None, &mut |_| true), Ok(Retained::Whole));
            assert_eq!((CODEC.retain)(&before, None, &mut |_| false), Ok(Retained::Nothing));
            assert!((CODEC.visit)(&before[..before.len() - 1], &mut |_| {}).is_err());
        }
    }

    #[test]
    fn records_without_a_key_are_found_in_every_codec() {
        for codec in CODECS {
            let found = |records: &[_], count_max| records_without_key(&batch(codec, records), count_max).unwrap();
            assert_eq!(found(&RECORDS, 10), [1]);
            assert_eq!(found(&[(None, None, 1); 5], 3), [0, 1, 2]);
            assert!(found(&[(Some(""), None, 1)], 3).is_empty(), "an empty key is a key");
        }
    }
}
