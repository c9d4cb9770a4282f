//! Transactions over real sockets: what readers see, who is fenced, what time does.

mod broker;

use std::time::Instant;

use broker::configs::{BROKER, SET, alter};
use broker::requests::find_offset;
use broker::transactions::{
    PATIENCE, Producer, TIMEOUT_MS, answer, fetch_committed, headers, init_once, produce_as, receive_committed,
    send_fetch_committed, status, transactional_batch, until_settled,
};
use broker::{Broker, batch, idempotent_batch, values};
use protocol::error_code::ErrorCode;
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeProducersTopic,
};
use protocol::messages::describe_transactions::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse};
use protocol::record_batch::ProducerFields;

const NONE: [(i64, String); 0] = [];

fn named(of: &[(i64, &str)]) -> Vec<(i64, String)> {
    of.iter().map(|(offset, value)| (*offset, (*value).to_owned())).collect()
}

fn latest(client: &mut broker::Client, topic: &str, isolation_level: i8, timestamp: i64) -> i64 {
    let partitions = vec![ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp }];
    let topics = vec![ListOffsetsTopic { name: topic, partitions }];
    let frame = client.call(7, &ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..Default::default() });
    let response: ListOffsetsResponse<'_> = answer(&frame, 7);
    response.topics[0].partitions[0].offset
}

#[test]
fn a_transaction_is_seen_as_a_whole_when_it_is_committed_and_not_at_all_when_it_is_aborted() {
    let broker = Broker::start(&[]);
    let mut reader = broker.connect();
    // Partitions of both shards.
    for topic in ["t", "u"] {
        assert_eq!(reader.create_topic(topic, 2, &[]), 0);
    }
    let mut producer = Producer::start(&broker, "orders");
    assert_eq!(producer.epoch, 0);
    for (topic, partition) in [("t", 0), ("t", 1), ("u", 0), ("u", 1)] {
        assert_eq!(producer.write(topic, partition, &["a", "b"]), 0);
        assert_eq!(reader.fetch(topic, partition, 0).1, 2, "whoever reads everything sees it at once");
        let seen = fetch_committed(&mut reader, topic, partition, 0, 0);
        assert_eq!((seen.high_watermark, seen.last_stable_offset, &seen.values[..]), (2, 0, &NONE[..]));
    }
    assert_eq!(status(&mut reader, "orders").as_deref(), Ok("Ongoing"));
    assert_eq!(producer.end(true), 0);
    assert_eq!(status(&mut reader, "orders").as_deref(), Ok("CompleteCommit"));
    for (topic, partition) in [("t", 0), ("t", 1), ("u", 0), ("u", 1)] {
        let seen = fetch_committed(&mut reader, topic, partition, 0, 0);
        assert_eq!((seen.high_watermark, seen.last_stable_offset), (3, 3), "the marker takes an offset");
        assert_eq!((seen.aborted, seen.values), (vec![], named(&[(0, "a"), (1, "b")])));
    }

    assert_eq!(producer.write("t", 0, &["c"]), 3);
    assert_eq!(producer.end(false), 0);
    assert_eq!(status(&mut reader, "orders").as_deref(), Ok("CompleteAbort"));
    assert_eq!(reader.produce("t", 0, &batch(&["plain"])), (0, 5));
    let seen = fetch_committed(&mut reader, "t", 0, 0, 0);
    assert_eq!(seen.aborted, [(producer.id, 3)]);
    assert_eq!(seen.values, named(&[(0, "a"), (1, "b"), (5, "plain")]));
    let (error, _, bytes) = reader.fetch("t", 0, 0);
    assert_eq!(error, 0);
    let everything = headers(&bytes);
    assert_eq!(everything.iter().filter(|header| header.is_control()).count(), 2);
    assert!(values(&bytes).contains(&(3, "c".to_owned())), "aborted records are there for whoever reads everything");
}

#[test]
fn a_reader_of_decided_records_waits_for_the_end_of_the_transaction_and_wakes_at_it() {
    let broker = Broker::start(&[]);
    let mut reader = broker.connect();
    assert_eq!(reader.create_topic("t", 1, &[]), 0);
    let mut producer = Producer::start(&broker, "orders");
    producer.write("t", 0, &["a"]);
    assert_eq!(reader.produce("t", 0, &batch(&["behind it"])), (0, 1));
    assert_eq!((latest(&mut reader, "t", 0, -1), latest(&mut reader, "t", 1, -1)), (2, 0));
    let known = 1_700_000_000_000;
    assert_eq!((latest(&mut reader, "t", 0, known), latest(&mut reader, "t", 1, known)), (0, -1));

    // It would wait for longer than this client does: without a wake-up there is no answer.
    send_fetch_committed(&mut reader, "t", 0, 0, 600_000);
    assert_eq!(producer.end(true), 0);
    let seen = receive_committed(&mut reader);
    assert_eq!(seen.values, named(&[(0, "a"), (1, "behind it")]));
    assert_eq!((latest(&mut reader, "t", 1, -1), latest(&mut reader, "t", 1, known)), (3, 0));
    assert_eq!(find_offset(&mut reader, "t", 0, -1).0, 3);
}

