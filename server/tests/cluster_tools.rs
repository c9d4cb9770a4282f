//! What Kafka's own tools ask of a cluster whose partitions have one replica each: elections, reassignments, and lists of what there is.

mod broker;

use broker::{Broker, Client};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::elect_leaders::{ElectLeadersRequest, ElectLeadersResponse, ElectLeadersTopicPartitions};
/// Code of the whole, and topic, partition and code of each.
type Elected = (i16, Vec<(String, i32, i16)>);

fn elect(client: &mut Client, version: i16, election_type: i8, asked: Option<&[(&str, &[i32])]>) -> Elected {
    let topic_partitions = asked.map(|topics| {
        let topics = topics.iter();
        topics
            .map(|(topic, partitions)| ElectLeadersTopicPartitions { topic, partitions: partitions.to_vec() })
            .collect()
    });
    let frame = client.call(version, &ElectLeadersRequest { election_type, topic_partitions, ..Default::default() });
    let (_, response): (_, ElectLeadersResponse<'_>) =
        decode_response(&frame, ApiKey::ElectLeaders, version).expect("an answer");
    let results = response.replica_election_results.iter().flat_map(|topic| {
        topic.partition_result.iter().map(|result| (topic.topic.to_owned(), result.partition_id, result.error_code))
    });
    (response.error_code, results.collect())
}

#[test]
fn the_one_replica_leads_already_and_what_is_not_there_is_unknown() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let (valid, unknown) = (ErrorCode::ElectionNotNeeded.code(), ErrorCode::UnknownTopicOrPartition.code());
    let asked: &[(&str, &[i32])] = &[("t", &[1, 2, -1]), ("none", &[0])];
    let expected = [("t", 1, valid), ("t", 2, unknown), ("t", -1, unknown), ("none", 0, unknown)]
        .map(|(topic, partition, code)| (topic.to_owned(), partition, code));
    for (version, election_type) in [(0, 0), (1, 0), (2, 1)] {
        assert_eq!(elect(&mut client, version, election_type, Some(asked)), (0, expected.to_vec()));
        assert_eq!(elect(&mut client, version, election_type, None), (0, vec![]), "none of all needs one");
    }
    let invalid = ErrorCode::InvalidRequest.code();
    let refused = vec![("t".to_owned(), 0, invalid)];
    assert_eq!(elect(&mut client, 2, 7, Some(&[("t", &[0])])), (invalid, refused));
    let many = vec![0; 50_001];
    assert_eq!(elect(&mut client, 2, 0, Some(&[("t", &many)])), (ErrorCode::PolicyViolation.code(), vec![]));
}
