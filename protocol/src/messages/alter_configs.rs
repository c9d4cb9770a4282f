//! `AlterConfigs`: replaces all settings of topics and brokers.

message! {
    /// What the resources are to have.
    pub struct AlterConfigsRequest<'a>: request AlterConfigs {
        resources: Vec<AlterConfigsResource<'a>>, 0..;
        validate_only: bool, 0..;
    }

    /// One resource; what is not named goes back to its default.
    pub struct AlterConfigsResource<'a> {
        /// 2: topic; 4: broker.
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        configs: Vec<AlterableConfig<'a>>, 0..;
    }

    /// One setting.
    pub struct AlterableConfig<'a> {
        name: &'a str, 0..;
        value: Option<&'a str>, 0.., default Some("");
    }

    /// What became of them.
    pub struct AlterConfigsResponse<'a>: response AlterConfigs {
        throttle_time_ms: i32, 0..;
        responses: Vec<AlterConfigsResourceResponse<'a>>, 0..;
    }

    /// One resource.
    pub struct AlterConfigsResourceResponse<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
    }
}
