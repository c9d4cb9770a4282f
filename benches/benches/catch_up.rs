//! How near reads behind the tail come to the disk: readers of whole logs through a shard, beside a raw loop of aligned reads over the same files.
//!
//! Every pass reads all bytes once. A fresh engine has nothing in its tail, and its cache is a small part of what is read.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::{Seam, disk_directory, on_core, short};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::io::{Op, Outcome};
use engine::limits::{DISK_READS_IN_FLIGHT_MAX, EXTENT_BYTES, SEGMENT_BYTES_DEFAULT};
use engine::memory::ShardMemory;
use engine::offset::{LogId, Offset, ShardId};
use engine::shard::core::{Acks, Core, Isolation, LogConfig, LogRef};
use engine::shard::engine::{Engine, EngineConfig};
use protocol::record_batch::{BatchBuilder, ProducerFields};

const ALL_BYTES: usize = 512 << 20;
/// What one fetch asks for, and Kafka's consumers do by default.
const READ_BYTES: usize = 1 << 20;

/// How the logs of a directory came to be.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    logs: u64,
    batch_bytes: usize,
    /// Log by log, as the cleaner leaves them; otherwise in turn, as producers do.
    clustered: bool,
}

const LAYOUTS: [Layout; 3] = [
    Layout { name: "1 log", logs: 1, batch_bytes: 1 << 20, clustered: true },
    Layout { name: "8 logs, clustered", logs: 8, batch_bytes: 64 << 10, clustered: true },
    Layout { name: "128 logs in turn", logs: 128, batch_bytes: 64 << 10, clustered: false },
];

fn log(number: u64) -> LogRef {
    LogRef { shard: ShardId(0), log: LogId(1 + number) }
}

/// A batch of one record.
fn batch(bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), 0, ProducerFields::NONE);
    builder.append_payload(0, None, &vec![7; bytes - 100]);
    builder.finish().into()
}

/// Runs `work` on an engine of one shard, to its clean end.
fn on_an_engine<R: Send + 'static, F: Future<Output = R> + 'static>(
    directory: &Path,
    work: impl Fn(Core) -> F + Send + Sync + 'static,
) -> R {
    let config = EngineConfig {
        directory: directory.to_owned(),
        shards: Some(1),
        segment_bytes: SEGMENT_BYTES_DEFAULT,
        pin: false,
        record_codec: None,
    };
    let (sender, result) = mpsc::channel();
    let engine = Engine::open(config).expect("opens").start(ShardMemory::MOST, move |core| {
        let (working, sender) = (work(core), sender.clone());
        async move { sender.send(working.await).expect("somebody waits") }
    });
    let result = result.recv().expect("its work ends");
    engine.expect("starts").join().expect("stops cleanly");
    result
}

async fn fill(core: Core, layout: Layout) {
    let batch = batch(layout.batch_bytes);
    for number in 0..layout.logs {
        core.configure_log(log(number), LogConfig::default()).await.expect("makes the log");
    }
    let source = core.new_source();
    let mut pending = std::collections::VecDeque::new();
    let rounds = (ALL_BYTES / layout.batch_bytes) as u64;
    for round in 0..rounds {
        let number = if layout.clustered { round * layout.logs / rounds } else { round % layout.logs };
        pending.push_back(core.append(source, log(number), batch.clone(), Acks::Durable));
        if pending.len() >= 32 {
            pending.pop_front().expect("some wait").await.expect("appends");
        }
    }
    for append in pending {
        append.await.expect("appends");
    }
}

/// One reader from the beginning to the end of a log; gives the bytes.
async fn read_log(core: Core, log: LogRef, batch_bytes: usize) -> usize {
    let (mut next, mut bytes) = (Offset(0), 0);
    loop {
        let batches = core.read(log, next, READ_BYTES, true, Isolation::Uncommitted).await.expect("in range");
        if batches.bytes == 0 {
            return bytes;
        }
        bytes += batches.bytes;
        // Whole batches of one size, of one record each.
        next = next.plus((batches.bytes / batch_bytes) as i64);
    }
}

async fn read_all(core: Core, layout: Layout, readers: u64, passes: u64) -> Duration {
    let batch_bytes = batch(layout.batch_bytes).len();
    let begun = Instant::now();
    for _ in 0..passes {
        let readings: Vec<_> = (0..readers)
            .map(|reader| {
                let core = core.clone();
                let logs = (0..layout.logs).filter(move |number| number % readers == reader);
                tokio_uring::spawn(async move {
                    let mut bytes = 0;
                    for number in logs {
                        bytes += read_log(core.clone(), log(number), batch_bytes).await;
                    }
                    bytes
                })
            })
            .collect();
        let mut bytes = 0;
        for reading in readings {
            bytes += reading.await.expect("no panic");
        }
        assert_eq!(bytes, ALL_BYTES / layout.batch_bytes * batch_bytes, "everything is read, once");
    }
    begun.elapsed()
}

/// Aligned reads of the same files, as many in flight as a shard has, and what is read is summed up or not: nobody who checks what he gives out
/// can be faster than the former.
async fn raw(segments: Vec<PathBuf>, is_checked: bool, passes: u64) -> Duration {
    let look = |outcome| {
        if let (true, Outcome::Bytes(bytes)) = (is_checked, outcome) {
            black_box(checksum::crc32c(&bytes));
        }
    };
    let begun = Instant::now();
    for _ in 0..passes {
        let mut left = ALL_BYTES;
        for path in &segments {
            let mut seam = Seam::open(path);
            let bytes = left.min(SEGMENT_BYTES_DEFAULT as usize);
            for position in (0..bytes).step_by(EXTENT_BYTES) {
                seam.take_until(DISK_READS_IN_FLIGHT_MAX - 1, look).await;
                seam.submit(Op::Read { file: seam.file, position: position as u64, length: EXTENT_BYTES });
            }
            seam.take_until(0, look).await;
            left -= bytes;
        }
        assert_eq!(left, 0, "there is as much");
    }
    begun.elapsed()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory.join("shard-0000")).expect("a shard's folder");
    let mut segments: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.sort();
    segments
}

fn catch_up(criterion: &mut Criterion) {
    for layout in LAYOUTS {
        let directory = disk_directory().expect("a directory on a disk");
        on_an_engine(directory.path(), move |core| fill(core, layout));
        let mut group = criterion.benchmark_group(format!("catch up, {}", layout.name));
        group.throughput(Throughput::Bytes(ALL_BYTES as u64));
        let files = segments(directory.path());
        for (name, is_checked) in [("raw", false), ("raw, checked", true)] {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|passes| on_core(|| raw(files.clone(), is_checked, passes)));
            });
        }
        for readers in [1, 8].into_iter().filter(|readers| *readers <= layout.logs) {
            group.bench_function(BenchmarkId::new("readers", readers), |bencher| {
                bencher.iter_custom(|passes| {
                    on_an_engine(directory.path(), move |core| read_all(core, layout, readers, passes))
                });
            });
        }
        group.finish();
    }
}

criterion_group! { name = benches; config = short(); targets = catch_up }
criterion_main!(benches);
