//! The records of `__consumer_offsets`, in Kafka's own layout. Each key and value starts with its version.

use bytes::Bytes;

use crate::Message;
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

message! {
    /// The key of a committed position.
    pub struct OffsetCommitKey<'a>: record (0..=1) {
        group: &'a str, 0..;
        topic: &'a str, 0..;
        partition: i32, 0..;
    }

    /// A committed position.
    pub struct OffsetCommitValue<'a>: record (0..=4), flexible 4 {
        offset: i64, 0..;
        leader_epoch: i32, 3.., default -1;
        metadata: &'a str, 0..;
        commit_timestamp: i64, 0..;
        expire_timestamp: i64, 1..=1, default -1;
    }

    /// The key of a group.
    pub struct GroupMetadataKey<'a>: record (2..=2) {
        group: &'a str, 2..;
    }

    /// A generation of a group.
    pub struct GroupMetadataValue<'a>: record (0..=4), flexible 4 {
        protocol_type: &'a str, 0..;
        generation: i32, 0..;
        protocol: Option<&'a str>, 0.., default Some("");
        leader: Option<&'a str>, 0.., default Some("");
        current_state_timestamp: i64, 2.., default -1;
        members: Vec<MemberMetadata<'a>>, 0..;
    }

    /// A member of it.
    pub struct MemberMetadata<'a> {
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 3..;
        client_id: &'a str, 0..;
        client_host: &'a str, 0..;
        rebalance_timeout: i32, 1..;
        session_timeout: i32, 0..;
        subscription: &'a [u8], 0..;
        assignment: &'a [u8], 0..;
    }
}

/// Writes a key or value behind its version.
pub fn encode_versioned<'a>(message: &impl Message<'a>, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(version);
    message.encode(&mut writer, version);
    writer.into_bytes()
}

/// Reads a version and the key or value behind it, to the end.
pub fn decode_versioned<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<(i16, M), DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.read_i16()?;
    let message = M::decode(&mut reader, version)?;
    reader.finish()?;
    Ok((version, message))
}
