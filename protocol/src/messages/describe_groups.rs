//! `DescribeGroups`: the state and the members of groups.

message! {
    /// Asks for groups.
    pub struct DescribeGroupsRequest<'a>: request DescribeGroups {
        groups: Vec<&'a str>, 0..;
        include_authorized_operations: bool, 3..;
    }

    /// The groups.
    pub struct DescribeGroupsResponse<'a>: response DescribeGroups {
        throttle_time_ms: i32, 1..;
        groups: Vec<DescribedGroup<'a>>, 0..;
    }

    /// A group.
    pub struct DescribedGroup<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 6..;
        group_id: &'a str, 0..;
        group_state: &'a str, 0..;
        protocol_type: &'a str, 0..;
        protocol_data: &'a str, 0..;
        members: Vec<DescribedGroupMember<'a>>, 0..;
        authorized_operations: i32, 3.., default i32::MIN;
    }

    /// A member of it.
    pub struct DescribedGroupMember<'a> {
        member_id: &'a str, 0..;
        group_instance_id: Option<&'a str>, 4..;
        client_id: &'a str, 0..;
        client_host: &'a str, 0..;
        member_metadata: &'a [u8], 0..;
        member_assignment: &'a [u8], 0..;
    }
}
