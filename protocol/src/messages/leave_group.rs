//! `LeaveGroup`: members leave a group; from version 3 several at once.

message! {
    /// Who leaves.
    pub struct LeaveGroupRequest<'a>: request LeaveGroup {
        group_id: &'a str, 0..;
        member_id: &'a str, 0..=2;
        members: Vec<MemberIdentity<'a>>, 3..;
    }

    /// One that leaves.
    pub struct MemberIdentity<'a> {
        member_id: &'a str, 3..;
        group_instance_id: Option<&'a str>, 3..;
        reason: Option<&'a str>, 5..;
    }

    /// What became of it.
    pub struct LeaveGroupResponse<'a>: response LeaveGroup {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        members: Vec<MemberResponse<'a>>, 3..;
    }

    /// What became of one.
    pub struct MemberResponse<'a> {
        member_id: &'a str, 3..;
        group_instance_id: Option<&'a str>, 3.., default Some("");
        error_code: i16, 3..;
    }
}
