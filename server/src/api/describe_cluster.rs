//! `DescribeCluster`: this one node.

use protocol::error_code::ErrorCode;
use protocol::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};

use crate::request::{Answer, Call};

const BROKERS: i8 = 1;

pub fn handle(call: &Call, request: &DescribeClusterRequest) -> Answer {
    if request.endpoint_type != BROKERS {
        return call.answer(&DescribeClusterResponse {
            error_code: ErrorCode::UnsupportedEndpointType.code(),
            error_message: Some("this node has no controller endpoints"),
            endpoint_type: request.endpoint_type,
            ..Default::default()
        });
    }
    let node_id = call.broker.settings.node_id;
    let catalog = call.broker.catalog();
    call.answer(&DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: catalog.cluster_id(),
        controller_id: node_id,
        brokers: vec![DescribeClusterBroker {
            broker_id: node_id,
            host: &call.client.advertised_host,
            port: i32::from(call.client.advertised_port),
            rack: None,
            is_fenced: false,
        }],
        ..Default::default()
    })
}
