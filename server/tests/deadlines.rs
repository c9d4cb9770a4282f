//! A client that is too slow loses its own connection, and nobody else's.

mod broker;

use broker::{Broker, Client, FETCH, batch, fetch_request, fetched, values};

/// A broker with topic `t`, and a client that waits for records there all the time.
fn with_waiting_bystander(settings: &[&str], misbehave: impl FnOnce(&Broker)) {
    let broker = Broker::start(settings);
    assert_eq!(broker.connect().create_topic("t", 1, &[]), 0);
    let mut bystander = broker.connect();
    bystander.send(FETCH, &fetch_request("t", 0, 0, 250_000));
    misbehave(&broker);
    assert_eq!(broker.connect().produce("t", 0, &batch(&["after"])), (0, 0));
    let (error, _, bytes) = fetched(&bystander.receive().expect("its connection has outlived the other's"));
    assert_eq!((error, values(&bytes)), (0, vec![(0, "after".to_owned())]));
}

fn wait_for_close(broker: &Broker, client: &Client, reason: &str) {
    broker.wait_for_log(&[&client.local_address().to_string(), reason]);
}

#[test]
fn half_a_frame_and_silence_is_closed_at_the_frame_deadline() {
    with_waiting_bystander(&["posthaste.frame.deadline.ms=300"], |broker| {
        let mut in_length = broker.connect();
        in_length.send_raw(&[0, 0]);
        let mut in_body = broker.connect();
        in_body.send_raw(&100_i32.to_be_bytes());
        in_body.send_raw(&[0; 10]);
        for client in [&mut in_length, &mut in_body] {
            assert!(client.is_closed());
            wait_for_close(broker, client, "posthaste.frame.deadline.ms");
        }
    });
}

#[test]
fn a_silent_client_is_closed_at_the_idle_deadline_and_one_that_waits_for_an_answer_is_not() {
    with_waiting_bystander(&["connections.max.idle.ms=300"], |broker| {
        let mut silent = broker.connect();
        assert!(silent.is_closed());
        wait_for_close(broker, &silent, "connections.max.idle.ms");
    });
}

#[test]
fn a_client_that_takes_no_answers_is_closed_at_the_stall_deadline() {
    with_waiting_bystander(&["posthaste.write.stall.deadline.ms=300"], |broker| {
        let mut other = broker.connect();
        assert_eq!(other.create_topic("large", 1, &[]), 0);
        assert_eq!(other.produce("large", 0, &batch(&[&"x".repeat(900_000)])), (0, 0));
        let mut stalled = broker.connect();
        // More than the socket buffers of both sides hold.
        for _ in 0..100 {
            stalled.send(FETCH, &fetch_request("large", 0, 0, 0));
        }
        wait_for_close(broker, &stalled, "it does not take its answers");
        assert!(stalled.drain(), "the socket is closed, not only forgotten");
        assert_eq!(other.fetch("large", 0, 0).0, 0);
    });
}
