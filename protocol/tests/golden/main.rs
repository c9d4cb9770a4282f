//! Bytes worked out by hand from the protocol guide: a codec that is wrong on both sides would still agree with itself.

/// Bytes of hexadecimal digits; blanks separate fields.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|digit| (digit as char).to_digit(16).expect("a digit") as u8)
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The message is written as these bytes, and these bytes are read as the message.
macro_rules! assert_golden {
    ($message:expr, $version:expr, $hex:expr) => {{
        let (message, expected) = ($message, crate::hex($hex));
        let mut writer = protocol::writer::Writer::new();
        protocol::Message::encode(&message, &mut writer, $version);
        assert_eq!(writer.into_bytes(), expected, "written");
        let mut reader = protocol::reader::Reader::new(&expected);
        let mut read = message.clone();
        read.clone_from(&protocol::Message::decode(&mut reader, $version).expect("golden bytes are valid"));
        assert_eq!(read, message, "read");
        assert_eq!(reader.finish(), Ok(()));
    }};
}

mod access_rules;
mod cluster;
mod consumer_groups;
mod groups;
mod headers;
mod topics;
mod transactions;
