//! `Recompression`: puts produced batches into the codec that `compression.type` of their topic names.
//!
//! Small batches are done where they are met, on the shard's thread, in a millisecond or two. What is larger goes to a thread of its
//! own, one batch at a time a shard, so that neither others on the core nor the memory of the process pay for a slow codec or a bomb.

use std::sync::Arc;

use bytes::Bytes;
use protocol::compression::CompressionError;
use protocol::record_batch::{BatchHeader, Compression, Recompressed, recompress};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::frame_budget::{FrameBudget, FrameMemory};
use crate::limits::{DECOMPRESSED_BYTES_MAX, RECOMPRESSED_MEMORY_WAIT_MAX, RECOMPRESSIONS_AT_ONCE_MAX};
use crate::topic_config::Codec;

/// Why a batch was not put into another codec.
#[derive(Debug, Error)]
pub enum RecompressionError {
    /// Damage on the way: a CRC of our own must not vouch for it.
    #[error("the CRC of the record batch is wrong")]
    WrongCrc,
    /// What the client made cannot be read, or is too large.
    #[error(transparent)]
    Unreadable(#[from] CompressionError),
    /// What came out found no room among the received frames.
    #[error("there is no memory for the batch in its topic's codec")]
    NoMemory,
    /// The thread ended without an outcome.
    #[error("the batch could not be compressed")]
    Failed,
}

/// The turn of a shard's large batches.
#[derive(Debug)]
pub struct Recompression {
    turn: Arc<Semaphore>,
}

impl Default for Recompression {
    fn default() -> Recompression {
        Recompression { turn: Arc::new(Semaphore::new(RECOMPRESSIONS_AT_ONCE_MAX)) }
    }
}

/// Whether a whole batch has another codec than its topic wants. Markers of transactions are never touched; an unknown codec is refused elsewhere.
pub fn wants(header: &BatchHeader, codec: Codec) -> bool {
    !header.is_control() && header.compression().is_ok_and(|compression| compression != codec.compression)
}

/// Puts a batch into another codec at once, if its records take at most `plain_bytes_left`, from which what they take is taken (a slow codec takes
/// more), and if the budget of frames has room for what comes out. None says that it is a matter for [`Recompression::at_leisure`].
pub fn at_once(
    budget: &FrameBudget,
    batch: &[u8],
    codec: Codec,
    plain_bytes_left: &mut usize,
) -> Option<Result<Bytes, RecompressionError>> {
    let slowness = slowness(codec);
    match in_codec(batch, codec, *plain_bytes_left / slowness) {
        Err(error) => {
            // It may have been unpacked up to the limit: what is compressed is tried no more.
            let is_packed = BatchHeader::parse(batch).is_ok_and(|header| header.compression() != Ok(Compression::None));
            if is_packed {
                *plain_bytes_left = 0;
            }
            let is_large = matches!(error, RecompressionError::Unreadable(CompressionError::OutputTooLarge { .. }));
            (!is_large).then_some(Err(error))
        }
        Ok(done) => {
            *plain_bytes_left -= done.plain_bytes * slowness;
            let memory = budget.try_take(done.batch.len())?;
            Some(Ok(memory.hold(done.batch.into())))
        }
    }
}

impl Recompression {
    /// Puts a batch into another codec, on another thread and in its turn.
    pub async fn at_leisure(
        &self,
        budget: &FrameBudget,
        batch: Bytes,
        codec: Codec,
    ) -> Result<Bytes, RecompressionError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.expect("the semaphore is never closed");
        // The thread has the turn, also when nobody waits for it any more; then what came out has it, until it has memory.
        let work = move || (in_codec(&batch, codec, DECOMPRESSED_BYTES_MAX), turn);
        let (done, _turn) = tokio::task::spawn_blocking(work).await.map_err(|_| RecompressionError::Failed)?;
        let done = done?;
        // Frames that wait for each other's memory would wait for ever: this one holds its own while it wants more.
        let mut memory = FrameMemory::default();
        timeout(RECOMPRESSED_MEMORY_WAIT_MAX, budget.grow(&mut memory, done.batch.len()))
            .await
            .map_err(|_| RecompressionError::NoMemory)?;
        Ok(memory.hold(done.batch.into()))
    }
}

/// How many times longer than snappy, LZ4 and zstd at its default a codec takes for a byte, about. 64 KiB of text took snappy and LZ4 0.3 ms, zstd
/// 0.5 ms, at level 10 3.5 ms and at level 19 25 ms, and gzip 6 ms (on a busy machine of two cores).
fn slowness(codec: Codec) -> usize {
    match (codec.compression, codec.level) {
        (Compression::Zstd, Some(11..)) => 32,
        (Compression::Gzip, _) | (Compression::Zstd, Some(4..)) => 4,
        _ => 1,
    }
}

