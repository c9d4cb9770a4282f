//! `CreateTopics`: makes topics.

use uuid::Uuid;

message! {
    /// The topics to make.
    pub struct CreateTopicsRequest<'a>: request CreateTopics {
        topics: Vec<CreatableTopic<'a>>, 0..;
        timeout_ms: i32, 0.., default 60_000;
        validate_only: bool, 1..;
    }

    /// A topic to make.
    pub struct CreatableTopic<'a> {
        name: &'a str, 0..;
        /// -1 for the broker's default, or when `assignments` says it.
        num_partitions: i32, 0..;
        /// -1 for the broker's default, or when `assignments` says it.
        replication_factor: i16, 0..;
        assignments: Vec<CreatableReplicaAssignment>, 0..;
        configs: Vec<CreatableTopicConfig<'a>>, 0..;
    }

    /// The brokers of one partition.
    pub struct CreatableReplicaAssignment {
        partition_index: i32, 0..;
        broker_ids: Vec<i32>, 0..;
    }

    /// A setting of the topic.
    pub struct CreatableTopicConfig<'a> {
        name: &'a str, 0..;
        value: Option<&'a str>, 0.., default Some("");
    }

    /// What became of them.
    pub struct CreateTopicsResponse<'a>: response CreateTopics {
        throttle_time_ms: i32, 2..;
        topics: Vec<CreatableTopicResult<'a>>, 0..;
    }

    /// What became of one topic.
    pub struct CreatableTopicResult<'a> {
        name: &'a str, 0..;
        topic_id: Uuid, 7..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 1.., default Some("");
        topic_config_error_code: i16, 5.., tag 0;
        num_partitions: i32, 5.., default -1;
        replication_factor: i16, 5.., default -1;
        configs: Option<Vec<CreatableTopicConfigs<'a>>>, 5.., default Some(Vec::new());
    }

    /// A setting that the topic has now.
    pub struct CreatableTopicConfigs<'a> {
        name: &'a str, 5..;
        value: Option<&'a str>, 5.., default Some("");
        read_only: bool, 5..;
        config_source: i8, 5.., default -1;
        is_sensitive: bool, 5..;
    }
}
