//! What the load generator does to every record: stamp and batch when it is produced, checks when it is read.

use std::hint::black_box;
use std::sync::Arc;

use benches::short;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loadgen::integrity::PartitionSeen;
use loadgen::payload::{PayloadWriter, Stamp};
use loadgen::raw_batch::{BatchFacts, BatchLayout, RawBatch};
use protocol::record_batch::{BatchBuilder, BatchHeader, HEADER_BYTES, ProducerFields, records};

const VALUE_BYTES: [usize; 2] = [100, 1_000];
const BATCH_BYTES: usize = 64 << 10;

const FIRST: Stamp = Stamp { run: 1, producer: 0, partition: 0, sequence: 0, intended_ns: 1 };

/// A batch of checked records in the memory of `buffer`.
fn modelled(buffer: Vec<u8>, count: usize, payload: &mut PayloadWriter) -> Vec<u8> {
    let mut builder = BatchBuilder::new(buffer, 0, ProducerFields::NONE);
    for sequence in 0..count as u64 {
        builder.append_payload(0, None, payload.value(&Stamp { sequence, ..FIRST }));
    }
    builder.finish()
}

/// The batch of either client mode, stamps and checksums included.
fn produce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loadgen/produce");
    for value_bytes in VALUE_BYTES {
        let layout = Arc::new(BatchLayout::new(value_bytes, BATCH_BYTES, 1));
        let count = layout.records_max();
        group.throughput(Throughput::Elements(count as u64));
        let mut payload = PayloadWriter::new(value_bytes, 1);
        let mut buffer = Vec::new();
        group.bench_function(BenchmarkId::new("modelled", value_bytes), |bencher| {
            bencher.iter(|| {
                buffer.clear();
                buffer = modelled(std::mem::take(&mut buffer), count, &mut payload);
                black_box(buffer.len())
            });
        });
        let mut batch = RawBatch::new(layout);
        let facts = BatchFacts { first: FIRST, timestamp_ms: 0, producer: ProducerFields::NONE };
        group.bench_function(BenchmarkId::new("raw", value_bytes), |bencher| {
            bencher.iter(|| batch.encode(black_box(&facts), &[(FIRST.intended_ns, count as u32)]));
        });
        // What an open loop adds: every record has an intended time of its own.
        let runs: Vec<_> = (0..count as u64).map(|record| (record * 83, 1)).collect();
        group.bench_function(BenchmarkId::new("raw, open loop", value_bytes), |bencher| {
            bencher.iter(|| batch.encode(black_box(&facts), &runs));
        });
    }
    group.finish();
}

/// The records of a batch, walked with every check and without any.
fn consume(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loadgen/consume");
    for value_bytes in VALUE_BYTES {
        let count = BATCH_BYTES / value_bytes;
        let batch = modelled(Vec::new(), count, &mut PayloadWriter::new(value_bytes, 1));
        let header = BatchHeader::parse(&batch).expect("a batch");
        let values = || {
            let records = records(&header, black_box(&batch[HEADER_BYTES..]));
            records.map(|record| record.expect("framed").value.expect("a value"))
        };
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("verify", value_bytes), |bencher| {
            bencher.iter(|| {
                let mut seen = PartitionSeen::new(&[FIRST.run], FIRST.partition, 1);
                values().filter(|value| black_box(seen.note(value)).is_some()).count()
            });
        });
        group.bench_function(BenchmarkId::new("read", value_bytes), |bencher| {
            bencher.iter(|| values().filter(|value| black_box(Stamp::read(value)).is_some()).count());
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = produce, consume }
criterion_main!(benches);
