//! `IncrementalAlterConfigs`: single settings of a resource change, the rest stays (KIP-339).

use protocol::error_code::ErrorCode;
use protocol::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResource, IncrementalAlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
};

use super::resource_configs::{Refusal, alter, null_value, repeated};
use crate::config_edits::{ConfigEdits, Edit};
use crate::request::{Answer, Call};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub async fn handle(call: &Call, request: IncrementalAlterConfigsRequest<'_>) -> Answer {
    let repeated = repeated(request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name)));
    let mut outcomes = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let named = (resource.resource_type, resource.resource_name);
        outcomes.push(alter(call, named, &repeated, edits(resource), request.validate_only).await);
    }
    let responses =
        request.resources.iter().zip(&outcomes).map(|(resource, outcome)| IncrementalAlterConfigsResourceResponse {
            error_code: outcome.as_ref().err().map_or(0, |(code, _)| code.code()),
            error_message: outcome.as_ref().err().map(|(_, message)| message.as_str()),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
        });
    call.answer(&IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() })
}

fn edits(resource: &IncrementalAlterConfigsResource<'_>) -> Result<ConfigEdits, Refusal> {
    let edits = resource.configs.iter().map(|config| {
        let value = || config.value.map(str::to_owned).ok_or_else(|| null_value(config.name));
        let edit = match config.config_operation {
            SET => Edit::Set(value()?),
            DELETE => Edit::Delete,
            APPEND => Edit::Append(value()?),
            SUBTRACT => Edit::Subtract(value()?),
            other => return Err((ErrorCode::InvalidRequest, format!("Unknown operation type {other}"))),
        };
        Ok((config.name.to_owned(), edit))
    });
    Ok(ConfigEdits { replaces_all: false, edits: edits.collect::<Result<_, Refusal>>()? })
}
