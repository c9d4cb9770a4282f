//! `CreatePartitions`: gives topics more partitions.

message! {
    /// The topics that grow.
    pub struct CreatePartitionsRequest<'a>: request CreatePartitions {
        topics: Vec<CreatePartitionsTopic<'a>>, 0..;
        timeout_ms: i32, 0..;
        validate_only: bool, 0..;
    }

    /// A topic that grows.
    pub struct CreatePartitionsTopic<'a> {
        name: &'a str, 0..;
        /// How many it has in the end.
        count: i32, 0..;
        assignments: Option<Vec<CreatePartitionsAssignment>>, 0.., default Some(Vec::new());
    }

    /// The brokers of one new partition.
    pub struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>, 0..;
    }

    /// What became of them.
    pub struct CreatePartitionsResponse<'a>: response CreatePartitions {
        throttle_time_ms: i32, 0..;
        results: Vec<CreatePartitionsTopicResult<'a>>, 0..;
    }

    /// What became of one topic.
    pub struct CreatePartitionsTopicResult<'a> {
        name: &'a str, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
    }
}
