//! `DescribeLogDirs`: how much room partitions take, and what is left.

message! {
    /// Asks for partitions; null is all of them.
    pub struct DescribeLogDirsRequest<'a>: request DescribeLogDirs {
        topics: Option<Vec<DescribableLogDirTopic<'a>>>, 0..;
    }

    /// Partitions of one topic.
    pub struct DescribableLogDirTopic<'a> {
        topic: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// The directories.
    pub struct DescribeLogDirsResponse<'a>: response DescribeLogDirs {
        throttle_time_ms: i32, 0..;
        error_code: i16, 3..;
        results: Vec<DescribeLogDirsResult<'a>>, 0..;
    }

    /// One directory.
    pub struct DescribeLogDirsResult<'a> {
        error_code: i16, 0..;
        log_dir: &'a str, 0..;
        topics: Vec<DescribeLogDirsTopic<'a>>, 0..;
        /// Of its file system; -1 where that is not known.
        total_bytes: i64, 4.., default -1;
        usable_bytes: i64, 4.., default -1;
    }

    /// What of a topic lies there.
    pub struct DescribeLogDirsTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<DescribeLogDirsPartition>, 0..;
    }

    /// A partition's part.
    pub struct DescribeLogDirsPartition {
        partition_index: i32, 0..;
        partition_size: i64, 0..;
        /// How far a copy that moves here is behind.
        offset_lag: i64, 0..;
        is_future_key: bool, 0..;
    }
}
