//! The records of `__consumer_offsets` that hold groups of the consumer protocol. Version in front, as
//! [`super::consumer_offsets::encode_versioned`] writes it; that of a key says what kind of record it is.

use crate::field::{Field, Layout, NullableField};
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

message! {
    /// The key of a group's epoch.
    pub struct ConsumerGroupMetadataKey<'a>: record (3..=3) {
        group_id: &'a str, 3..;
    }

    /// The epoch of a group.
    pub struct ConsumerGroupMetadataValue: record (0..=0), flexible 0 {
        epoch: i32, 0..;
        /// Of the topics that the members read; 0 is none.
        metadata_hash: i64, 0.., tag 0;
    }

    /// The key of a member.
    pub struct ConsumerGroupMemberMetadataKey<'a>: record (5..=5) {
        group_id: &'a str, 5..;
        member_id: &'a str, 5..;
    }

    /// What a member has said of itself.
    pub struct ConsumerGroupMemberMetadataValue<'a>: record (0..=0), flexible 0 {
        instance_id: Option<&'a str>, 0..;
        rack_id: Option<&'a str>, 0..;
        client_id: &'a str, 0..;
        client_host: &'a str, 0..;
        subscribed_topic_names: Vec<&'a str>, 0..;
        subscribed_topic_regex: Option<&'a str>, 0..;
        rebalance_timeout_ms: i32, 0.., default -1;
        server_assignor: Option<&'a str>, 0..;
        classic_member_metadata: Option<ClassicMemberMetadata<'a>>, 0.., tag 0;
    }

    /// Of a member that speaks the classic protocol.
    pub struct ClassicMemberMetadata<'a> {
        session_timeout_ms: i32, 0..;
        supported_protocols: Vec<ClassicProtocol<'a>>, 0..;
    }

    /// One of its assignors.
    pub struct ClassicProtocol<'a> {
        name: &'a str, 0..;
        metadata: &'a [u8], 0..;
    }

    /// The key of the epoch of a group's target assignment.
    pub struct ConsumerGroupTargetAssignmentMetadataKey<'a>: record (6..=6) {
        group_id: &'a str, 6..;
    }

    /// The group epoch that the target assignment was made for.
    pub struct ConsumerGroupTargetAssignmentMetadataValue: record (0..=0), flexible 0 {
        assignment_epoch: i32, 0..;
    }

    /// The key of a member's part of the target assignment.
    pub struct ConsumerGroupTargetAssignmentMemberKey<'a>: record (7..=7) {
        group_id: &'a str, 7..;
        member_id: &'a str, 7..;
    }

    /// What a member shall have.
    pub struct ConsumerGroupTargetAssignmentMemberValue: record (0..=0), flexible 0 {
        topic_partitions: Vec<TopicPartitions>, 0..;
    }

    /// Partitions of one topic.
    pub struct TopicPartitions {
        topic_id: uuid::Uuid, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// The key of a member's present assignment.
    pub struct ConsumerGroupCurrentMemberAssignmentKey<'a>: record (8..=8) {
        group_id: &'a str, 8..;
        member_id: &'a str, 8..;
    }

    /// What a member has.
    pub struct ConsumerGroupCurrentMemberAssignmentValue: record (0..=0), flexible 0 {
        member_epoch: i32, 0..;
        previous_member_epoch: i32, 0..;
        /// 0 stable, 1 unrevoked partitions, 2 unreleased partitions.
        state: i8, 0..;
        assigned_partitions: Vec<TopicPartitions>, 0..;
        partitions_pending_revocation: Vec<TopicPartitions>, 0..;
    }
}

nullable_structure!(ClassicMemberMetadata<'a>);
