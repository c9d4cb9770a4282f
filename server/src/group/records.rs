//! The records of `__consumer_offsets` in Kafka's own formats, so that tools that read that topic understand it.

use bytes::Bytes;
use protocol::messages::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata as WireMember, OffsetCommitKey, OffsetCommitValue,
    decode_versioned, encode_versioned,
};
use protocol::reader::DecodeError;
use protocol::record_batch::{BatchBuilder, ProducerFields};

use super::CommittedOffset;
use super::consumer::ConsumerRecord;
use crate::transaction::ProducerIdentity;

const OFFSET_KEY_VERSION: i16 = 1;
const GROUP_KEY_VERSION: i16 = 2;
/// Both values; version 4 is the same in the flexible encoding, and is read.
const VALUE_VERSION: i16 = 3;

/// One record, key and value together. A value of `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetsRecord {
    /// A committed offset.
    Offset {
        /// The group.
        group_id: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The commit.
        value: Option<CommittedOffset>,
    },
    /// A generation of a group.
    Group {
        /// The group.
        group_id: String,
        /// Its members and their assignments.
        value: Option<GroupMetadata>,
    },
    /// A part of a group of the consumer protocol.
    Consumer {
        /// The group.
        group_id: String,
        /// The part.
        record: ConsumerRecord,
    },
}

/// A generation of a group, as persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// "consumer", "connect", ...; empty when nobody ever joined.
    pub protocol_type: String,
    /// The generation.
    pub generation_id: i32,
    /// The chosen assignor.
    pub protocol_name: Option<String>,
    /// Member id of the leader.
    pub leader_id: Option<String>,
    /// When the group entered its state.
    pub state_since_ms: i64,
    /// Everyone.
    pub members: Vec<MemberMetadata>,
}

/// A member of a generation, as persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// Time to join again in a rebalance.
    pub rebalance_timeout_ms: i32,
    /// Silence after which it is dropped.
    pub session_timeout_ms: i32,
    /// Its metadata for the chosen assignor.
    pub subscription: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

/// The partition of `__consumer_offsets` that a group belongs to, as Kafka computes it: Java's hash of the UTF-16 units,
/// its absolute value (of which the smallest integer has none and counts as 0), modulo the partitions.
pub fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    assert!(partition_count > 0, "a topic has partitions");
    let hash = group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partition_count
}

impl OffsetsRecord {
    /// The group that the record is about.
    pub fn group_id(&self) -> &str {
        match self {
            Self::Offset { group_id, .. } | Self::Group { group_id, .. } | Self::Consumer { group_id, .. } => group_id,
        }
    }

    /// Appends the record to a batch.
    pub fn append_to(&self, batch: &mut BatchBuilder, now_ms: i64) {
        let (key, value) = match self {
            Self::Offset { group_id, topic, partition, value } => {
                let key = OffsetCommitKey { group: group_id, topic, partition: *partition };
                (encode_versioned(&key, OFFSET_KEY_VERSION), value.as_ref().map(encode_offset))
            }
            Self::Group { group_id, value } => {
                let key = GroupMetadataKey { group: group_id };
                (encode_versioned(&key, GROUP_KEY_VERSION), value.as_ref().map(encode_group))
            }
            Self::Consumer { group_id, record } => record.encode(group_id),
        };
        batch.append(now_ms, Some(&key), value.as_deref(), &[]);
    }

    /// Reads a record; `None` for a key version that this coordinator does not know (Kafka's other group types), which
    /// Kafka skips as well.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, DecodeError> {
        match key.first_chunk().map(|version| i16::from_be_bytes(*version)) {
            Some(0 | OFFSET_KEY_VERSION) => {
                let (_, key) = decode_versioned::<OffsetCommitKey>(key)?;
                let value = value.map(decode_offset).transpose()?;
                let (group_id, topic) = (key.group.to_owned(), key.topic.to_owned());
                Ok(Some(Self::Offset { group_id, topic, partition: key.partition, value }))
            }
            Some(GROUP_KEY_VERSION) => {
                let (_, key) = decode_versioned::<GroupMetadataKey>(key)?;
                let value = value.map(decode_group).transpose()?;
                Ok(Some(Self::Group { group_id: key.group.to_owned(), value }))
            }
            Some(version) if ConsumerRecord::is_key(version) => {
                let decoded = ConsumerRecord::decode(key, value)?;
                Ok(decoded.map(|(group_id, record)| Self::Consumer { group_id, record }))
            }
            _ => Ok(None),
        }
    }
}

