//! One run spread over several agents, which are processes of their own: the sums, the verdict, the clocks, and every way to lose one.

#[expect(dead_code, reason = "only some faults are planted here")]
#[path = "../faulty_broker/mod.rs"]
mod faulty_broker;

mod clocks;
mod losses;
mod process;
mod strangers;

use faulty_broker::Fault;
use loadgen::result::{HostRole, Verdict};
use process::{Agent, run, run_at};

#[test]
fn a_run_over_three_agents_adds_up_and_passes() {
    let agents = [Agent::start(&[]), Agent::start(&[]), Agent::start(&[])];
    let result = run(Fault::None, &agents.each_ref(), "--producers 5 --consumers 4");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    let integrity = &result.integrity;
    assert!(integrity.produced > 2_000, "warm-up and window");
    assert_eq!((integrity.acked, integrity.consumed), (integrity.produced, integrity.produced));
    let produce = result.summary.produce.as_ref().expect("produced");
    let offered = produce.offered.expect("open loop").records_per_s;
    assert!((offered - 2_000.0).abs() <= 5.0, "each producer has its share once: {offered}");
    let response = produce.latency.response.as_ref().expect("measured");
    assert_eq!(response.n, 3_000, "every record of the window is in the merged histogram");
    let consume = result.summary.consume.as_ref().expect("consumed");
    assert_eq!(consume.latency.end_to_end.as_ref().map(|latency| latency.n), Some(3_000));
    let rows = result.series.as_ref().expect("measured").t_secs.len();
    assert_eq!(rows, 3, "half a second of warm-up, one and a half of the window");

    let roles: Vec<HostRole> = result.env.iter().map(|host| host.role).collect();
    // The broker is a thread of this test, and its host everybody's.
    assert_eq!(roles, [HostRole::Colocated; 4]);
    assert_eq!(result.resources.agents.len(), 3);
    assert!(result.resources.loadgen.is_some() && result.resources.broker.is_some());
    assert!(result.quality.notes.iter().any(|note| note.contains("3 agents")), "{:?}", result.quality.notes);
}

#[test]
fn planted_faults_are_found_across_agents() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let found = |fault, more: &str| {
        let integrity = run(fault, &agents.each_ref(), more).integrity;
        assert_eq!(integrity.verdict, Verdict::Fail, "{fault:?}");
        (integrity.missing > 0, integrity.duplicate > 0, integrity.out_of_order > 0, integrity.corrupt > 0)
    };
    // One agent sends, the other reads: nobody alone knows of the loss.
    assert_eq!(found(Fault::Lose(20), "--producers 1 --consumers 1"), (true, false, false, false));
    assert_eq!(found(Fault::Double(20), "--producers 2 --consumers 2"), (false, true, false, false));
    assert_eq!(found(Fault::Lose(20), "--producers 3 --mode produce"), (true, false, false, false));
}

#[test]
fn a_filled_topic_is_consumed_by_agents() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let result = run(Fault::None, &agents.each_ref(), "--mode consume --prefill 2MB --consumers 3 --producers 2");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(result.summary.consume.expect("consumed").records, 10_000);
}

#[test]
fn keys_codecs_bursts_and_groups_are_the_same_at_agents() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let judged = |fault, more: &str| run(fault, &agents.each_ref(), more);
    let line = "--producers 2 --consumers 2 --groups 3 --keys zipf --key-space 100 --compression lz4 --entropy 4";
    let result = judged(Fault::None, line);
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(result.integrity.consumed, 3 * result.integrity.produced, "each group reads everything");
    assert_eq!(result.workload.keys.map(|keys| keys.key_space), Some(100));
    let shape = result.summary.produce.expect("produced").batch.expect("answered");
    assert!(shape.compression_ratio.is_some_and(|ratio| ratio > 1.2), "{shape:?}");

    let result = judged(Fault::None, "--producers 2 --client-mode raw --arrival burst --burst-on 100ms");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert!(result.integrity.produced > 1_000, "{:?}", result.integrity);

    let result = judged(Fault::Lose(20), "--producers 2 --consumers 1 --groups 2");
    assert_eq!((result.integrity.verdict, result.integrity.missing > 0), (Verdict::Fail, true));
}

#[test]
fn a_monitor_beside_the_broker_measures_it_and_takes_no_load() {
    let monitor = Agent::start(&["--monitor"]);
    let result = run(Fault::None, &[&monitor], "");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    // The broker is a thread of this process, which the process itself does not count as a broker.
    let broker = result.resources.broker.expect("the monitor sees this process");
    assert!(broker.rss_max_bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(result.env.iter().map(|host| host.role).collect::<Vec<_>>(), [HostRole::Colocated, HostRole::Broker]);
    assert!(result.resources.agents[0].beside_broker);
    let error = run_at("192.0.2.1:9", &[&monitor], "").error.expect("no broker there");
    assert!(error.contains("listens at 192.0.2.1:9"), "{error}");
}
