//! `DescribeTopicPartitions`: topics and their partitions, in pieces of a bounded size.

use crate::field::{Field, Layout, NullableField};
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

message! {
    /// Asks for topics; none named is all of them.
    pub struct DescribeTopicPartitionsRequest<'a>: request DescribeTopicPartitions {
        topics: Vec<TopicRequest<'a>>, 0..;
        response_partition_limit: i32, 0.., default 2_000;
        cursor: Option<Cursor<'a>>, 0..;
    }

    /// One topic.
    pub struct TopicRequest<'a> {
        name: &'a str, 0..;
    }

    /// The first partition that is still to be described.
    pub struct Cursor<'a> {
        topic_name: &'a str, 0..;
        partition_index: i32, 0..;
    }

    /// The topics, by name.
    pub struct DescribeTopicPartitionsResponse<'a>: response DescribeTopicPartitions {
        throttle_time_ms: i32, 0..;
        topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>, 0..;
        /// Where the next request goes on; null when there is no more.
        next_cursor: Option<Cursor<'a>>, 0..;
    }

    /// One topic.
    pub struct DescribeTopicPartitionsResponseTopic<'a> {
        error_code: i16, 0..;
        name: Option<&'a str>, 0..;
        topic_id: uuid::Uuid, 0..;
        is_internal: bool, 0..;
        partitions: Vec<DescribeTopicPartitionsResponsePartition>, 0..;
        topic_authorized_operations: i32, 0.., default i32::MIN;
    }

    /// One partition.
    pub struct DescribeTopicPartitionsResponsePartition {
        error_code: i16, 0..;
        partition_index: i32, 0..;
        leader_id: i32, 0..;
        leader_epoch: i32, 0.., default -1;
        replica_nodes: Vec<i32>, 0..;
        isr_nodes: Vec<i32>, 0..;
        eligible_leader_replicas: Option<Vec<i32>>, 0..;
        last_known_elr: Option<Vec<i32>>, 0..;
        offline_replicas: Vec<i32>, 0..;
    }
}

nullable_structure!(Cursor<'a>);
