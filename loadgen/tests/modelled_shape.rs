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

/// Records of 1,000 bytes, 3 to a batch, far apart, and a linger that never ends.
fn shape(options: &str) -> BatchShape {
    let line = format!("loadgen --record-bytes 1000 --batch-bytes 4000 --linger 20s --warmup 0s {options}");
    let mut options = Line::parse_from(line.split_whitespace()).run;
    selftest_options(&mut options.load, &mut options.target).expect("a port");
    options.load.rate = parse_rate("500").expect("a rate");
    options.load.duration = std::time::Duration::from_secs(2);
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&options.load, &options.target, &mut Progress::new(true), interrupted).expect("valid");
    assert_eq!(result.error, None);
    result.summary.produce.and_then(|produce| produce.batch).expect("batches were acknowledged")
}

#[test]
fn a_full_batch_leaves_with_the_record_that_did_not_fit() {
    for kind in ["", "--compression lz4 --entropy 8"] {
        let shape = shape(&format!("--partitions 64 {kind}"));
        // Two full batches below `batch.size` make a stay; the record behind the second one begins a batch elsewhere and goes along.
        let batches = shape.batches as f64 / shape.requests as f64;
        assert!((1.4..=3.0).contains(&batches), "{kind}: {shape:?}");
    }
}

#[test]
fn one_partition_gets_full_batches_alone() {
    let shape = shape("--partitions 1");
    assert!(shape.batches <= shape.requests, "{shape:?}");
    assert!(shape.records_per_batch_mean > 2.9, "{shape:?}");
}
