//! How many bytes a record takes in a batch, to the byte: a batch closes where the Java client's would.

/// Bytes of a record without headers, all of one timestamp, as the `offset_delta`-th of its batch.
pub fn record_bytes(offset_delta: usize, key_bytes: Option<usize>, value_bytes: usize) -> usize {
    // Attributes, timestamp delta of 0 and header count take a byte each; no key is the length -1, which takes one too.
    let key = key_bytes.map_or(1, |bytes| varint_bytes(bytes) + bytes);
    let body = 3 + varint_bytes(offset_delta) + key + varint_bytes(value_bytes) + value_bytes;
    varint_bytes(body) + body
}

/// How many records with values of `value_bytes` and without keys fit into `left` bytes behind `count` others.
pub fn records_that_fit(left: usize, count: usize, value_bytes: usize) -> usize {
    let (mut left, mut delta) = (left, count);
    loop {
        let each = record_bytes(delta, None, value_bytes);
        // Up to here the offset delta takes as many bytes.
        let same_until = 1_usize << (7 * varint_bytes(delta) - 1);
        let fitting = (left / each).min(same_until - delta);
        (left, delta) = (left - fitting * each, delta + fitting);
        if delta < same_until {
            return delta - count;
        }
    }
}

/// Bytes of a number that is not negative as a zigzag varint.
fn varint_bytes(number: usize) -> usize {
    let bits = usize::BITS - (number << 1).leading_zeros();
    (bits as usize).div_ceil(7).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::record_batch::{BatchBuilder, HEADER_BYTES, ProducerFields};

    #[test]
    fn sizes_are_those_that_the_builder_makes() {
        for (key, value) in
            [(None, 32), (None, 63), (None, 64), (Some(1), 8_191), (Some(64), 8_192), (Some(1_024), 100)]
        {
            let key_bytes = key.map(|bytes| vec![b'0'; bytes]);
            let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, ProducerFields::NONE);
            for delta in 0..70 {
                let before = builder.batch_bytes();
                builder.append_payload(1_700_000_000_000, key_bytes.as_deref(), &vec![0; value]);
                assert_eq!(builder.batch_bytes() - before, record_bytes(delta, key, value), "{key:?} {value} {delta}");
            }
        }
    }

    #[test]
    fn as_many_fit_as_can_be_appended_one_by_one() {
        for (left, value) in [(16_384 - HEADER_BYTES, 1_000), (16_384 - HEADER_BYTES, 100), (1 << 20, 32), (10, 32)] {
            for count in [0, 1, 60, 63, 64, 65, 8_190] {
                let (mut rest, mut delta) = (left, count);
                while rest >= record_bytes(delta, None, value) {
                    rest -= record_bytes(delta, None, value);
                    delta += 1;
                }
                assert_eq!(records_that_fit(left, count, value), delta - count, "{left} {value} {count}");
            }
        }
    }

    #[test]
    fn sixteen_records_of_a_thousand_bytes_fill_the_default_batch_as_in_java() {
        assert_eq!(records_that_fit(16_384 - HEADER_BYTES, 0, 1_000), 16);
    }
}
