//! Reads the primitive types of the Kafka protocol out of a byte slice, without copying and without trusting a length.

use thiserror::Error;
use uuid::Uuid;

/// Why bytes are not the message that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("{needed} bytes needed, {left} left")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// An array claims more elements than there are bytes.
    #[error("an array of {count} elements in {left} bytes")]
    CountTooLarge {
        /// Elements claimed.
        count: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// A length or count below -1.
    #[error("negative length {0}")]
    NegativeLength(i32),
    /// A null where this version of the schema has none.
    #[error("null in a field that is not nullable")]
    UnexpectedNull,
    /// A string longer than 32,767 bytes.
    #[error("string of {0} bytes")]
    StringTooLong(usize),
    /// A string that is not UTF-8.
    #[error("string is not UTF-8")]
    InvalidUtf8,
    /// A varint with more bits than its type.
    #[error("varint is too long")]
    VarintTooLong,
    /// A known tagged field whose stated size is not the size of its value.
    #[error("tagged field {0} does not fill its size")]
    TaggedFieldSize(u32),
    /// Bytes after the end of the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
    /// A version that this message does not have.
    #[error("unsupported version {0}")]
    UnsupportedVersion(i16),
}

/// The most bytes that a string can have, also behind a compact length: Kafka refuses more, and a classic length could
/// not say more when the string is sent on.
pub(crate) const STRING_BYTES_MAX: usize = i16::MAX as usize;

type Result<T> = std::result::Result<T, DecodeError>;

