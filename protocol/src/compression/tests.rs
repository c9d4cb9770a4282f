//! Claims about decompression: what the codecs write is read back, bombs and damage are refused.

use proptest::prelude::*;

use super::*;
use crate::record_batch::{
    ATTRIBUTES_AT, BATCH_LENGTH_AT, BatchBuilder, CRC_AT, CRC_COVERS_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES,
    ProducerFields,
};

const CODECS: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const CAP: usize = 64 * 1024;

/// Framed as snappy-java does, in blocks of `block_bytes`.
fn compress_xerial(plain: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut framed = XERIAL_MAGIC.to_vec();
    framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for block in plain.chunks(block_bytes) {
        let block = snap::raw::Encoder::new().compress_vec(block).expect("small enough");
        framed.extend_from_slice(&(block.len() as i32).to_be_bytes());
        framed.extend_from_slice(&block);
    }
    framed
}

fn three_records(codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 100, ProducerFields::NONE);
    for (timestamp, value) in [(100, "a"), (300, "b"), (200, "c")] {
        builder.append_payload(timestamp, None, value.as_bytes());
    }
    let mut batch = builder.finish();
    let body = compress(codec, &batch[HEADER_BYTES..]);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(&body);
    let length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
    batch[BATCH_LENGTH_AT..BATCH_LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    batch[ATTRIBUTES_AT + 1] = codec as u8;
    let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[test]
fn frames_of_the_reference_encoders_are_read() {
    // "posthaste " twenty times, by the zstd and lz4 command lines and by Python's gzip.
    let frames: [(Compression, &[u8]); 3] = [
        (
            Compression::Zstd,
            &[
                40, 181, 47, 253, 4, 104, 141, 0, 0, 80, 112, 111, 115, 116, 104, 97, 115, 116, 101, 32, 1, 0, 187, 82,
                5, 9, 3, 217, 120, 26,
            ],
        ),
        (
            Compression::Lz4,
            &[
                4, 34, 77, 24, 96, 64, 130, 20, 0, 0, 0, 175, 112, 111, 115, 116, 104, 97, 115, 116, 101, 32, 10, 0,
                166, 80, 97, 115, 116, 101, 32, 0, 0, 0, 0,
            ],
        ),
        (
            Compression::Gzip,
            &[
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 43, 200, 47, 46, 201, 72, 44, 46, 73, 85, 40, 24, 210, 44, 0, 141, 61,
                217, 26, 200, 0, 0, 0,
            ],
        ),
    ];
    for (codec, frame) in frames {
        assert_eq!(decompress(codec, frame, CAP).expect("whole"), "posthaste ".repeat(20).as_bytes(), "{codec:?}");
    }
}

#[test]
fn bombs_are_refused_at_the_cap() {
    let plain = vec![0; 32 * 1024 * 1024];
    let mut bombs: Vec<_> = CODECS.map(|codec| (codec, compress(codec, &plain))).into();
    bombs.push((Compression::Snappy, compress_xerial(&plain, CAP)));
    for (codec, bomb) in bombs {
        assert!(bomb.len() < plain.len() / 15, "{codec:?} is a bomb");
        let refused = decompress(codec, &bomb, CAP);
        assert!(matches!(refused, Err(CompressionError::OutputTooLarge { output_bytes_max: CAP })), "{codec:?}");
    }
}

#[test]
fn a_snappy_length_is_refused_before_memory_is_given() {
    // A varint of 4 GiB - 1 and nothing behind it.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(matches!(decompress(Compression::Snappy, &lie, CAP), Err(CompressionError::OutputTooLarge { .. })));
}

#[test]
fn a_zstd_window_beyond_the_cap_is_refused() {
    // Magic, no single segment, window descriptor for 1 GiB (exponent 20).
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00];
    assert!(matches!(decompress(Compression::Zstd, &frame, CAP), Err(CompressionError::Malformed(_))));
}

