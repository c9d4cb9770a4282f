//! `OffsetFetch`: reads a group's positions back. Up to version 7 for one group, from version 8 for several.

message! {
    /// Asks for positions.
    pub struct OffsetFetchRequest<'a>: request OffsetFetch {
        group_id: &'a str, 0..=7;
        /// Null is all topics.
        topics: Option<Vec<OffsetFetchRequestTopic<'a>>>, 0..=7, nullable 2.., default Some(Vec::new());
        groups: Vec<OffsetFetchRequestGroup<'a>>, 8..;
        require_stable: bool, 7..;
    }

    /// The partitions asked for in one topic.
    pub struct OffsetFetchRequestTopic<'a> {
        name: &'a str, 0..=7;
        partition_indexes: Vec<i32>, 0..=7;
    }

    /// The topics asked for in one group.
    pub struct OffsetFetchRequestGroup<'a> {
        group_id: &'a str, 8..;
        member_id: Option<&'a str>, 9..;
        member_epoch: i32, 9.., default -1;
        /// Null is all topics.
        topics: Option<Vec<OffsetFetchRequestTopics<'a>>>, 8.., default Some(Vec::new());
    }

    /// The partitions asked for in one topic of one group.
    pub struct OffsetFetchRequestTopics<'a> {
        name: &'a str, 8..=9;
        partition_indexes: Vec<i32>, 8..;
    }

    /// The positions.
    pub struct OffsetFetchResponse<'a>: response OffsetFetch {
        throttle_time_ms: i32, 3..;
        topics: Vec<OffsetFetchResponseTopic<'a>>, 0..=7;
        error_code: i16, 2..=7;
        groups: Vec<OffsetFetchResponseGroup<'a>>, 8..;
    }

    /// The positions in one topic.
    pub struct OffsetFetchResponseTopic<'a> {
        name: &'a str, 0..=7;
        partitions: Vec<OffsetFetchResponsePartition<'a>>, 0..=7;
    }

    /// The position in one partition.
    pub struct OffsetFetchResponsePartition<'a> {
        partition_index: i32, 0..=7;
        committed_offset: i64, 0..=7;
        committed_leader_epoch: i32, 5..=7, default -1;
        metadata: Option<&'a str>, 0..=7, default Some("");
        error_code: i16, 0..=7;
    }

    /// The positions of one group.
    pub struct OffsetFetchResponseGroup<'a> {
        group_id: &'a str, 8..;
        topics: Vec<OffsetFetchResponseTopics<'a>>, 8..;
        error_code: i16, 8..;
    }

    /// The positions in one topic of one group.
    pub struct OffsetFetchResponseTopics<'a> {
        name: &'a str, 8..=9;
        partitions: Vec<OffsetFetchResponsePartitions<'a>>, 8..;
    }

    /// The position in one partition of one group.
    pub struct OffsetFetchResponsePartitions<'a> {
        partition_index: i32, 8..;
        committed_offset: i64, 8..;
        committed_leader_epoch: i32, 8.., default -1;
        metadata: Option<&'a str>, 8.., default Some("");
        error_code: i16, 8..;
    }
}
