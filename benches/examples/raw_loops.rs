//! What this machine allows without a broker: loops of nothing but the system calls that an acknowledgement needs. `results/limits` holds
//! Posthaste against them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use benches::{make_written, on_core};
use clap::{Parser, Subcommand};
use engine::limits::BLOCK_BYTES;
use hdrhistogram::Histogram;
use loadgen::cluster::create_topic;
use protocol::Records;
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::header::RequestHeader;
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::record_batch::{BatchBuilder, ProducerFields};
use rustix::fs::OFlags;
use serde_json::json;
use tokio_uring::buf::BoundedBuf;

const FILE_BYTES: usize = 64 << 20;
const PRODUCE_VERSION: i16 = 9;
const RECORD_BYTES: usize = 100;
/// Larger than a request or an answer of one small record.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// What a commit of the paced loop takes at most; the rest waits for the next.
const COMMIT_BYTES_MAX: usize = 4 << 20;
const TIMER_SLACK: Duration = Duration::from_micros(200);

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One small request at a time: a broker, and loops that receive, write, flush and send, turn about
    Ping {
        /// A broker at HOST:PORT; the ping is a produce request at acks=all
        #[arg(long)]
        bootstrap: String,
        /// Where the loops write
        #[arg(long)]
        directory: PathBuf,
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        #[arg(long, default_value_t = 4_000)]
        pings: u32,
    },
    /// Batches that come at a steady rate, each acknowledged by the flush behind its write; what came meanwhile shares the next one
    Paced {
        #[arg(long)]
        directory: PathBuf,
        /// Bytes a second
        #[arg(long)]
        rate: f64,
        #[arg(long, default_value_t = 16 << 10)]
        batch_bytes: usize,
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
    /// Commits of one size, written and flushed one after the other
    Commits {
        #[arg(long)]
        directory: PathBuf,
        #[arg(long)]
        commit_bytes: usize,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
}

/// Aligned memory out of memory that is not.
fn aligned(bytes: usize) -> tokio_uring::buf::Slice<Vec<u8>> {
    let memory = vec![7; bytes + BLOCK_BYTES];
    let start = memory.as_ptr().align_offset(BLOCK_BYTES);
    memory.slice(start..start + bytes)
}

/// A file without a name that was written once, as a recycled segment was: a flush has no metadata to write.
fn written_file(directory: &Path) -> io::Result<File> {
    let directory = tempfile::tempdir_in(directory)?;
    let path = directory.path().join("written");
    make_written(&path, FILE_BYTES as u64);
    OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits() as i32).open(path)
}

fn write_and_flush(file: &File, position: &mut usize, block: &[u8]) -> io::Result<()> {
    if *position + block.len() > FILE_BYTES {
        *position = 0;
    }
    file.write_all_at(block, *position as u64)?;
    *position += block.len();
    file.sync_data()
}

/// A client that sends the same bytes again and again and waits for each answer.
struct Pinger {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Pinger {
    fn to(address: &str, request: Vec<u8>) -> io::Result<Pinger> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Pinger { stream, request, answer: Vec::new() })
    }

    /// The time until the whole answer is there, which is kept.
    fn ping(&mut self) -> io::Result<Duration> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let (mut received, mut wanted) = (0, 4);
        let begun = Instant::now();
        self.stream.write_all(&self.request)?;
        while received < wanted {
            match self.stream.read(&mut buffer[received..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => received += more,
            }
            if let Some(length) = buffer[..received].first_chunk::<4>() {
                wanted = 4 + u32::from_be_bytes(*length) as usize;
            }
        }
        let taken = begun.elapsed();
        self.answer = buffer[..received].to_vec();
        Ok(taken)
    }

    fn pings(&mut self, count: u32, check: impl Fn(&[u8])) -> io::Result<Histogram<u64>> {
        let mut times = histogram();
        for number in 0..count {
            let taken = self.ping()?;
            check(&self.answer);
            // The first tenth warms up.
            if number >= count / 10 {
                record(&mut times, taken);
            }
        }
        Ok(times)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are possible")
}

fn record(times: &mut Histogram<u64>, taken: Duration) {
    times.record(taken.as_nanos() as u64).expect("it grows");
}

fn percentiles(times: &Histogram<u64>) -> serde_json::Value {
    let ns = |quantile| times.value_at_quantile(quantile);
    json!({ "p50_ns": ns(0.5), "p99_ns": ns(0.99), "p99_9_ns": ns(0.999) })
}

/// A produce request of one record at acks=all.
fn produce_request(topic: &str) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Vec::new(), 0, ProducerFields::NONE);
    batch.append_payload(0, None, &[7; RECORD_BYTES]);
    let batch = batch.finish();
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(Records::Borrowed(&batch)) }];
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData { name: topic, partition_data }],
        ..Default::default()
    };
    let api_key = ApiKey::Produce as i16;
    let header = RequestHeader { api_key, api_version: PRODUCE_VERSION, correlation_id: 7, client_id: Some("ping") };
    frame::encode_request(&header, &request).concat()
}

fn refuse_produce_error(answer: &[u8]) {
    let (_, response) = frame::decode_response::<ProduceResponse<'_>>(&answer[4..], ApiKey::Produce, PRODUCE_VERSION)
        .expect("an answer to a produce request");
    let error = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error, 0, "the record was taken");
}

