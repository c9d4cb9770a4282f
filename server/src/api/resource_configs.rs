//! What the requests for configurations share: which resources have some, and how the edits of one go to the catalog's owner.

use std::collections::HashSet;
use std::rc::Rc;

use protocol::error_code::ErrorCode;

use super::error_map;
use crate::catalog::{CatalogError, CatalogOwner, ConfigScope, check_topic_name};
use crate::config_edits::ConfigEdits;
use crate::request::Call;

/// Resource type of a topic.
pub const TOPIC: i8 = 2;
/// Resource type of a broker.
pub const BROKER: i8 = 4;
/// Resource type of a group.
pub const GROUP: i8 = 32;

/// An error code and why.
pub type Refusal = (ErrorCode, String);

/// Whether a broker resource means this broker: its node id, or empty for all brokers of the cluster.
pub fn is_broker(call: &Call, name: &str) -> bool {
    name.is_empty() || name == call.broker.node_id().to_string()
}

/// Whether a topic may have this name.
pub fn check_name(topic: &str) -> Result<(), Refusal> {
    check_topic_name(topic).map_err(|error| (error_map::catalog(&error), error.to_string()))
}

/// Whether a configuration of brokers may be changed under this name.
fn check_changed_broker(call: &Call, name: &str) -> Result<(), Refusal> {
    if is_broker(call, name) {
        return Ok(());
    }
    let name: String = name.chars().take(100).collect();
    let message = match name.parse::<i32>() {
        Ok(other) => format!("Unexpected broker id, expected {}, but received {other}", call.broker.node_id()),
        Err(_) => format!("Node id must be an integer, but it is: {name}"),
    };
    Err((ErrorCode::InvalidRequest, message))
}

/// Resources that a request names more than once: Kafka changes none of them.
pub fn repeated<'a>(resources: impl Iterator<Item = (i8, &'a str)>) -> HashSet<(i8, &'a str)> {
    let mut seen = HashSet::new();
    resources.filter(|resource| !seen.insert(*resource)).collect()
}

/// Carries out the edits of one resource.
pub async fn alter(
    call: &Call,
    (resource_type, name): (i8, &str),
    repeated: &HashSet<(i8, &str)>,
    edits: Result<ConfigEdits, Refusal>,
    validate_only: bool,
) -> Result<(), Refusal> {
    if repeated.contains(&(resource_type, name)) {
        return Err((ErrorCode::InvalidRequest, "Each resource must appear at most once.".into()));
    }
    let edits = edits?;
    let altered = match resource_type {
        TOPIC if name.is_empty() => {
            return Err((ErrorCode::InvalidRequest, "Default topic resources are not allowed.".into()));
        }
        TOPIC => {
            check_name(name)?;
            let name = name.to_owned();
            let alter =
                move |owner: Rc<CatalogOwner>| async move { owner.alter_topic(&name, &edits, validate_only).await };
            call.broker.with_owner(alter).await
        }
        BROKER => {
            check_changed_broker(call, name)?;
            let scope = if name.is_empty() { ConfigScope::Cluster } else { ConfigScope::Broker };
            let alter =
                move |owner: Rc<CatalogOwner>| async move { owner.alter_broker(scope, &edits, validate_only).await };
            call.broker.with_owner(alter).await
        }
        GROUP if name.is_empty() => {
            return Err((ErrorCode::InvalidRequest, "Default group resources are not allowed.".into()));
        }
        GROUP => {
            let group_id = name.to_owned();
            let alter =
                move |owner: Rc<CatalogOwner>| async move { owner.alter_group(&group_id, &edits, validate_only).await };
            call.broker.with_owner(alter).await
        }
        other => return Err((ErrorCode::InvalidRequest, format!("Unknown resource type {other}"))),
    };
    altered.unwrap_or(Err(CatalogError::Stopping)).map_err(|error| {
        let message = match error {
            CatalogError::UnknownTopic => format!("The topic '{name}' does not exist."),
            _ => error.to_string(),
        };
        (error_map::catalog(&error), message)
    })
}

/// Kafka's answer to a value that is missing.
pub fn null_value(name: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("Null value not supported for : {name}"))
}
