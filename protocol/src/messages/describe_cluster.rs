//! `DescribeCluster`: the brokers of the cluster.

message! {
    /// Asks for the brokers.
    pub struct DescribeClusterRequest: request DescribeCluster {
        include_cluster_authorized_operations: bool, 0..;
        /// 1: brokers; 2: controllers.
        endpoint_type: i8, 1.., default 1;
        include_fenced_brokers: bool, 2..;
    }

    /// The brokers.
    pub struct DescribeClusterResponse<'a>: response DescribeCluster {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<&'a str>, 0..;
        endpoint_type: i8, 1.., default 1;
        cluster_id: &'a str, 0..;
        controller_id: i32, 0.., default -1;
        brokers: Vec<DescribeClusterBroker<'a>>, 0..;
        cluster_authorized_operations: i32, 0.., default i32::MIN;
    }

    /// A broker.
    pub struct DescribeClusterBroker<'a> {
        broker_id: i32, 0..;
        host: &'a str, 0..;
        port: i32, 0..;
        rack: Option<&'a str>, 0..;
        is_fenced: bool, 2..;
    }
}
