//! `JoinGroup`: enters a consumer group, or the next generation of it.

message! {
    /// A member that wants to join.
    pub struct JoinGroupRequest<'a>: request JoinGroup {
        group_id: &'a str, 0..;
        session_timeout_ms: i32, 0..;
        rebalance_timeout_ms: i32, 1.., default -1;
        /// Empty until the coordinator has given one.
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 5..;
        protocol_type: &'a str, 0..;
        protocols: Vec<JoinGroupRequestProtocol<'a>>, 0..;
        reason: Option<&'a str>, 8..;
    }

    /// An assignor that the member speaks, and its metadata, opaque to the broker.
    pub struct JoinGroupRequestProtocol<'a> {
        name: &'a str, 0..;
        metadata: &'a [u8], 0..;
    }

    /// The new generation.
    pub struct JoinGroupResponse<'a>: response JoinGroup {
        throttle_time_ms: i32, 2..;
        error_code: i16, 0..;
        generation_id: i32, 0.., default -1;
        protocol_type: Option<&'a str>, 7..;
        protocol_name: Option<&'a str>, 0.., nullable 7.., default Some("");
        leader: &'a str, 0..;
        skip_assignment: bool, 9..;
        member_id: &'a str, 0..;
        /// For the leader only; empty for the others.
        members: Vec<JoinGroupResponseMember<'a>>, 0..;
    }

    /// A member of the generation.
    pub struct JoinGroupResponseMember<'a> {
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 5..;
        metadata: &'a [u8], 0..;
    }
}
