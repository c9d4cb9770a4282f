//! `DescribeConfigs`: the settings of topics and brokers.

message! {
    /// Asks for settings.
    pub struct DescribeConfigsRequest<'a>: request DescribeConfigs {
        resources: Vec<DescribeConfigsResource<'a>>, 0..;
        include_synonyms: bool, 1..;
        include_documentation: bool, 3..;
    }

    /// What has the settings.
    pub struct DescribeConfigsResource<'a> {
        /// 2: topic; 4: broker.
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        /// Null is all of them.
        configuration_keys: Option<Vec<&'a str>>, 0.., default Some(Vec::new());
    }

    /// The settings.
    pub struct DescribeConfigsResponse<'a>: response DescribeConfigs {
        throttle_time_ms: i32, 0..;
        results: Vec<DescribeConfigsResult<'a>>, 0..;
    }

    /// The settings of one resource.
    pub struct DescribeConfigsResult<'a> {
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0.., default Some("");
        resource_type: i8, 0..;
        resource_name: &'a str, 0..;
        configs: Vec<DescribeConfigsResourceResult<'a>>, 0..;
    }

    /// A setting.
    pub struct DescribeConfigsResourceResult<'a> {
        name: &'a str, 0..;
        value: Option<&'a str>, 0.., default Some("");
        read_only: bool, 0..;
        config_source: i8, 1.., default -1;
        is_sensitive: bool, 0..;
        synonyms: Vec<DescribeConfigsSynonym<'a>>, 1..;
        config_type: i8, 3..;
        documentation: Option<&'a str>, 3.., default Some("");
    }

    /// Another place that says it.
    pub struct DescribeConfigsSynonym<'a> {
        name: &'a str, 1..;
        value: Option<&'a str>, 1.., default Some("");
        source: i8, 1..;
    }
}
