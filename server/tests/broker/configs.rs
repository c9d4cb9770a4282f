//! Requests for configurations.

use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use protocol::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResource, IncrementalAlterConfigsResponse,
    IncrementalAlterableConfig,
};

use super::Client;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

/// Single edits of one resource; gives the error code.
pub fn alter(
    client: &mut Client,
    kind: i8,
    name: &str,
    edits: &[(&str, i8, Option<&str>)],
    validate_only: bool,
) -> i16 {
    altered(client, kind, name, edits, validate_only).0
}

/// The same; gives the error code and its words.
pub fn altered(
    client: &mut Client,
    kind: i8,
    name: &str,
    edits: &[(&str, i8, Option<&str>)],
    validate_only: bool,
) -> (i16, String) {
    let configs = edits
        .iter()
        .map(|&(name, config_operation, value)| IncrementalAlterableConfig { name, config_operation, value })
        .collect();
    let resource = IncrementalAlterConfigsResource { resource_type: kind, resource_name: name, configs };
    let frame = client.call(1, &IncrementalAlterConfigsRequest { resources: vec![resource], validate_only });
    let (_, response): (_, IncrementalAlterConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::IncrementalAlterConfigs, 1).expect("an answer");
    let outcome = &response.responses[0];
    (outcome.error_code, outcome.error_message.unwrap_or_default().to_owned())
}

/// Value, source, and (name, source) of every synonym of one setting.
pub fn described(client: &mut Client, kind: i8, name: &str, key: &str) -> (String, i8, Vec<(String, i8)>) {
    let resource =
        DescribeConfigsResource { resource_type: kind, resource_name: name, configuration_keys: Some(vec![key]) };
    let request =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, include_documentation: false };
    let frame = client.call(4, &request);
    let (_, response): (_, DescribeConfigsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeConfigs, 4).expect("an answer");
    let found = &response.results[0].configs[0];
    let synonyms = found.synonyms.iter().map(|synonym| (synonym.name.to_owned(), synonym.source)).collect();
    (found.value.unwrap_or_default().to_owned(), found.config_source, synonyms)
}
