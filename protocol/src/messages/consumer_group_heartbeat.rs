//! `ConsumerGroupHeartbeat`: a member of the consumer protocol joins, lives, changes and leaves; the answer brings its assignment (KIP-848).

use crate::field::{Field, Layout, NullableField};
use crate::reader::{DecodeError, Reader};
use crate::writer::Writer;

message! {
    /// What a member says of itself; null is what it has said before.
    pub struct ConsumerGroupHeartbeatRequest<'a>: request ConsumerGroupHeartbeat {
        group_id: &'a str, 0..;
        member_id: &'a str, 0..;
        /// 0 joins, -1 leaves, -2 leaves for a while.
        member_epoch: i32, 0..;
        instance_id: Option<&'a str>, 0..;
        rack_id: Option<&'a str>, 0..;
        rebalance_timeout_ms: i32, 0.., default -1;
        subscribed_topic_names: Option<Vec<&'a str>>, 0..;
        subscribed_topic_regex: Option<&'a str>, 1..;
        server_assignor: Option<&'a str>, 0..;
        /// What it owns.
        topic_partitions: Option<Vec<TopicPartitions>>, 0..;
    }

    /// Partitions of one topic.
    pub struct TopicPartitions {
        topic_id: uuid::Uuid, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// The member's epoch, and its assignment where that is news.
    pub struct ConsumerGroupHeartbeatResponse<'a>: response ConsumerGroupHeartbeat {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        member_id: Option<&'a str>, 0..;
        member_epoch: i32, 0..;
        heartbeat_interval_ms: i32, 0..;
        assignment: Option<Assignment>, 0..;
    }

    /// What the member may own.
    pub struct Assignment {
        topic_partitions: Vec<TopicPartitions>, 0..;
    }
}

nullable_structure!(Assignment);
