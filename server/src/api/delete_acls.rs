//! `DeleteAcls`: refused, there is no authorizer.

use protocol::messages::delete_acls::{
    DeleteAclsFilter, DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse,
};

use super::access_rules::{is_unknown, refusals, unreadable};
use crate::request::{Answer, Call};

pub fn handle(call: &Call, request: &DeleteAclsRequest<'_>) -> Answer {
    let elements = |filter: &DeleteAclsFilter<'_>| {
        [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type]
    };
    if request.filters.iter().map(elements).any(is_unknown) {
        return unreadable();
    }
    let filter_results = refusals(request.filters.len(), |error_code, error_message| DeleteAclsFilterResult {
        error_code,
        error_message,
        matching_acls: Vec::new(),
    });
    call.answer(&DeleteAclsResponse { filter_results, ..Default::default() })
}
