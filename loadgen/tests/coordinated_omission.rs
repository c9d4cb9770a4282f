//! A pause of the broker is told in full by `response` and hidden by `service`: exactly so in virtual time, and within what can
//! be measured from outside when the real broker stands still.

mod real_broker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use hdrhistogram::Histogram;
use loadgen::collector::Collector;
use loadgen::host::listener;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::recorder::Recorder;
use loadgen::result::{RunResult, Verdict, decode_histogram, histogram_name};
use loadgen::run::execute;
use loadgen::schedule::{Arrival, Schedule};
use loadgen::timeline::Timeline;
use real_broker::RealBroker;
use rustix::process::{Pid, Signal, kill_process};

const MS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000 * MS;

/// A server that takes `SERVICE_NS` for a request and does nothing from `PAUSE_FROM_NS` on for `PAUSE_NS`.
const SERVICE_NS: u64 = MS / 10;
const PAUSE_FROM_NS: u64 = 3 * SECOND_NS;
const PAUSE_NS: u64 = 200 * MS;
const GAP_NS: u64 = MS;

/// When the server has answered what it began at `begin_ns`.
fn answered_ns(begin_ns: u64) -> u64 {
    let end_ns = begin_ns + SERVICE_NS;
    if end_ns <= PAUSE_FROM_NS || begin_ns >= PAUSE_FROM_NS + PAUSE_NS { end_ns } else { end_ns + PAUSE_NS }
}

/// Ten seconds of a record every millisecond, one request at a time, recorded as a producer records.
fn simulate() -> (Histogram<u64>, Histogram<u64>, Histogram<u64>) {
    let timeline = Timeline { start_ns: 1, measure_ns: SECOND_NS, end_ns: 11 * SECOND_NS };
    let (mut collector, mut outlets) = Collector::new(1);
    let mut recorder = Recorder::new(timeline, outlets.remove(0));
    let mut schedule = Schedule::new(Arrival::Constant, 1_000.0, timeline.measure_ns, 1, 0);
    let mut free_ns = timeline.measure_ns;
    while schedule.peek_ns() < timeline.end_ns {
        let intended_ns = schedule.advance();
        let sent_ns = intended_ns.max(free_ns);
        free_ns = answered_ns(sent_ns);
        recorder.roll(free_ns);
        recorder.record_service(intended_ns, sent_ns, free_ns, 1);
        recorder.record_response(intended_ns, sent_ns, free_ns, 1);
    }
    recorder.finish();
    while collector.collect(Duration::from_millis(1)) && collector.measured().1.response.len() < 10_000 {}
    let histograms = collector.measured().1.clone();
    (histograms.response, histograms.service, histograms.lag)
}

/// Samples of more than `ns`, to the precision of the histogram.
fn above(histogram: &Histogram<u64>, ns: u64) -> u64 {
    histogram.len() - histogram.count_between(0, ns)
}

#[test]
fn in_virtual_time_a_pause_shows_in_the_response_as_arithmetic_says() {
    let (response, service, lag) = simulate();
    assert_eq!((response.len(), service.len(), lag.len()), (10_000, 10_000, 10_000));
    // The request that the pause met, and no other, was slow on the wire.
    assert_eq!(above(&service, 2 * SERVICE_NS), 1);
    assert!(service.max().abs_diff(PAUSE_NS + SERVICE_NS) <= service.equivalent_range(PAUSE_NS));
    // One record became due in every gap of the pause, so waits above w are (pause - w) / gap many while the server is silent. Then
    // it works the queue off, a record a service time, while a new one comes every gap: the k-th waits k * (gap - service) less.
    let wait_ns = |k: u64| (PAUSE_NS + SERVICE_NS).saturating_sub(k * (GAP_NS - SERVICE_NS));
    for limit_ns in [10 * MS, 50 * MS, 100 * MS, 150 * MS, 190 * MS] {
        let exact = (0..1_000).filter(|&k| wait_ns(k) > limit_ns).count() as u64;
        let found = above(&response, limit_ns);
        assert!(found.abs_diff(exact) <= 1, "above {limit_ns} ns: {found}, by arithmetic {exact}");
    }
    // 10,000 records of which some 222 waited: the 99th percentile lies among them, where service still sees nothing.
    let rank = |share: f64| ((1.0 - share) * 10_000.0) as u64;
    for share in [0.99, 0.999] {
        let exact = wait_ns(rank(share));
        let found = response.value_at_quantile(share);
        assert!(found.abs_diff(exact) <= GAP_NS + response.equivalent_range(exact), "{share}: {found}, not {exact}");
        assert!(service.value_at_quantile(share) <= 2 * SERVICE_NS);
    }
    assert!(lag.max() <= response.max() && above(&lag, 100 * MS) + 1 >= above(&response, 100 * MS));
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// Stops the broker for a while in the middle of a run; the result, and the shortest and the longest that the pause can have been.
fn run_through_pause(options: &str) -> (RunResult, Duration, Duration) {
    let broker = RealBroker::start();
    let line = format!("loadgen {options} --bootstrap {}", broker.address);
    let run = Line::parse_from(line.split_whitespace()).run;
    let pid = listener::local_pid(&broker.address).and_then(|pid| Pid::from_raw(pid as i32)).expect("it listens");
    let pauser = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1_500));
        let before = Instant::now();
        kill_process(pid, Signal::STOP).expect("stopped");
        let stopped = Instant::now();
        thread::sleep(Duration::from_millis(400));
        let shortest = stopped.elapsed();
        kill_process(pid, Signal::CONT).expect("continued");
        (shortest, before.elapsed())
    });
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&run.load, &run.target, &mut Progress::new(true), interrupted).expect("valid options");
    let (shortest, longest) = pauser.join().expect("signals");
    (result, shortest, longest)
}

#[test]
fn a_live_broker_that_stands_still_shows_in_the_response_and_not_in_the_service() {
    const RATE: u64 = 2_000;
    let (result, shortest, longest) = run_through_pause(
        "--mode produce --rate 2000 --record-bytes 200 --linger 5ms --in-flight 1 --partitions 1 --warmup 500ms --duration 3s",
    );
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let histogram = |name: &str| decode_histogram(&result.histograms[name]).expect("own histogram");
    let (response, service) = (histogram(histogram_name::PRODUCE_RESPONSE), histogram(histogram_name::PRODUCE_SERVICE));
    let (shortest_ns, longest_ns) = (shortest.as_nanos() as u64, longest.as_nanos() as u64);
    // What was due at the first moment of the pause waited for all of it, unless it was in flight already: those of one linger.
    let in_flight_ns = 20 * MS;
    assert!(response.max() + in_flight_ns >= shortest_ns, "{} of {shortest_ns} ns", response.max());
    // Nobody waited for more than the pause and what the run makes its records wait anyway: the queue that it leaves is worked off by
    // a request at a time, none of which took longer than the longest.
    let most_ns = longest_ns * 2 + service.max() * 4;
    assert!(response.max() <= most_ns, "{} of at most {most_ns} ns", response.max());
    // Of the records due while it stood still, half waited for more than half of it...
    let half_ns = shortest_ns / 2;
    let due = RATE * shortest_ns / SECOND_NS;
    let (slow, on_the_wire) = (above(&response, half_ns), above(&service, half_ns));
    assert!(slow >= due / 2 - RATE * in_flight_ns / SECOND_NS, "{slow} of the {due} that were due");
    // ...while on the wire there was only the request that was out when it stopped.
    assert!(on_the_wire * 4 < slow, "service would have hidden them: {on_the_wire} against {slow}");
}
