//! `TxnOffsetCommit`: positions of a group that count once their transaction is committed.

message! {
    /// Positions to store.
    pub struct TxnOffsetCommitRequest<'a>: request TxnOffsetCommit {
        transactional_id: &'a str, 0..;
        group_id: &'a str, 0..;
        producer_id: i64, 0..;
        producer_epoch: i16, 0..;
        generation_id: i32, 3.., default -1;
        member_id: &'a str, 3..;
        group_instance_id: Option<&'a str>, 3..;
        topics: Vec<TxnOffsetCommitRequestTopic<'a>>, 0..;
    }

    /// Positions in one topic.
    pub struct TxnOffsetCommitRequestTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<TxnOffsetCommitRequestPartition<'a>>, 0..;
    }

    /// The position in one partition.
    pub struct TxnOffsetCommitRequestPartition<'a> {
        partition_index: i32, 0..;
        committed_offset: i64, 0..;
        committed_leader_epoch: i32, 2.., default -1;
        committed_metadata: Option<&'a str>, 0.., default Some("");
    }

    /// What became of them.
    pub struct TxnOffsetCommitResponse<'a>: response TxnOffsetCommit {
        throttle_time_ms: i32, 0..;
        topics: Vec<TxnOffsetCommitResponseTopic<'a>>, 0..;
    }

    /// What became of one topic.
    pub struct TxnOffsetCommitResponseTopic<'a> {
        name: &'a str, 0..;
        partitions: Vec<TxnOffsetCommitResponsePartition>, 0..;
    }

    /// What became of one partition.
    pub struct TxnOffsetCommitResponsePartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }
}