#[test]
fn an_output_of_exactly_the_cap_passes() {
    let plain = vec![7; CAP];
    for codec in CODECS {
        let compressed = compress(codec, &plain);
        assert_eq!(decompress(codec, &compressed, CAP).expect("fits"), plain);
        assert!(decompress(codec, &compressed, CAP - 1).is_err());
    }
    assert!(decompress(Compression::None, &plain, CAP - 1).is_err());
}

#[test]
fn a_cut_body_is_malformed() {
    let plain: Vec<u8> = (0..CAP).map(|at| ((at * at) >> 3) as u8).collect();
    for codec in CODECS {
        let compressed = compress(codec, &plain);
        assert!(decompress(codec, &compressed[..compressed.len() / 2], CAP).is_err(), "{codec:?}");
    }
    let framed = compress_xerial(&plain, 1000);
    assert!(decompress(Compression::Snappy, &framed[..framed.len() - 1], CAP).is_err());
    assert!(decompress(Compression::Snappy, &framed[..10], CAP).is_err());
}

#[test]
fn the_first_record_in_offset_order_wins() {
    for codec in [Compression::None].into_iter().chain(CODECS) {
        let batch = three_records(codec);
        let find = |timestamp| first_record_at_or_after(&batch, i64::MIN, timestamp, CAP).expect("well formed");
        assert_eq!(find(i64::MIN), Some((0, 100)), "{codec:?}");
        assert_eq!(find(101), Some((1, 300)), "{codec:?}");
        assert_eq!(find(300), Some((1, 300)), "{codec:?}");
        assert_eq!(find(301), None, "{codec:?}");
        let behind = first_record_at_or_after(&batch, 2, 0, CAP).expect("well formed");
        assert_eq!(behind.map(|(offset, _)| offset), Some(2), "{codec:?}: a log may start inside of a batch");
    }
}

#[test]
fn a_lying_maximum_finds_nothing() {
    let mut batch = three_records(Compression::None);
    let maximum_at = crate::record_batch::MAX_TIMESTAMP_AT;
    batch[maximum_at..maximum_at + 8].copy_from_slice(&i64::MAX.to_be_bytes());
    assert!(matches!(first_record_at_or_after(&batch, 0, 1_000, CAP), Ok(None)));
}

#[test]
fn a_truncated_or_undecodable_batch_is_an_error() {
    let batch = three_records(Compression::Gzip);
    assert!(first_record_at_or_after(&batch[..batch.len() - 1], 0, 0, CAP).is_err());
    let mut unknown = batch.clone();
    unknown[ATTRIBUTES_AT + 1] = 7;
    assert!(matches!(
        first_record_at_or_after(&unknown, 0, 0, CAP),
        Err(CompressionError::Batch(BatchError::UnknownCompression(7)))
    ));
    assert!(matches!(first_record_at_or_after(&batch, 0, 0, 3), Err(CompressionError::OutputTooLarge { .. })));
}

proptest! {
    #[test]
    fn what_a_codec_writes_is_read_back(
        plain in proptest::collection::vec(any::<u8>(), 0..5_000),
        block_bytes in 1usize..2_000,
    ) {
        for codec in CODECS {
            let compressed = compress(codec, &plain);
            prop_assert_eq!(&*decompress(codec, &compressed, 5_000).expect("whole"), &plain[..]);
        }
        let framed = compress_xerial(&plain, block_bytes);
        prop_assert_eq!(&*decompress(Compression::Snappy, &framed, 5_000).expect("whole"), &plain[..]);
    }

    #[test]
    fn damaged_bodies_never_panic_or_pass_the_cap(
        plain in "[ab]{0,2000}",
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for codec in CODECS {
            let mut body = compress(codec, plain.as_bytes());
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            if let Ok(output) = decompress(codec, &body, CAP) {
                prop_assert!(output.len() <= CAP);
            }
        }
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for codec in CODECS {
            let _ = decompress(codec, &body, CAP);
        }
    }
}
