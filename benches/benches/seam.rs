//! The raw figures of the seam itself: what the disk allows, to which the engine's own figures are compared.
//!
//! Writes overwrite written extents, as a recycled segment does. Depth is the number of reads under way at once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::{disk_directory, short};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::io::ring::{CompletionSignal, RingIo};
use engine::io::runtime::{RingSettings, run_on_core};
use engine::io::{Completion, FileId, Io, Op, Token};
use engine::limits::RING_WRITE_BYTES_MAX;

const FILE_BYTES: u64 = 256 << 20;

/// A core's io with one written file open.
struct Seam {
    io: RingIo,
    signal: CompletionSignal,
    file: FileId,
    completions: Vec<Completion>,
}

impl Seam {
    fn open(path: &Path) -> Seam {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let file = io.open_file(path).expect("the benchmark's file").0;
        Seam { io, signal, file, completions: Vec::new() }
    }

    /// Waits until `count` operations are over.
    async fn end(&mut self, mut count: usize) {
        while count > 0 {
            self.signal.wait().await;
            self.io.completions(&mut self.completions);
            for completion in self.completions.drain(..) {
                completion.result.expect("a healthy disk");
                count -= 1;
            }
        }
    }

    async fn commit(&mut self, position: u64, parts: &[Bytes]) {
        let (file, mut position) = (self.file, position);
        for data in parts {
            let data = data.clone();
            let bytes = data.len() as u64;
            self.io.submit(Token(0), Op::Write { file, position, data });
            position += bytes;
        }
        self.end(parts.len()).await;
        self.io.submit(Token(0), Op::SyncData { file });
        self.end(1).await;
    }

    fn read(&mut self, position: u64, length: usize) {
        let file = self.file;
        let read = Op::Read { file, position, length };
        self.io.submit(Token(0), read);
    }
}

async fn commits(path: PathBuf, commit_bytes: usize, count: u64) -> Duration {
    let mut seam = Seam::open(&path);
    let part_bytes = commit_bytes.min(RING_WRITE_BYTES_MAX);
    let parts: Vec<_> = (0..commit_bytes / part_bytes).map(|_| seam.io.buffer(part_bytes).into_bytes()).collect();
    let start = Instant::now();
    for commit in 0..count {
        let position = commit * commit_bytes as u64 % FILE_BYTES;
        seam.commit(position, &parts).await;
    }
    start.elapsed()
}

async fn reads(path: PathBuf, read_bytes: usize, depth: u64, count: u64) -> Duration {
    let mut seam = Seam::open(&path);
    let start = Instant::now();
    let position = |read: u64| read * read_bytes as u64 % FILE_BYTES;
    let ahead = depth.min(count);
    for read in 0..ahead {
        seam.read(position(read), read_bytes);
    }
    for read in ahead..count {
        seam.end(1).await;
        seam.read(position(read), read_bytes);
    }
    seam.end(ahead as usize).await;
    start.elapsed()
}

fn on_core<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    run_on_core(None, RingSettings::default(), make).expect("a ring")
}

fn seam(criterion: &mut Criterion) {
    let directory = disk_directory().expect("a directory on a disk");
    let path = directory.path().join("segment");
    on_core(async || {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let file = io.create_file(&path, FILE_BYTES).expect("room");
        let mut seam = Seam { io, signal, file, completions: Vec::new() };
        let zeroes = Op::WriteZeroes { file, position: 0, length: FILE_BYTES };
        seam.io.submit(Token(0), zeroes);
        seam.end(1).await;
        seam.io.sync_data(file).expect("a healthy disk");
    });

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
