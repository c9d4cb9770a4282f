//! Histograms as text: base64 of the `HdrHistogram` V2 encoding with deflate, which other tools read too.

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Longest accepted text. A histogram of nanoseconds with three digits takes a few kilobytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Why a histogram of a result file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// Longer than any histogram that this program writes.
    #[error("histogram text of {0} bytes is longer than {TEXT_BYTES_MAX}")]
    TooLong(usize),
    /// Not base64.
    #[error("histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not an `HdrHistogram` in V2 encoding.
    #[error("histogram does not decode: {0}")]
    Decode(String),
    /// The encoder refused; its limits are those of a 32-bit length.
    #[error("histogram does not encode: {0}")]
    Encode(String),
}

/// The text form of a histogram.
pub fn encode_histogram(histogram: &Histogram<u64>) -> Result<String, HistogramError> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|error| HistogramError::Encode(error.to_string()))?;
    Ok(STANDARD.encode(bytes))
}

/// The histogram of a text form.
pub fn decode_histogram(text: &str) -> Result<Histogram<u64>, HistogramError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(HistogramError::TooLong(text.len()));
    }
    let bytes = STANDARD.decode(text)?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| HistogramError::Decode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_survives_its_text_form() {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are valid");
        for value in [1_u64, 1_000, 250_000, 250_000, 9_000_000_000] {
            histogram.saturating_record(value);
        }
        let text = encode_histogram(&histogram).expect("small histogram");
        assert_eq!(decode_histogram(&text).expect("own text"), histogram);
    }

    #[test]
    fn foreign_text_is_refused_not_trusted() {
        assert!(matches!(decode_histogram("not base64!"), Err(HistogramError::Base64(_))));
        assert!(matches!(decode_histogram("AAAA"), Err(HistogramError::Decode(_))));
        let long = "A".repeat(TEXT_BYTES_MAX + 1);
        assert!(matches!(decode_histogram(&long), Err(HistogramError::TooLong(_))));
    }
}
