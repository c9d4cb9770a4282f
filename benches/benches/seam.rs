//! The raw figures of the seam itself: what the disk allows, to which the engine's own figures are compared.
//!
//! Writes overwrite written extents, as a recycled segment does. Depth is the number of reads under way at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use benches::{Seam, disk_directory, make_written, on_core, short};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::io::{Io, Op};
use engine::limits::RING_WRITE_BYTES_MAX;

const FILE_BYTES: u64 = 256 << 20;

async fn commit(seam: &mut Seam, position: u64, parts: &[Bytes]) {
    let (file, mut position) = (seam.file, position);
    for data in parts {
        let data = data.clone();
        let bytes = data.len() as u64;
        seam.submit(Op::Write { file, position, data });
        position += bytes;
    }
    seam.wait_until(0).await;
    seam.submit(Op::SyncData { file });
    seam.wait_until(0).await;
}

async fn commits(path: PathBuf, commit_bytes: usize, count: u64) -> Duration {
    let mut seam = Seam::open(&path);
    let part_bytes = commit_bytes.min(RING_WRITE_BYTES_MAX);
    let parts: Vec<_> = (0..commit_bytes / part_bytes).map(|_| seam.io.buffer(part_bytes).into_bytes()).collect();
    let start = Instant::now();
    for number in 0..count {
        let position = number * commit_bytes as u64 % FILE_BYTES;
        commit(&mut seam, position, &parts).await;
    }
    start.elapsed()
}

async fn reads(path: PathBuf, length: usize, depth: usize, count: u64) -> Duration {
    let mut seam = Seam::open(&path);
    let file = seam.file;
    let start = Instant::now();
    for read in 0..count {
        seam.wait_until(depth - 1).await;
        let position = read * length as u64 % FILE_BYTES;
        seam.submit(Op::Read { file, position, length });
    }
    seam.wait_until(0).await;
    start.elapsed()
}

fn seam(criterion: &mut Criterion) {
    let directory = disk_directory().expect("a directory on a disk");
    let path = directory.path().join("segment");
    make_written(&path, FILE_BYTES);

    let mut group = criterion.benchmark_group("write + fdatasync");
    for commit_bytes in [4 << 10, 64 << 10, 512 << 10, 4 << 20] {
        group.throughput(Throughput::Bytes(commit_bytes as u64));
        let id = BenchmarkId::from_parameter(format!("{} KiB", commit_bytes >> 10));
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|count| on_core(|| commits(path.clone(), commit_bytes, count)));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("read");
    for (read_bytes, depth) in [(64 << 10, 1), (64 << 10, 8), (512 << 10, 4), (1 << 20, 4)] {
        group.throughput(Throughput::Bytes(read_bytes as u64));
        let id = BenchmarkId::new(format!("{} KiB", read_bytes >> 10), depth);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|count| on_core(|| reads(path.clone(), read_bytes, depth, count)));
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = seam }
criterion_main!(benches);
