//! Compression of a finished batch, and the guess at its outcome that decides when a batch is full.

use protocol::compression::compress;
use protocol::record_batch::{BatchHeader, CRC_AT, CRC_COVERS_FROM, Compression, HEADER_BYTES, LENGTH_PREFIX_BYTES};

/// As in Kafka's `CompressionRatioEstimator`: a worse outcome is believed fast, a better one slowly.
const WORSE_STEP: f64 = 0.05;
const BETTER_STEP: f64 = 0.005;

/// Kafka's `COMPRESSION_RATE_ESTIMATION_FACTOR`: caution against batches that turn out too large.
const CAUTION: f64 = 1.05;

/// A batch of nothing but zeros would grow until its linger is over; no codec is believed to do better than this.
const RATIO_MIN: f64 = 1.0 / 64.0;

/// A codec with what it has achieved so far: compressed bytes for each byte before.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    compression: Compression,
    ratio: f64,
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, ratio: 1.0 }
    }

    /// Size on the wire, as far as one can tell, of a batch that has `batch_bytes` before compression.
    pub(super) fn estimate(&self, batch_bytes: usize) -> usize {
        match self.compression {
            Compression::None => batch_bytes,
            _ => HEADER_BYTES + ((batch_bytes - HEADER_BYTES) as f64 * self.ratio * CAUTION) as usize,
        }
    }

    /// The largest batch before compression that is estimated at `wire_bytes`.
    pub(super) fn capacity(&self, wire_bytes: usize) -> usize {
        match self.compression {
            Compression::None => wire_bytes,
            _ => HEADER_BYTES + (wire_bytes.saturating_sub(HEADER_BYTES) as f64 / (self.ratio * CAUTION)) as usize,
        }
    }

    /// Compresses a batch in place and learns from it.
    pub(super) fn finish(&mut self, batch: &mut Vec<u8>) {
        if self.compression == Compression::None {
            return;
        }
        let mut header = BatchHeader::parse(batch).expect("the builder made it");
        let body = compress(self.compression, &batch[HEADER_BYTES..]);
        self.learn(body.len() as f64 / (batch.len() - HEADER_BYTES) as f64);
        batch.truncate(HEADER_BYTES);
        batch.extend_from_slice(&body);
        header.batch_length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
        header.attributes |= attribute(self.compression);
        header.write(batch.first_chunk_mut().expect("a batch begins with its header"));
        let crc = checksum::crc32c(&batch[CRC_COVERS_FROM..]);
        batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    }

    fn learn(&mut self, observed: f64) {
        let believed = if observed > self.ratio {
            observed.max(self.ratio + WORSE_STEP)
        } else {
            observed.max(self.ratio - BETTER_STEP)
        };
        self.ratio = believed.max(RATIO_MIN);
    }
}

/// Kafka's number of a codec, in the lowest bits of a batch's attributes.
fn attribute(compression: Compression) -> i16 {
    match compression {
        Compression::None => 0,
        Compression::Gzip => 1,
        Compression::Snappy => 2,
        Compression::Lz4 => 3,
        Compression::Zstd => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::compression::decompress;
    use protocol::record_batch::{BatchBuilder, ProducerFields, records};

    fn batch() -> Vec<u8> {
        let fields = ProducerFields { producer_id: 9, producer_epoch: 1, base_sequence: 70 };
        let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, fields);
        for number in 0..40_u8 {
            builder.append_payload(1_700_000_000_000, Some(&[number]), &[number; 100]);
        }
        builder.finish()
    }

    #[test]
    fn a_compressed_batch_is_whole_and_gives_its_records_back() {
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let (plain, mut packed) = (batch(), batch());
            Codec::new(compression).finish(&mut packed);
            assert!(packed.len() < plain.len(), "{compression:?}");
            let header = BatchHeader::parse(&packed).expect("valid");
            assert_eq!(header.total_bytes(), packed.len());
            assert!(header.crc_is_valid(&packed));
            assert_eq!((header.compression(), header.base_sequence), (Ok(compression), 70));
            let body = decompress(compression, &packed[HEADER_BYTES..], 1 << 20).expect("decompresses");
            assert_eq!(body, &plain[HEADER_BYTES..]);
            let read = records(&header, &body).map(|record| record.expect("record").value.map(<[u8]>::len));
            assert_eq!(read.collect::<Vec<_>>(), [Some(100); 40]);
        }
    }

    #[test]
    fn the_guess_follows_the_outcome_as_in_the_java_client() {
        let mut codec = Codec::new(Compression::Lz4);
        assert_eq!(codec.estimate(1_061), 61 + 1_050, "before the first batch nothing is gained");
        codec.learn(0.5);
        assert!((codec.ratio - 0.995).abs() < 1e-9, "good news is believed slowly");
        (0..200).for_each(|_| codec.learn(0.5));
        assert!((codec.ratio - 0.5).abs() < 1e-9);
        codec.learn(0.52);
        assert!((codec.ratio - 0.55).abs() < 1e-9, "bad news at once, and then some");
        codec.learn(0.9);
        assert!((codec.ratio - 0.9).abs() < 1e-9);
        let capacity = codec.capacity(16_384);
        assert!(codec.estimate(capacity) <= 16_384 && codec.estimate(capacity + 2) >= 16_384);
        (0..1_000).for_each(|_| codec.learn(0.0));
        assert!((codec.ratio - RATIO_MIN).abs() < 1e-9);
    }
}
