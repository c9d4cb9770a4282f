//! Several listeners, IPv4 and IPv6, on ports that the system chose: a client is told the address of the listener that it came through.

mod broker;

use std::net::{SocketAddr, TcpListener};

use broker::{Broker, Client, batch};
use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataResponse};

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: this machine has no IPv6");
    }
    has
}

/// The real addresses, in the order of the configuration, as the start block has them.
fn addresses(broker: &Broker) -> Vec<SocketAddr> {
    let log = broker.log();
    let lines = log.lines().filter_map(|line| line.trim().strip_prefix("listening on"));
    let address = |line: &str| line.split_whitespace().next().expect("a word").parse().expect("an address");
    lines.map(address).collect()
}

/// Host and port that each API with an address in it names; they must agree.
fn told(address: SocketAddr) -> (String, i32) {
    let mut client = Client::connect(address);
    let frame = client.call(12, &MetadataRequest { topics: None, ..Default::default() });
    let (_, response): (_, MetadataResponse<'_>) = decode_response(&frame, ApiKey::Metadata, 12).expect("an answer");
    let told = (response.brokers[0].host.to_owned(), response.brokers[0].port);

    let frame = client.call(4, &FindCoordinatorRequest { coordinator_keys: vec!["g"], ..Default::default() });
    let (_, response): (_, FindCoordinatorResponse<'_>) =
        decode_response(&frame, ApiKey::FindCoordinator, 4).expect("an answer");
    let coordinator = &response.coordinators[0];
    assert_eq!((coordinator.host, coordinator.port), (told.0.as_str(), told.1));

    let frame = client.call(0, &DescribeClusterRequest::default());
    let (_, response): (_, DescribeClusterResponse<'_>) =
        decode_response(&frame, ApiKey::DescribeCluster, 0).expect("an answer");
    assert_eq!((response.brokers[0].host, response.brokers[0].port), (told.0.as_str(), told.1));
    told
}

#[test]
fn each_listener_tells_its_own_advertised_address() {
    let mut listeners = "listeners=IN://127.0.0.1:0,OUT://127.0.0.1:0,NAMED://127.0.0.1:0".to_owned();
    let mut advertised = "advertised.listeners=OUT://outside.example:19092,NAMED://named.example:0".to_owned();
    let has_ipv6 = has_ipv6();
    if has_ipv6 {
        listeners.push_str(",SIX://[::1]:0,SIXOUT://[::1]:0");
        advertised.push_str(",SIXOUT://[2001:db8::7]:29092");
    }
    let broker = Broker::start(&[&listeners, &advertised]);
    let addresses = addresses(&broker);
    assert_eq!(addresses.len(), if has_ipv6 { 5 } else { 3 });
    assert!(addresses.iter().all(|address| address.port() != 0));
    assert_eq!(addresses[0], broker.address, "the ready file has the first");
    let port = |at: usize| i32::from(addresses[at].port());

    assert_eq!(told(addresses[0]), ("127.0.0.1".to_owned(), port(0)), "not advertised: the one that was used");
    assert_eq!(told(addresses[1]), ("outside.example".to_owned(), 19092));
    assert_eq!(told(addresses[2]), ("named.example".to_owned(), port(2)), "port 0 is the port that was bound");
    if has_ipv6 {
        // The protocol has no brackets around hosts.
        assert_eq!(told(addresses[3]), ("::1".to_owned(), port(3)));
        assert_eq!(told(addresses[4]), ("2001:db8::7".to_owned(), 29092));
        assert!(broker.log().contains("SIXOUT://[2001:db8::7]:29092"));
    }
}

#[test]
fn all_listeners_serve_the_same_broker() {
    let listeners =
        if has_ipv6() { "listeners=A://127.0.0.1:0,B://[::1]:0" } else { "listeners=A://127.0.0.1:0,B://127.0.0.1:0" };
    let broker = Broker::start(&[listeners]);
    let mut clients: Vec<Client> = addresses(&broker).into_iter().map(Client::connect).collect();
    assert_eq!(clients[0].create_topic("t", 1, &[]), 0);
    for (offset, client) in (0..).zip(&mut clients) {
        assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, offset));
    }
    assert_eq!(clients[0].fetch("t", 0, 0).1, 2);
}

#[test]
fn a_broker_on_ipv6_alone_is_ready_at_an_address_in_brackets() {
    if !has_ipv6() {
        return;
    }
    let broker = Broker::start(&["listeners=[::1]:0"]);
    // The helper has parsed the ready file's `[::1]:port`.
    assert!(broker.address.is_ipv6());
    assert_eq!(told(broker.address), ("::1".to_owned(), i32::from(broker.address.port())));
}
