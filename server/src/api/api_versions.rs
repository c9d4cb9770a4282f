//! `ApiVersions`: never closed, because a client that cannot negotiate takes a closed connection for a broken broker and retries for ever.

use protocol::error_code::ErrorCode;
use protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

use crate::request::{Answer, Call, Refused};

const FIRST_VERSION_WITH_SOFTWARE: i16 = 3;
/// Clients before it take a feature whose least version is 0 for an error (KAFKA-17011).
const FIRST_VERSION_WITH_FEATURES_FROM_0: i16 = 4;

/// The feature that says that groups of the consumer protocol are served, and its version.
const GROUPS: &str = "group.version";
const GROUPS_VERSION: i16 = 1;

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
    if call.version >= FIRST_VERSION_WITH_SOFTWARE
        && !(is_software(request.client_software_name) && is_software(request.client_software_version))
    {
        let refused = ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
        return Ok(call.answer(&refused));
    }
    let api_keys = super::served().map(ApiVersion::advertised).collect();
    let groups = SupportedFeatureKey { name: GROUPS, min_version: 0, max_version: GROUPS_VERSION };
    let finalized =
        FinalizedFeatureKey { name: GROUPS, max_version_level: GROUPS_VERSION, min_version_level: GROUPS_VERSION };
    Ok(call.answer(&ApiVersionsResponse {
        api_keys,
        supported_features: (call.version >= FIRST_VERSION_WITH_FEATURES_FROM_0)
            .then_some(groups)
            .into_iter()
            .collect(),
        // Nothing changes them while the broker runs.
        finalized_features_epoch: 0,
        finalized_features: vec![finalized],
        ..Default::default()
    }))
}

/// Whether a client's software may call itself so (KIP-511): letters, digits, and between them dashes and dots.
fn is_software(text: &str) -> bool {
    let is_outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    is_outer(text.bytes().next()) && is_outer(text.bytes().last()) && text.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_called_by_letters_digits_and_inner_dashes_and_dots() {
        for right in ["a", "apache-kafka-java", "4.1.1", "a..b"] {
            assert!(is_software(right), "{right}");
        }
        for wrong in ["", "a b", "a-", ".a", "1/2", "fünf"] {
            assert!(!is_software(wrong), "{wrong}");
        }
    }
}
