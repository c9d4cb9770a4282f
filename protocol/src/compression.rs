//! Decompresses a batch body under a hard cap on its output, so that no bomb gets more memory than the caller granted, and compresses
//! what is left of a batch after compaction, or what a topic wants in a codec of its own.
//!
//! Only the search for a timestamp inside a batch, compacted topics and their cleaner, and topics with a `compression.type` come here; any other
//! produce and fetch keeps the producer's bytes as they are. So pure and bounded decoders were chosen over fast ones.

mod compress;
mod timestamp_search;

use std::borrow::Cow;
use std::io::{self, Read};

use crate::record_batch::{BatchError, Compression};

pub use compress::{compress, compress_at};
pub use timestamp_search::first_record_at_or_after;

/// Zstandard windows up to this size are accepted even when less output is (RFC 8878 asks decoders for 8 MiB, and
/// encoders state the window of their level, not of the content).
const ZSTD_WINDOW_BYTES_MIN: usize = 8 * 1024 * 1024;
/// How Java and librdkafka begin their framed snappy.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The magic, a version and a compatible version.
const XERIAL_HEADER_BYTES: usize = 16;

/// Why a body cannot be decompressed, or its records not be searched.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// The output would pass the cap.
    #[error("decompressed body is larger than {output_bytes_max} bytes")]
    OutputTooLarge {
        /// The cap that the caller set.
        output_bytes_max: usize,
    },
    /// The bytes are not what the codec writes.
    #[error("compressed body is malformed: {0}")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The batch around the body is malformed.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// The uncompressed form of `body`, at most `output_bytes_max` bytes; borrowed when it is not compressed.
pub fn decompress(codec: Compression, body: &[u8], output_bytes_max: usize) -> Result<Cow<'_, [u8]>, CompressionError> {
    match codec {
        Compression::None if body.len() > output_bytes_max => {
            Err(CompressionError::OutputTooLarge { output_bytes_max })
        }
        Compression::None => Ok(Cow::Borrowed(body)),
        Compression::Gzip => read_capped(flate2::read::MultiGzDecoder::new(body), output_bytes_max),
        Compression::Snappy => snappy(body, output_bytes_max),
        Compression::Lz4 => read_capped(lz4_flex::frame::FrameDecoder::new(body), output_bytes_max),
        Compression::Zstd => {
            let window_bytes_max = output_bytes_max.max(ZSTD_WINDOW_BYTES_MIN) as u64;
            let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(body, window_bytes_max)
                .map_err(malformed)?;
            read_capped(decoder, output_bytes_max)
        }
    }
}

fn read_capped<'a>(decoder: impl Read, output_bytes_max: usize) -> Result<Cow<'a, [u8]>, CompressionError> {
    let mut output = Vec::new();
    // One byte more than allowed tells "too large" from "exactly full".
    decoder
        .take((output_bytes_max as u64).saturating_add(1))
        .read_to_end(&mut output)
        .map_err(malformed::<io::Error>)?;
    if output.len() > output_bytes_max {
        return Err(CompressionError::OutputTooLarge { output_bytes_max });
    }
    Ok(Cow::Owned(output))
}

fn snappy<'a>(body: &[u8], output_bytes_max: usize) -> Result<Cow<'a, [u8]>, CompressionError> {
    let mut output = Vec::new();
    if !body.starts_with(&XERIAL_MAGIC) {
        append_snappy_block(body, &mut output, output_bytes_max)?;
        return Ok(Cow::Owned(output));
    }
    let mut rest = body.get(XERIAL_HEADER_BYTES..).ok_or_else(|| malformed("the xerial header is cut off"))?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or_else(|| malformed("a xerial length is cut off"))?;
        let (block, after) = usize::try_from(i32::from_be_bytes(*length))
            .ok()
            .and_then(|length| after.split_at_checked(length))
            .ok_or_else(|| malformed("a xerial block is longer than the body"))?;
        append_snappy_block(block, &mut output, output_bytes_max)?;
        rest = after;
    }
    Ok(Cow::Owned(output))
}

/// Snappy states its output size up front, so that it is refused before any memory is given.
fn append_snappy_block(block: &[u8], output: &mut Vec<u8>, output_bytes_max: usize) -> Result<(), CompressionError> {
    let block_output_bytes = snap::raw::decompress_len(block).map_err(malformed)?;
    let start = output.len();
    if block_output_bytes > output_bytes_max - start {
        return Err(CompressionError::OutputTooLarge { output_bytes_max });
    }
    output.resize(start + block_output_bytes, 0);
    snap::raw::Decoder::new().decompress(block, &mut output[start..]).map_err(malformed)?;
    Ok(())
}

fn malformed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(error: E) -> CompressionError {
    CompressionError::Malformed(error.into())
}

#[cfg(test)]
mod tests;
