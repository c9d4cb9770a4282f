//! How a value of each type is laid out as a field of a message.

use uuid::Uuid;

use crate::Records;
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

type Result<T> = std::result::Result<T, DecodeError>;

/// Memory that an array is given at once for each byte left; above that it grows as its elements really come, so that
/// nested lying counts cannot multiply.
const ARRAY_BYTES_PER_BYTE_LEFT: usize = 2;

/// What the encoding of a field depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The version of the message.
    pub(crate) version: i16,
    /// Whether that version has compact lengths and tagged fields.
    pub(crate) flexible: bool,
}

/// A value that a field can hold.
pub(crate) trait Field<'a>: Sized {
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self>;
    fn write(&self, writer: &mut Writer, layout: Layout);
}

/// A value that can also be null.
pub(crate) trait NullableField<'a>: Field<'a> {
    fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>>;
    fn write_null(writer: &mut Writer, layout: Layout);

    /// A value where null could be: most types tell null by their length.
    #[inline]
    fn write_present(&self, writer: &mut Writer, layout: Layout) {
        self.write(writer, layout);
    }
}

impl<'a, T: NullableField<'a>> Field<'a> for Option<T> {
    #[inline]
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self> {
        T::read_nullable(reader, layout)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, layout: Layout) {
        match self {
            Some(value) => value.write_present(writer, layout),
            None => T::write_null(writer, layout),
        }
    }
}

/// Writes an optional value in a version that has no null: as an empty one.
#[inline]
pub(crate) fn write_null_as_empty<'a, T: Field<'a> + Default>(value: Option<&T>, writer: &mut Writer, layout: Layout) {
    match value {
        Some(value) => value.write(writer, layout),
        None => T::default().write(writer, layout),
    }
}

macro_rules! plain_fields {
    ($($type:ty, $read:ident, $put:ident;)*) => {
        $(
            impl<'a> Field<'a> for $type {
                #[inline]
                fn read(reader: &mut Reader<'a>, _: Layout) -> Result<Self> {
                    reader.$read()
                }

                #[inline]
                fn write(&self, writer: &mut Writer, _: Layout) {
                    writer.$put(*self);
                }
            }
        )*
    };
}
plain_fields! {
    bool, read_bool, put_bool;
    i8, read_i8, put_i8;
    i16, read_i16, put_i16;
    i32, read_i32, put_i32;
    i64, read_i64, put_i64;
    Uuid, read_uuid, put_uuid;
}

impl<'a> Field<'a> for &'a str {
    #[inline]
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self> {
        if layout.flexible { reader.read_compact_string() } else { reader.read_string() }
    }

    #[inline]
    fn write(&self, writer: &mut Writer, layout: Layout) {
        if layout.flexible {
            writer.put_compact_string(self);
        } else {
            writer.put_string(self);
        }
    }
}

impl<'a> NullableField<'a> for &'a str {
    #[inline]
    fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>> {
        if layout.flexible { reader.read_compact_nullable_string() } else { reader.read_nullable_string() }
    }

    #[inline]
    fn write_null(writer: &mut Writer, layout: Layout) {
        if layout.flexible {
            writer.put_compact_length(None);
        } else {
            writer.put_i16(-1);
        }
    }
}

impl<'a> Field<'a> for &'a [u8] {
    #[inline]
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self> {
        if layout.flexible { reader.read_compact_bytes() } else { reader.read_bytes() }
    }

    #[inline]
    fn write(&self, writer: &mut Writer, layout: Layout) {
        if layout.flexible {
            writer.put_compact_bytes(self);
        } else {
            writer.put_bytes(self);
        }
    }
}

impl<'a> NullableField<'a> for &'a [u8] {
    #[inline]
    fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>> {
        if layout.flexible { reader.read_compact_nullable_bytes() } else { reader.read_nullable_bytes() }
    }

    #[inline]
    fn write_null(writer: &mut Writer, layout: Layout) {
        write_length(writer, None, layout);
    }
}

impl<'a> Field<'a> for Records<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self> {
        Field::read(reader, layout).map(Self::Borrowed)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, layout: Layout) {
        write_length(writer, Some(self.len()), layout);
        match self {
            Self::Borrowed(bytes) => writer.put_slice(bytes),
            Self::Shared(slices) => slices.iter().cloned().for_each(|slice| writer.put_shared(slice)),
        }
    }
}

impl<'a> NullableField<'a> for Records<'a> {
    #[inline]
    fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>> {
        let bytes: Option<&[u8]> = NullableField::read_nullable(reader, layout)?;
        Ok(bytes.map(Self::Borrowed))
    }

    #[inline]
    fn write_null(writer: &mut Writer, layout: Layout) {
        write_length(writer, None, layout);
    }
}

impl<'a, T: Field<'a>> Field<'a> for Vec<T> {
    #[inline]
    fn read(reader: &mut Reader<'a>, layout: Layout) -> Result<Self> {
        Self::read_nullable(reader, layout)?.ok_or(DecodeError::UnexpectedNull)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, layout: Layout) {
        write_length(writer, Some(self.len()), layout);
        for element in self {
            element.write(writer, layout);
        }
    }
}

impl<'a, T: Field<'a>> NullableField<'a> for Vec<T> {
    fn read_nullable(reader: &mut Reader<'a>, layout: Layout) -> Result<Option<Self>> {
        let count = if layout.flexible { reader.read_compact_array_count() } else { reader.read_array_count() };
        let Some(count) = count? else { return Ok(None) };
        let mut elements = Vec::new();
        for come in 0..count {
            if come == elements.capacity() {
                let at_once = reader.remaining() * ARRAY_BYTES_PER_BYTE_LEFT / size_of::<T>();
                elements.reserve_exact(at_once.max(come / 4).max(1).min(count - come));
            }
            elements.push(T::read(reader, layout)?);
        }
        Ok(Some(elements))
    }

    #[inline]
    fn write_null(writer: &mut Writer, layout: Layout) {
        write_length(writer, None, layout);
    }
}

#[inline]
fn write_length(writer: &mut Writer, len: Option<usize>, layout: Layout) {
    if layout.flexible {
        writer.put_compact_length(len);
    } else {
        writer.put_length(len);
    }
}
