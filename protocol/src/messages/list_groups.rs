//! `ListGroups`: which groups this broker coordinates.

message! {
    /// Asks for groups, by state and type; no filter is all.
    pub struct ListGroupsRequest<'a>: request ListGroups {
        states_filter: Vec<&'a str>, 4..;
        types_filter: Vec<&'a str>, 5..;
    }

    /// The groups.
    pub struct ListGroupsResponse<'a>: response ListGroups {
        throttle_time_ms: i32, 1..;
        error_code: i16, 0..;
        groups: Vec<ListedGroup<'a>>, 0..;
    }

    /// A group.
    pub struct ListedGroup<'a> {
        group_id: &'a str, 0..;
        protocol_type: &'a str, 0..;
        group_state: &'a str, 4..;
        group_type: &'a str, 5..;
    }
}
