//! `DeleteRecords`: raises the log start offsets of partitions.

message! {
    /// How far to delete.
    pub struct DeleteRecordsRequest<'a>: request DeleteRecords {
        topics: Vec<DeleteRecordsTopic<'a>>, 0..;
        timeout_ms: i32, 0..;
    }

    /// The partitions of one topic.
    pub struct DeleteRecordsTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<DeleteRecordsPartition>, 0..;
    }

    /// One partition.
    pub struct DeleteRecordsPartition {
        partition_index: i32, 0..;
        /// Records below it go; -1: all up to the high watermark.
        offset: i64, 0..;
    }

    /// Where the partitions begin now.
    pub struct DeleteRecordsResponse<'a>: response DeleteRecords {
        throttle_time_ms: i32, 0..;
        topics: Vec<DeleteRecordsTopicResult<'a>>, 0..;
    }

    /// The partitions of one topic.
    pub struct DeleteRecordsTopicResult<'a> {
        name: &'a str, 0..;
        partitions: Vec<DeleteRecordsPartitionResult>, 0..;
    }

    /// One partition.
    pub struct DeleteRecordsPartitionResult {
        partition_index: i32, 0..;
        /// The new log start offset; -1 after an error.
        low_watermark: i64, 0..;
        error_code: i16, 0..;
    }
}
