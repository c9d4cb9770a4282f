//! `AddPartitionsToTxn`: partitions that a transaction is about to write. From version 4 on brokers speak it among themselves.

message! {
    /// Partitions to add.
    pub struct AddPartitionsToTxnRequest<'a>: request AddPartitionsToTxn {
        transactional_id: &'a str, 0..=3;
        producer_id: i64, 0..=3;
        producer_epoch: i16, 0..=3;
        topics: Vec<AddPartitionsToTxnTopic<'a>>, 0..=3;
    }

    /// Partitions of one topic.
    pub struct AddPartitionsToTxnTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// What became of them.
    pub struct AddPartitionsToTxnResponse<'a>: response AddPartitionsToTxn {
        throttle_time_ms: i32, 0..;
        topics: Vec<AddPartitionsToTxnTopicResult<'a>>, 0..=3;
    }

    /// What became of one topic.
    pub struct AddPartitionsToTxnTopicResult<'a> {
        name: &'a str, 0..;
        partitions: Vec<AddPartitionsToTxnPartitionResult>, 0..;
    }

    /// What became of one partition.
    pub struct AddPartitionsToTxnPartitionResult {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }
}
