//! The shape that `modelled` producers give their traffic is the Java client's; `results/modelled` holds it against the client itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use loadgen::ceiling::selftest_options;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::quantity::parse_rate;
use loadgen::result::BatchShape;
use loadgen::run::execute;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// Later than this, records come in heaps, and a heap fills batches of its own.
const LAG_NS_MAX: u64 = 100_000_000;

/// Runs until one was not held up by the machine.
const ATTEMPTS: usize = 5;

/// The shape of a run whose records came at their time; none on a machine that is too busy for one.
fn shape(options: &str) -> Option<BatchShape> {
    let found = (0..ATTEMPTS).find_map(|_| shape_of_one(options));
    if found.is_none() {
        eprintln!("not checked: records came too late in {ATTEMPTS} runs");
    }
    found
}

/// Records of 1,000 bytes, 3 to a batch, far apart, and a linger that never ends.
fn shape_of_one(options: &str) -> Option<BatchShape> {
    let line = format!("loadgen --record-bytes 1000 --batch-bytes 4000 --linger 20s --warmup 0s {options}");
    let mut options = Line::parse_from(line.split_whitespace()).run;
    selftest_options(&mut options.load, &mut options.target).expect("a port");
    options.load.rate = parse_rate("500").expect("a rate");
    options.load.duration = std::time::Duration::from_secs(2);
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&options.load, &options.target, &mut Progress::new(true), interrupted).expect("valid");
    assert_eq!(result.error, None);
    let produce = result.summary.produce.expect("it produced");
    let lag_ns = produce.latency.lag.as_ref().and_then(|lag| lag.p99_ns).unwrap_or(0);
    let shape = produce.batch.expect("batches were acknowledged");
    (!result.quality.saturated && lag_ns <= LAG_NS_MAX).then_some(shape)
}

#[test]
fn a_full_batch_leaves_with_the_record_that_did_not_fit() {
    for kind in ["", "--compression lz4 --entropy 8"] {
        let Some(shape) = shape(&format!("--partitions 64 {kind}")) else { return };
        // Two full batches below `batch.size` make a stay; the record behind the second one begins a batch elsewhere and goes along.
        let batches = shape.batches as f64 / shape.requests as f64;
        assert!((1.4..=3.0).contains(&batches), "{kind}: {shape:?}");
    }
}

#[test]
fn one_partition_gets_full_batches_alone() {
    let Some(shape) = shape("--partitions 1") else { return };
    assert!(shape.batches <= shape.requests, "{shape:?}");
    assert!(shape.records_per_batch_mean > 2.9, "{shape:?}");
}
