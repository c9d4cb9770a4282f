//! Whole runs whose records are not all alike, and what they are on the wire, read by the codec of the broker.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use loadgen::local_broker::{self, Log};
use loadgen::options::RunOptions;
use loadgen::partitioner::partition_of;
use loadgen::progress::Progress;
use loadgen::result::{RunResult, Verdict};
use loadgen::run::execute;
use protocol::compression::decompress;
use protocol::error_code::ErrorCode;
use protocol::record_batch::{BatchHeader, Compression, HEADER_BYTES, records};

use crate::faulty_broker::{Fault, FaultyLog};

/// Batches as they came, with their partitions.
type Batches = Vec<(i32, Vec<u8>)>;

/// A record as it came: key and length of the value.
type Came = (Option<Vec<u8>>, usize);

#[derive(Parser)]
#[command(args_override_self = true)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// Remembers what it is given; may change the first key of one batch.
struct Witness {
    log: FaultyLog,
    batches: Arc<Mutex<Batches>>,
    harms_key_of: Option<usize>,
}

impl Log for Witness {
    fn append(&mut self, partition: i32, batch: &[u8]) -> Result<i64, ErrorCode> {
        let mut batch = batch.to_vec();
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if self.harms_key_of == Some(batches.len()) {
            // Keys of 16 digits begin with zeros; nothing else in a batch has so many of them.
            let key = batch.windows(8).position(|bytes| bytes == b"00000000").expect("a key");
            // Another digit may make a key of the same partition, which nobody can tell from the one that was sent.
            batch[key + 15] = b'x';
        }
        batches.push((partition, batch.clone()));
        self.log.append(partition, &batch)
    }

    fn read(&mut self, partition: i32, offset: i64, max_bytes: usize) -> Vec<u8> {
        self.log.read(partition, offset, max_bytes)
    }

    fn end(&self, partition: i32) -> i64 {
        self.log.end(partition)
    }
}

/// The result of a run and every batch that the broker was given.
fn witness(fault: Fault, harms_key_of: Option<usize>, options: &str) -> (RunResult, Batches) {
    let batches = Arc::default();
    let log = Witness { log: FaultyLog::new(fault), batches: Arc::clone(&batches), harms_key_of };
    let address = local_broker::start(log).expect("a port");
    let line =
        format!("loadgen --duration 1s --warmup 200ms --rate 2000 --partitions 3 {options} --bootstrap {address}");
    let run = Line::parse_from(line.split_whitespace()).run;
    let result = execute(&run.load, &run.target, &mut Progress::new(true), Arc::new(AtomicBool::new(false)))
        .expect("valid options");
    let batches = std::mem::take(&mut *batches.lock().unwrap_or_else(PoisonError::into_inner));
    (result, batches)
}

fn passes(options: &str) -> (RunResult, Batches) {
    let (result, batches) = witness(Fault::None, None, options);
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass), "{options}");
    assert!(result.integrity.consumed > 0 && result.integrity.acked == result.integrity.produced, "{options}");
    (result, batches)
}

/// The records of each partition in order.
fn came(batches: &[(i32, Vec<u8>)]) -> BTreeMap<i32, Vec<Came>> {
    let mut came: BTreeMap<i32, Vec<Came>> = BTreeMap::new();
    for (partition, batch) in batches {
        let header = BatchHeader::parse(batch).expect("valid");
        assert!(header.crc_is_valid(batch));
        let codec = header.compression().expect("known");
        let body = decompress(codec, &batch[HEADER_BYTES..], 64 << 20).expect("decompresses");
        let found = records(&header, &body).map(|record| record.expect("a record"));
        let found = found.map(|record| (record.key.map(<[u8]>::to_vec), record.value.unwrap_or_default().len()));
        came.entry(*partition).or_default().extend(found);
    }
    came
}

#[test]
fn keyed_records_go_where_every_kafka_client_sends_them() {
    let (result, batches) = passes("--keys uniform --key-space 5000 --key-bytes 12 --record-bytes 200 --linger 20ms");
    let came = came(&batches);
    assert_eq!(came.len(), 3);
    for (partition, records) in came {
        for (key, _) in records {
            let key = key.expect("every record has a key");
            assert_eq!((key.len(), partition_of(&key, 3) as i32), (12, partition));
        }
    }
    let shape = result.summary.produce.and_then(|produce| produce.batch).expect("produced");
    assert!(shape.batches > shape.requests, "batches of several partitions share a request");
    assert_eq!(shape.compression_ratio, None);
}

#[test]
fn rates_count_the_bytes_that_were_sent() {
    let (result, batches) = passes("--sizes 100:60,300:40 --keys zipf");
    let values: Vec<usize> = came(&batches).into_values().flatten().map(|(_, bytes)| bytes).collect();
    assert!(values.iter().all(|&bytes| bytes == 100 || bytes == 300));
    let produce = result.summary.produce.expect("produced");
    let mean = produce.bytes as f64 / produce.records as f64;
    let of_all = 16.0 + values.iter().sum::<usize>() as f64 / values.len() as f64;
    assert!((mean / of_all - 1.0).abs() < 0.03, "{mean} in the window, {of_all} in all");
    assert!((mean - 196.0).abs() < 10.0, "{mean}");
    let offered = produce.offered.expect("open loop");
    assert!((offered.bytes_per_s / offered.records_per_s - 196.0).abs() < 0.1);
}

