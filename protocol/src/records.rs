//! The records of one partition inside a message: borrowed when decoded, shared when sent.

use bytes::Bytes;

/// Record batches as they are on the wire.
#[derive(Debug, Clone)]
pub enum Records<'a> {
    /// A slice of the message that was decoded.
    Borrowed(&'a [u8]),
    /// Slices of buffers that somebody else holds too; sent in this order, never copied.
    Shared(Vec<Bytes>),
}

impl<'a> Records<'a> {
    /// Size of all of them.
    pub fn len(&self) -> usize {
        self.slices().map(<[u8]>::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, slice by slice.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let (borrowed, shared) = match self {
            Self::Borrowed(bytes) => (Some(*bytes), [].as_slice()),
            Self::Shared(slices) => (None, slices.as_slice()),
        };
        borrowed.into_iter().chain(shared.iter().map(AsRef::as_ref))
    }

    /// The slice that was decoded; `None` for shared records.
    pub fn as_borrowed(&self) -> Option<&'a [u8]> {
        match self {
            Self::Borrowed(bytes) => Some(bytes),
            Self::Shared(_) => None,
        }
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::Borrowed(&[])
    }
}

/// Equal bytes are equal records, however they are sliced.
impl PartialEq for Records<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.slices().flatten().eq(other.slices().flatten())
    }
}
