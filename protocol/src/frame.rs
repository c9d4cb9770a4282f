//! Whole frames: length, header and message.

use bytes::Bytes;

use crate::Message;
use crate::api_key::ApiKey;
use crate::header::{RequestHeader, ResponseHeader};
use crate::messages::api_versions::ApiVersionsResponse;
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

/// A request with its 4-byte length, in the version that `header` names.
pub fn encode_request<'a>(header: &RequestHeader, message: &impl Message<'a>) -> Vec<Bytes> {
    frame(|writer| {
        header.encode(writer);
        message.encode(writer, header.api_version);
    })
}

/// A response with its 4-byte length.
pub fn encode_response<'a>(correlation_id: i32, api: ApiKey, version: i16, message: &impl Message<'a>) -> Vec<Bytes> {
    frame(|writer| {
        ResponseHeader { correlation_id }.encode(writer, api, version);
        message.encode(writer, version);
    })
}

/// The answer to an `ApiVersions` request of a version that we do not know: error 35 in the format of version 0, with
/// the range of `ApiVersions` itself, so that the client asks again.
pub fn encode_unsupported_api_versions(correlation_id: i32) -> Vec<Bytes> {
    encode_response(correlation_id, ApiKey::ApiVersions, 0, &ApiVersionsResponse::unsupported_version())
}

/// Reads a response frame without its length: the correlation id and the message, and nothing behind it.
pub fn decode_response<'a, M: Message<'a>>(
    frame: &'a [u8],
    api: ApiKey,
    version: i16,
) -> Result<(i32, M), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = ResponseHeader::decode(&mut reader, api, version)?;
    let message = M::decode(&mut reader, version)?;
    reader.finish()?;
    Ok((header.correlation_id, message))
}

fn frame(write: impl FnOnce(&mut Writer)) -> Vec<Bytes> {
    let mut writer = Writer::new();
    writer.put_i32(0);
    write(&mut writer);
    writer.patch_frame_length();
    writer.into_pieces()
}
