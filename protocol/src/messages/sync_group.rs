//! `SyncGroup`: the leader hands in the assignment, every member gets its own.

message! {
    /// A member that waits for its assignment; the leader brings all of them.
    pub struct SyncGroupRequest<'a>: request SyncGroup {
        group_id: &'a str, 0..;
        generation_id: i32, 0..;
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 3..;
        protocol_type: Option<&'a str>, 5..;
        protocol_name: Option<&'a str>, 5..;
        assignments: Vec<SyncGroupRequestAssignment<'a>>, 0..;
    }

    /// The assignment of one member, opaque to the broker.
    pub struct SyncGroupRequestAssignment<'a> {
        member_id: &'a str, 0..;
        assignment: &'a [u8], 0..;
    }

    /// The member's assignment.
    pub struct SyncGroupResponse<'a>: response SyncGroup {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        protocol_type: Option<&'a str>, 5..;
        protocol_name: Option<&'a str>, 5..;
        assignment: &'a [u8], 0..;
    }
}
