//! `DeleteAcls`: removes the access rules that filters fit.

message! {
    /// The filters.
    pub struct DeleteAclsRequest<'a>: request DeleteAcls {
        filters: Vec<DeleteAclsFilter<'a>>, 0..;
    }

    /// One of them; a null fits everything.
    pub struct DeleteAclsFilter<'a> {
        resource_type_filter: i8, 0..;
        resource_name_filter: Option<&'a str>, 0.., default Some("");
        /// 3: the very name; 4: its beginning; 1: any.
        pattern_type_filter: i8, 1.., default 3;
        principal_filter: Option<&'a str>, 0.., default Some("");
        host_filter: Option<&'a str>, 0.., default Some("");
        operation: i8, 0..;
        permission_type: i8, 0..;
    }

    /// What became of them, in the order of the request.
    pub struct DeleteAclsResponse<'a>: response DeleteAcls {
        throttle_time_ms: i32, 0..;
        filter_results: Vec<DeleteAclsFilterResult<'a>>, 0..;
    }

    /// What one filter removed.
    pub struct DeleteAclsFilterResult<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        matching_acls: Vec<DeleteAclsMatchingAcl<'a>>, 0..;
    }

    /// A rule that it fits.
    pub struct DeleteAclsMatchingAcl<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        pattern_type: i8, 1.., default 3;
        principal: &'a str, 0..;
        host: &'a str, 0..;
        operation: i8, 0..;
        permission_type: i8, 0..;
    }
}