fn in_codec(batch: &[u8], codec: Codec, plain_bytes_max: usize) -> Result<Recompressed, RecompressionError> {
    let header = BatchHeader::parse(batch).map_err(CompressionError::from)?;
    if !header.crc_is_valid(batch) {
        return Err(RecompressionError::WrongCrc);
    }
    // What is not compressed shows its size, and needs no try.
    if header.compression() == Ok(Compression::None) && header.total_bytes() > plain_bytes_max {
        return Err(CompressionError::OutputTooLarge { output_bytes_max: plain_bytes_max }.into());
    }
    Ok(recompress(batch, codec.compression, codec.level, plain_bytes_max)?)
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{BatchBuilder, HEADER_BYTES, ProducerFields};

    use super::*;

    const GZIP: Codec = Codec { compression: Compression::Gzip, level: None };
    const LZ4: Codec = Codec { compression: Compression::Lz4, level: None };

    fn batch(value_bytes: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 1, ProducerFields::NONE);
        builder.append_payload(1, Some(b"k"), &vec![7; value_bytes]);
        builder.finish()
    }

    fn codec_of(batch: &[u8]) -> Compression {
        BatchHeader::parse(batch).unwrap().compression().unwrap()
    }

    #[test]
    fn what_a_request_may_do_at_once_is_bounded_by_its_records_together_and_by_the_budget() {
        let (budget, small) = (FrameBudget::new(10_000), batch(3_000));
        let mut left = 7_000;
        let first = at_once(&budget, &small, LZ4, &mut left).unwrap().unwrap();
        assert_eq!((codec_of(&first), budget.used_bytes()), (Compression::Lz4, first.len()));
        assert!(at_once(&budget, &small, GZIP, &mut left).is_none(), "a slow codec takes its bytes fourfold");
        assert!(at_once(&budget, &small, LZ4, &mut left).is_some());
        assert!(at_once(&budget, &small, LZ4, &mut left).is_none(), "{left} bytes are left for 3,000");
        drop(first);
        assert_eq!(budget.used_bytes(), 0, "memory is given back with the bytes");
        assert!(at_once(&FrameBudget::new(10), &small, LZ4, &mut 7_000).is_none());
    }

    #[tokio::test]
    async fn what_is_larger_is_done_on_another_thread_in_its_turn() {
        let (budget, recompression) = (FrameBudget::new(10_000), Recompression::default());
        let large = Bytes::from(batch(1 << 20));
        assert!(at_once(&budget, &large, GZIP, &mut 7_000).is_none());
        let both = tokio::join!(
            recompression.at_leisure(&budget, large.clone(), GZIP),
            recompression.at_leisure(&budget, large.clone(), Codec { compression: Compression::Zstd, level: Some(1) }),
        );
        let (gzip, zstd) = (both.0.unwrap(), both.1.unwrap());
        assert_eq!((codec_of(&gzip), codec_of(&zstd)), (Compression::Gzip, Compression::Zstd));
        assert_eq!(budget.used_bytes(), gzip.len() + zstd.len());
    }

    #[tokio::test(start_paused = true)]
    async fn without_memory_for_what_comes_out_the_client_is_to_try_again() {
        let (budget, recompression) = (FrameBudget::new(10_000), Recompression::default());
        let (mut all, mut overdraft) = (FrameMemory::default(), FrameMemory::default());
        budget.grow(&mut all, 10_000).await;
        budget.grow(&mut overdraft, 1).await;
        let refused = recompression.at_leisure(&budget, batch(1 << 20).into(), GZIP).await;
        assert!(matches!(refused, Err(RecompressionError::NoMemory)));
        drop(all);
        assert!(recompression.at_leisure(&budget, batch(1 << 20).into(), GZIP).await.is_ok());
    }

    #[tokio::test]
    async fn damage_gets_no_new_crc() {
        let (budget, recompression) = (FrameBudget::new(1 << 20), Recompression::default());
        let mut damaged = batch(100);
        damaged[HEADER_BYTES + 20] ^= 1;
        let refused = at_once(&budget, &damaged, GZIP, &mut 7_000).unwrap();
        assert!(matches!(refused, Err(RecompressionError::WrongCrc)));
        let refused = recompression.at_leisure(&budget, damaged.into(), GZIP).await;
        assert!(matches!(refused, Err(RecompressionError::WrongCrc)));
    }

    #[test]
    fn only_another_codec_is_wanted_and_a_marker_never() {
        let header = BatchHeader::parse(&batch(1)).unwrap();
        assert!(wants(&header, GZIP));
        assert!(!wants(&header, Codec { compression: Compression::None, level: None }));
        assert!(!wants(&BatchHeader { attributes: 1 << 5, ..header }, GZIP));
    }
}