/// A position in a byte slice; every `read_` method moves it forward, or fails.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! fixed_width {
    ($($method:ident $type:ty;)*) => {
        $(
            #[doc = concat!("Reads a big-endian `", stringify!($type), "`.")]
            #[inline]
            pub fn $method(&mut self) -> Result<$type> {
                self.read_array().map(<$type>::from_be_bytes)
            }
        )*
    };
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Checks that everything was read.
    pub fn finish(self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    /// Takes the next `len` bytes as they are.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(len).ok_or(DecodeError::Truncated { needed: len, left: self.rest.len() })?;
        self.rest = rest;
        Ok(taken)
    }

    fixed_width! {
        read_i8 i8;
        read_i16 i16;
        read_i32 i32;
        read_i64 i64;
        read_u8 u8;
        read_u16 u16;
        read_u32 u32;
        read_f64 f64;
    }

    /// Reads a boolean; like Kafka, takes every byte but 0 as true.
    #[inline]
    pub fn read_bool(&mut self) -> Result<bool> {
        Ok(self.read_u8()? != 0)
    }

    /// Reads a UUID.
    #[inline]
    pub fn read_uuid(&mut self) -> Result<Uuid> {
        self.read_array().map(Uuid::from_bytes)
    }

    /// Reads an unsigned varint of at most 32 bits.
    #[inline]
    pub fn read_unsigned_varint(&mut self) -> Result<u32> {
        let value = self.read_varint_bits(32)?;
        Ok(value as u32)
    }

    /// Reads a zigzag varint of at most 32 bits.
    #[inline]
    pub fn read_varint(&mut self) -> Result<i32> {
        let zigzag = self.read_varint_bits(32)? as u32;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// Reads a zigzag varint of at most 64 bits.
    #[inline]
    pub fn read_varlong(&mut self) -> Result<i64> {
        let zigzag = self.read_varint_bits(64)?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// Reads a string behind an `i16` length.
    #[inline]
    pub fn read_string(&mut self) -> Result<&'a str> {
        self.read_nullable_string()?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads a string or null behind an `i16` length.
    #[inline]
    pub fn read_nullable_string(&mut self) -> Result<Option<&'a str>> {
        let len = i32::from(self.read_i16()?);
        self.take_nullable(classic_length(len)?)?.map(utf8).transpose()
    }

    /// Reads a string behind an unsigned varint length.
    #[inline]
    pub fn read_compact_string(&mut self) -> Result<&'a str> {
        self.read_compact_nullable_string()?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads a string or null behind an unsigned varint length.
    #[inline]
    pub fn read_compact_nullable_string(&mut self) -> Result<Option<&'a str>> {
        let len = compact_length(self.read_unsigned_varint()?);
        if let Some(len) = len.filter(|&len| len > STRING_BYTES_MAX) {
            return Err(DecodeError::StringTooLong(len));
        }
        self.take_nullable(len)?.map(utf8).transpose()
    }

    /// Reads bytes behind an `i32` length.
    #[inline]
    pub fn read_bytes(&mut self) -> Result<&'a [u8]> {
        self.read_nullable_bytes()?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads bytes or null behind an `i32` length.
    #[inline]
    pub fn read_nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let len = self.read_i32()?;
        self.take_nullable(classic_length(len)?)
    }

    /// Reads bytes behind an unsigned varint length.
    #[inline]
    pub fn read_compact_bytes(&mut self) -> Result<&'a [u8]> {
        self.read_compact_nullable_bytes()?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads bytes or null behind an unsigned varint length.
    #[inline]
    pub fn read_compact_nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let len = compact_length(self.read_unsigned_varint()?);
        self.take_nullable(len)
    }

    /// Reads the count in front of an array, or null. Every element takes at least one byte, so that a count above
    /// the bytes left is refused before any memory is given.
    #[inline]
    pub fn read_array_count(&mut self) -> Result<Option<usize>> {
        let count = self.read_i32()?;
        self.bounded_count(classic_length(count)?)
    }

    /// Like `read_array_count`, for a count that is an unsigned varint.
    #[inline]
    pub fn read_compact_array_count(&mut self) -> Result<Option<usize>> {
        let count = compact_length(self.read_unsigned_varint()?);
        self.bounded_count(count)
    }

    /// Reads a section of tagged fields. `read_known` reads a field that it knows and says so, else it returns false
    /// and the field is skipped.
    pub fn read_tagged_fields(&mut self, mut read_known: impl FnMut(u32, &mut Self) -> Result<bool>) -> Result<()> {
        for _ in 0..self.read_unsigned_varint()? {
            let tag = self.read_unsigned_varint()?;
            let size = self.read_unsigned_varint()?;
            let mut field = Reader::new(self.take(size as usize)?);
            if read_known(tag, &mut field)? && field.remaining() > 0 {
                return Err(DecodeError::TaggedFieldSize(tag));
            }
        }
        Ok(())
    }

    #[inline]
    fn read_array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) =
            self.rest.split_first_chunk().ok_or(DecodeError::Truncated { needed: N, left: self.rest.len() })?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    fn read_varint_bits(&mut self, bits: u32) -> Result<u64> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.read_u8()?;
            let group = u64::from(byte & 0x7f);
            if shift >= bits || (bits - shift < 7 && group >> (bits - shift) != 0) {
                return Err(DecodeError::VarintTooLong);
            }
            value |= group << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    #[inline]
    fn take_nullable(&mut self, len: Option<usize>) -> Result<Option<&'a [u8]>> {
        len.map(|len| self.take(len)).transpose()
    }

    #[inline]
    fn bounded_count(&self, count: Option<usize>) -> Result<Option<usize>> {
        match count {
            Some(count) if count > self.remaining() => {
                Err(DecodeError::CountTooLarge { count, left: self.remaining() })
            }
            count => Ok(count),
        }
    }
}

#[inline]
fn classic_length(len: i32) -> Result<Option<usize>> {
    match len {
        -1 => Ok(None),
        0.. => Ok(Some(len as usize)),
        _ => Err(DecodeError::NegativeLength(len)),
    }
}

/// A compact length is one more than the length, and 0 for null.
#[inline]
fn compact_length(len: u32) -> Option<usize> {
    len.checked_sub(1).map(|len| len as usize)
}

#[inline]
fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::InvalidUtf8)
}

#[cfg(test)]
mod tests;
