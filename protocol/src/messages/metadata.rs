//! `Metadata`: which topics there are, and which broker leads each partition.

use uuid::Uuid;

message! {
    /// Asks for brokers and topics.
    pub struct MetadataRequest<'a>: request Metadata {
        /// Null is all topics. Version 0 has no null: there an empty list is all topics.
        topics: Option<Vec<MetadataRequestTopic<'a>>>, 0.., nullable 1.., default Some(Vec::new());
        allow_auto_topic_creation: bool, 4.., default true;
        include_cluster_authorized_operations: bool, 8..=10;
        include_topic_authorized_operations: bool, 8..;
    }

    /// A topic by name, or by id.
    pub struct MetadataRequestTopic<'a> {
        topic_id: Uuid, 10..;
        name: Option<&'a str>, 0.., nullable 10.., default Some("");
    }

    /// The brokers and topics.
    pub struct MetadataResponse<'a>: response Metadata {
        throttle_time_ms: i32, 3..;
        brokers: Vec<MetadataResponseBroker<'a>>, 0..;
        cluster_id: Option<&'a str>, 2..;
        controller_id: i32, 1.., default -1;
        topics: Vec<MetadataResponseTopic<'a>>, 0..;
        cluster_authorized_operations: i32, 8..=10, default i32::MIN;
        error_code: i16, 13..;
    }

    /// A broker and where it listens.
    pub struct MetadataResponseBroker<'a> {
        node_id: i32, 0..;
        host: &'a str, 0..;
        port: i32, 0..;
        rack: Option<&'a str>, 1..;
    }

    /// A topic.
    pub struct MetadataResponseTopic<'a> {
        error_code: i16, 0..;
        name: Option<&'a str>, 0.., nullable 12.., default Some("");
        topic_id: Uuid, 10..;
        is_internal: bool, 1..;
        partitions: Vec<MetadataResponsePartition>, 0..;
        topic_authorized_operations: i32, 8.., default i32::MIN;
    }

    /// A partition.
    pub struct MetadataResponsePartition {
        error_code: i16, 0..;
        partition_index: i32, 0..;
        leader_id: i32, 0..;
        leader_epoch: i32, 7.., default -1;
        replica_nodes: Vec<i32>, 0..;
        isr_nodes: Vec<i32>, 0..;
        offline_replicas: Vec<i32>, 5..;
    }
}
