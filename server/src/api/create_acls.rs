//! `CreateAcls`: refused, there is no authorizer.

use protocol::messages::create_acls::{AclCreation, AclCreationResult, CreateAclsRequest, CreateAclsResponse};

use super::access_rules::{is_unknown, refusals, unreadable};
use crate::request::{Answer, Call};

pub fn handle(call: &Call, request: &CreateAclsRequest<'_>) -> Answer {
    let elements =
        |rule: &AclCreation<'_>| [rule.resource_type, rule.resource_pattern_type, rule.operation, rule.permission_type];
    if request.creations.iter().map(elements).any(is_unknown) {
        return unreadable();
    }
    let results =
        refusals(request.creations.len(), |error_code, error_message| AclCreationResult { error_code, error_message });
    call.answer(&CreateAclsResponse { results, ..Default::default() })
}
