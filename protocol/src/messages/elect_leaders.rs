//! `ElectLeaders`: gives partitions the leader that they prefer, or any.

message! {
    /// Asks for elections; null is all partitions.
    pub struct ElectLeadersRequest<'a>: request ElectLeaders {
        /// 0: the preferred replica; 1: any that is alive.
        election_type: i8, 1..;
        topic_partitions: Option<Vec<ElectLeadersTopicPartitions<'a>>>, 0..;
        timeout_ms: i32, 0.., default 60_000;
    }

    /// Partitions of one topic.
    pub struct ElectLeadersTopicPartitions<'a> {
        topic: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// What became of it.
    pub struct ElectLeadersResponse<'a>: response ElectLeaders {
        throttle_time_ms: i32, 0..;
        error_code: i16, 1..;
        replica_election_results: Vec<ReplicaElectionResult<'a>>, 0..;
    }

    /// What became of one topic's.
    pub struct ReplicaElectionResult<'a> {
        topic: &'a str, 0..;
        partition_result: Vec<PartitionResult<'a>>, 0..;
    }

    /// What became of one partition's.
    pub struct PartitionResult<'a> {
        partition_id: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
    }
}
