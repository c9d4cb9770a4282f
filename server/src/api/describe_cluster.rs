//! `DescribeCluster`: the nodes of this broker.

use protocol::error_code::ErrorCode;
use protocol::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};

use super::authorized_operations;
use crate::nodes::Node;
use crate::request::{Answer, Call};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;
const WRONG_ENDPOINT: &str =
    "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";

pub fn handle(call: &Call, request: &DescribeClusterRequest) -> Answer {
    let refusal = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some((ErrorCode::MismatchedEndpointType, WRONG_ENDPOINT.to_owned())),
        other => Some((ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"))),
    };
    if let Some((code, message)) = refusal {
        return call.answer(&DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(&message),
            endpoint_type: BROKERS,
            ..Default::default()
        });
    }
    let catalog = call.broker.catalog();
    call.answer(&DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: catalog.cluster_id(),
        controller_id: call.client.nodes.controller().id,
        brokers: call.client.nodes.all().map(broker).collect(),
        cluster_authorized_operations: authorized_operations::of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    })
}

fn broker(node: Node<'_>) -> DescribeClusterBroker<'_> {
    DescribeClusterBroker {
        broker_id: node.id,
        host: node.host,
        port: i32::from(node.port),
        rack: None,
        is_fenced: false,
    }
}
