//! Whole runs against a broker in this process that tells the truth, or plants one fault.

mod faulty_broker;
mod shapes;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;
use faulty_broker::{Fault, FaultyLog};
use loadgen::local_broker;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::result::{ClientMode, RunResult, Verdict, decode_histogram, histogram_name};
use loadgen::run::execute;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

const SHORT: &str = "--duration 1s --warmup 200ms --linger 2ms --rate 2000 --partitions 3 --record-bytes 200";

fn args(options: &str) -> RunOptions {
    Line::parse_from(format!("loadgen {options}").split_whitespace()).run
}

fn run(fault: Fault, options: &str) -> RunResult {
    let address = local_broker::start(FaultyLog::new(fault)).expect("a port");
    let args = args(&format!("{} {options} --bootstrap {address}", short_besides(options)));
    execute(&args.load, &args.target, &mut Progress::new(true), Arc::new(AtomicBool::new(false)))
        .expect("valid options")
}

/// `SHORT` without what `options` says otherwise: an option is given once.
fn short_besides(options: &str) -> String {
    let words: Vec<&str> = SHORT.split_whitespace().collect();
    let kept = words.chunks(2).filter(|pair| !options.split_whitespace().any(|word| word == pair[0]));
    kept.map(|pair| pair.join(" ")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_against_a_faithful_broker_passes_and_carries_every_part() {
    let result = run(Fault::None, "--idempotent --producers 2 --consumers 2");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let integrity = &result.integrity;
    assert!(integrity.produced > 2_000, "warm-up and window");
    assert_eq!((integrity.produced, integrity.acked, integrity.consumed), {
        (integrity.produced, integrity.produced, integrity.produced)
    });
    let produce = result.summary.produce.as_ref().expect("produced");
    let offered = produce.offered.expect("open loop").records_per_s;
    assert!((offered - 2_000.0).abs() <= 2.0, "offered {offered}");
    let response = produce.latency.response.as_ref().expect("measured");
    assert!(response.n_batches.is_some_and(|batches| batches > 0 && batches <= response.n));
    let encoded = &result.histograms[histogram_name::CONSUME_END_TO_END];
    assert!(!decode_histogram(encoded).expect("own histogram").is_empty());
    assert!(result.series.is_some_and(|series| series.t_secs.len() >= 2));
    assert!(result.resources.loadgen.is_some());
}

#[test]
fn each_planted_fault_is_found_and_only_that_one() {
    let found = |fault| {
        let integrity = run(fault, "").integrity;
        assert_eq!(integrity.verdict, Verdict::Fail, "{fault:?}");
        (integrity.missing > 0, integrity.duplicate > 0, integrity.out_of_order > 0, integrity.corrupt > 0)
    };
    assert_eq!(found(Fault::Lose(20)), (true, false, false, false));
    assert_eq!(found(Fault::Double(20)), (false, true, false, false));
    assert_eq!(found(Fault::Swap(20)), (false, false, true, false));
    // The harmed record is delivered as nobody's, and its own number never comes.
    assert_eq!(found(Fault::Harm(20)), (true, false, false, true));
}

#[test]
fn a_broker_that_names_offsets_twice_is_convicted_of_that() {
    let run = run(Fault::Misplace(20), "--producers 2 --partitions 1");
    let integrity = run.integrity;
    assert_eq!((integrity.wrong_offsets, integrity.verdict), (1, Verdict::Fail));
    assert_eq!((integrity.missing, integrity.duplicate, integrity.out_of_order, integrity.corrupt), (0, 0, 0, 0));
    assert!(integrity.examples.iter().any(|example| example.contains("wrong offsets")), "{:?}", integrity.examples);
}

#[test]
fn raw_producers_are_convicted_and_acquitted_like_modelled_ones() {
    for options in ["--client-mode raw --idempotent --producers 2", "--client-mode raw --rate 0 --duration 300ms"] {
        let result = run(Fault::None, options);
        assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass), "{options}");
        assert!(result.integrity.produced > 2_000 && result.integrity.acked == result.integrity.consumed);
        assert_eq!(result.workload.client_mode, ClientMode::Raw);
    }
    let found = |fault| {
        let integrity = run(fault, "--client-mode raw").integrity;
        (integrity.missing > 0, integrity.duplicate > 0, integrity.out_of_order > 0, integrity.corrupt > 0)
    };
    assert_eq!(found(Fault::Lose(20)), (true, false, false, false));
    assert_eq!(found(Fault::Double(20)), (false, true, false, false));
    assert_eq!(found(Fault::Swap(20)), (false, false, true, false));
    assert_eq!(found(Fault::Harm(20)), (true, false, false, true));
    let away = run(Fault::Leaderless(20, 12), "--client-mode raw --idempotent --linger 0ms");
    assert_eq!((away.error.as_deref(), away.integrity.verdict), (None, Verdict::Pass));
    assert!(away.summary.produce.is_some_and(|produce| produce.retries > 0 && produce.errors.is_empty()));
}

