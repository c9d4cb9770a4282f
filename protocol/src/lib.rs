//! Bytes to typed Kafka messages and back: pure, no I/O.
//!
//! Every count and length on the wire is bounded by the bytes left before memory is given, strings, bytes and
//! records are borrowed from the input, and records are written out by reference count, never copied.
//!
//! ```
//! use protocol::header::RequestHeader;
//! use protocol::messages::heartbeat::HeartbeatRequest;
//! use protocol::reader::Reader;
//! use protocol::{Message, frame};
//!
//! let request = HeartbeatRequest { group_id: "g", member_id: "m", ..Default::default() };
//! let header = RequestHeader { api_key: 12, api_version: 4, correlation_id: 7, client_id: None };
//! let bytes = frame::encode_request(&header, &request).concat();
//!
//! let mut reader = Reader::new(&bytes[4..]);
//! assert_eq!(RequestHeader::decode(&mut reader)?, header);
//! assert_eq!(HeartbeatRequest::decode(&mut reader, 4)?, request);
//! reader.finish()?;
//! # Ok::<(), protocol::reader::DecodeError>(())
//! ```
#![forbid(unsafe_code)]

#[macro_use]
mod schema;
pub mod api_key;
pub mod compression;
pub mod error_code;
mod field;
pub mod frame;
pub mod header;
pub mod messages;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod random;
pub mod reader;
pub mod record_batch;
mod records;
pub mod writer;

pub use records::Records;

use api_key::ApiKey;
use reader::{DecodeError, Reader};
use writer::Writer;

/// A message that can be read and written in each of its versions.
pub trait Message<'a>: Sized {
    /// Reads the message; leaves the reader behind it, so that the caller checks for trailing bytes.
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message. Fields that `version` lacks are left out; a null that it does not allow is written empty.
    ///
    /// # Panics
    /// When this message has no such `version`: the caller negotiated it, so that is its mistake.
    fn encode(&self, writer: &mut Writer, version: i16);
}

/// The body of a request.
pub trait Request<'a>: Message<'a> {
    /// The API that the request calls.
    const API: ApiKey;
}

/// The body of a response.
pub trait Response<'a>: Message<'a> {
    /// The API that answers.
    const API: ApiKey;
}
