//! Claims about `--listeners per-core`: every shard is a node, its requests stay on its core, and clients with old metadata find the new leader.

mod broker;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use broker::requests::{commit, committed};
use broker::{Broker, Client, batch, values};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

const PER_CORE: &str = "posthaste.listeners=per-core";
const SHARED: &str = "posthaste.listeners=shared";
/// The records of tests are old.
const KEPT: &[(&str, &str)] = &[("retention.ms", "-1")];

/// What Metadata says: the nodes, and leader and epoch of every partition of a topic.
#[derive(PartialEq, Eq, Debug)]
struct Cluster {
    nodes: Vec<(i32, SocketAddr)>,
    controller: i32,
    leaders: Vec<i32>,
    epochs: Vec<i32>,
}

fn cluster(client: &mut Client, topic: &str) -> Cluster {
    let topics = vec![MetadataRequestTopic { name: Some(topic), ..Default::default() }];
    let frame = client.call(12, &MetadataRequest { topics: Some(topics), ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    let nodes = response.brokers.iter().map(|node| (node.node_id, address(node.host, node.port))).collect();
    let mut partitions: Vec<_> = response.topics[0].partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    for partition in &partitions {
        assert_eq!(
            (&partition.replica_nodes, &partition.isr_nodes),
            (&vec![partition.leader_id], &vec![partition.leader_id])
        );
    }
    Cluster {
        nodes,
        controller: response.controller_id,
        leaders: partitions.iter().map(|partition| partition.leader_id).collect(),
        epochs: partitions.iter().map(|partition| partition.leader_epoch).collect(),
    }
}

fn address(host: &str, port: i32) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), u16::try_from(port).expect("a port"))
}

/// A connection to each node.
fn clients(broker: &Broker) -> BTreeMap<i32, Client> {
    broker.nodes.iter().map(|(id, address)| (*id, Client::connect(*address))).collect()
}

fn coordinator(client: &mut Client, group: &str) -> (i32, SocketAddr) {
    let frame = client.call(4, &FindCoordinatorRequest { coordinator_keys: vec![group], ..Default::default() });
    let (_, response): (_, FindCoordinatorResponse<'_>) =
        decode_response(&frame, ApiKey::FindCoordinator, 4).expect("an answer");
    let found = &response.coordinators[0];
    assert_eq!(found.error_code, 0);
    (found.node_id, address(found.host, found.port))
}

fn latest(client: &mut Client, topic: &str, partition: i32) -> (i16, i64) {
    let partitions = vec![ListOffsetsPartition { partition_index: partition, current_leader_epoch: -1, timestamp: -1 }];
    let topics = vec![ListOffsetsTopic { name: topic, partitions }];
    let frame = client.call(7, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() });
    let (_, response): (_, ListOffsetsResponse<'_>) =
        decode_response(&frame, ApiKey::ListOffsets, 7).expect("an answer");
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset)
}

