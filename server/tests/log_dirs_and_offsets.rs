//! What administrators ask of partitions and groups: how much room a partition takes, and that a group forget where it was.

mod broker;

use broker::requests::{commit, committed};
use broker::{Broker, Client, batch};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
};

/// Partition and bytes of topic `t`, and whether the disk's room is told.
fn sizes(client: &mut Client, asked: Option<Vec<i32>>) -> (Vec<(i32, i64)>, bool) {
    let topics = asked.map(|partitions| vec![DescribableLogDirTopic { topic: "t", partitions }]);
    let frame = client.call(4, &DescribeLogDirsRequest { topics });
    let (_, response): (_, DescribeLogDirsResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeLogDirs, 4).expect("an answer");
    let [directory] = response.results.as_slice() else { panic!("one directory: {response:?}") };
    assert_eq!((response.error_code, directory.error_code), (0, 0));
    let topics = directory.topics.iter().filter(|topic| topic.name == "t");
    let partitions = topics.flat_map(|topic| &topic.partitions);
    let sizes = partitions.map(|partition| (partition.partition_index, partition.partition_size));
    (sizes.collect(), directory.total_bytes > 0 && directory.usable_bytes > 0)
}

#[test]
fn a_partition_takes_the_bytes_of_its_batches_also_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 3, &[]), 0);
    assert_eq!(client.create_topic("other", 1, &[]), 0);
    let records = batch(&["one", "two"]);
    for _ in 0..3 {
        assert_eq!(client.produce("t", 1, &records).0, 0);
    }
    let bytes = records.len() as i64 * 3;
    let expected = vec![(0, 0), (1, bytes), (2, 0)];
    assert_eq!(sizes(&mut client, None), (expected.clone(), true));
    assert_eq!(sizes(&mut client, Some(vec![1, 1, 9])).0, [(1, bytes)], "once, and only what is there");
    broker.kill_and_restart();
    assert_eq!(sizes(&mut broker.connect(), None).0, expected);
}

/// Code of the whole and of each partition.
fn forget(client: &mut Client, group: &str, partitions: &[i32]) -> (i16, Vec<i16>) {
    let partitions = partitions.iter().map(|&partition_index| OffsetDeleteRequestPartition { partition_index });
    let topics = vec![OffsetDeleteRequestTopic { name: "t", partitions: partitions.collect() }];
    let frame = client.call(0, &OffsetDeleteRequest { group_id: group, topics });
    let (_, response): (_, OffsetDeleteResponse<'_>) =
        decode_response(&frame, ApiKey::OffsetDelete, 0).expect("an answer");
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    (response.error_code, partitions.map(|partition| partition.error_code).collect())
}

#[test]
fn a_group_forgets_single_partitions_for_good() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    assert_eq!((commit(&mut client, "g", 0, 5, "a"), commit(&mut client, "g", 1, 6, "b")), (0, 0));
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(forget(&mut client, "g", &[0, 7, 0]), (0, vec![0, unknown, 0]));
    let left = vec![(1, 6, "b".to_owned())];
    assert_eq!(committed(&mut client, "g"), left);
    broker.kill_and_restart();
    let mut client = broker.connect();
    assert_eq!(committed(&mut client, "g"), left);
    let topics = vec![OffsetDeleteRequestTopic { name: "t", partitions: vec![] }];
    let frame = client.call(0, &OffsetDeleteRequest { group_id: "g", topics });
    let (_, response): (_, OffsetDeleteResponse<'_>) =
        decode_response(&frame, ApiKey::OffsetDelete, 0).expect("an answer");
    assert_eq!((response.error_code, response.topics.len()), (0, 0), "nothing was asked of it");
    assert_eq!(forget(&mut client, "nobody", &[0]), (ErrorCode::GroupIdNotFound.code(), vec![]));
}

#[test]
fn special_times_are_known_from_their_version_on() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    assert_eq!(client.produce("t", 0, &batch(&["one", "two"])).0, 0);
    let mut find = |version, timestamp| {
        let partitions = vec![ListOffsetsPartition { timestamp, ..Default::default() }];
        let topics = vec![ListOffsetsTopic { name: "t", partitions }];
        let frame = client.call(version, &ListOffsetsRequest { topics, ..Default::default() });
        let (_, response): (_, ListOffsetsResponse<'_>) =
            decode_response(&frame, ApiKey::ListOffsets, version).expect("an answer");
        let found = &response.topics[0].partitions[0];
        (found.error_code, found.offset, found.leader_epoch >= 0)
    };
    let unsupported = (ErrorCode::UnsupportedVersion.code(), -1, false);
    assert_eq!((find(10, -1), find(10, -2), find(10, -4)), ((0, 2, true), (0, 0, true), (0, 0, true)));
    assert_eq!(find(9, -5), (0, -1, false), "nothing is stored elsewhere");
    assert_eq!([find(6, -3), find(7, -4), find(8, -5), find(10, -6)], [unsupported; 4]);
}

#[test]
fn metadata_of_the_newest_version_has_no_error_of_its_own() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let frame = client.call(13, &MetadataRequest { topics: None, ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 13).expect("an answer");
    assert_eq!((response.error_code, response.topics.len()), (0, 1));
}
