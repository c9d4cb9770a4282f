//! `AlterPartitionReassignments`: moves partitions to other brokers.

message! {
    /// Asks for moves.
    pub struct AlterPartitionReassignmentsRequest<'a>: request AlterPartitionReassignments {
        timeout_ms: i32, 0.., default 60_000;
        allow_replication_factor_change: bool, 1.., default true;
        topics: Vec<ReassignableTopic<'a>>, 0..;
    }

    /// Those of one topic.
    pub struct ReassignableTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<ReassignablePartition>, 0..;
    }

    /// That of one partition.
    pub struct ReassignablePartition {
        partition_index: i32, 0..;
        /// Where it is to be; null gives up a move that is under way.
        replicas: Option<Vec<i32>>, 0..;
    }

    /// What became of them.
    pub struct AlterPartitionReassignmentsResponse<'a>: response AlterPartitionReassignments {
        throttle_time_ms: i32, 0..;
        allow_replication_factor_change: bool, 1.., default true;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        responses: Vec<ReassignableTopicResponse<'a>>, 0..;
    }

    /// What became of one topic's.
    pub struct ReassignableTopicResponse<'a> {
        name: &'a str, 0..;
        partitions: Vec<ReassignablePartitionResponse<'a>>, 0..;
    }

    /// What became of one partition's.
    pub struct ReassignablePartitionResponse<'a> {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
    }
}
