//! What the codec costs a request: produce requests read, fetch answers written.

use std::hint::black_box;

use benches::short;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::reader::Reader;
use protocol::writer::Writer;
use protocol::{Message, Records};

const PRODUCE_VERSION: i16 = 11;
const FETCH_VERSION: i16 = 12;
const PARTITIONS: [i32; 3] = [1, 128, 2_000];
const BATCH_BYTES: usize = 16 << 10;

/// A produce request with a batch for each of its partitions; the batch itself is not looked at by the codec.
fn produce_request(partitions: i32, batch: &[u8]) -> Bytes {
    let partition_data =
        (0..partitions).map(|index| PartitionProduceData { index, records: Some(Records::Borrowed(batch)) }).collect();
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData { name: "orders", partition_data }],
        ..Default::default()
    };
    let mut writer = Writer::new();
    request.encode(&mut writer, PRODUCE_VERSION);
    writer.into_bytes()
}

fn produce_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("produce decode");
    for partitions in PARTITIONS {
        let request = produce_request(partitions, &[7; BATCH_BYTES]);
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_function(BenchmarkId::new("partitions", partitions), |bencher| {
            bencher.iter(|| {
                let mut reader = Reader::new(black_box(&request));
                let decoded = ProduceRequest::decode(&mut reader, PRODUCE_VERSION).expect("it was encoded");
                decoded.topic_data.len()
            });
        });
    }
    group.finish();
}

fn partition(partition_index: i32, slices: Vec<Bytes>) -> PartitionData<'static> {
    PartitionData {
        partition_index,
        high_watermark: 9,
        last_stable_offset: 9,
        log_start_offset: 0,
        records: Some(Records::Shared(slices)),
        ..Default::default()
    }
}

/// Records leave as slices of the buffers they were written from: what an answer costs does not grow with their bytes.
fn fetch_encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch encode");
    for partitions in PARTITIONS {
        let batch = Bytes::from(vec![7; BATCH_BYTES]);
        group.throughput(Throughput::Bytes(batch.len() as u64 * u64::from(partitions.unsigned_abs())));
        group.bench_function(BenchmarkId::new("partitions", partitions), |bencher| {
            bencher.iter(|| {
                let partitions = (0..partitions).map(|index| partition(index, vec![batch.clone()])).collect();
                let response = FetchResponse {
                    responses: vec![FetchableTopicResponse { topic: "orders", partitions, ..Default::default() }],
                    ..Default::default()
                };
                let mut writer = Writer::new();
                response.encode(&mut writer, FETCH_VERSION);
                writer.into_pieces().len()
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = produce_decode, fetch_encode }
criterion_main!(benches);
