//! Collects an outgoing message: small values are gathered in one buffer, shared records stay where they are.

use bytes::Bytes;
use uuid::Uuid;

use crate::reader::STRING_BYTES_MAX;

/// An outgoing message under construction. Its pieces are ready for a vectored write.
#[derive(Debug, Default)]
pub struct Writer {
    small: Vec<u8>,
    /// Slices that go out by reference, each with its place: the length of `small` when it was put.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

macro_rules! fixed_width {
    ($($method:ident $type:ty;)*) => {
        $(
            #[doc = concat!("Puts a big-endian `", stringify!($type), "`.")]
            #[inline]
            pub fn $method(&mut self, value: $type) {
                self.small.extend_from_slice(&value.to_be_bytes());
            }
        )*
    };
}

impl Writer {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes put so far, shared ones included.
    pub fn len(&self) -> usize {
        self.small.len() + self.shared_bytes
    }

    /// Whether nothing was put yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in order: slices of the one small buffer between the shared slices. None of them is empty.
    pub fn into_pieces(self) -> Vec<Bytes> {
        let small = Bytes::from(self.small);
        let mut pieces = Vec::with_capacity(self.shared.len() * 2 + 1);
        let mut start = 0;
        for (end, shared) in self.shared {
            if start < end {
                pieces.push(small.slice(start..end));
            }
            pieces.push(shared);
            start = end;
        }
        if start < small.len() {
            pieces.push(small.slice(start..));
        }
        pieces
    }

    /// The message in one piece; copies only when there are shared slices.
    pub fn into_bytes(self) -> Bytes {
        if self.shared.is_empty() { self.small.into() } else { self.into_pieces().concat().into() }
    }

    fixed_width! {
        put_i8 i8;
        put_i16 i16;
        put_i32 i32;
        put_i64 i64;
        put_u8 u8;
        put_u16 u16;
        put_u32 u32;
        put_f64 f64;
    }

    /// Puts a boolean.
    #[inline]
    pub fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    /// Puts a UUID.
    #[inline]
    pub fn put_uuid(&mut self, value: Uuid) {
        self.put_slice(value.as_bytes());
    }

    /// Copies bytes without a length.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
    }

