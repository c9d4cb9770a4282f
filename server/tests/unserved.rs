//! A client that speaks a version which is not served is said once, by name and address, with what is served; and every time it is turned away.

mod broker;

use broker::{Broker, Client, batch};

/// A frame of this API and version by this name, and how the broker ends the connection; gives the client's address.
fn turned_away(broker: &Broker, key: i16, version: i16, name: &str) -> String {
    let mut client = broker.connect();
    let length = (name.len() as i16).to_be_bytes();
    let parts = [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &length, name.as_bytes()];
    client.send_frame(&parts.concat());
    assert!(client.is_closed(), "{key} {version}");
    let address = client.local_address().to_string();
    broker.wait_for_log(&[&address, "is not supported"]);
    address
}

fn warnings(broker: &Broker, name: &str) -> Vec<String> {
    let log = broker.log();
    log.lines().filter(|line| line.contains("WARN") && line.contains(name)).map(str::to_owned).collect()
}

#[test]
fn an_old_client_is_named_once_with_what_is_served() {
    let broker = Broker::start(&["posthaste.shards=2"]);
    // Connections are dealt to all shards: what one has said the others know.
    let addresses: Vec<String> = (0..4).map(|_| turned_away(&broker, 1, 2, "old-reader")).collect();
    let lines = warnings(&broker, "old-reader");
    let [line] = &lines[..] else { panic!("once, not {lines:?}") };
    assert!(line.contains(&addresses[0]) && line.contains("Fetch is served from 4 to 17"), "{line}");
    turned_away(&broker, 0, 2, "old-writer");
    turned_away(&broker, 999, 0, "odd");
    assert!(warnings(&broker, "old-writer")[0].contains("Produce is served from 3 to"));
    assert!(
        warnings(&broker, "odd")[0].contains("api key 999 version 0 is not supported, the api does not exist here")
    );
}

#[test]
fn a_newer_client_that_asks_for_versions_is_answered_and_named_once() {
    let broker = Broker::start(&[]);
    let ask = |client: &mut Client| {
        let parts =
            [&18_i16.to_be_bytes()[..], &99_i16.to_be_bytes(), &7_i32.to_be_bytes(), &3_i16.to_be_bytes(), b"new"];
        client.send_frame(&parts.concat());
        let answer = client.receive().expect("an answer");
        assert_eq!((&answer[..4], &answer[4..6]), (&7_i32.to_be_bytes()[..], &35_i16.to_be_bytes()[..]));
    };
    let mut client = broker.connect();
    for _ in 0..3 {
        ask(&mut client);
    }
    assert_eq!(client.create_topic("t", 1, &[]), 0, "it goes on with what it was told");
    assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, 0));
    let log = broker.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("ApiVersions is served from 0 to 4")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("new") && said[0].contains(&client.local_address().to_string()), "{}", said[0]);
}
