//! `DescribeAcls`: refused, there is no authorizer.

use protocol::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};

use super::access_rules::{CODE, WORDS_OF_BROKER, is_unknown, unreadable};
use crate::request::{Answer, Call};

pub fn handle(call: &Call, request: &DescribeAclsRequest<'_>) -> Answer {
    let (pattern, operation) = (request.pattern_type_filter, request.operation);
    if is_unknown([request.resource_type_filter, pattern, operation, request.permission_type]) {
        return unreadable();
    }
    call.answer(&DescribeAclsResponse { error_code: CODE, error_message: Some(WORDS_OF_BROKER), ..Default::default() })
}