#[test]
fn every_codec_is_used_read_back_and_its_ratio_told() {
    let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for (name, codec) in ["gzip", "snappy", "lz4", "zstd"].into_iter().zip(codecs) {
        let (result, batches) = passes(&format!("--compression {name} --entropy 2 --record-bytes 1000"));
        let packed = |(_, batch): &(i32, Vec<u8>)| BatchHeader::parse(batch).expect("valid").compression() == Ok(codec);
        assert!(!batches.is_empty() && batches.iter().all(packed), "{name}");
        let shape = result.summary.produce.and_then(|produce| produce.batch).expect("produced");
        let ratio = shape.compression_ratio.expect("told");
        assert!((2.5..4.1).contains(&ratio), "{name}: {ratio}");
    }
    let random = passes("--compression lz4 --record-bytes 1000").0;
    let ratio = random.summary.produce.and_then(|produce| produce.batch?.compression_ratio).expect("told");
    assert!((0.95..1.05).contains(&ratio), "{ratio}");
}

#[test]
fn the_same_seed_draws_the_same_records() {
    let options = "--keys zipf --sizes 50:1,500:1 --producers 1";
    let (first, second) = (came(&passes(options).1), came(&passes(options).1));
    for (partition, records) in &first {
        // How many fall into a run is a matter of time, which they are is not.
        let common = records.len().min(second[partition].len());
        assert!(common > 100 && records[..common] == second[partition][..common]);
    }
    let other = came(&passes(&format!("{options} --seed 2")).1);
    assert!(first.iter().any(|(partition, records)| records[..100] != other[partition][..100]));
}

#[test]
fn numbered_batches_of_many_partitions_outlive_a_leader_that_is_away() {
    let options = "--keys uniform --idempotent --linger 0ms --compression zstd --entropy 4 --record-bytes 200";
    let (result, _) = witness(Fault::Leaderless(20, 12), None, options);
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert!(result.summary.produce.is_some_and(|produce| produce.retries > 0 && produce.errors.is_empty()));
    assert_eq!(result.integrity.acked, result.integrity.produced);
}

#[test]
fn faults_in_compressed_batches_and_in_keys_are_found() {
    let (result, _) = witness(Fault::Lose(3), None, "--keys uniform --compression snappy --linger 2ms");
    assert_eq!(result.integrity.verdict, Verdict::Fail);
    assert!(result.integrity.missing > 0 && result.integrity.corrupt == 0);
    let (result, _) = witness(Fault::Harm(3), None, "--compression gzip --linger 2ms");
    assert!(result.integrity.missing > 0 && result.integrity.corrupt > 0);
    let (result, _) = witness(Fault::None, Some(3), "--keys uniform --linger 2ms");
    assert_eq!((result.integrity.missing, result.integrity.corrupt), (1, 1), "one key of one record");
    assert_eq!(result.integrity.verdict, Verdict::Fail);
}

#[test]
fn every_way_to_run_takes_records_that_differ() {
    let filled = passes("--mode consume --prefill 200kB --sizes 100:1,300:1 --keys uniform --compression lz4").0;
    // 200,000 bytes at 216 on average.
    assert_eq!(filled.integrity.consumed, 926);
    passes("--mode produce --rate 0 --duration 200ms --keys uniform --producers 2 --compression lz4");
    let (unacknowledged, _) = witness(Fault::None, None, "--acks 0 --keys uniform");
    assert_eq!((unacknowledged.integrity.acked, unacknowledged.integrity.verdict), (0, Verdict::Pass));
    assert!(unacknowledged.integrity.consumed > 1_000);
}

#[test]
fn bursts_offer_the_mean_rate() {
    let (result, _) = passes("--arrival burst --burst-on 50ms --burst-off 150ms");
    let produce = result.summary.produce.expect("produced");
    let offered = produce.offered.expect("open loop").records_per_s;
    assert!((offered - 2_000.0).abs() <= 2.0, "offered {offered}");
}

#[test]
fn every_group_reads_everything_and_each_is_checked() {
    let (result, batches) = passes("--groups 3 --consumers 2");
    let written = came(&batches).values().map(Vec::len).sum::<usize>() as u64;
    assert_eq!((result.integrity.produced, result.integrity.consumed), (written, 3 * written));
    assert_eq!((result.workload.groups, result.workload.consumers), (Some(3), 2));
    let (result, _) = witness(Fault::Lose(20), None, "--groups 2 --linger 2ms");
    let lost = result.integrity.missing;
    assert!(lost > 0 && lost.is_multiple_of(2), "both groups miss the same {lost}");
    passes("--groups 2 --mode consume --prefill 100kB");
}
