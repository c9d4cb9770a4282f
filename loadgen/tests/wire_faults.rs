//! One fault on the wire between the clients and the real broker: the verdict finds it and calls it by its name.

mod real_broker;
mod wire_proxy;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::result::{RunResult, Verdict};
use loadgen::run::execute;
use real_broker::RealBroker;
use wire_proxy::{Seal, WireFault};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// One partition, so that neighbours on the wire are neighbours in the log; read back as a whole, so that answers hold many
/// batches.
const LOAD: &str =
    "--mode produce --partitions 1 --rate 2000 --record-bytes 200 --linger 2ms --warmup 100ms --duration 900ms";

fn run(fault: WireFault, options: &str) -> RunResult {
    let broker = RealBroker::start();
    let address = wire_proxy::start(&broker.address, fault);
    let line = format!("loadgen {LOAD} {options} --bootstrap {address}");
    let run = Line::parse_from(line.split_whitespace()).run;
    let interrupted = Arc::new(AtomicBool::new(false));
    execute(&run.load, &run.target, &mut Progress::new(true), interrupted).expect("valid options")
}

/// Which kinds of faults the verdict names: missing, duplicate, out of order, corrupt, phantom.
fn named(result: &RunResult) -> [bool; 5] {
    assert_eq!(result.error, None);
    let found = &result.integrity;
    [found.missing, found.duplicate, found.out_of_order, found.corrupt, found.phantom].map(|records| records > 0)
}

const NONE: [bool; 5] = [false; 5];
const MISSING: [bool; 5] = [true, false, false, false, false];
const DUPLICATE: [bool; 5] = [false, true, false, false, false];
const OUT_OF_ORDER: [bool; 5] = [false, false, true, false, false];
/// The harmed record is delivered as nobody's, and its own number never comes.
const CORRUPT: [bool; 5] = [true, false, false, true, false];

#[test]
fn what_happens_to_requests_without_numbers_is_found_by_reading() {
    let found = |fault| {
        let result = run(fault, "");
        assert_eq!(result.integrity.verdict, Verdict::Fail, "{fault:?}");
        named(&result)
    };
    assert_eq!(found(WireFault::DropProduce(2)), MISSING);
    assert_eq!(found(WireFault::DoubleProduce(2)), DUPLICATE);
    assert_eq!(found(WireFault::SwapProduce(2)), OUT_OF_ORDER);
    assert_eq!(found(WireFault::FlipProduce(2, Seal::Mended)), CORRUPT);
}

#[test]
fn a_lost_record_is_named_by_its_numbers() {
    let result = run(WireFault::DropProduce(2), "");
    let named = result.integrity.examples.join("; ");
    assert!(named.contains("never delivered") && named.contains("partition 0, producer 0, records "), "{named}");
}

#[test]
fn numbered_batches_make_the_broker_notice_what_happened_to_requests() {
    let doubled = run(WireFault::DoubleProduce(2), "--idempotent");
    assert_eq!((named(&doubled), doubled.integrity.verdict), (NONE, Verdict::Pass), "the broker knew the second one");
    for fault in [WireFault::DropProduce(2), WireFault::SwapProduce(2)] {
        let result = run(fault, "--idempotent");
        assert!(
            result.error.as_deref().is_some_and(|error| error.contains("OutOfOrderSequence")),
            "{:?}",
            result.error
        );
        assert_ne!(result.integrity.verdict, Verdict::Pass, "{fault:?}");
    }
    let harmed = run(WireFault::FlipProduce(2, Seal::Mended), "--idempotent");
    assert_eq!((named(&harmed), harmed.integrity.verdict), (CORRUPT, Verdict::Fail), "a number is no checksum");
}

#[test]
fn a_broken_batch_checksum_is_refused_by_the_broker_and_sent_again_where_it_is_numbered() {
    let refused = run(WireFault::FlipProduce(2, Seal::Broken), "");
    assert_eq!((named(&refused), refused.integrity.verdict), (NONE, Verdict::Pass), "refused is not lost");
    let errors = refused.summary.produce.expect("produced").errors;
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["CorruptMessage"]);
    let again = run(WireFault::FlipProduce(2, Seal::Broken), "--idempotent");
    assert_eq!((named(&again), again.integrity.verdict), (NONE, Verdict::Pass));
    assert!(again.summary.produce.is_some_and(|produce| produce.retries > 0 && produce.errors.is_empty()));
    assert_eq!(again.integrity.acked, again.integrity.produced);
}

#[test]
fn what_happens_to_answers_is_found_with_and_without_numbers() {
    for options in ["", "--idempotent"] {
        let found = |fault| {
            let result = run(fault, options);
            assert_eq!(result.integrity.verdict, Verdict::Fail, "{fault:?} {options}");
            named(&result)
        };
        assert_eq!(found(WireFault::DropFetched), MISSING);
        assert_eq!(found(WireFault::DoubleFetched), DUPLICATE);
        assert_eq!(found(WireFault::SwapFetched), OUT_OF_ORDER);
        assert_eq!(found(WireFault::FlipFetched(Seal::Mended)), CORRUPT);
        assert_eq!(found(WireFault::FlipFetched(Seal::Broken)), CORRUPT);
    }
}

#[test]
fn a_broker_that_lies_about_offsets_ends_the_run_with_one_clear_line() {
    let result = run(WireFault::WrongOffsets, "");
    let error = result.error.expect("a lie is an error");
    assert!(error.contains("Fetch") && error.contains("no whole batch from there on"), "{error}");
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
}

#[test]
fn an_answer_that_never_comes_ends_the_run_by_its_deadline() {
    let result = run(WireFault::Silence(2), "--in-flight 1");
    assert_eq!(result.error.as_deref(), Some("answering a produce request did not end within 30 s"));
    let produce = result.summary.produce.expect("produced");
    assert_eq!((produce.timeouts, produce.errors.keys().map(String::as_str).collect::<Vec<_>>()), (1, vec!["timeout"]));
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
}
