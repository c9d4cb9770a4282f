//! A consumer of many partitions far behind the tail.

mod broker;

use broker::{Broker, FETCH, batch, metric, values};
use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

const PARTITIONS: i32 = 64;
const ROUNDS: i64 = 8;

fn sum(broker: &Broker, name: &str) -> f64 {
    metric(broker, name).iter().map(|(_, value)| value).sum()
}

fn request(next: &[i64]) -> FetchRequest<'static> {
    let partitions = (0..).zip(next).map(|(partition, &fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    FetchRequest {
        max_bytes: 50 << 20,
        topics: vec![FetchTopic { topic: "t", partitions: partitions.collect() }],
        ..Default::default()
    }
}

#[test]
fn each_stretch_of_the_disk_is_read_once_for_all_partitions_of_a_fetch() {
    let settings = ["posthaste.admin.listener=127.0.0.1:0", "posthaste.shards=1", "posthaste.tail.bytes=1048576"];
    let broker = Broker::start(&settings);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", PARTITIONS, &[]), 0);
    let filler = "x".repeat(16_000);
    for round in 0..ROUNDS {
        for partition in 0..PARTITIONS {
            assert_eq!(client.produce("t", partition, &batch(&[&format!("{partition} {round} {filler}")])), (0, round));
        }
    }
    let before = sum(&broker, "posthaste_disk_reads_total");
    let mut next = vec![0; PARTITIONS as usize];
    while next.iter().any(|&offset| offset < ROUNDS) {
        let frame = client.call(FETCH, &request(&next));
        let (_, response): (_, FetchResponse<'_>) = decode_response(&frame, ApiKey::Fetch, FETCH).expect("an answer");
        let mut is_any = false;
        for partition in &response.responses[0].partitions {
            assert_eq!(partition.error_code, 0);
            let bytes = partition.records.as_ref().map(|records| records.slices().collect::<Vec<_>>().concat());
            for (offset, value) in values(&bytes.unwrap_or_default()) {
                let expected = &mut next[partition.partition_index as usize];
                assert_eq!(offset, *expected, "in order, each once");
                assert!(value.starts_with(&format!("{} {offset} x", partition.partition_index)));
                *expected += 1;
                is_any = true;
            }
        }
        assert!(is_any, "every fetch brings something");
    }
    // A read for each batch would be as many as there are batches.
    let reads = sum(&broker, "posthaste_disk_reads_total") - before;
    let batches = f64::from(PARTITIONS) * ROUNDS as f64;
    assert!(reads > 0.0 && reads < batches / 4.0, "{reads} reads for {batches} batches side by side");
}
