//! `DeleteGroups`: removes empty groups.

message! {
    /// The groups to remove.
    pub struct DeleteGroupsRequest<'a>: request DeleteGroups {
        groups_names: Vec<&'a str>, 0..;
    }

    /// What became of them.
    pub struct DeleteGroupsResponse<'a>: response DeleteGroups {
        throttle_time_ms: i32, 0..;
        results: Vec<DeletableGroupResult<'a>>, 0..;
    }

    /// What became of one.
    pub struct DeletableGroupResult<'a> {
        group_id: &'a str, 0..;
        error_code: i16, 0..;
    }
}
