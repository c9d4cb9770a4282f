//! `AlterConfigs`: all settings of a resource are replaced; what is not named goes back to its default.

use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::resource_configs::{Refusal, alter, null_value, repeated};
use crate::config_edits::{ConfigEdits, Edit};
use crate::request::{Answer, Call};

pub async fn handle(call: &Call, request: AlterConfigsRequest<'_>) -> Answer {
    let repeated = repeated(request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name)));
    let mut outcomes = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let named = (resource.resource_type, resource.resource_name);
        outcomes.push(alter(call, named, &repeated, edits(resource), request.validate_only).await);
    }
    let responses = request.resources.iter().zip(&outcomes).map(|(resource, outcome)| AlterConfigsResourceResponse {
        error_code: outcome.as_ref().err().map_or(0, |(code, _)| code.code()),
        error_message: outcome.as_ref().err().map(|(_, message)| message.as_str()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
    });
    call.answer(&AlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() })
}

fn edits(resource: &AlterConfigsResource<'_>) -> Result<ConfigEdits, Refusal> {
    let edits = resource.configs.iter().map(|config| {
        let value = config.value.ok_or_else(|| null_value(config.name))?;
        Ok((config.name.to_owned(), Edit::Set(value.to_owned())))
    });
    Ok(ConfigEdits { replaces_all: true, edits: edits.collect::<Result<_, Refusal>>()? })
}
