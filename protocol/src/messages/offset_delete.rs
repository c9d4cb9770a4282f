//! `OffsetDelete`: forgets what a group has committed.

message! {
    /// Asks for a group's offsets to be forgotten.
    pub struct OffsetDeleteRequest<'a>: request OffsetDelete {
        group_id: &'a str, 0..;
        topics: Vec<OffsetDeleteRequestTopic<'a>>, 0..;
    }

    /// Those of one topic.
    pub struct OffsetDeleteRequestTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<OffsetDeleteRequestPartition>, 0..;
    }

    /// That of one partition.
    pub struct OffsetDeleteRequestPartition {
        partition_index: i32, 0..;
    }

    /// What became of it.
    pub struct OffsetDeleteResponse<'a>: response OffsetDelete {
        error_code: i16, 0..;
        throttle_time_ms: i32, 0..;
        topics: Vec<OffsetDeleteResponseTopic<'a>>, 0..;
    }

    /// What became of one topic's.
    pub struct OffsetDeleteResponseTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<OffsetDeleteResponsePartition>, 0..;
    }

    /// What became of one partition's.
    pub struct OffsetDeleteResponsePartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }
}
