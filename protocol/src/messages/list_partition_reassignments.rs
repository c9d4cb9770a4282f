//! `ListPartitionReassignments`: the moves of partitions that are under way.

message! {
    /// Asks for moves; null is those of all partitions.
    pub struct ListPartitionReassignmentsRequest<'a>: request ListPartitionReassignments {
        timeout_ms: i32, 0.., default 60_000;
        topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>>, 0..;
    }

    /// Partitions of one topic.
    pub struct ListPartitionReassignmentsTopics<'a> {
        name: &'a str, 0..;
        partition_indexes: Vec<i32>, 0..;
    }

    /// The moves.
    pub struct ListPartitionReassignmentsResponse<'a>: response ListPartitionReassignments {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        topics: Vec<OngoingTopicReassignment<'a>>, 0..;
    }

    /// Those of one topic.
    pub struct OngoingTopicReassignment<'a> {
        name: &'a str, 0..;
        partitions: Vec<OngoingPartitionReassignment>, 0..;
    }

    /// That of one partition.
    pub struct OngoingPartitionReassignment {
        partition_index: i32, 0..;
        replicas: Vec<i32>, 0..;
        adding_replicas: Vec<i32>, 0..;
        removing_replicas: Vec<i32>, 0..;
    }
}
