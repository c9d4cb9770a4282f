//! Hostile primitives are refused with the error that says why.

use super::*;

#[test]
fn truncated_values_are_refused() {
    assert_eq!(Reader::new(&[0; 3]).read_i32(), Err(DecodeError::Truncated { needed: 4, left: 3 }));
    assert_eq!(Reader::new(&[0, 5, b'a']).read_string(), Err(DecodeError::Truncated { needed: 5, left: 1 }));
    assert_eq!(Reader::new(&[0x80]).read_unsigned_varint(), Err(DecodeError::Truncated { needed: 1, left: 0 }));
}

#[test]
fn negative_lengths_are_null_only_at_minus_one() {
    assert_eq!(Reader::new(&[0xff, 0xff]).read_nullable_string(), Ok(None));
    assert_eq!(Reader::new(&[0xff, 0xff]).read_string(), Err(DecodeError::UnexpectedNull));
    assert_eq!(Reader::new(&[0xff, 0xfe]).read_nullable_string(), Err(DecodeError::NegativeLength(-2)));
    assert_eq!(Reader::new(&[0x80, 0, 0, 0]).read_array_count(), Err(DecodeError::NegativeLength(i32::MIN)));
    assert_eq!(Reader::new(&[0]).read_compact_array_count(), Ok(None));
    assert_eq!(Reader::new(&[0]).read_compact_string(), Err(DecodeError::UnexpectedNull));
}

#[test]
fn counts_above_the_bytes_left_are_refused() {
    let claim = [0x7f, 0xff, 0xff, 0xff, 1, 2];
    let error = DecodeError::CountTooLarge { count: i32::MAX as usize, left: 2 };
    assert_eq!(Reader::new(&claim).read_array_count(), Err(error));
    assert_eq!(Reader::new(&[4, 1, 2, 3]).read_compact_array_count(), Ok(Some(3)));
    let error = DecodeError::CountTooLarge { count: 4, left: 3 };
    assert_eq!(Reader::new(&[5, 1, 2, 3]).read_compact_array_count(), Err(error));
}

#[test]
fn varints_beyond_their_type_are_refused() {
    let u32_max = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(Reader::new(&u32_max).read_unsigned_varint(), Ok(u32::MAX));
    assert_eq!(Reader::new(&u32_max).read_varint(), Ok(i32::MIN));
    let bit_33 = [0xff, 0xff, 0xff, 0xff, 0x1f];
    assert_eq!(Reader::new(&bit_33).read_unsigned_varint(), Err(DecodeError::VarintTooLong));
    assert_eq!(Reader::new(&[0x80; 6]).read_unsigned_varint(), Err(DecodeError::VarintTooLong));
    let u64_max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(Reader::new(&u64_max).read_varlong(), Ok(i64::MIN));
    assert_eq!(Reader::new(&[0xff; 11]).read_varlong(), Err(DecodeError::VarintTooLong));
}

#[test]
fn strings_are_utf8_and_at_most_a_classic_length_long() {
    assert_eq!(Reader::new(&[0, 1, 0xc3]).read_string(), Err(DecodeError::InvalidUtf8));
    let mut longest = vec![0x80, 0x80, 0x02];
    longest.resize(3 + STRING_BYTES_MAX, b'x');
    assert_eq!(Reader::new(&longest).read_compact_string().map(str::len), Ok(STRING_BYTES_MAX));
    longest[0] = 0x81;
    longest.push(b'x');
    assert_eq!(Reader::new(&longest).read_compact_string(), Err(DecodeError::StringTooLong(STRING_BYTES_MAX + 1)));
}

#[test]
fn unknown_tagged_fields_are_skipped_and_known_ones_fill_their_size() {
    let section = [2, 7, 2, 0xaa, 0xbb, 9, 1, 0xcc, 0x42];
    let mut reader = Reader::new(&section);
    assert_eq!(reader.read_tagged_fields(|_, _| Ok(false)), Ok(()));
    assert_eq!(reader.finish(), Err(DecodeError::TrailingBytes(1)));
    let known = |tag, field: &mut Reader<'_>| field.read_i8().map(|_| tag == 7);
    assert_eq!(Reader::new(&section).read_tagged_fields(known), Err(DecodeError::TaggedFieldSize(7)));
    let lying = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    assert_eq!(
        Reader::new(&lying).read_tagged_fields(|_, _| Ok(false)),
        Err(DecodeError::Truncated { needed: 1, left: 0 })
    );
}