#[test]
fn a_second_producer_aborts_the_transaction_of_the_first_and_fences_it() {
    let broker = Broker::start(&[]);
    let mut reader = broker.connect();
    assert_eq!(reader.create_topic("t", 1, &[]), 0);
    let mut first = Producer::start(&broker, "orders");
    first.write("t", 0, &["of the first"]);
    assert_eq!(init_once(&mut reader, "orders", 60_000).0, ErrorCode::ConcurrentTransactions.code());
    let mut second = Producer::start(&broker, "orders");
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 2));

    assert_eq!(first.end(true), ErrorCode::ProducerFenced.code());
    assert_eq!(first.add("t", &[0]), ErrorCode::ProducerFenced.code());
    assert_eq!(first.produce("t", 0, &["late"]).0, ErrorCode::InvalidProducerEpoch.code());
    second.write("t", 0, &["of the second"]);
    assert_eq!(second.end(true), 0);
    let seen = fetch_committed(&mut reader, "t", 0, 0, 0);
    assert_eq!(seen.values, named(&[(2, "of the second")]));
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted_and_holds_nobody_up() {
    let broker = Broker::start(&[]);
    let mut reader = broker.connect();
    assert_eq!(reader.create_topic("t", 1, &[]), 0);
    // Long enough for what is written in time, also on a slow machine.
    let mut producer = Producer::start_with(&broker, "orders", 5_000);
    producer.write("t", 0, &["never"]);
    assert_eq!(reader.produce("t", 0, &batch(&["behind it"])).0, 0);
    let give_up = Instant::now() + PATIENCE;
    let seen = loop {
        let seen = fetch_committed(&mut reader, "t", 0, 0, 100).values;
        if !seen.is_empty() {
            break seen;
        }
        assert!(Instant::now() < give_up, "the transaction is never aborted");
    };
    let seen: Vec<_> = seen.into_iter().map(|(_, value)| value).collect();
    assert_eq!(seen, ["behind it"]);
    assert_eq!(producer.end(true), ErrorCode::ProducerFenced.code());
    assert_eq!(producer.produce("t", 0, &["late"]).0, ErrorCode::InvalidProducerEpoch.code());
    assert_eq!(status(&mut reader, "orders").as_deref(), Ok("CompleteAbort"));
}

