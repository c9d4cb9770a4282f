//! `ConsumerGroupDescribe`: groups of the consumer protocol, their members and what each has and shall have.

message! {
    /// Asks for groups.
    pub struct ConsumerGroupDescribeRequest<'a>: request ConsumerGroupDescribe {
        group_ids: Vec<&'a str>, 0..;
        include_authorized_operations: bool, 0..;
    }

    /// The groups.
    pub struct ConsumerGroupDescribeResponse<'a>: response ConsumerGroupDescribe {
        throttle_time_ms: i32, 0..;
        groups: Vec<DescribedGroup<'a>>, 0..;
    }

    /// A group.
    pub struct DescribedGroup<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        group_id: &'a str, 0..;
        group_state: &'a str, 0..;
        group_epoch: i32, 0..;
        assignment_epoch: i32, 0..;
        assignor_name: &'a str, 0..;
        members: Vec<Member<'a>>, 0..;
        authorized_operations: i32, 0.., default i32::MIN;
    }

    /// A member of it.
    pub struct Member<'a> {
        member_id: &'a str, 0..;
        instance_id: Option<&'a str>, 0..;
        rack_id: Option<&'a str>, 0..;
        member_epoch: i32, 0..;
        client_id: &'a str, 0..;
        client_host: &'a str, 0..;
        subscribed_topic_names: Vec<&'a str>, 0..;
        subscribed_topic_regex: Option<&'a str>, 0..;
        assignment: Assignment<'a>, 0..;
        target_assignment: Assignment<'a>, 0..;
        /// 0 speaks the classic protocol, 1 the consumer protocol, -1 is not known.
        member_type: i8, 1.., default -1;
    }

    /// Partitions of several topics.
    pub struct Assignment<'a> {
        topic_partitions: Vec<TopicPartitions<'a>>, 0..;
    }

    /// Partitions of one topic.
    pub struct TopicPartitions<'a> {
        topic_id: uuid::Uuid, 0..;
        topic_name: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }
}
