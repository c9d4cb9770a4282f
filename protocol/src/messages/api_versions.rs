//! `ApiVersions`: which APIs and versions the broker speaks.

use crate::api_key::ApiKey;
use crate::error_code::ErrorCode;

message! {
    /// The first request of a connection.
    pub struct ApiVersionsRequest<'a>: request ApiVersions {
        client_software_name: &'a str, 3..;
        client_software_version: &'a str, 3..;
    }

    /// What the broker speaks. Its header is always version 0.
    pub struct ApiVersionsResponse<'a>: response ApiVersions {
        error_code: i16, 0..;
        api_keys: Vec<ApiVersion>, 0..;
        throttle_time_ms: i32, 1..;
        /// For version 3 without features whose minimum is 0 (KAFKA-17011).
        supported_features: Vec<SupportedFeatureKey<'a>>, 3.., tag 0;
        finalized_features_epoch: i64, 3.., default -1, tag 1;
        finalized_features: Vec<FinalizedFeatureKey<'a>>, 3.., tag 2;
        zk_migration_ready: bool, 3.., tag 3;
    }

    /// The versions of one API.
    pub struct ApiVersion {
        api_key: i16, 0..;
        min_version: i16, 0..;
        max_version: i16, 0..;
    }

    /// A feature that the broker has.
    pub struct SupportedFeatureKey<'a> {
        name: &'a str, 3..;
        min_version: i16, 3..;
        max_version: i16, 3..;
    }

    /// A feature that the cluster has agreed on.
    pub struct FinalizedFeatureKey<'a> {
        name: &'a str, 3..;
        max_version_level: i16, 3..;
        min_version_level: i16, 3..;
    }
}

impl ApiVersion {
    /// The versions that we advertise of `api`.
    pub fn advertised(api: ApiKey) -> Self {
        let versions = api.advertised_versions();
        Self { api_key: api as i16, min_version: *versions.start(), max_version: *versions.end() }
    }
}

impl ApiVersionsResponse<'_> {
    /// The answer to a version of `ApiVersions` that we do not know, to be sent in the format of version 0: error 35
    /// and our range of `ApiVersions`, so that the client asks again within it (KIP-511).
    pub fn unsupported_version() -> Self {
        Self {
            error_code: ErrorCode::UnsupportedVersion.code(),
            api_keys: vec![ApiVersion::advertised(ApiKey::ApiVersions)],
            ..Self::default()
        }
    }
}
