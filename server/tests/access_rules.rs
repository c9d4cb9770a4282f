//! Access rules without an authorizer: every request about them is refused in Kafka's words, one by one, and nothing else changes.

mod broker;

use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::create_acls::{AclCreation, CreateAclsRequest, CreateAclsResponse};
use protocol::messages::delete_acls::{DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse};
use protocol::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};

fn rule() -> AclCreation<'static> {
    AclCreation {
        resource_type: 2,
        resource_name: "t",
        resource_pattern_type: 3,
        principal: "User:a",
        host: "*",
        operation: 3,
        permission_type: 3,
    }
}

/// Any rule.
fn filter() -> DeleteAclsFilter<'static> {
    DeleteAclsFilter {
        resource_type_filter: 1,
        resource_name_filter: None,
        pattern_type_filter: 1,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    }
}

fn question() -> DescribeAclsRequest<'static> {
    let any = filter();
    DescribeAclsRequest {
        resource_type_filter: any.resource_type_filter,
        pattern_type_filter: any.pattern_type_filter,
        operation: any.operation,
        permission_type: any.permission_type,
        ..Default::default()
    }
}

/// Codes and words of the rules that were to be added.
fn added(client: &mut Client, version: i16, creations: Vec<AclCreation<'_>>) -> Vec<(i16, Option<String>)> {
    let frame = client.call(version, &CreateAclsRequest { creations });
    let (_, response): (_, CreateAclsResponse<'_>) =
        decode_response(&frame, ApiKey::CreateAcls, version).expect("an answer");
    response.results.iter().map(|one| (one.error_code, one.error_message.map(str::to_owned))).collect()
}

/// Codes and words of the filters whose rules were to be removed.
fn removed(client: &mut Client, version: i16, filters: Vec<DeleteAclsFilter<'_>>) -> Vec<(i16, Option<String>)> {
    let frame = client.call(version, &DeleteAclsRequest { filters });
    let (_, response): (_, DeleteAclsResponse<'_>) =
        decode_response(&frame, ApiKey::DeleteAcls, version).expect("an answer");
    assert!(response.filter_results.iter().all(|one| one.matching_acls.is_empty()));
    response.filter_results.iter().map(|one| (one.error_code, one.error_message.map(str::to_owned))).collect()
}

#[test]
fn each_is_refused_in_the_words_of_a_kafka_without_an_authorizer() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let refused = |count| vec![(54, Some("No Authorizer is configured.".to_owned())); count];
    for version in 1..=3 {
        let frame = client.call(version, &question());
        let (_, response): (_, DescribeAclsResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeAcls, version).expect("an answer");
        let words = Some("No Authorizer is configured on the broker");
        assert_eq!((response.error_code, response.error_message, response.resources), (54, words, vec![]));
        for count in [0, 1, 3] {
            assert_eq!(added(&mut client, version, vec![rule(); count]), refused(count));
            assert_eq!(removed(&mut client, version, vec![filter(); count]), refused(count));
        }
    }
    assert_eq!(client.create_topic("t", 1, &[]), 0, "it goes on");
}

#[test]
fn of_very_many_each_is_told_the_code_alone() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let many = 10_001;
    assert_eq!(added(&mut client, 3, vec![rule(); many]), vec![(54, None); many]);
    assert_eq!(removed(&mut client, 3, vec![filter(); many]), vec![(54, None); many]);
}

#[test]
fn an_element_that_calls_itself_unknown_closes_the_connection() {
    let broker = Broker::start(&[]);
    let spoil_rule: [fn(&mut AclCreation<'_>); 4] = [
        |rule| rule.resource_type = 0,
        |rule| rule.resource_pattern_type = 0,
        |rule| rule.operation = 0,
        |rule| rule.permission_type = 0,
    ];
    for spoil in spoil_rule {
        let mut client = broker.connect();
        let mut spoiled = rule();
        spoil(&mut spoiled);
        client.send(3, &CreateAclsRequest { creations: vec![rule(), spoiled] });
        assert!(client.is_closed());
    }
    let spoil_filter: [fn(&mut DeleteAclsFilter<'_>); 4] = [
        |filter| filter.resource_type_filter = 0,
        |filter| filter.pattern_type_filter = 0,
        |filter| filter.operation = 0,
        |filter| filter.permission_type = 0,
    ];
    for spoil in spoil_filter {
        let mut client = broker.connect();
        let mut spoiled = filter();
        spoil(&mut spoiled);
        client.send(3, &DeleteAclsRequest { filters: vec![filter(), spoiled] });
        assert!(client.is_closed());
    }
    let mut client = broker.connect();
    client.send(3, &DescribeAclsRequest { operation: 0, ..question() });
    assert!(client.is_closed());
    broker.wait_for_log(&["an access rule has an unknown element"]);
}
