//! What a `Writer` puts, a `Reader` reads.

use proptest::prelude::*;
use protocol::reader::Reader;
use protocol::writer::Writer;
use uuid::Uuid;

/// Puts a value, reads it, and checks that nothing is left.
macro_rules! assert_kept {
    ($put:ident, $read:ident, $value:expr) => {{
        let mut writer = Writer::new();
        writer.$put($value);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.$read(), Ok($value));
        prop_assert_eq!(reader.finish(), Ok(()));
    }};
}

proptest! {
    #[test]
    fn integers_keep_their_value(bits: u64, shift in 0..64_u32) {
        // Shifted, so that every varint length comes up.
        let value = u64::cast_signed(bits >> shift);
        assert_kept!(put_i8, read_i8, value as i8);
        assert_kept!(put_i16, read_i16, value as i16);
        assert_kept!(put_i32, read_i32, value as i32);
        assert_kept!(put_i64, read_i64, value);
        assert_kept!(put_u8, read_u8, value as u8);
        assert_kept!(put_u16, read_u16, value as u16);
        assert_kept!(put_u32, read_u32, value as u32);
        assert_kept!(put_unsigned_varint, read_unsigned_varint, value as u32);
        assert_kept!(put_varint, read_varint, value as i32);
        assert_kept!(put_varint, read_varint, !value as i32);
        assert_kept!(put_varlong, read_varlong, value);
        assert_kept!(put_varlong, read_varlong, !value);
    }

    #[test]
    fn other_fixed_sizes_keep_their_value(truth: bool, bits: u128, real in any::<f64>()) {
        assert_kept!(put_bool, read_bool, truth);
        assert_kept!(put_uuid, read_uuid, Uuid::from_u128(bits));
        assert_kept!(put_f64, read_f64, real);
    }

    #[test]
    fn strings_and_bytes_keep_their_value(text: Option<String>, bytes: Option<Vec<u8>>) {
        let (text, bytes) = (text.as_deref(), bytes.as_deref());
        assert_kept!(put_nullable_string, read_nullable_string, text);
        assert_kept!(put_compact_nullable_string, read_compact_nullable_string, text);
        assert_kept!(put_string, read_string, text.unwrap_or_default());
        assert_kept!(put_compact_string, read_compact_string, text.unwrap_or_default());
        assert_kept!(put_nullable_bytes, read_nullable_bytes, bytes);
        assert_kept!(put_compact_nullable_bytes, read_compact_nullable_bytes, bytes);
        assert_kept!(put_bytes, read_bytes, bytes.unwrap_or_default());
        assert_kept!(put_compact_bytes, read_compact_bytes, bytes.unwrap_or_default());
    }
}
