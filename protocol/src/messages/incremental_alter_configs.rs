//! `IncrementalAlterConfigs`: changes single settings of topics and brokers (KIP-339).

message! {
    /// What is to change.
    pub struct IncrementalAlterConfigsRequest<'a>: request IncrementalAlterConfigs {
        resources: Vec<IncrementalAlterConfigsResource<'a>>, 0..;
        validate_only: bool, 0..;
    }

    /// One resource; what is not named stays.
    pub struct IncrementalAlterConfigsResource<'a> {
        /// 2: topic; 4: broker.
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        configs: Vec<IncrementalAlterableConfig<'a>>, 0..;
    }

    /// One change.
    pub struct IncrementalAlterableConfig<'a> {
        name: &'a str, 0..;
        /// 0: set; 1: delete; 2: append to a list; 3: subtract from a list.
        config_operation: i8, 0..;
        value: Option<&'a str>, 0.., default Some("");
    }

    /// What became of them.
    pub struct IncrementalAlterConfigsResponse<'a>: response IncrementalAlterConfigs {
        throttle_time_ms: i32, 0..;
        responses: Vec<IncrementalAlterConfigsResourceResponse<'a>>, 0..;
    }

    /// One resource.
    pub struct IncrementalAlterConfigsResourceResponse<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
    }
}
