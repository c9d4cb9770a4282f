//! Fetch by topic id: a reader of a topic that was deleted and made again notices, and gets no record of the new one for its old place. And
//! of sessions, which this broker does not give.

mod broker;

use broker::requests::{delete_topic, topics};
use broker::{Broker, Client, batch, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData,
};
use uuid::Uuid;

fn id_of(client: &mut Client, name: &str) -> Uuid {
    let found = topics(client).into_iter().find(|topic| topic.0 == name).expect("it is there");
    found.1.parse().expect("an id")
}

/// Error and values of partition 0; the answer names the topic as it was asked for.
fn fetch(client: &mut Client, version: i16, topic_id: Uuid) -> (i16, Vec<(i64, String)>) {
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic_id, partitions: vec![partition], ..Default::default() };
    let frame = client.call(version, &FetchRequest { topics: vec![topic], ..Default::default() });
    let (_, response): (_, FetchResponse<'_>) = decode_response(&frame, ApiKey::Fetch, version).expect("an answer");
    assert_eq!((response.error_code, response.responses[0].topic_id), (0, topic_id));
    let partition = &response.responses[0].partitions[0];
    let bytes = partition.records.as_ref().map(|records| records.slices().collect::<Vec<_>>().concat());
    (partition.error_code, values(&bytes.unwrap_or_default()))
}

#[test]
fn records_are_read_by_the_id_of_their_topic_and_by_no_other() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["old"])).0, 0);
    let old = id_of(&mut client, "t");
    for version in 13..=17 {
        assert_eq!(fetch(&mut client, version, old), (0, vec![(0, "old".to_owned())]), "version {version}");
    }
    let unknown = (ErrorCode::UnknownTopicId.code(), vec![]);
    assert_eq!(fetch(&mut client, 17, Uuid::nil()), unknown);
    assert_eq!(delete_topic(&mut client, "t"), 0);
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["new"])).0, 0);
    assert_eq!(fetch(&mut client, 17, old), unknown);
    let new = id_of(&mut client, "t");
    assert_eq!(fetch(&mut client, 17, new), (0, vec![(0, "new".to_owned())]));
}

#[test]
fn a_session_is_told_only_what_changed_and_an_unknown_one_is_sent_back() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["one"])).0, 0);
    let topic_id = id_of(&mut client, "t");
    let mut ask = |session_id, session_epoch, partitions: &[(i32, i64)], forgotten: &[i32]| {
        let asked = |&(partition, fetch_offset)| FetchPartition {
            partition,
            fetch_offset,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topics =
            vec![FetchTopic { topic_id, partitions: partitions.iter().map(asked).collect(), ..Default::default() }];
        let forgotten_topics_data =
            vec![ForgottenTopic { topic_id, partitions: forgotten.to_vec(), ..Default::default() }];
        let request = FetchRequest {
            session_id,
            session_epoch,
            topics,
            forgotten_topics_data,
            max_bytes: 1 << 20,
            ..Default::default()
        };
        let frame = client.call(17, &request);
        let (_, response): (_, FetchResponse<'_>) = decode_response(&frame, ApiKey::Fetch, 17).expect("an answer");
        let told = response.responses.iter().flat_map(|topic| &topic.partitions);
        let bytes = |told: &PartitionData<'_>| {
            told.records.as_ref().map_or(0, |records| records.slices().map(<[u8]>::len).sum())
        };
        let told: Vec<(i32, bool)> = told.map(|told| (told.partition_index, bytes(told) > 0)).collect();
        (response.error_code, response.session_id, told)
    };
    assert_eq!(ask(0, -1, &[(0, 0)], &[]), (0, 0, vec![(0, true)]));
    let (error, id, told) = ask(7, 0, &[(0, 0), (1, 0)], &[]);
    assert_eq!((error, told), (0, vec![(0, true), (1, false)]));
    assert_ne!(id, 0);
    assert_eq!(ask(id, 1, &[(0, 1)], &[]), (0, id, vec![]), "nothing is new");
    assert_eq!(ask(id, 2, &[(0, 0)], &[]), (0, id, vec![(0, true)]), "it reads again from the beginning");
    assert_eq!(ask(id, 2, &[], &[]), (ErrorCode::InvalidFetchSessionEpoch.code(), 0, vec![]));
    assert_eq!(ask(id, 3, &[], &[0]), (0, id, vec![]), "partition 0 is forgotten");
    assert_eq!(ask(id, -1, &[(0, 0)], &[]), (0, 0, vec![(0, true)]), "the session ends");
    let unknown = ErrorCode::FetchSessionIdNotFound.code();
    assert_eq!([ask(id, 4, &[], &[]), ask(0, 5, &[], &[])], [(unknown, 0, vec![]), (unknown, 0, vec![])]);
}
