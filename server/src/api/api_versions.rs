//! `ApiVersions`: never refused, because a client that cannot negotiate takes a closed connection for a broken broker and retries for ever.

use protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};

use crate::request::{Answer, Call, Refused};

pub fn handle(call: &Call) -> Result<Answer, Refused> {
    if !call.api.versions().contains(&call.version) {
        call.tell_unserved();
        return Ok(call.answer_unsupported_api_versions());
    }
    let request: ApiVersionsRequest<'_> = call.decode()?;
    tracing::debug!(
        peer = %call.client.peer,
        software = request.client_software_name,
        version = request.client_software_version,
        "client introduced itself"
    );
    let api_keys = super::served().map(ApiVersion::advertised).collect();
    Ok(call.answer(&ApiVersionsResponse { api_keys, ..Default::default() }))
}
