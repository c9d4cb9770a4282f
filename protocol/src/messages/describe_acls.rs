//! `DescribeAcls`: the access rules that a filter fits.

message! {
    /// The filter; a null fits everything.
    pub struct DescribeAclsRequest<'a>: request DescribeAcls {
        resource_type_filter: i8, 0..;
        resource_name_filter: Option<&'a str>, 0.., default Some("");
        /// 3: the very name; 4: its beginning; 1: any.
        pattern_type_filter: i8, 1.., default 3;
        principal_filter: Option<&'a str>, 0.., default Some("");
        host_filter: Option<&'a str>, 0.., default Some("");
        operation: i8, 0..;
        permission_type: i8, 0..;
    }

    /// The rules.
    pub struct DescribeAclsResponse<'a>: response DescribeAcls {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        resources: Vec<DescribeAclsResource<'a>>, 0..;
    }

    /// Those of one resource.
    pub struct DescribeAclsResource<'a> {
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        pattern_type: i8, 1.., default 3;
        acls: Vec<AclDescription<'a>>, 0..;
    }

    /// One of them.
    pub struct AclDescription<'a> {
        principal: &'a str, 0..;
        host: &'a str, 0..;
        operation: i8, 0..;
        permission_type: i8, 0..;
    }
}
