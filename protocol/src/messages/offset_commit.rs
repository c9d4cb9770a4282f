//! `OffsetCommit`: stores a group's positions.

message! {
    /// Positions to store.
    pub struct OffsetCommitRequest<'a>: request OffsetCommit {
        group_id: &'a str, 0..;
        generation_id_or_member_epoch: i32, 1.., default -1;
        member_id: &'a str, 1..;
        group_instance_id: Option<&'a str>, 7..;
        retention_time_ms: i64, 2..=4, default -1;
        topics: Vec<OffsetCommitRequestTopic<'a>>, 0..;
    }

    /// Positions in one topic.
    pub struct OffsetCommitRequestTopic<'a> {
        name: &'a str, 0..=9;
        partitions: Vec<OffsetCommitRequestPartition<'a>>, 0..;
    }

    /// The position in one partition.
    pub struct OffsetCommitRequestPartition<'a> {
        partition_index: i32, 0..;
        committed_offset: i64, 0..;
        committed_leader_epoch: i32, 6.., default -1;
        commit_timestamp: i64, 1..=1, default -1;
        committed_metadata: Option<&'a str>, 0.., default Some("");
    }

    /// What became of it.
    pub struct OffsetCommitResponse<'a>: response OffsetCommit {
        throttle_time_ms: i32, 3..;
        topics: Vec<OffsetCommitResponseTopic<'a>>, 0..;
    }

    /// What became of one topic.
    pub struct OffsetCommitResponseTopic<'a> {
        name: &'a str, 0..=9;
        partitions: Vec<OffsetCommitResponsePartition>, 0..;
    }

    /// What became of one partition.
    pub struct OffsetCommitResponsePartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }
}
