//! What the core itself does to every produced byte: checksum, header, one copy into the commit.

use std::hint::black_box;

use benches::short;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::io::ring::RingIo;
use engine::journal::commit::{Entry, EntryKind};
use engine::journal::commit_buffer::OpenCommit;
use engine::limits::COMMIT_BYTES_TARGET;
use engine::offset::{LogId, Offset};
use protocol::record_batch::{BatchBuilder, BatchHeader, ProducerFields, records};

const BATCH_BYTES: [usize; 3] = [1 << 10, 16 << 10, 1 << 20];

/// A batch of records of 100 bytes.
fn batch(bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), 0, ProducerFields::NONE);
    while builder.batch_bytes() < bytes {
        builder.append_payload(0, None, &[7; 100]);
    }
    builder.finish()
}

fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crc-32c");
    for bytes in BATCH_BYTES {
        let data = vec![7; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| checksum::crc32c(black_box(&data)));
        });
    }
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    let data = batch(16 << 10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse the header", |bencher| {
        bencher.iter(|| BatchHeader::parse(black_box(&data)).expect("a batch"));
    });
    let header = BatchHeader::parse(&data).expect("a batch");
    group.throughput(Throughput::Elements(u64::from(header.record_count.unsigned_abs())));
    let body = &data[protocol::record_batch::HEADER_BYTES..];
    group.bench_function("walk its records", |bencher| {
        bencher.iter(|| {
            let walked = records(&header, black_box(body));
            walked.filter(|record| black_box(record).is_ok()).count()
        });
    });
    group.bench_function("build", |bencher| {
        bencher.iter(|| batch(black_box(16 << 10)));
    });
    group.finish();
}

/// From an empty commit to one that is full: the only copy on the write path.
fn commits(criterion: &mut Criterion) {
    let (mut io, _signal) = RingIo::new().expect("a ring");
    let mut group = criterion.benchmark_group("fill a commit");
    for bytes in BATCH_BYTES {
        let data = batch(bytes);
        let count = COMMIT_BYTES_TARGET / data.len();
        let entry = Entry {
            kind: EntryKind::Batch,
            log: LogId(1),
            base_offset: Offset(0),
            last_offset_delta: 0,
            count: 1,
            leader_epoch: 0,
            max_timestamp: 0,
            place: 0,
            length: 0,
            crc: 0,
        };
        group.throughput(Throughput::Bytes((count * data.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| {
                let mut commit = OpenCommit::new(&mut io);
                for _ in 0..count {
                    commit.push(&mut io, entry, &[black_box(&data)]);
                }
                commit.length()
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = checksum, batches, commits }
criterion_main!(benches);
