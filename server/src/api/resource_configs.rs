//! What `AlterConfigs` and `IncrementalAlterConfigs` share: the edits of one resource go to the catalog's owner.

use protocol::error_code::ErrorCode;

use super::error_map;
use crate::catalog::CatalogError;
use crate::config_edits::ConfigEdits;
use crate::request::Call;

/// Resource type of a topic.
pub const TOPIC: i8 = 2;
/// Resource type of a broker.
pub const BROKER: i8 = 4;

/// An error code and why.
pub type Refusal = (ErrorCode, String);

/// Whether a broker resource means this broker: its node id, or empty for all brokers of the cluster.
pub fn is_this_broker(call: &Call, name: &str) -> bool {
    name.is_empty() || name == call.broker.node_id().to_string()
}

/// Carries out the edits of one resource.
pub async fn alter(
    call: &Call,
    resource_type: i8,
    name: &str,
    edits: Result<ConfigEdits, Refusal>,
    validate_only: bool,
) -> Result<(), Refusal> {
    let edits = edits?;
    let altered = match resource_type {
        TOPIC => {
            let name = name.to_owned();
            let alter = move |owner: std::rc::Rc<crate::catalog::CatalogOwner>| async move {
                owner.alter_topic(&name, &edits, validate_only).await
            };
            call.broker.with_owner(alter).await
        }
        BROKER if is_this_broker(call, name) => {
            let alter = move |owner: std::rc::Rc<crate::catalog::CatalogOwner>| async move {
                owner.alter_broker(&edits, validate_only).await
            };
            call.broker.with_owner(alter).await
        }
        BROKER => return Err((ErrorCode::InvalidRequest, format!("{name} is not this node's id"))),
        _ => return Err((ErrorCode::InvalidRequest, "only topics and brokers have settings here".into())),
    };
    altered.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| (error_map::catalog(&error), error.to_string()))
}

/// Kafka's answer to a value that is missing.
pub fn null_value(name: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("Null value not supported for : {name}"))
}
