//! Requests of administrators that name a thing twice, wrongly, or want to know what they may do: the answers are Kafka's.

mod broker;

use broker::Broker;
use broker::requests::commit;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};

#[test]
fn a_topic_that_is_asked_for_twice_is_not_made_and_answered_once() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    let topic = |name| CreatableTopic { name, num_partitions: 1, replication_factor: 1, ..Default::default() };
    let mut create = |names: &[&'static str]| -> Vec<(String, i16)> {
        let topics = names.iter().map(|name| topic(name)).collect();
        let frame = client.call(7, &CreateTopicsRequest { topics, ..Default::default() });
        let (_, response): (_, CreateTopicsResponse<'_>) =
            decode_response(&frame, ApiKey::CreateTopics, 7).expect("an answer");
        response.topics.iter().map(|topic| (topic.name.to_owned(), topic.error_code)).collect()
    };
    let twice = ErrorCode::InvalidRequest.code();
    let expected = [("second".to_owned(), 0), ("first".to_owned(), twice)];
    assert_eq!(create(&["first", "second", "first"]), expected);
    assert_eq!(create(&["first"]), [("first".to_owned(), 0)]);
    let mut client = broker.connect();
    commit(&mut client, "g", 0, 1, "");
    let internal = client.create_topic("__consumer_offsets", 1, &[]);
    assert_eq!(internal, ErrorCode::TopicAlreadyExists.code(), "the broker has made it");
    let frame = client.call(2, &DeleteGroupsRequest { groups_names: vec!["none", "none"] });
    let (_, response): (_, DeleteGroupsResponse<'_>) =
        decode_response(&frame, ApiKey::DeleteGroups, 2).expect("an answer");
    assert_eq!(response.results.len(), 1);
}
