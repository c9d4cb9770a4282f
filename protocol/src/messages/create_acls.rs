//! `CreateAcls`: adds access rules.

message! {
    /// The rules to add.
    pub struct CreateAclsRequest<'a>: request CreateAcls {
        creations: Vec<AclCreation<'a>>, 0..;
    }

    /// One of them.
    pub struct AclCreation<'a> {
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        /// 3: the very name; 4: its beginning.
        resource_pattern_type: i8, 1.., default 3;
        principal: &'a str, 0..;
        host: &'a str, 0..;
        operation: i8, 0..;
        permission_type: i8, 0..;
    }

    /// What became of them, in the order of the request.
    pub struct CreateAclsResponse<'a>: response CreateAcls {
        throttle_time_ms: i32, 0..;
        results: Vec<AclCreationResult<'a>>, 0..;
    }

    /// What became of one.
    pub struct AclCreationResult<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
    }
}
