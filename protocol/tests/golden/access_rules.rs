//! Access rules: asked for, added and removed.

use protocol::messages::{create_acls, delete_acls, describe_acls};

/// Any rule.
fn any() -> describe_acls::DescribeAclsRequest<'static> {
    describe_acls::DescribeAclsRequest {
        resource_type_filter: 1,
        resource_name_filter: None,
        pattern_type_filter: 1,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    }
}

#[test]
fn what_a_filter_leaves_open_is_null() {
    assert_golden!(any(), 1, "01 ffff 01 ffff ffff 01 01");
    for version in [2, 3] {
        assert_golden!(any(), version, "01 00 01 00 00 01 01 00");
    }
    let one = describe_acls::DescribeAclsRequest {
        resource_type_filter: 2,
        resource_name_filter: Some("t"),
        pattern_type_filter: 3,
        principal_filter: Some("U:a"),
        host_filter: Some("*"),
        operation: 3,
        permission_type: 3,
    };
    assert_golden!(one.clone(), 1, "02 0001 74 03 0003 553a61 0001 2a 03 03");
    assert_golden!(one, 3, "02 02 74 03 04 553a61 02 2a 03 03 00");
}

#[test]
fn rules_stand_under_their_resources() {
    let rule = describe_acls::AclDescription { principal: "U:a", host: "*", operation: 3, permission_type: 2 };
    let resource =
        describe_acls::DescribeAclsResource { resource_type: 2, resource_name: "t", pattern_type: 4, acls: vec![rule] };
    let response =
        describe_acls::DescribeAclsResponse { error_message: None, resources: vec![resource], ..Default::default() };
    assert_golden!(
        response.clone(),
        1,
        "00000000 0000 ffff  00000001 02 0001 74 04  00000001 0003 553a61 0001 2a 03 02"
    );
    assert_golden!(response, 3, "00000000 0000 00  02 02 02 74 04  02 04 553a61 02 2a 03 02 00  00 00");
    let refused =
        describe_acls::DescribeAclsResponse { error_code: 54, error_message: Some("m"), ..Default::default() };
    assert_golden!(refused, 2, "00000000 0036 02 6d 01 00");
}

#[test]
fn added_rules_are_answered_one_by_one() {
    let creation = create_acls::AclCreation {
        resource_type: 2,
        resource_name: "t",
        resource_pattern_type: 3,
        principal: "U:a",
        host: "*",
        operation: 3,
        permission_type: 3,
    };
    let request = create_acls::CreateAclsRequest { creations: vec![creation] };
    assert_golden!(request.clone(), 1, "00000001 02 0001 74 03 0003 553a61 0001 2a 03 03");
    assert_golden!(request, 2, "02 02 02 74 03 04 553a61 02 2a 03 03 00 00");
    let results = vec![
        create_acls::AclCreationResult { error_code: 0, error_message: None },
        create_acls::AclCreationResult { error_code: 54, error_message: Some("m") },
    ];
    let response = create_acls::CreateAclsResponse { results, ..Default::default() };
    assert_golden!(response.clone(), 1, "00000000  00000002 0000 ffff 0036 0001 6d");
    assert_golden!(response, 3, "00000000  03 0000 00 00 0036 02 6d 00  00");
}

#[test]
fn removed_rules_stand_under_their_filters() {
    let filter = delete_acls::DeleteAclsFilter {
        resource_type_filter: 2,
        resource_name_filter: Some("t"),
        pattern_type_filter: 1,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    };
    let request = delete_acls::DeleteAclsRequest { filters: vec![filter] };
    assert_golden!(request.clone(), 1, "00000001 02 0001 74 01 ffff ffff 01 01");
    assert_golden!(request, 2, "02 02 02 74 01 00 00 01 01 00 00");
    let matching = delete_acls::DeleteAclsMatchingAcl {
        error_code: 0,
        error_message: None,
        resource_type: 2,
        resource_name: "t",
        pattern_type: 3,
        principal: "U:a",
        host: "*",
        operation: 3,
        permission_type: 3,
    };
    let result =
        delete_acls::DeleteAclsFilterResult { error_code: 0, error_message: None, matching_acls: vec![matching] };
    let response = delete_acls::DeleteAclsResponse { filter_results: vec![result], ..Default::default() };
    assert_golden!(
        response.clone(),
        1,
        "00000000  00000001 0000 ffff  00000001 0000 ffff 02 0001 74 03 0003 553a61 0001 2a 03 03"
    );
    assert_golden!(response, 3, "00000000  02 0000 00  02 0000 00 02 02 74 03 04 553a61 02 2a 03 03 00  00 00");
}