/// Receives, writes, flushes and sends on a ring, until the other side ends. A small request that is alone comes in one piece.
async fn answer_on_a_ring(stream: TcpStream, file: File, mut answer: Vec<u8>) -> io::Result<()> {
    let (stream, file) = (tokio_uring::net::TcpStream::from_std(stream), tokio_uring::fs::File::from_std(file));
    let (mut request, mut block) = (vec![0; MESSAGE_BYTES_MAX], aligned(BLOCK_BYTES));
    for position in (0..FILE_BYTES).step_by(BLOCK_BYTES).cycle() {
        let (received, buffer) = stream.read(request).await;
        if received? == 0 {
            break;
        }
        let (written, memory) = file.write_all_at(block, position as u64).await;
        written?;
        file.sync_data().await?;
        let (sent, bytes) = stream.write_all(answer).await;
        sent?;
        (request, block, answer) = (buffer, memory, bytes);
    }
    Ok(())
}

/// The same by system calls that block.
fn answer_blocking(mut stream: TcpStream, file: &File, answer: &[u8]) -> io::Result<()> {
    let (mut request, block, mut position) = ([0; MESSAGE_BYTES_MAX], aligned(BLOCK_BYTES), 0);
    while stream.read(&mut request)? > 0 {
        write_and_flush(file, &mut position, &block)?;
        stream.write_all(answer)?;
    }
    Ok(())
}

fn ping(bootstrap: &str, directory: &Path, rounds: u32, pings: u32) -> io::Result<()> {
    let topic = create_topic(bootstrap, None, &format!("loadgen-ping-{}", std::process::id()), 1, 1)
        .map_err(io::Error::other)?;
    let mut broker = Pinger::to(bootstrap, produce_request(&topic.name))?;
    broker.ping()?;
    for round in 1..=rounds {
        let answer = broker.answer.clone();
        let raw = |serve: fn(TcpStream, File, Vec<u8>) -> io::Result<()>| {
            let (listener, file) = (TcpListener::bind("127.0.0.1:0")?, written_file(directory)?);
            let mut pinger = Pinger::to(&listener.local_addr()?.to_string(), broker.request.clone())?;
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            let serving = thread::spawn(move || serve(stream, file, answer));
            let times = pinger.pings(pings, |_| {});
            drop(pinger);
            serving.join().expect("no panic")?;
            times
        };
        let on_ring = raw(|stream, file, answer| on_core(|| answer_on_a_ring(stream, file, answer)))?;
        let blocking = raw(|stream, file, answer| answer_blocking(stream, &file, &answer))?;
        let through_broker = broker.pings(pings, refuse_produce_error)?;
        let figures = json!({
            "round": round,
            "ring": percentiles(&on_ring),
            "blocking": percentiles(&blocking),
            "broker": percentiles(&through_broker),
        });
        println!("{figures}");
    }
    Ok(())
}

/// A sleep ends late by what the timer is inexact: the last of it is spun away.
fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(TIMER_SLACK));
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

fn paced(directory: &Path, rate: f64, batch_bytes: usize, seconds: f64) -> io::Result<()> {
    let (file, memory) =
        (written_file(directory)?, aligned(COMMIT_BYTES_MAX.max(batch_bytes.next_multiple_of(BLOCK_BYTES))));
    let batches_max = (COMMIT_BYTES_MAX / batch_bytes).max(1);
    let (batches, begun) = ((rate * seconds / batch_bytes as f64) as u64, Instant::now());
    let due = |batch: u64| begun + Duration::from_secs_f64(batch as f64 * batch_bytes as f64 / rate);
    let (mut next, mut position, mut times) = (0, 0, histogram());
    while next < batches {
        wait_until(due(next));
        let now = Instant::now();
        let end = (next + 1..batches.min(next + batches_max as u64)).find(|batch| due(*batch) > now);
        let end = end.unwrap_or(batches.min(next + batches_max as u64));
        let bytes = ((end - next) as usize * batch_bytes).next_multiple_of(BLOCK_BYTES);
        write_and_flush(&file, &mut position, &memory[..bytes])?;
        // The first tenth warms up.
        for batch in (next..end).filter(|batch| *batch >= batches / 10) {
            record(&mut times, due(batch).elapsed());
        }
        next = end;
    }
    let reached = batches as f64 * batch_bytes as f64 / begun.elapsed().as_secs_f64();
    println!("{}", json!({ "bytes_a_second": reached, "latency": percentiles(&times) }));
    Ok(())
}

fn commits(directory: &Path, commit_bytes: usize, seconds: f64) -> io::Result<()> {
    let (file, memory) = (written_file(directory)?, aligned(commit_bytes));
    let (mut position, mut count, begun) = (0, 0_u64, Instant::now());
    while begun.elapsed().as_secs_f64() < seconds {
        write_and_flush(&file, &mut position, &memory)?;
        count += 1;
    }
    let reached = count as f64 * commit_bytes as f64 / begun.elapsed().as_secs_f64();
    println!("{}", json!({ "bytes_a_second": reached }));
    Ok(())
}

fn main() -> io::Result<()> {
    match Options::parse().what {
        What::Ping { bootstrap, directory, rounds, pings } => ping(&bootstrap, &directory, rounds, pings),
        What::Paced { directory, rate, batch_bytes, seconds } => paced(&directory, rate, batch_bytes, seconds),
        What::Commits { directory, commit_bytes, seconds } => commits(&directory, commit_bytes, seconds),
    }
}
