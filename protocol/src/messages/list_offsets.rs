//! `ListOffsets`: finds offsets by timestamp, and the ends of the log.

message! {
    /// Asks for offsets.
    pub struct ListOffsetsRequest<'a>: request ListOffsets {
        /// -1 for a consumer. Kafka's schema has 0 for its default, which would be a broker.
        replica_id: i32, 0.., default -1;
        /// 0: read uncommitted; 1: read committed.
        isolation_level: i8, 2..;
        topics: Vec<ListOffsetsTopic<'a>>, 0..;
        /// For brokers that must ask a store elsewhere.
        timeout_ms: i32, 10..;
    }

    /// What to find in one topic.
    pub struct ListOffsetsTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<ListOffsetsPartition>, 0..;
    }

    /// What to find in one partition.
    pub struct ListOffsetsPartition {
        partition_index: i32, 0..;
        current_leader_epoch: i32, 4.., default -1;
        /// -1: the end; -2: the start; -3: the record with the largest timestamp (version 7); -4: the start on the broker's own disk
        /// (version 8); -5: the end of what was moved to a store elsewhere (version 9).
        timestamp: i64, 0..;
    }

    /// The offsets found.
    pub struct ListOffsetsResponse<'a>: response ListOffsets {
        throttle_time_ms: i32, 2..;
        topics: Vec<ListOffsetsTopicResponse<'a>>, 0..;
    }

    /// The offsets found in one topic.
    pub struct ListOffsetsTopicResponse<'a> {
        name: &'a str, 0..;
        partitions: Vec<ListOffsetsPartitionResponse>, 0..;
    }

    /// The offset found in one partition.
    pub struct ListOffsetsPartitionResponse {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        timestamp: i64, 1.., default -1;
        offset: i64, 1.., default -1;
        leader_epoch: i32, 4.., default -1;
    }
}