/// One batch of `records`, which must not be empty.
pub(super) fn encode_batch<'a>(records: impl IntoIterator<Item = &'a OffsetsRecord>, now_ms: i64) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Vec::new(), now_ms, ProducerFields::NONE);
    for record in records {
        record.append_to(&mut batch, now_ms);
    }
    batch.finish()
}

/// One batch of `records`, which must not be empty, in the transaction of a producer.
pub(super) fn encode_transactional<'a>(
    records: impl IntoIterator<Item = &'a OffsetsRecord>,
    producer: ProducerIdentity,
    now_ms: i64,
) -> Vec<u8> {
    let mut batch = transactional_batch(producer, now_ms);
    for record in records {
        record.append_to(&mut batch, now_ms);
    }
    batch.finish()
}

/// Begins a batch in the transaction of a producer. It has no sequence: the producer does not know of it.
pub(super) fn transactional_batch(producer: ProducerIdentity, now_ms: i64) -> BatchBuilder {
    let fields = ProducerFields { producer_id: producer.id, producer_epoch: producer.epoch, ..ProducerFields::NONE };
    BatchBuilder::new(Vec::new(), now_ms, fields).transactional()
}

/// No less than what `metadata` takes in a record.
pub(super) fn metadata_bytes(metadata: &GroupMetadata) -> usize {
    // Fixed fields, string lengths and the record's own framing stay far below this.
    const FIXED_BYTES: usize = 64;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let members = metadata.members.iter().map(|member| {
        let text_bytes = member.member_id.len() + text(&member.instance_id) + member.client_id.len();
        FIXED_BYTES + text_bytes + member.client_host.len() + member.subscription.len() + member.assignment.len()
    });
    let head = FIXED_BYTES + metadata.protocol_type.len() + text(&metadata.protocol_name) + text(&metadata.leader_id);
    head + members.sum::<usize>()
}

fn encode_offset(committed: &CommittedOffset) -> Bytes {
    let value = OffsetCommitValue {
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: &committed.metadata,
        commit_timestamp: committed.commit_timestamp_ms,
        ..Default::default()
    };
    encode_versioned(&value, VALUE_VERSION)
}

fn decode_offset(value: &[u8]) -> Result<CommittedOffset, DecodeError> {
    let (_, value) = decode_versioned::<OffsetCommitValue>(value)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.to_owned(),
        commit_timestamp_ms: value.commit_timestamp,
    })
}

fn encode_group(metadata: &GroupMetadata) -> Bytes {
    let members = metadata.members.iter().map(|member| WireMember {
        member_id: &member.member_id,
        group_instance_id: member.instance_id.as_deref(),
        client_id: &member.client_id,
        client_host: &member.client_host,
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: &member.subscription,
        assignment: &member.assignment,
    });
    let value = GroupMetadataValue {
        protocol_type: &metadata.protocol_type,
        generation: metadata.generation_id,
        protocol: metadata.protocol_name.as_deref(),
        leader: metadata.leader_id.as_deref(),
        current_state_timestamp: metadata.state_since_ms,
        members: members.collect(),
    };
    encode_versioned(&value, VALUE_VERSION)
}

fn decode_group(value: &[u8]) -> Result<GroupMetadata, DecodeError> {
    let (_, value) = decode_versioned::<GroupMetadataValue>(value)?;
    let members = value.members.into_iter().map(|member| MemberMetadata {
        member_id: member.member_id.to_owned(),
        instance_id: member.group_instance_id.map(str::to_owned),
        client_id: member.client_id.to_owned(),
        client_host: member.client_host.to_owned(),
        rebalance_timeout_ms: member.rebalance_timeout,
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(member.subscription),
        assignment: Bytes::copy_from_slice(member.assignment),
    });
    Ok(GroupMetadata {
        protocol_type: value.protocol_type.to_owned(),
        generation_id: value.generation,
        protocol_name: value.protocol.map(str::to_owned),
        leader_id: value.leader.map(str::to_owned),
        state_since_ms: value.current_state_timestamp,
        members: members.collect(),
    })
}