    /// Puts bytes by reference, without a length.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.shared_bytes += bytes.len();
            self.shared.push((self.small.len(), bytes));
        }
    }

    /// Puts an unsigned varint.
    #[inline]
    pub fn put_unsigned_varint(&mut self, value: u32) {
        self.put_varint_bits(u64::from(value));
    }

    /// Puts a zigzag varint of 32 bits.
    #[inline]
    pub fn put_varint(&mut self, value: i32) {
        self.put_varint_bits(u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
    }

    /// Puts a zigzag varint of 64 bits.
    #[inline]
    pub fn put_varlong(&mut self, value: i64) {
        self.put_varint_bits(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// Puts a string behind an `i16` length, -1 for null.
    #[inline]
    pub fn put_nullable_string(&mut self, value: Option<&str>) {
        self.put_i16(value.map_or(-1, |value| bounded_string(value).len() as i16));
        self.put_slice(value.unwrap_or_default().as_bytes());
    }

    /// Puts a string behind an `i16` length.
    #[inline]
    pub fn put_string(&mut self, value: &str) {
        self.put_nullable_string(Some(value));
    }

    /// Puts a string behind an unsigned varint length, 0 for null.
    #[inline]
    pub fn put_compact_nullable_string(&mut self, value: Option<&str>) {
        self.put_compact_nullable_bytes(value.map(|value| bounded_string(value).as_bytes()));
    }

    /// Puts a string behind an unsigned varint length.
    #[inline]
    pub fn put_compact_string(&mut self, value: &str) {
        self.put_compact_nullable_string(Some(value));
    }

    /// Copies bytes behind an `i32` length, -1 for null.
    #[inline]
    pub fn put_nullable_bytes(&mut self, value: Option<&[u8]>) {
        self.put_length(value.map(<[u8]>::len));
        self.put_slice(value.unwrap_or_default());
    }

    /// Copies bytes behind an `i32` length.
    #[inline]
    pub fn put_bytes(&mut self, value: &[u8]) {
        self.put_nullable_bytes(Some(value));
    }

    /// Copies bytes behind an unsigned varint length, 0 for null.
    #[inline]
    pub fn put_compact_nullable_bytes(&mut self, value: Option<&[u8]>) {
        self.put_compact_length(value.map(<[u8]>::len));
        self.put_slice(value.unwrap_or_default());
    }

    /// Copies bytes behind an unsigned varint length.
    #[inline]
    pub fn put_compact_bytes(&mut self, value: &[u8]) {
        self.put_compact_nullable_bytes(Some(value));
    }

    /// Puts the `i32` length of bytes or the count of an array, -1 for null.
    #[inline]
    pub fn put_length(&mut self, len: Option<usize>) {
        self.put_i32(len.map_or(-1, bounded_length));
    }

    /// Puts the same as an unsigned varint: one more than the length, 0 for null.
    #[inline]
    pub fn put_compact_length(&mut self, len: Option<usize>) {
        self.put_unsigned_varint(len.map_or(0, |len| bounded_length(len).cast_unsigned() + 1));
    }

    /// Puts all of another message behind this one.
    pub fn append(&mut self, other: Writer) {
        let offset = self.small.len();
        self.small.extend_from_slice(&other.small);
        self.shared.extend(other.shared.into_iter().map(|(place, bytes)| (place + offset, bytes)));
        self.shared_bytes += other.shared_bytes;
    }

    /// Overwrites the first four bytes, put as a placeholder, with the number of bytes behind them.
    pub(crate) fn patch_frame_length(&mut self) {
        let len = bounded_length(self.len() - 4);
        self.small[..4].copy_from_slice(&len.to_be_bytes());
    }

    #[inline]
    fn put_varint_bits(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }
}

#[inline]
fn bounded_string(value: &str) -> &str {
    assert!(value.len() <= STRING_BYTES_MAX, "a string of {} bytes", value.len());
    value
}

#[inline]
fn bounded_length(len: usize) -> i32 {
    i32::try_from(len).expect("a message holds less than 2 GiB")
}

/// The tagged fields at the end of a structure, gathered first because their number goes in front.
#[derive(Debug, Default)]
pub(crate) struct TaggedFields {
    count: u32,
    fields: Writer,
}

impl TaggedFields {
    /// Adds a field; tags come in ascending order.
    pub(crate) fn add(&mut self, tag: u32, write_value: impl FnOnce(&mut Writer)) {
        let mut value = Writer::new();
        write_value(&mut value);
        self.count += 1;
        self.fields.put_unsigned_varint(tag);
        self.fields.put_unsigned_varint(bounded_length(value.len()).cast_unsigned());
        self.fields.append(value);
    }

    /// Puts the section.
    pub(crate) fn finish(self, writer: &mut Writer) {
        writer.put_unsigned_varint(self.count);
        writer.append(self.fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_slices_keep_their_place_and_their_memory() {
        let records = Bytes::from(vec![7; 4096]);
        let mut inner = Writer::new();
        inner.put_u8(2);
        inner.put_shared(records.clone());
        inner.put_shared(Bytes::new());
        let mut writer = Writer::new();
        writer.put_u8(1);
        writer.append(inner);
        writer.put_shared(records.slice(..1));
        writer.put_u8(3);
        assert_eq!(writer.len(), 4100);

        let pieces = writer.into_pieces();
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [2, 4096, 1, 1]);
        assert_eq!((&pieces[0][..], &pieces[3][..]), (&[1, 2][..], &[3][..]));
        assert_eq!(pieces[1].as_ptr(), records.as_ptr());
        assert_eq!(pieces[2].as_ptr(), records.as_ptr());
    }

    #[test]
    fn one_piece_holds_what_the_pieces_hold() {
        let mut writer = Writer::new();
        writer.put_u16(0x0102);
        writer.put_shared(Bytes::from_static(&[3, 4]));
        writer.put_u8(5);
        assert_eq!(writer.into_bytes(), [1, 2, 3, 4, 5][..]);
        assert!(Writer::new().into_pieces().is_empty());
    }

    #[test]
    #[should_panic(expected = "a string of 32768 bytes")]
    fn strings_that_no_reader_takes_are_not_written() {
        Writer::new().put_compact_string(&"x".repeat(32_768));
    }
}
