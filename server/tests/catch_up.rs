//! A consumer of many partitions far behind the tail.

mod broker;

use broker::{Broker, FETCH, batch, metric, values};
use protocol::api_key::ApiKey;
use protocol::frame::decode_response;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};

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
        topics: vec![FetchTopic { topic: "t", partitions: partitions.collect(), ..Default::default() }],
        ..Default::default()
    }
}

/// What the disk did for a consumer of everything.
struct Cost {
    reads: f64,
    bytes: f64,
    delivered_bytes: f64,
}

/// Writes a batch to each partition in turn, one of its size, `rounds` times, and reads all of it far behind the tail.
fn read_everything(batch_bytes: &[usize], rounds: i64) -> Cost {
    let partitions = batch_bytes.len() as i32;
    let settings = ["posthaste.admin.listener=127.0.0.1:0", "posthaste.shards=1", "posthaste.tail.bytes=1048576"];
    let broker = Broker::start(&settings);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", partitions, &[]), 0);
    for round in 0..rounds {
        for (partition, &bytes) in (0..).zip(batch_bytes) {
            let filler = "x".repeat(bytes);
            assert_eq!(client.produce("t", partition, &batch(&[&format!("{partition} {round} {filler}")])), (0, round));
        }
    }
    let counted = || {
        ["posthaste_disk_reads_total", "posthaste_disk_read_bytes_total", "posthaste_delivered_from_disk_bytes_total"]
            .map(|name| sum(&broker, name))
    };
    let before = counted();
    let mut next = vec![0; partitions as usize];
    while next.iter().any(|&offset| offset < rounds) {
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
    let after = counted();
    let [reads, bytes, delivered_bytes] = std::array::from_fn(|at| after[at] - before[at]);
    Cost { reads, bytes, delivered_bytes }
}

#[test]
fn each_stretch_of_the_disk_is_read_once_for_all_partitions_of_a_fetch() {
    let cost = read_everything(&[16_000; 64], 8);
    // A read for each batch would be as many as there are batches.
    let batches = 64.0 * 8.0;
    assert!(cost.reads > 0.0 && cost.reads < batches / 4.0, "{} reads for {batches} batches side by side", cost.reads);
}

#[test]
fn no_batch_is_read_that_does_not_fit_into_the_answer() {
    let cost = read_everything(&[300_000; 64], 3);
    let times = cost.bytes / cost.delivered_bytes;
    assert!(cost.bytes > 0.0 && times < 2.5, "{times} bytes were read for each that was given");
}

#[test]
fn partitions_that_lie_side_by_side_do_not_drift_apart() {
    // Story: where a batch went over the end of an extent the step of its partition was shorter than those of the others, each time a little.
    let cost = read_everything(&[60_000, 5_000, 5_000, 5_000], 2_000);
    let times = cost.bytes / cost.delivered_bytes;
    assert!(cost.bytes > 0.0 && times < 1.3, "{times} bytes were read for each that was given");
}
