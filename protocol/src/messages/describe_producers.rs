//! `DescribeProducers`: the idempotent and transactional producers that partitions know.

message! {
    /// Asks for producers.
    pub struct DescribeProducersRequest<'a>: request DescribeProducers {
        topics: Vec<DescribeProducersTopic<'a>>, 0..;
    }

    /// Partitions of one topic.
    pub struct DescribeProducersTopic<'a> {
        name: &'a str, 0..;
        partition_indexes: Vec<i32>, 0..;
    }

    /// The producers.
    pub struct DescribeProducersResponse<'a>: response DescribeProducers {
        throttle_time_ms: i32, 0..;
        topics: Vec<DescribeProducersTopicResult<'a>>, 0..;
    }

    /// The producers of one topic.
    pub struct DescribeProducersTopicResult<'a> {
        name: &'a str, 0..;
        partitions: Vec<DescribeProducersPartitionResult<'a>>, 0..;
    }

    /// The producers of one partition.
    pub struct DescribeProducersPartitionResult<'a> {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        active_producers: Vec<ProducerState>, 0..;
    }

    /// A producer.
    pub struct ProducerState {
        producer_id: i64, 0..;
        producer_epoch: i32, 0..;
        last_sequence: i32, 0.., default -1;
        last_timestamp: i64, 0.., default -1;
        coordinator_epoch: i32, 0..;
        current_txn_start_offset: i64, 0.., default -1;
    }
}
