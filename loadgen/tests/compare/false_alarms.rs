//! A thing compared with itself raises no more alarms than a comparison states, and misses no more than it states.

use crate::sample::calm_run;
use loadgen::compare::{Comparison, Finding, Metric, Outcome, Settings, Side, compare};
use loadgen::result::RunResult;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const PAIRS: u32 = 200;

/// A run at a fixed rate whose latencies and costs are off by a noise of about 5 %: some shared, as of a busy machine, some their own.
fn noisy_run(calm: &RunResult, random: &mut impl Rng, id: u32, slowness: f64) -> RunResult {
    let mut run = calm.clone();
    run.id = format!("run-{id}");
    let mut factor = || (0.05 * (random.random::<f64>() + random.random::<f64>() - 1.0) * 2.0).exp() * slowness;
    let shared = factor();
    let mut scaled = |ns: &mut Option<u64>| *ns = ns.map(|ns| (ns as f64 * (shared * factor()).sqrt()) as u64);
    let produce = run.summary.produce.as_mut().expect("the sample produces");
    let consume = run.summary.consume.as_mut().expect("the sample consumes");
    for latency in [&mut produce.latency.response, &mut consume.latency.end_to_end].into_iter().flatten() {
        [&mut latency.p50_ns, &mut latency.p99_ns, &mut latency.p99_9_ns].into_iter().for_each(&mut scaled);
    }
    let broker = run.resources.broker.as_mut().expect("the sample has a broker");
    scaled(&mut broker.rss_max_bytes);
    broker.cpu_s_per_gb = broker.cpu_s_per_gb.map(|cpu| cpu * factor() / slowness);
    run
}

/// Each difference counts, however small: the threshold would hide false alarms.
fn simulated(repeats: u32, slowness: f64) -> Vec<Comparison> {
    let settings = Settings { threshold: Some(0.0), ..Settings::default() };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1_947);
    let mut calm = calm_run();
    calm.series = None;
    calm.histograms.clear();
    let mut side =
        |slowness| -> Vec<RunResult> { (0..repeats).map(|id| noisy_run(&calm, &mut random, id, slowness)).collect() };
    (0..PAIRS)
        .map(|_| {
            let (a, b) = (side(1.0), side(slowness));
            let (a, b): (Vec<&RunResult>, Vec<&RunResult>) = (a.iter().collect(), b.iter().collect());
            compare(Side { name: "a", runs: &a }, Side { name: "a again", runs: &b }, &settings)
        })
        .collect()
}

fn is_alarm(finding: &Finding) -> bool {
    matches!(finding, Finding::Better | Finding::Worse | Finding::Small)
}

#[test]
fn families_of_alike_sides_raise_at_most_the_stated_share_of_alarms() {
    for repeats in [5, 8] {
        let comparisons = simulated(repeats, 1.0);
        let alarmed = |metrics: &[Metric]| {
            let in_family = |one: &&Comparison| one.found(is_alarm).any(|found| metrics.contains(&found.metric));
            comparisons.iter().filter(in_family).count() as f64 / f64::from(PAIRS)
        };
        let latencies = alarmed(&Metric::ALL[2..7]);
        let costs = alarmed(&Metric::ALL[7..]);
        // Three standard errors of a share of 5 % over 200 pairs are 4.6 %.
        assert!(latencies <= 0.05 + 0.046, "{repeats} v {repeats}: {latencies} of the latency families");
        assert!(costs <= 0.05 + 0.046, "{repeats} v {repeats}: {costs} of the cost families");
        assert!(latencies > 0.0, "a test that never alarms shows nothing");
        assert!(comparisons.iter().all(|one| one.outcome != Outcome::NothingComparable));
    }
}

#[test]
fn without_correction_there_would_be_more_alarms() {
    let comparisons = simulated(8, 1.0);
    let count = |is: fn(&Comparison) -> bool| comparisons.iter().filter(|one| is(one)).count();
    let uncorrected = count(|one| one.metrics.iter().any(|of| of.p.is_some_and(|p| p <= 0.05)));
    let corrected = count(|one| one.metrics.iter().any(|of| of.p_holm.is_some_and(|p| p <= 0.05)));
    assert!(uncorrected > 2 * corrected, "{uncorrected} and {corrected} of {PAIRS}");
}

#[test]
fn stated_detectable_change_is_found_in_about_four_of_five() {
    let detectable: Vec<f64> = simulated(8, 1.0)
        .iter()
        .filter_map(|one| one.metric(Metric::ResponseP99).and_then(|of| of.detectable_ratio))
        .collect();
    let middle = loadgen::statistics::median(&detectable).expect("eight runs can show something");
    let slower = simulated(8, middle);
    let found =
        slower.iter().filter(|one| one.metric(Metric::ResponseP99).is_some_and(|of| is_alarm(&of.finding))).count();
    // The other latencies move along here, which Holm rewards, so it is found rather more often.
    let share = found as f64 / f64::from(PAIRS);
    assert!((0.75..=1.0).contains(&share), "{share} at {middle}");
}
