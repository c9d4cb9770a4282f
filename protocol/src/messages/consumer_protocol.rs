//! What the members of a group tell each other through the coordinator, which does not look into it: what each reads, and what
//! the leader gives it. Version in front, as [`super::consumer_offsets::encode_versioned`] writes it.

message! {
    /// What a member wants to read.
    pub struct ConsumerProtocolSubscription<'a>: record (0..=1) {
        topics: Vec<&'a str>, 0..;
        user_data: Option<&'a [u8]>, 0..;
        owned_partitions: Vec<ConsumerProtocolPartitions<'a>>, 1..;
    }

    /// What a member is to read.
    pub struct ConsumerProtocolAssignment<'a>: record (0..=1) {
        assigned_partitions: Vec<ConsumerProtocolPartitions<'a>>, 0..;
        user_data: Option<&'a [u8]>, 0..;
    }

    /// Partitions of one topic.
    pub struct ConsumerProtocolPartitions<'a> {
        topic: &'a str, 0..;
        partitions: Vec<i32>, 0..;
    }
}
