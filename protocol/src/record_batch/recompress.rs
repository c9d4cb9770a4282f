//! What `compression.type` of a topic does to a produced batch: the same records in another codec.

use std::borrow::Cow;

use super::retain::{assemble, split};
use super::{BatchError, BatchHeader, Compression, records};
use crate::compression::{CompressionError, compress_at, decompress};

/// A batch in another codec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recompressed {
    /// All of it.
    pub batch: Vec<u8>,
    /// Bytes of its records when they are not compressed: what the work took.
    pub plain_bytes: usize,
}

/// The records of one whole batch, compressed by `codec` at `level` (the codec's default when there is none). `output_bytes_max` bounds what
/// decompression may give. The caller has checked the CRC: what comes out has a CRC of its own, which would vouch for damage too.
///
/// Every record keeps its bytes, and the header its offsets, flags, producer and first timestamp; codec, largest timestamp, length and CRC are
/// new. In the codec that it has, its body stays as it is. As Kafka does where it looks into a batch, records whose offsets do not count from 0
/// are refused.
pub fn recompress(
    batch: &[u8],
    codec: Compression,
    level: Option<i32>,
    output_bytes_max: usize,
) -> Result<Recompressed, CompressionError> {
    let (mut header, body) = split(batch)?;
    let before = header.compression()?;
    let plain = decompress(before, body, output_bytes_max)?;
    header.max_timestamp = max_timestamp(&header, &plain)?;
    header.set_compression(codec);
    let packed = if before == codec { Cow::Borrowed(body) } else { Cow::Owned(compress_at(codec, level, &plain)) };
    let batch = assemble(header, &packed)?;
    Ok(Recompressed { batch, plain_bytes: plain.len() })
}

fn max_timestamp(header: &BatchHeader, body: &[u8]) -> Result<i64, BatchError> {
    let mut max_timestamp = i64::MIN;
    for (index, record) in (0..).zip(records(header, body)) {
        let record = record?;
        if record.offset_delta.cast_unsigned() != index {
            return Err(BatchError::InvalidOffset { index });
        }
        if record.headers().any(|header| header.is_err()) {
            return Err(BatchError::InvalidRecord { index });
        }
        max_timestamp = max_timestamp.max(header.timestamp(record.timestamp_delta));
    }
    Ok(max_timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_batch::{BatchBuilder, HEADER_BYTES, LAST_OFFSET_DELTA_AT, MAX_TIMESTAMP_AT, ProducerFields};

    const CODECS: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    const CAP: usize = 64 * 1024;
    const PRODUCER: ProducerFields = ProducerFields { producer_id: 77, producer_epoch: 3, base_sequence: 41 };

    fn plain() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 1_000, PRODUCER).transactional();
        let twice: [(&str, Option<&[u8]>); 3] = [("h", Some(b"1")), ("h", None), ("h", Some(b""))];
        builder.append(1_000, Some(b"a"), Some(b"one"), &twice);
        builder.append(1_900, None, None, &[]);
        builder.append(900, Some(b""), Some(&[7; 5_000]), &[]);
        builder.finish()
    }

    fn in_codec(codec: Compression) -> Vec<u8> {
        recompress(&plain(), codec, None, CAP).expect("well formed").batch
    }

    #[test]
    fn any_codec_becomes_any_other_with_everything_else_as_it_was() {
        for from in CODECS {
            for to in CODECS {
                let before = in_codec(from);
                let after = recompress(&before, to, None, CAP).expect("well formed");
                let header = BatchHeader::parse(&after.batch).expect("a header");
                assert!(header.crc_is_valid(&after.batch), "{from:?} to {to:?}");
                assert_eq!(header.compression(), Ok(to));
                let mut same = BatchHeader::parse(&before).expect("a header");
                same.set_compression(to);
                (same.batch_length, same.crc) = (header.batch_length, header.crc);
                assert_eq!(header, same, "offsets, flags, producer and timestamps");
                let body = decompress(to, &after.batch[HEADER_BYTES..], CAP).expect("whole");
                assert_eq!((&*body, after.plain_bytes), (&plain()[HEADER_BYTES..], body.len()), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn the_largest_timestamp_is_that_of_the_records() {
        let mut lying = plain();
        lying[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&5_i64.to_be_bytes());
        let batch = recompress(&lying, Compression::Gzip, None, CAP).expect("well formed").batch;
        assert_eq!(BatchHeader::parse(&batch).expect("a header").max_timestamp, 1_900);
    }

    #[test]
    fn a_level_that_tries_harder_makes_less() {
        let mut builder = BatchBuilder::new(Vec::new(), 1, ProducerFields::NONE);
        let text = (0..3_000).map(|at| (at * at % 7_919).to_string()).collect::<Vec<_>>().join(" ");
        builder.append_payload(1, None, text.as_bytes());
        let plain = builder.finish();
        let bytes = |codec, level| recompress(&plain, codec, Some(level), CAP).expect("well formed").batch.len();
        assert!(bytes(Compression::Gzip, 9) < bytes(Compression::Gzip, 1));
        assert!(bytes(Compression::Zstd, 19) < bytes(Compression::Zstd, -5));
        let default = recompress(&plain, Compression::Gzip, None, CAP).expect("well formed").batch.len();
        assert_eq!(bytes(Compression::Gzip, -1), default, "Kafka's name for the default");
    }

    #[test]
    fn what_is_too_large_or_malformed_is_refused() {
        for codec in CODECS {
            let refused = recompress(&in_codec(codec), Compression::Zstd, None, 5_000);
            assert!(matches!(refused, Err(CompressionError::OutputTooLarge { .. })), "{codec:?}");
        }
        let mut more_records = plain();
        more_records[HEADER_BYTES - 1] += 1;
        assert!(recompress(&more_records, Compression::Gzip, None, CAP).is_err());
        let batch = in_codec(Compression::Snappy);
        assert!(recompress(&batch[..batch.len() - 1], Compression::Gzip, None, CAP).is_err());
    }

    #[test]
    fn records_must_count_from_0() {
        let mut batch = plain();
        // Length, attributes and timestamp delta take a byte or two each; the offset delta of the first record is 0.
        let first = records(&BatchHeader::parse(&batch).expect("a header"), &batch[HEADER_BYTES..]).next();
        assert_eq!(first.expect("one").expect("whole").offset_delta, 0);
        let at = HEADER_BYTES + 3;
        assert_eq!(batch[at - 1..=at], [0, 0], "timestamp delta and offset delta");
        batch[at] = 2;
        batch[LAST_OFFSET_DELTA_AT + 3] = 9;
        let refused = recompress(&batch, Compression::Gzip, None, CAP);
        assert!(matches!(refused, Err(CompressionError::Batch(BatchError::InvalidOffset { index: 0 }))), "{refused:?}");
    }
}
