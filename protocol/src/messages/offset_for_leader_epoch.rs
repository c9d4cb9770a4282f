//! `OffsetForLeaderEpoch`: where an epoch of a partition ended.

message! {
    /// Asks for ends of epochs.
    pub struct OffsetForLeaderEpochRequest<'a>: request OffsetForLeaderEpoch {
        /// -1 for a consumer, -2 for a debugging one.
        replica_id: i32, 3.., default -2;
        topics: Vec<OffsetForLeaderTopic<'a>>, 0..;
    }

    /// What is asked of one topic.
    pub struct OffsetForLeaderTopic<'a> {
        topic: &'a str, 0..;
        partitions: Vec<OffsetForLeaderPartition>, 0..;
    }

    /// What is asked of one partition.
    pub struct OffsetForLeaderPartition {
        partition: i32, 0..;
        current_leader_epoch: i32, 2.., default -1;
        leader_epoch: i32, 0..;
    }

    /// The ends.
    pub struct OffsetForLeaderEpochResponse<'a>: response OffsetForLeaderEpoch {
        throttle_time_ms: i32, 2..;
        topics: Vec<OffsetForLeaderTopicResult<'a>>, 0..;
    }

    /// The ends in one topic.
    pub struct OffsetForLeaderTopicResult<'a> {
        topic: &'a str, 0..;
        partitions: Vec<EpochEndOffset>, 0..;
    }

    /// The end in one partition.
    pub struct EpochEndOffset {
        error_code: i16, 0..;
        partition: i32, 0..;
        leader_epoch: i32, 1.., default -1;
        end_offset: i64, 0.., default -1;
    }
}