#[test]
fn what_a_request_of_a_transaction_gets_wrong_is_named() {
    let broker = Broker::start(&["transaction.max.timeout.ms=70000"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    for wrong in [0, 70_001] {
        assert_eq!(init_once(&mut client, "orders", wrong).0, ErrorCode::InvalidTransactionTimeout.code());
    }
    assert_eq!(init_once(&mut client, "", 1).0, ErrorCode::InvalidRequest.code());
    for (transactional_id, producer_id, producer_epoch) in [(Some("a"), 4, -1), (None, 4, -1), (None, -1, 4)] {
        let half = InitProducerIdRequest { transactional_id, producer_id, producer_epoch, ..Default::default() };
        let frame = client.call(4, &half);
        let response: InitProducerIdResponse = answer(&frame, 4);
        assert_eq!(response.error_code, ErrorCode::InvalidRequest.code());
    }
    assert_eq!(status(&mut client, "unknown"), Err(ErrorCode::TransactionalIdNotFound.code()));

    let mut producer = Producer::start_with(&broker, "orders", 70_000);
    assert_eq!(producer.end(true), ErrorCode::InvalidTxnState.code());
    assert_eq!(producer.add("__consumer_offsets", &[0]), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(producer.add("__transaction_state", &[0]), ErrorCode::InvalidTopicException.code());
    let request = AddPartitionsToTxnRequest {
        transactional_id: "orders",
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![AddPartitionsToTxnTopic { name: "t", partitions: vec![0, 7] }],
    };
    let frame = client.call(0, &request);
    let response: AddPartitionsToTxnResponse<'_> = answer(&frame, 0);
    let codes: Vec<_> = response.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!(codes, [ErrorCode::OperationNotAttempted.code(), ErrorCode::UnknownTopicOrPartition.code()]);
    assert_eq!(status(&mut client, "orders").as_deref(), Ok("Empty"), "nothing of it was taken");

    // Versions that do not know a fenced producer.
    let older = AddPartitionsToTxnRequest { producer_epoch: producer.epoch - 1, ..request };
    for (version, code) in [(1, ErrorCode::InvalidProducerEpoch), (2, ErrorCode::ProducerFenced)] {
        let older = AddPartitionsToTxnRequest {
            topics: vec![AddPartitionsToTxnTopic { name: "t", partitions: vec![0] }],
            ..older.clone()
        };
        let frame = client.call(version, &older);
        let response: AddPartitionsToTxnResponse<'_> = answer(&frame, version);
        assert_eq!(response.topics[0].partitions[0].error_code, code.code());
    }

    let fields = ProducerFields { producer_id: producer.id, producer_epoch: producer.epoch, base_sequence: 0 };
    let transactional = transactional_batch(fields, &["a"]);
    let refused = produce_as(&mut client, None, "t", 0, &transactional).0;
    assert_eq!(refused, ErrorCode::TransactionalIdAuthorizationFailed.code());
    let plain = idempotent_batch(producer.id, 0, &["a"]);
    assert_eq!(produce_as(&mut client, Some("orders"), "t", 0, &plain).0, ErrorCode::InvalidTxnState.code());
    producer.write("t", 0, &["a"]);
    let beside = idempotent_batch(producer.id, 1, &["b"]);
    assert_eq!(client.produce("t", 0, &beside).0, ErrorCode::InvalidTxnState.code(), "beside an open transaction");
}

#[test]
fn producers_transactions_and_their_coordinator_are_described() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let request = FindCoordinatorRequest { key_type: 1, coordinator_keys: vec!["orders"], ..Default::default() };
    let frame = client.call(4, &request);
    let response: FindCoordinatorResponse<'_> = answer(&frame, 4);
    assert_eq!((response.coordinators[0].error_code, response.coordinators[0].node_id), (0, 1));
    let mut producer = Producer::start(&broker, "orders");
    Producer::start(&broker, "idle");
    producer.write("t", 1, &["a", "b"]);

    let frame = client.call(0, &DescribeTransactionsRequest { transactional_ids: vec!["orders", "", "orders"] });
    let response: DescribeTransactionsResponse<'_> = answer(&frame, 0);
    let ids: Vec<_> = response.transaction_states.iter().map(|state| state.transactional_id).collect();
    assert_eq!(ids, ["orders", "", "orders"]);
    assert_eq!(response.transaction_states[1].error_code, ErrorCode::InvalidRequest.code());
    assert_eq!(response.transaction_states[0], response.transaction_states[2]);
    let described = &response.transaction_states[0];
    assert_eq!((described.error_code, described.transaction_state), (0, "Ongoing"));
    assert_eq!((described.producer_id, described.producer_epoch), (producer.id, 0));
    assert_eq!(described.transaction_timeout_ms, TIMEOUT_MS);
    assert!(described.transaction_start_time_ms > 1_700_000_000_000);
    assert_eq!((described.topics[0].topic, &described.topics[0].partitions[..]), ("t", &[1][..]));

    let describe = |client: &mut broker::Client| {
        let topics = vec![DescribeProducersTopic { name: "t", partition_indexes: vec![1, 5, 1] }];
        let frame = client.call(0, &DescribeProducersRequest { topics });
        let response: DescribeProducersResponse<'_> = answer(&frame, 0);
        assert_eq!(response.topics[0].partitions.len(), 2, "named twice, answered once");
        assert_eq!(response.topics[0].partitions[1].error_code, ErrorCode::UnknownTopicOrPartition.code());
        response.topics[0].partitions[0].active_producers.clone()
    };
    let topics = vec![DescribeProducersTopic { name: "a/b", partition_indexes: vec![0] }];
    let frame = client.call(0, &DescribeProducersRequest { topics });
    let response: DescribeProducersResponse<'_> = answer(&frame, 0);
    let impossible = &response.topics[0].partitions[0];
    assert_eq!(impossible.error_code, ErrorCode::InvalidTopicException.code());
    assert!(impossible.error_message.is_some_and(|words| words.starts_with("Topic name is invalid: 'a/b'")));
    let open = describe(&mut client);
    assert_eq!((open[0].producer_id, open[0].last_sequence, open[0].current_txn_start_offset), (producer.id, 1, 0));
    assert_eq!(open[0].coordinator_epoch, -1);

    let list = |client: &mut broker::Client, states: Vec<&str>, longer_than_ms: i64| {
        let request =
            ListTransactionsRequest { state_filters: states, duration_filter: longer_than_ms, ..Default::default() };
        let frame = client.call(1, &request);
        let response: ListTransactionsResponse<'_> = answer(&frame, 1);
        assert_eq!(response.error_code, 0);
        let mut ids: Vec<_> =
            response.transaction_states.iter().map(|listed| listed.transactional_id.to_owned()).collect();
        ids.sort();
        let unknown: Vec<_> = response.unknown_state_filters.iter().map(|name| (*name).to_owned()).collect();
        (ids, unknown)
    };
    assert_eq!(list(&mut client, vec![], -1).0, ["idle", "orders"]);
    let (ids, unknown) = list(&mut client, vec!["Ongoing", "Sleeping"], -1);
    assert_eq!((&ids[..], &unknown[..]), (&["orders".to_owned()][..], &["Sleeping".to_owned()][..]));
    let (ids, unknown) = list(&mut client, vec!["ongoing"], -1);
    assert_eq!((ids, unknown), (vec![], vec!["ongoing".to_owned()]), "a filter that nothing passes");
    assert_eq!(list(&mut client, vec!["Ongoing"], 600_000).0, Vec::<String>::new());

    assert_eq!(producer.end(true), 0);
    let ended = describe(&mut client);
    assert_eq!((ended[0].current_txn_start_offset, ended[0].coordinator_epoch >= 0), (-1, true));
    let times = [open[0].last_timestamp, ended[0].last_timestamp];
    assert!(times[0] < 1_700_000_001_000 && times[1] > 1_700_000_001_000, "the marker's at last: {times:?}");
}

#[test]
fn only_a_partition_that_was_added_to_the_open_transaction_takes_its_batches() {
    let broker = Broker::start(&[]);
    let mut reader = broker.connect();
    // Partitions of both shards.
    assert_eq!(reader.create_topic("t", 2, &[]), 0);
    let mut producer = Producer::start(&broker, "orders");
    let never_added = ErrorCode::InvalidTxnState.code();
    for partition in [0, 1] {
        assert_eq!(producer.produce("t", partition, &["stray"]).0, never_added);
    }
    for commits in [true, false, true] {
        assert_eq!(producer.add("t", &[0]), 0);
        for value in ["a", "b"] {
            assert_eq!(producer.produce("t", 0, &[value]).0, 0);
        }
        assert_eq!(producer.produce("t", 1, &["stray"]).0, never_added);
        producer.epoch += 1;
        assert_eq!(producer.produce("t", 0, &["later epoch"]).0, ErrorCode::InvalidProducerEpoch.code());
        producer.epoch -= 1;
        assert_eq!(producer.produce("t", 0, &["c"]).0, 0);
        assert_eq!(producer.end(commits), 0);
        assert_eq!(producer.produce("t", 0, &["after the end"]).0, never_added, "known before, and forgotten");
    }
    let seen = fetch_committed(&mut reader, "t", 0, 0, 0);
    assert_eq!((seen.high_watermark, seen.last_stable_offset, seen.values.len()), (12, 12, 6));
    assert_eq!(find_offset(&mut reader, "t", 1, -1).0, 0);
    let fields = ProducerFields { producer_id: producer.id + 1_000, producer_epoch: 0, base_sequence: 0 };
    let stranger = transactional_batch(fields, &["a"]);
    let unmapped = ErrorCode::InvalidProducerIdMapping.code();
    assert_eq!(produce_as(&mut reader, Some("orders"), "t", 0, &stranger).0, unmapped);
    assert_eq!(produce_as(&mut reader, Some("nobody"), "t", 0, &stranger).0, unmapped);
}

#[test]
fn verification_is_turned_off_and_on_while_the_broker_runs() {
    let broker = Broker::start(&["transaction.partition.verification.enable=false"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let mut producer = Producer::start(&broker, "orders");
    for partition in [0, 1] {
        assert_eq!(producer.produce("t", partition, &["never added"]).0, 0);
    }
    let verify = [("transaction.partition.verification.enable", SET, Some("true"))];
    assert_eq!(alter(&mut client, BROKER, "", &verify, false), 0);
    assert_eq!(producer.produce("t", 0, &["never added"]).0, ErrorCode::InvalidTxnState.code());
    assert_eq!(producer.write("t", 1, &["added"]), 1);
}

#[test]
fn with_a_node_a_shard_each_coordinator_is_asked_at_its_own_node() {
    let broker = Broker::start(&["posthaste.listeners=per-core"]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 2, &[]), 0);
    let mut refused = 0;
    for at in 0..8 {
        let id = format!("orders-{at}");
        let request = FindCoordinatorRequest { key_type: 1, coordinator_keys: vec![&id], ..Default::default() };
        let frame = client.call(4, &request);
        let response: FindCoordinatorResponse<'_> = answer(&frame, 4);
        let node = response.coordinators[0].node_id;
        for (other, address) in &broker.nodes {
            let mut client = broker::Client::connect(*address);
            let (error, ()) = until_settled(|| (init_once(&mut client, &id, 60_000).0, ()));
            let expected = if *other == node { ErrorCode::None } else { ErrorCode::NotCoordinator };
            assert_eq!(error, expected.code());
            refused += usize::from(*other != node);
        }
    }
    assert_eq!(refused, 8);
}
