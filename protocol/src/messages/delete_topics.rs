//! `DeleteTopics`: removes topics.

use uuid::Uuid;

message! {
    /// The topics to remove: up to version 5 by name, from version 6 by name or id.
    pub struct DeleteTopicsRequest<'a>: request DeleteTopics {
        topics: Vec<DeleteTopicState<'a>>, 6..;
        topic_names: Vec<&'a str>, 0..=5;
        timeout_ms: i32, 0..;
    }

    /// A topic to remove, by name or by id.
    pub struct DeleteTopicState<'a> {
        name: Option<&'a str>, 6..;
        topic_id: Uuid, 6..;
    }

    /// What became of them.
    pub struct DeleteTopicsResponse<'a>: response DeleteTopics {
        throttle_time_ms: i32, 1..;
        responses: Vec<DeletableTopicResult<'a>>, 0..;
    }

    /// What became of one topic.
    pub struct DeletableTopicResult<'a> {
        name: Option<&'a str>, 0.., nullable 6.., default Some("");
        topic_id: Uuid, 6..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 5..;
    }
}
