//! Compresses the body of a batch that the broker rewrote, in the form that every client reads.

use std::io::Write;

use super::{XERIAL_HEADER_BYTES, XERIAL_MAGIC};
use crate::record_batch::Compression;

/// Block of a xerial stream, as snappy-java makes it. A reader holds one block at a time.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
/// Version and lowest compatible version of a xerial stream.
const XERIAL_VERSIONS: [u8; XERIAL_HEADER_BYTES - XERIAL_MAGIC.len()] = [0, 0, 0, 1, 0, 0, 0, 1];

/// Levels above it are carried out at this one: their windows and tables take half a gigabyte for a body of 64 MiB.
const ZSTD_LEVEL_MAX: i32 = 19;

/// The compressed form of `body` at the codec's default level.
pub fn compress(codec: Compression, body: &[u8]) -> Vec<u8> {
    compress_at(codec, None, body)
}

/// The compressed form of `body`; what it takes is bounded by the body, whose size the caller has bounded.
///
/// Levels are Kafka's, which are those of the libraries: gzip 1 to 9, zstd up to 22; -1 is gzip's default. Snappy has none, and the LZ4 encoder
/// knows one only. Zstandard comes from the reference library: the pure encoder of the decoder's crate
/// can be made to panic by crafted input, and what is compressed here came from clients.
pub fn compress_at(codec: Compression, level: Option<i32>, body: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => body.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), gzip_level(level));
            encoder.write_all(body).and_then(|()| encoder.finish()).expect("a vector takes all")
        }
        Compression::Snappy => xerial(body),
        Compression::Lz4 => {
            // The block size and independent blocks are what Kafka's own reader expects.
            let frame = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Max64KB)
                .block_mode(lz4_flex::frame::BlockMode::Independent);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::new());
            encoder.write_all(body).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        }
        Compression::Zstd => zstd::bulk::compress(body, zstd_level(level))
            .expect("the library states the size of the output that it needs"),
    }
}

fn gzip_level(level: Option<i32>) -> flate2::Compression {
    match level {
        Some(level @ 0..=9) => flate2::Compression::new(level.unsigned_abs()),
        _ => flate2::Compression::default(),
    }
}

fn zstd_level(level: Option<i32>) -> i32 {
    level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL).min(ZSTD_LEVEL_MAX)
}

/// In frames, not raw: Java reads both, and older clients only these.
fn xerial(body: &[u8]) -> Vec<u8> {
    let mut output = [&XERIAL_MAGIC[..], &XERIAL_VERSIONS].concat();
    let mut encoder = snap::raw::Encoder::new();
    for block in body.chunks(XERIAL_BLOCK_BYTES) {
        let block = encoder.compress_vec(block).expect("a block is far below the codec's 4 GiB");
        output.extend_from_slice(&(block.len() as u32).to_be_bytes());
        output.extend_from_slice(&block);
    }
    output
}