fn groups(client: &mut Client) -> Vec<String> {
    let frame = client.call(4, &ListGroupsRequest::default());
    let (_, response): (_, ListGroupsResponse<'_>) = decode_response(&frame, ApiKey::ListGroups, 4).expect("an answer");
    assert_eq!(response.error_code, 0);
    response.groups.iter().map(|group| group.group_id.to_owned()).collect()
}

#[test]
fn every_shard_is_a_node_that_leads_its_share_and_refuses_the_others() {
    let broker = Broker::start(&[PER_CORE, "node.id=5", "posthaste.shards=3"]);
    let mut clients = clients(&broker);
    assert_eq!(clients.keys().copied().collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(clients.get_mut(&6).expect("a node").create_topic("t", 6, KEPT), 0);
    for client in clients.values_mut() {
        let seen = cluster(client, "t");
        assert_eq!((&seen.nodes, seen.controller), (&broker.nodes, 5));
        let mut leaders = seen.leaders.clone();
        leaders.sort_unstable();
        assert_eq!(leaders, [5, 5, 6, 6, 7, 7]);
        let frame = client.call(0, &DescribeClusterRequest::default());
        let (_, described): (_, DescribeClusterResponse<'_>) =
            decode_response(&frame, ApiKey::DescribeCluster, 0).expect("an answer");
        let described: Vec<_> =
            described.brokers.iter().map(|node| (node.broker_id, address(node.host, node.port))).collect();
        assert_eq!(described, broker.nodes);
    }
    let refused = ErrorCode::NotLeaderOrFollower.code();
    let leaders = cluster(clients.get_mut(&5).expect("a node"), "t").leaders;
    for (partition, leader) in (0..).zip(leaders) {
        for (id, client) in &mut clients {
            let expected = if *id == leader { 0 } else { refused };
            assert_eq!(client.produce("t", partition, &batch(&["a"])).0, expected);
            assert_eq!(latest(client, "t", partition).0, expected);
            let (error, _, records) = client.fetch("t", partition, 0);
            assert_eq!(error, expected);
            assert_eq!(values(&records).len(), usize::from(error == 0));
        }
    }
}

#[test]
fn a_group_is_coordinated_by_the_node_of_its_shard_and_listed_there_only() {
    let broker = Broker::start(&[PER_CORE]);
    let mut clients = clients(&broker);
    assert_eq!(clients.get_mut(&1).expect("a node").create_topic("t", 1, KEPT), 0);
    let names: Vec<String> = (0..10).map(|number| format!("g{number}")).collect();
    let mut coordinated: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for name in &names {
        let found = coordinator(clients.get_mut(&1).expect("a node"), name);
        assert_eq!(coordinator(clients.get_mut(&2).expect("a node"), name), found);
        assert!(broker.nodes.contains(&found));
        for (id, client) in &mut clients {
            let expected = if *id == found.0 { 0 } else { ErrorCode::NotCoordinator.code() };
            assert_eq!(commit(client, name, 0, 7, ""), expected);
        }
        assert_eq!(committed(clients.get_mut(&found.0).expect("a node"), name), [(0, 7, String::new())]);
        coordinated.entry(found.0).or_default().push(name.clone());
    }
    assert_eq!(coordinated.len(), 2, "ten groups on two nodes");
    for (id, client) in &mut clients {
        let mut listed = groups(client);
        listed.sort();
        assert_eq!(&listed, &coordinated[id]);
    }
}

/// What the broker says at its stop.
fn requests_between_shards(broker: &mut Broker) -> u64 {
    assert_eq!(broker.terminate().code(), Some(0));
    let log = broker.log();
    let line = log.lines().rfind(|line| line.contains("requests_between_shards=")).expect("a line at the stop");
    let count = line.split("requests_between_shards=").nth(1).expect("a count").split_whitespace().next();
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

/// Produces, reads, asks for offsets and commits, each at the leader, or all at the one node.
fn work(broker: &Broker) {
    let mut clients = clients(broker);
    let leaders = cluster(clients.values_mut().next().expect("a node"), "t").leaders;
    for round in 0..20 {
        for (partition, leader) in (0..).zip(&leaders) {
            let client = clients.get_mut(leader).expect("a node");
            assert_eq!(client.produce("t", partition, &batch(&["a"])).0, 0);
            assert_eq!(client.fetch("t", partition, round).0, 0);
            assert_eq!(latest(client, "t", partition).0, 0);
        }
        for group in ["g0", "g1", "g2", "g3"] {
            let (id, _) = coordinator(clients.values_mut().next().expect("a node"), group);
            let client = clients.get_mut(&id).expect("a node");
            assert_eq!(commit(client, group, 0, round, ""), 0);
            assert_eq!(committed(client, group)[0].1, round);
        }
    }
}

#[test]
fn the_hot_path_never_crosses_cores() {
    // The catalog goes to every shard at a start, whatever comes then: what is compared are two lives of the same directory.
    let crossed = [PER_CORE, SHARED].map(|mode| {
        let mut broker = Broker::start(&[mode]);
        assert_eq!(broker.connect().create_topic("t", 4, KEPT), 0);
        work(&broker);
        broker.stop_and_restart();
        let mut first = broker.connect();
        cluster(&mut first, "t");
        drop(first);
        let idle = requests_between_shards(&mut broker);
        broker.start_again();
        work(&broker);
        requests_between_shards(&mut broker) - idle
    });
    assert_eq!(crossed[0], 0, "with a node a shard");
    assert!(crossed[1] > 100, "the count counts");
}

#[test]
fn leader_epochs_rise_when_the_mode_changes_and_the_records_stay() {
    let mut broker = Broker::start(&[SHARED]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, KEPT), 0);
    for partition in 0..2 {
        assert_eq!(client.produce("t", partition, &batch(&["a", "b"])), (0, 0));
    }
    let before = cluster(&mut client, "t");
    assert_eq!((&before.leaders, &before.nodes), (&vec![1, 1], &vec![(1, broker.address)]));
    broker.stop_and_restart();
    assert_eq!(cluster(&mut broker.connect(), "t").epochs, before.epochs, "a restart changes no leader");

    broker.restart_with(&[PER_CORE]);
    let apart = cluster(&mut broker.connect(), "t");
    assert_eq!(apart.leaders, [1, 2]);
    let higher = |old: &Cluster, new: &Cluster| old.epochs.iter().zip(&new.epochs).all(|(old, new)| new > old);
    assert!(higher(&before, &apart), "{before:?} {apart:?}");
    let mut clients = clients(&broker);
    for (partition, leader) in (0..).zip(&apart.leaders) {
        let client = clients.get_mut(leader).expect("a node");
        assert_eq!(values(&client.fetch("t", partition, 0).2).len(), 2);
        assert_eq!(client.produce("t", partition, &batch(&["c"])), (0, 2));
    }
    broker.kill_and_restart();
    broker.restart_with(&[SHARED]);
    let mut client = broker.connect();
    let together = cluster(&mut client, "t");
    assert_eq!(together.leaders, [1, 1]);
    assert!(higher(&apart, &together), "{apart:?} {together:?}");
    for partition in 0..2 {
        assert_eq!(values(&client.fetch("t", partition, 0).2).len(), 3);
    }
}

#[test]
fn a_directory_with_more_or_fewer_shards_than_cores_serves_all_of_them() {
    for (shards, pinned) in [("posthaste.shards=1", 1), ("posthaste.shards=8", 8)] {
        let mut broker = Broker::start(&[shards, "posthaste.pin=true"]);
        let mut client = broker.connect();
        assert_eq!(client.create_topic("t", 16, KEPT), 0);
        for partition in 0..16 {
            assert_eq!(client.produce("t", partition, &batch(&["a"])), (0, 0));
        }
        // The number is the directory's: what is asked for now does not matter.
        broker.restart_with(&["posthaste.shards=3", PER_CORE, "posthaste.pin=true"]);
        assert_eq!(broker.nodes.len(), pinned);
        let mut clients = clients(&broker);
        let leaders = cluster(clients.get_mut(&1).expect("a node"), "t").leaders;
        for (partition, leader) in (0..).zip(&leaders) {
            let client = clients.get_mut(leader).expect("a node");
            assert_eq!(values(&client.fetch("t", partition, 0).2), [(0, "a".to_owned())]);
            assert_eq!(client.produce("t", partition, &batch(&["b"])), (0, 1));
        }
    }
}

#[test]
fn ports_follow_the_first_and_so_do_advertised_ones() {
    // Below the ports that the system gives to others.
    let own = 10_000 + (std::process::id() % 20_000) as u16;
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let base = (own..32_000).find(|port| is_free(*port) && is_free(*port + 1)).expect("two free ports in a row");
    let listeners = format!("listeners=127.0.0.1:{base}");
    let broker = Broker::start(&[PER_CORE, &listeners, "advertised.listeners=10.1.2.3:19092"]);
    let ports: Vec<u16> = broker.nodes.iter().map(|(_, address)| address.port()).collect();
    assert_eq!(ports, [base, base + 1]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, KEPT), 0);
    let nodes = cluster(&mut client, "t").nodes;
    let advertised: Vec<_> = nodes.iter().map(|(id, address)| format!("{id} {address}")).collect();
    assert_eq!(advertised, ["1 10.1.2.3:19092", "2 10.1.2.3:19093"]);
}
