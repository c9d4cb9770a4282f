//! The headers in front of requests and responses.

use crate::api_key::ApiKey;
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

/// The header of a request, version 1 or 2 as its API and version demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestHeader<'a> {
    /// The API, as on the wire: it may be one that this codec does not speak.
    pub api_key: i16,
    /// The version of the API, as on the wire.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// What the client calls itself. A classic nullable string in header version 2 too.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header. That of an unknown API is taken as version 1, so that the refusal can name the client.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = Self {
            api_key: reader.read_i16()?,
            api_version: reader.read_i16()?,
            correlation_id: reader.read_i32()?,
            client_id: reader.read_nullable_string()?,
        };
        if header.is_flexible() {
            reader.read_tagged_fields(|_, _| Ok(false))?;
        }
        Ok(header)
    }

    /// Writes the header.
    pub fn encode(&self, writer: &mut Writer) {
        writer.put_i16(self.api_key);
        writer.put_i16(self.api_version);
        writer.put_i32(self.correlation_id);
        writer.put_nullable_string(self.client_id);
        if self.is_flexible() {
            writer.put_unsigned_varint(0);
        }
    }

    fn is_flexible(&self) -> bool {
        ApiKey::from_i16(self.api_key).is_some_and(|api| api.request_header_version(self.api_version) == 2)
    }
}

/// The header of a response, version 0 or 1 as its API and version demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header in front of the answer of `api` in `version`.
    pub fn decode(reader: &mut Reader<'_>, api: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = reader.read_i32()?;
        if api.response_header_version(version) == 1 {
            reader.read_tagged_fields(|_, _| Ok(false))?;
        }
        Ok(Self { correlation_id })
    }

    /// Writes the header in front of the answer of `api` in `version`.
    pub fn encode(self, writer: &mut Writer, api: ApiKey, version: i16) {
        writer.put_i32(self.correlation_id);
        if api.response_header_version(version) == 1 {
            writer.put_unsigned_varint(0);
        }
    }
}