#[test]
fn a_run_that_only_produces_is_verified_by_reading_back() {
    let result = run(Fault::Lose(20), "--mode produce");
    assert_eq!(result.integrity.verdict, Verdict::Fail);
    assert!(result.summary.consume.is_none());
    let unread = run(Fault::Lose(20), "--mode produce --verify off");
    assert_eq!((unread.integrity.verdict, unread.integrity.consumed), (Verdict::NotChecked, 0));
}

#[test]
fn without_verification_consumers_measure_and_claim_nothing() {
    let result = run(Fault::Double(20), "--verify off");
    assert_eq!((result.integrity.verdict, result.integrity.consumed), (Verdict::NotChecked, 0));
    let consume = result.summary.consume.expect("consumed");
    assert!(consume.records > 1_000 && consume.latency.end_to_end.is_some());
}

#[test]
fn a_filled_topic_is_consumed_and_verified() {
    let result = run(Fault::None, "--mode consume --prefill 2MB");
    assert_eq!((result.integrity.verdict, result.integrity.consumed), (Verdict::Pass, 10_000));
    let consume = result.summary.consume.expect("consumed");
    assert_eq!(consume.records, 10_000);
    assert!(consume.latency.end_to_end.is_none() && result.summary.produce.is_none());
}

#[test]
fn a_stall_of_the_broker_shows_in_the_response_of_all_that_was_due_meanwhile() {
    // 2,000 records/s and one request in flight: some 800 records become due in 400 ms of silence, and only the few of
    // the stalled request see it as service time. Warm-up makes batch 300 or so the window's.
    let stall = Fault::Stall(250, Duration::from_millis(400));
    let result = run(stall, "--in-flight 1 --warmup 100ms --duration 2s");
    assert_eq!(result.integrity.verdict, Verdict::Pass);
    let slow = |name| {
        let histogram = decode_histogram(&result.histograms[name]).expect("own histogram");
        histogram.len() - histogram.count_between(0, 100_000_000)
    };
    let (response, service) = (slow(histogram_name::PRODUCE_RESPONSE), slow(histogram_name::PRODUCE_SERVICE));
    assert!(response > 400, "{response} records waited more than 100 ms");
    assert!(response > service + 300, "service alone would have hidden them: {response} against {service}");
}

#[test]
fn a_broker_that_cannot_keep_up_makes_the_run_saturated() {
    let slow = Fault::Slow(Duration::from_millis(20));
    let result = run(slow, "--rate 20000 --batch-bytes 2KiB --in-flight 1 --partitions 1");
    assert!(result.quality.saturated && !result.quality.closed_loop);
    assert_eq!(result.integrity.verdict, Verdict::Pass, "slow is not wrong");
    assert!(result.quality.notes.iter().any(|note| note.contains("could not be sent")));
    let quick = run(Fault::None, "");
    assert!(!quick.quality.saturated);
}

#[test]
fn a_closed_loop_is_labelled_and_offers_nothing() {
    let result = run(Fault::None, "--rate 0 --duration 300ms --mode produce");
    assert!(result.quality.closed_loop && !result.quality.saturated);
    assert!(result.summary.produce.is_some_and(|produce| produce.offered.is_none() && produce.records > 1_000));
    assert_eq!(result.integrity.verdict, Verdict::Pass);
}

