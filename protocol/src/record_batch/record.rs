//! The records of an uncompressed batch body, walked in place. Nothing is allocated: headers are decoded only when asked for.

use super::varint::{VARLONG_BYTES_MAX, encoded_bytes, take_int, take_long, write};
use super::{BatchError, BatchHeader};

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Offset less the batch's base offset.
    pub offset_delta: i32,
    /// Timestamp less the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Key; `None` is Kafka's null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    attributes: u8,
    /// Its bytes from the offset delta on.
    from_offset_delta: &'a [u8],
}

impl<'a> Record<'a> {
    /// Writes the record with another timestamp delta and everything else as it was.
    pub(super) fn write_with_timestamp_delta(&self, timestamp_delta: i64, into: &mut Vec<u8>) {
        let length = 1 + encoded_bytes(timestamp_delta) + self.from_offset_delta.len();
        let mut fields = [0; 2 * VARLONG_BYTES_MAX + 1];
        let mut at = write(&mut fields, 0, length as i64);
        fields[at] = self.attributes;
        at = write(&mut fields, at + 1, timestamp_delta);
        into.extend_from_slice(&fields[..at]);
        into.extend_from_slice(self.from_offset_delta);
    }

    /// The headers in their order, duplicate keys kept.
    pub fn headers(&self) -> RecordHeaders<'a> {
        let mut rest = self.headers;
        match take_int(&mut rest) {
            // Each header takes at least two bytes, so a count beyond that is a lie.
            Some(count) if count >= 0 && count as usize <= rest.len() / 2 => {
                RecordHeaders { rest, left: count as u32, malformed: false }
            }
            _ => RecordHeaders { rest, left: 0, malformed: true },
        }
    }
}

/// Iterator over the headers of a record; after an error it ends.
#[derive(Debug, Clone)]
pub struct RecordHeaders<'a> {
    rest: &'a [u8],
    left: u32,
    malformed: bool,
}

/// A header of a record is cut off, not UTF-8, or followed by stray bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header of the record is malformed")]
pub struct InvalidHeader;

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = Result<(&'a str, Option<&'a [u8]>), InvalidHeader>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let stray = std::mem::take(&mut self.malformed) || !std::mem::take(&mut self.rest).is_empty();
            return stray.then_some(Err(InvalidHeader));
        }
        self.left -= 1;
        let header = take_header(&mut self.rest);
        if header.is_none() {
            self.left = 0;
            self.rest = &[];
        }
        Some(header.ok_or(InvalidHeader))
    }
}

fn take_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, Option<&'a [u8]>)> {
    let key = take_nullable_bytes(rest)??;
    let value = take_nullable_bytes(rest)?;
    Some((str::from_utf8(key).ok()?, value))
}

/// Iterator over the records of one batch body; made by [`records`].
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    index: u32,
    count: u32,
}

/// Walks `body`, the bytes after the header, decompressed where the header says so.
///
/// It yields as many records as the header claims, or an error and then nothing: a body that is too short, too long or
/// malformed never passes as whole.
pub fn records<'a>(header: &BatchHeader, body: &'a [u8]) -> Records<'a> {
    Records { rest: body, index: 0, count: u32::try_from(header.record_count).unwrap_or(0) }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            let trailing_bytes = std::mem::take(&mut self.rest).len();
            return (trailing_bytes > 0).then_some(Err(BatchError::TrailingBytes(trailing_bytes)));
        }
        if let Some(record) = take_record(&mut self.rest) {
            self.index += 1;
            return Some(Ok(record));
        }
        let error = BatchError::InvalidRecord { index: self.index };
        self.index = self.count;
        self.rest = &[];
        Some(Err(error))
    }
}

#[inline]
fn take_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let length = usize::try_from(take_int(rest)?).ok()?;
    let (mut record, after) = rest.split_at_checked(length)?;
    *rest = after;
    let (&attributes, fields) = record.split_first()?;
    record = fields;
    let timestamp_delta = take_long(&mut record)?;
    let from_offset_delta = record;
    let offset_delta = take_int(&mut record)?;
    let key = take_nullable_bytes(&mut record)?;
    let value = take_nullable_bytes(&mut record)?;
    // At least the header count must be there.
    (!record.is_empty()).then_some(Record {
        offset_delta,
        timestamp_delta,
        key,
        value,
        headers: record,
        attributes,
        from_offset_delta,
    })
}

/// Outer `None`: malformed. Inner `None`: null.
#[expect(clippy::option_option, reason = "malformed and null are different, and `?` serves the outer one")]
#[inline]
fn take_nullable_bytes<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match take_int(rest)? {
        -1 => Some(None),
        length => {
            let (bytes, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            *rest = after;
            Some(Some(bytes))
        }
    }
}
