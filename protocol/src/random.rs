//! Random values of every field type, for tests: absent and null fields only where the version allows them.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::Records;

const TEXT: &str = "orders-2024.é§漢字🦀 _consumer.offsets/ABCdef0123456789";
const BYTES: &[u8; 256] = &{
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < 256 {
        bytes[at] = (at * 167 + 13) as u8;
        at += 1;
    }
    bytes
};

/// A type of which there are random values.
pub(crate) trait RandomValue {
    /// A value that a message of `version` can carry.
    fn random(source: &mut StdRng, version: i16) -> Self;
}

macro_rules! random_integers {
    ($($type:ty)*) => {
        $(
            impl RandomValue for $type {
                fn random(source: &mut StdRng, _: i16) -> Self {
                    match source.random_range(0..8) {
                        0 => -1,
                        1 => 0,
                        2 => Self::MIN,
                        3 => Self::MAX,
                        _ => source.random(),
                    }
                }
            }
        )*
    };
}
random_integers! { i8 i16 i32 i64 }

impl RandomValue for bool {
    fn random(source: &mut StdRng, _: i16) -> Self {
        source.random()
    }
}

impl RandomValue for Uuid {
    fn random(source: &mut StdRng, _: i16) -> Self {
        Self::from_u128(if source.random_ratio(1, 4) { 0 } else { source.random() })
    }
}

impl RandomValue for &str {
    fn random(source: &mut StdRng, _: i16) -> Self {
        let range = random_range(source, TEXT.len());
        let boundary = |from: usize| (from..=TEXT.len()).find(|&at| TEXT.is_char_boundary(at)).unwrap_or(TEXT.len());
        &TEXT[boundary(range.start)..boundary(range.end)]
    }
}

impl RandomValue for &[u8] {
    fn random(source: &mut StdRng, _: i16) -> Self {
        &BYTES[random_range(source, BYTES.len())]
    }
}

impl RandomValue for Records<'_> {
    fn random(source: &mut StdRng, version: i16) -> Self {
        Self::Borrowed(RandomValue::random(source, version))
    }
}

impl<T: RandomValue> RandomValue for Option<T> {
    fn random(source: &mut StdRng, version: i16) -> Self {
        (!source.random_ratio(1, 4)).then(|| T::random(source, version))
    }
}

impl<T: RandomValue> RandomValue for Vec<T> {
    fn random(source: &mut StdRng, version: i16) -> Self {
        (0..source.random_range(0..4)).map(|_| T::random(source, version)).collect()
    }
}

fn random_range(source: &mut StdRng, len: usize) -> Range<usize> {
    let start = source.random_range(0..=len);
    start..source.random_range(start..=len)
}
