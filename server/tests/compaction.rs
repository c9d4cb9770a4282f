//! A compacted topic: what it takes, and what it gives back.

mod broker;

use broker::{Broker, Client, PRODUCE, batch};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame::decode_response;
use protocol::messages::produce::ProduceResponse;
use protocol::record_batch::{BatchBuilder, ProducerFields};

fn keyed(records: &[(Option<&str>, &str)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 1_700_000_000_000, ProducerFields::NONE);
    for (key, value) in records {
        builder.append_payload(1_700_000_000_000, key.map(str::as_bytes), value.as_bytes());
    }
    builder.finish()
}

/// Error code and the records that are named for it.
fn produce_errors(client: &mut Client, topic: &str, records: &[u8]) -> (i16, Vec<i32>) {
    client.send_produce(topic, 0, records, -1);
    let frame = client.receive().expect("an answer");
    let (_, response): (_, ProduceResponse<'_>) = decode_response(&frame, ApiKey::Produce, PRODUCE).expect("an answer");
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.record_errors.iter().map(|error| error.batch_index).collect())
}

#[test]
fn a_compacted_topic_refuses_records_without_a_key_and_names_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("compacted", 1, &[("cleanup.policy", "compact,delete")]), 0);
    assert_eq!(client.create_topic("plain", 1, &[]), 0);
    let mixed = keyed(&[(Some("a"), "1"), (None, "2"), (None, "3")]);
    let refused = produce_errors(&mut client, "compacted", &mixed);
    assert_eq!(refused, (ErrorCode::InvalidRecord.code(), vec![1, 2]));
    assert_eq!(client.produce("plain", 0, &mixed), (0, 0));
    assert_eq!(client.produce("plain", 0, &batch(&["no key"])), (0, 3));
    let whole = keyed(&[(Some("a"), "1"), (Some(""), "2")]);
    assert_eq!(client.produce("compacted", 0, &whole), (0, 0), "what was refused took no offset");
}