#[test]
fn refused_batches_are_errors_and_not_losses() {
    let result = run(Fault::Refuse(20), "");
    let produce = result.summary.produce.expect("produced");
    assert_eq!(produce.errors.keys().collect::<Vec<_>>(), ["NotEnoughReplicas"]);
    assert_eq!((result.integrity.missing, result.integrity.verdict), (0, Verdict::Pass));
}

#[test]
fn numbered_batches_outlive_a_leader_that_is_away_for_a_while() {
    let away = Fault::Leaderless(20, 12);
    let result = run(away, "--idempotent --linger 0ms --in-flight 5");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let produce = result.summary.produce.expect("produced");
    assert!(produce.errors.is_empty() && produce.retries > 0, "{:?}, {} retries", produce.errors, produce.retries);
    assert_eq!(result.integrity.acked, result.integrity.produced);
    assert!(result.quality.notes.iter().any(|note| note.contains("NotLeaderOrFollower")));
    let unnumbered = run(away, "").summary.produce.expect("produced");
    assert_eq!(unnumbered.errors.keys().collect::<Vec<_>>(), ["NotLeaderOrFollower"]);
    assert_eq!(unnumbered.retries, 0, "without numbers a second try could double records");
}

#[test]
fn a_broker_that_hangs_up_leaves_a_whole_result_with_the_failure_counted() {
    let result = run(Fault::HangUp(100), "");
    assert!(result.error.as_ref().is_some_and(|error| error.contains("connection to")), "{:?}", result.error);
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
    let produce = result.summary.produce.expect("produced");
    assert_eq!(produce.errors.keys().collect::<Vec<_>>(), ["disconnected"]);
    assert!(result.integrity.acked > 0 && result.integrity.acked < result.integrity.produced);
}

#[test]
fn a_cut_with_requests_in_flight_makes_numbered_ones_go_again_and_others_unknown() {
    let cut = "--fault cut@400ms --linger 0ms";
    let numbered = run(Fault::Slow(Duration::from_millis(20)), &format!("{cut} --idempotent"));
    assert_eq!((numbered.error.as_deref(), numbered.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(numbered.integrity.acked, numbered.integrity.produced);
    assert!(numbered.quality.notes.iter().any(|note| note.contains("sent again")), "{:?}", numbered.quality.notes);
    let unnumbered = run(Fault::Slow(Duration::from_millis(20)), cut);
    assert_eq!((unnumbered.error.as_deref(), unnumbered.integrity.verdict), (None, Verdict::Pass));
    let errors = unnumbered.summary.produce.expect("produced").errors;
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["disconnected"]);
    assert_eq!(unnumbered.integrity.acked + errors["disconnected"], unnumbered.integrity.produced);
}

#[test]
fn without_acknowledgements_nothing_is_promised_and_what_comes_is_checked() {
    let result = run(Fault::Lose(20), "--acks 0");
    assert_eq!((result.integrity.acked, result.integrity.verdict), (0, Verdict::Pass));
    assert!(result.integrity.consumed > 0 && result.integrity.consumed < result.integrity.produced);
}

#[test]
fn a_run_that_cannot_start_still_has_a_result() {
    let args = args("--bootstrap 127.0.0.1:1");
    let result = execute(&args.load, &args.target, &mut Progress::new(true), Arc::new(AtomicBool::new(false)))
        .expect("valid options");
    assert!(result.error.is_some_and(|error| error.contains("127.0.0.1:1")));
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
}

#[test]
fn an_interrupted_run_ends_at_once_and_says_so() {
    let address = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    let args = args(&format!("--duration 10m --bootstrap {address}"));
    let result = execute(&args.load, &args.target, &mut Progress::new(true), Arc::new(AtomicBool::new(true)))
        .expect("valid options");
    assert_eq!(result.error.as_deref(), Some("interrupted"));
    assert!(result.summary.produce.is_none(), "the measured window never began");
}
