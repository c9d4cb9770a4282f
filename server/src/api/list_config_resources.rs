//! `ListConfigResources`: the topics, and the brokers with their loggers. Groups are listed where something is set for them; client metrics have no settings here.

use protocol::error_code::ErrorCode;
use protocol::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::resource_configs::{BROKER, GROUP, TOPIC};
use crate::request::{Answer, Call};

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;

/// The types that a version may ask for.
fn types_of(version: i16) -> &'static [i8] {
    if version == 0 { &[CLIENT_METRICS] } else { &[GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC] }
}

pub fn handle(call: &Call, request: &ListConfigResourcesRequest) -> Answer {
    let known = types_of(call.version);
    let asked = &request.resource_types;
    if !asked.iter().all(|resource_type| known.contains(resource_type)) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return call.answer(&ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let is_asked =
        |resource_type| known.contains(&resource_type) && (asked.is_empty() || asked.contains(&resource_type));
    let catalog = call.broker.catalog();
    let ids: Vec<String> = call.client.nodes.all().map(|node| node.id.to_string()).collect();
    let mut config_resources = Vec::new();
    for resource_type in [BROKER_LOGGER, BROKER].into_iter().filter(|&resource_type| is_asked(resource_type)) {
        config_resources.extend(ids.iter().map(|id| ConfigResource { resource_name: id, resource_type }));
    }
    if is_asked(GROUP) {
        let groups = catalog.group_configs().keys();
        config_resources.extend(groups.map(|name| ConfigResource { resource_name: name, resource_type: GROUP }));
    }
    if is_asked(TOPIC) {
        let topics = catalog.topics();
        config_resources
            .extend(topics.map(|topic| ConfigResource { resource_name: &topic.name, resource_type: TOPIC }));
    }
    call.answer(&ListConfigResourcesResponse { config_resources, ..Default::default() })
}
