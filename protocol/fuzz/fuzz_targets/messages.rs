//! Any bytes as any message: what is read is written, and what is written is read as the same message.
//!
//! An input is two bytes of API key, one of kind (0 request, 1 response, else a request header), one of version, then
//! the message. The seeds are one valid message of each kind and version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::reader::Reader;
use protocol::writer::Writer;
use protocol::{Message, messages};

macro_rules! check_kind {
    ($(
        $name:ident = $key:literal, $versions:expr, $flexible:literal, $module:ident $request:ident $response:ident;
    )*) => {
        fn check_kind(key: i16, kind: u8, version: i16, bytes: &[u8]) {
            match (ApiKey::from_i16(key), kind) {
                $(
                    (Some(ApiKey::$name), 0) => check!(messages::$module::$request, version, bytes),
                    (Some(ApiKey::$name), 1) => check!(messages::$module::$response, version, bytes),
                )*
                _ => check_header(bytes),
            }
        }
    };
}

/// A macro, because the message read first and the one read back borrow from different bytes.
macro_rules! check {
    ($message:path, $version:ident, $bytes:ident) => {
        if let Ok(message) = <$message>::decode(&mut Reader::new($bytes), $version) {
            let written = write(&message, $version);
            let mut reader = Reader::new(&written);
            let read = <$message>::decode(&mut reader, $version).expect("what is written can be read");
            assert_eq!(read, message);
            assert_eq!(reader.finish(), Ok(()));
            assert_eq!(write(&read, $version), written);
        }
    };
}
protocol::for_each_api!(check_kind);

fn write<'a>(message: &impl Message<'a>, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    let stated_len = writer.len();
    let written = writer.into_pieces().concat();
    assert_eq!(written.len(), stated_len);
    written
}

fn check_header(bytes: &[u8]) {
    let Ok(header) = RequestHeader::decode(&mut Reader::new(bytes)) else {
        return;
    };
    let mut writer = Writer::new();
    header.encode(&mut writer);
    let written = writer.into_bytes();
    assert_eq!(RequestHeader::decode(&mut Reader::new(&written)), Ok(header));
}

fuzz_target!(|input: &[u8]| {
    if let Some(([key_high, key_low, kind, version], bytes)) = input.split_first_chunk() {
        check_kind(i16::from_be_bytes([*key_high, *key_low]), *kind, i16::from(*version), bytes);
    }
});
