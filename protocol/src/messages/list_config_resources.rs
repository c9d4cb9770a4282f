//! `ListConfigResources`: what has settings. Version 0 is Kafka's `ListClientMetricsResources`.

message! {
    /// Asks for resources of some types; none named is all of them.
    pub struct ListConfigResourcesRequest: request ListConfigResources {
        resource_types: Vec<i8>, 1..;
    }

    /// The resources.
    pub struct ListConfigResourcesResponse<'a>: response ListConfigResources {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        config_resources: Vec<ConfigResource<'a>>, 0..;
    }

    /// One of them; before version 1 all are of client metrics.
    pub struct ConfigResource<'a> {
        resource_name: &'a str, 0..;
        resource_type: i8, 1.., default 16;
    }
}
