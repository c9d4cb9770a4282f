//! A steady run allocates nothing for a record nor for a batch, and its memory does not grow with what it has sent.
//!
//! A binary of its own with one test: the counting allocator counts the whole process, the null broker included.

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use loadgen::ceiling::selftest_options;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::run::execute;
use procfs::process::Process;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A request and its answer, both sides together: more than what is measured, less than one for each of its batches.
const ALLOCATIONS_PER_REQUEST: u64 = 14;

/// Room for what the allocator keeps for itself. A number for each of the records of the longer run is above it.
const GROWTH_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// What a run took.
struct Taken {
    records: u64,
    batches: u64,
    requests: u64,
    allocations: u64,
    /// The largest that this process ever was.
    peak_bytes: u64,
}

/// A closed loop of small records in small batches, many to a request.
fn run(options: &str) -> Taken {
    let line = format!("loadgen --record-bytes 32 --batch-bytes 8KiB --partitions 100 --warmup 0s {options}");
    let mut options = Line::parse_from(line.split_whitespace()).run;
    selftest_options(&mut options.load, &mut options.target).expect("a port");
    let region = Region::new(ALLOCATOR);
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&options.load, &options.target, &mut Progress::new(true), interrupted).expect("valid");
    let allocations = region.change().allocations as u64;
    assert_eq!(result.error, None);
    let shape = result.summary.produce.and_then(|produce| produce.batch).expect("batches were acknowledged");
    let status = Process::myself().and_then(|process| process.status()).expect("our own status");
    let (records, batches, requests) = (result.integrity.produced, shape.batches, shape.requests);
    Taken { records, batches, requests, allocations, peak_bytes: status.vmhwm.expect("a peak") * 1024 }
}

#[test]
fn a_steady_run_allocates_for_requests_and_neither_for_batches_nor_records() {
    for mode in ["modelled", "raw"] {
        let short = run(&format!("--client-mode {mode} --duration 500ms"));
        let long = run(&format!("--client-mode {mode} --duration 3s"));
        let requests = long.requests - short.requests;
        let (batches, allocations) = (long.batches - short.batches, long.allocations - short.allocations);
        assert!(batches > 16 * requests && batches > 1_000, "{mode}: the shape that the test is about");
        let allowed = ALLOCATIONS_PER_REQUEST * requests;
        assert!(allocations <= allowed, "{mode}: {allocations} allocations for {requests} more requests");
        let more = long.records - short.records;
        assert!(more * 8 > GROWTH_BYTES_MAX, "{mode}: {more} more records would not show");
        let grown = long.peak_bytes - short.peak_bytes;
        assert!(grown < GROWTH_BYTES_MAX, "{mode}: {grown} bytes more for {more} more records");
    }
}
