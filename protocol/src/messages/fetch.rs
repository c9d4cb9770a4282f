//! `Fetch`: reads record batches from partitions.

use uuid::Uuid;

use crate::Records;

message! {
    /// Reads from partitions, and waits until there is enough to read.
    pub struct FetchRequest<'a>: request Fetch {
        cluster_id: Option<&'a str>, 12.., tag 0;
        /// -1 for a consumer.
        replica_id: i32, 0..=14, default -1;
        replica_state: ReplicaState, 15.., tag 1;
        max_wait_ms: i32, 0..;
        min_bytes: i32, 0..;
        max_bytes: i32, 3.., default i32::MAX;
        /// 0: read uncommitted; 1: read committed.
        isolation_level: i8, 4..;
        session_id: i32, 7..;
        session_epoch: i32, 7.., default -1;
        topics: Vec<FetchTopic<'a>>, 0..;
        forgotten_topics_data: Vec<ForgottenTopic<'a>>, 7..;
        rack_id: &'a str, 11..;
    }

    /// Which replica asks.
    pub struct ReplicaState {
        /// -1 for a consumer.
        replica_id: i32, 15.., default -1;
        replica_epoch: i64, 15.., default -1;
    }

    /// What to read of one topic.
    pub struct FetchTopic<'a> {
        topic: &'a str, 0..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<FetchPartition>, 0..;
    }

    /// What to read of one partition.
    pub struct FetchPartition {
        partition: i32, 0..;
        current_leader_epoch: i32, 9.., default -1;
        fetch_offset: i64, 0..;
        last_fetched_epoch: i32, 12.., default -1;
        log_start_offset: i64, 5.., default -1;
        partition_max_bytes: i32, 0..;
        /// Where a follower keeps it.
        replica_directory_id: Uuid, 17.., tag 0;
    }

    /// Partitions to take out of the session.
    pub struct ForgottenTopic<'a> {
        topic: &'a str, 7..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<i32>, 7..;
    }

    /// What was read.
    pub struct FetchResponse<'a>: response Fetch {
        throttle_time_ms: i32, 1..;
        error_code: i16, 7..;
        session_id: i32, 7..;
        responses: Vec<FetchableTopicResponse<'a>>, 0..;
        node_endpoints: Vec<NodeEndpoint<'a>>, 16.., tag 0;
    }

    /// Where a leader listens that the answer names.
    pub struct NodeEndpoint<'a> {
        node_id: i32, 16..;
        host: &'a str, 16..;
        port: i32, 16..;
        rack: Option<&'a str>, 16..;
    }

    /// What was read of one topic.
    pub struct FetchableTopicResponse<'a> {
        topic: &'a str, 0..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<PartitionData<'a>>, 0..;
    }

    /// What was read of one partition.
    pub struct PartitionData<'a> {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        high_watermark: i64, 0..;
        last_stable_offset: i64, 4.., default -1;
        log_start_offset: i64, 5.., default -1;
        diverging_epoch: EpochEndOffset, 12.., tag 0;
        current_leader: LeaderIdAndEpoch, 12.., tag 1;
        snapshot_id: SnapshotId, 12.., tag 2;
        aborted_transactions: Option<Vec<AbortedTransaction>>, 4.., default Some(Vec::new());
        preferred_read_replica: i32, 11.., default -1;
        records: Option<Records<'a>>, 0..;
    }

    /// Where the follower's log and this one part.
    pub struct EpochEndOffset {
        epoch: i32, 12.., default -1;
        end_offset: i64, 12.., default -1;
    }

    /// Who leads the partition now.
    pub struct LeaderIdAndEpoch {
        leader_id: i32, 12.., default -1;
        leader_epoch: i32, 12.., default -1;
    }

    /// The snapshot to fetch in place of the log.
    pub struct SnapshotId {
        end_offset: i64, 0.., default -1;
        epoch: i32, 0.., default -1;
    }

    /// A transaction whose records a committed read drops, from its first offset on.
    pub struct AbortedTransaction {
        producer_id: i64, 4..;
        first_offset: i64, 4..;
    }
}
