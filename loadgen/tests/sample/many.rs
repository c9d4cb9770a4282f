//! Sets of made-up runs for the pages of many: sides of a comparison, points of a curve, a history.

use hdrhistogram::Histogram;
use loadgen::result::{
    FaultEvent, Goal, Kind, Latency, Repeat, RunResult, StreamSummary, decode_histogram, encode_histogram,
};

use crate::sample::calm_run;

/// Repeats of a side in the samples.
pub const REPEATS: u32 = 5;

/// Five repeats of each side under each rate; the candidate takes `factor` of the time of main.
pub fn comparison(rates_records_per_s: &[f64], factor: f64) -> Vec<RunResult> {
    let mut runs = Vec::new();
    for (load, rate) in rates_records_per_s.iter().enumerate() {
        for repeat in 1..=REPEATS {
            for (order, (label, side_factor)) in [("main", 1.0), ("candidate", factor)].into_iter().enumerate() {
                let number = (load as u32 * REPEATS + repeat) * 2 + order as u32;
                // Repeats differ by some percent, no two alike.
                let noise = 1.0 + f64::from(number * 7 % 11) * 0.006;
                let mut run = at_rate(slower(calm_run(), side_factor * noise), *rate);
                run.kind = Kind::Ab;
                run.label = Some(label.into());
                run.repeat = Some(Repeat { index: repeat, of: REPEATS, block: repeat, order: order as u32, seed: 7 });
                run.slo = vec![Goal { expr: "p99<10ms".into(), value: None, pass: true }];
                runs.push(numbered(run, number));
            }
        }
    }
    runs
}

/// One run at each of five rates, the last one saturated, with a fault in the middle.
pub fn curve() -> Vec<RunResult> {
    let points = [(10_000.0, 1.0), (20_000.0, 1.1), (40_000.0, 1.3), (60_000.0, 2.0), (80_000.0, 30.0)];
    let runs = points.into_iter().enumerate().map(|(index, (rate, factor))| {
        let mut run = at_rate(slower(calm_run(), factor), rate);
        run.kind = Kind::CurvePoint;
        run.quality.saturated = index == points.len() - 1;
        run.faults = vec![FaultEvent {
            t_secs: 12.0,
            kind: "pause".into(),
            duration_secs: Some(0.2),
            recovery_secs: Some(1.5),
            error_window_secs: None,
        }];
        numbered(run, index as u32)
    });
    runs.collect()
}

/// Six commits with two runs each; from the fourth on everything is slower.
pub fn history() -> Vec<RunResult> {
    let runs = (0..12_u32).map(|number| {
        let factor = if number < 6 { 1.0 } else { 1.8 } * (1.0 + f64::from(number * 5 % 7) * 0.004);
        let mut run = slower(calm_run(), factor);
        run.loadgen.git_sha = Some(format!("{:07x}", 0x00AB_C123 + number / 2));
        numbered(run, number)
    });
    runs.collect()
}

/// The same with all series as long as this many seconds.
pub fn stretched(mut run: RunResult, seconds: usize) -> RunResult {
    fn longer<T: Copy>(column: &mut Vec<T>, seconds: usize) {
        let period = column.len();
        if period > 0 {
            *column = (0..seconds).map(|second| column[second % period]).collect();
        }
    }
    let series = run.series.as_mut().expect("the sample has series");
    for column in [
        &mut series.offered_bytes_per_s,
        &mut series.achieved_bytes_per_s,
        &mut series.consumed_bytes_per_s,
        &mut series.inflight_requests,
        &mut series.broker_cpu_cores,
        &mut series.broker_disk_written_bytes_per_s,
        &mut series.loadgen_cpu_cores,
        &mut series.steal_share,
        &mut series.cpu_pressure_share,
        &mut series.io_pressure_share,
    ] {
        longer(column, seconds);
    }
    for column in [
        &mut series.response_p50_ns,
        &mut series.response_p99_ns,
        &mut series.response_max_ns,
        &mut series.end_to_end_p50_ns,
        &mut series.end_to_end_p99_ns,
        &mut series.end_to_end_max_ns,
        &mut series.lag_p99_ns,
        &mut series.broker_rss_bytes,
    ] {
        longer(column, seconds);
    }
    series.t_secs = (1..=seconds).map(|second| second as f64).collect();
    run
}

/// Another run: its own id and start.
pub fn numbered(mut run: RunResult, number: u32) -> RunResult {
    run.id = format!("20261123T14{:02}{:02}Z-{number:08x}", number / 60, number % 60);
    run.started_utc = format!("2026-11-23T14:{:02}:{:02}Z", number / 60, number % 60);
    run
}

fn at_rate(mut run: RunResult, records_per_s: f64) -> RunResult {
    run.workload.arrival.records_per_s = Some(records_per_s);
    run.workload_id = run.workload.id();
    let share = records_per_s / 20_000.0;
    for stream in [&mut run.summary.produce, &mut run.summary.consume].into_iter().flatten() {
        for rate in [&mut stream.achieved, &mut stream.goodput] {
            rate.records_per_s *= share;
            rate.bytes_per_s *= share;
        }
        if let Some(offered) = &mut stream.offered {
            offered.records_per_s *= share;
            offered.bytes_per_s *= share;
        }
    }
    run
}

/// Every latency is so many times as long.
fn slower(mut run: RunResult, factor: f64) -> RunResult {
    for text in run.histograms.values_mut() {
        let from = decode_histogram(text).expect("own text");
        let mut to =
            Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).expect("an hour with three digits is valid");
        for step in from.iter_recorded() {
            to.saturating_record_n(times(step.value_iterated_to(), factor), step.count_at_value());
        }
        *text = encode_histogram(&to).expect("small histogram");
    }
    for stream in [&mut run.summary.produce, &mut run.summary.consume].into_iter().flatten() {
        slow_down(stream, factor);
    }
    let series = run.series.as_mut().expect("the sample has series");
    for column in [&mut series.response_p50_ns, &mut series.response_p99_ns, &mut series.response_max_ns] {
        column.iter_mut().flatten().for_each(|ns| *ns = times(*ns, factor));
    }
    let broker = run.resources.broker.as_mut().expect("the sample has a broker");
    broker.cpu_s_per_gb = broker.cpu_s_per_gb.map(|cost| cost * factor);
    run
}

fn slow_down(stream: &mut StreamSummary, factor: f64) {
    let latency = &mut stream.latency;
    let parts = [&mut latency.response, &mut latency.service, &mut latency.lag, &mut latency.end_to_end];
    for Latency { p50_ns, p75_ns, p90_ns, p95_ns, p99_ns, p99_9_ns, p99_99_ns, max_ns, .. } in
        parts.into_iter().flatten()
    {
        for figure in [p50_ns, p75_ns, p90_ns, p95_ns, p99_ns, p99_9_ns, p99_99_ns, max_ns] {
            *figure = figure.map(|ns| times(ns, factor));
        }
    }
}

fn times(ns: u64, factor: f64) -> u64 {
    (ns as f64 * factor) as u64
}
