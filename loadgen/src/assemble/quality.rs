//! How far the figures of a run can be trusted, and why.

use crate::assemble::agents;
use crate::assemble::window::Window;
use crate::collector::Row;
use crate::cores::CoreList;
use crate::error::error_name;
use crate::evidence::Evidence;
use crate::probe::{CPU_DRIFT_MAX, FLUSH_DRIFT_MAX, STEAL_SHARE_MAX};
use crate::result::{Acks, Calibration, FaultEvent, HostRole, NoiseProbe, Quality, Resources, Summary};
use crate::statistics::warmup_length;
use crate::sustained::ACHIEVED_SHARE_MIN;
use crate::workload::{Mode, Verify};

/// A thread that works more than this share of the time may be what limits the run.
const BUSY_SHARE_MAX: f64 = 0.8;

/// First and last third may differ by this much.
const STEADY_RATE_SHARE: f64 = 0.05;
const STEADY_P99_SHARE: f64 = 0.20;

/// Three thirds of at least three seconds.
const STEADY_ROWS_MIN: usize = 9;

/// In a short run the share is less than what one held flush at its end delays, which is no sign of a queue that grows.
const STALL_SECS: f64 = 0.25;

/// The judgement over the figures of a run.
pub(super) fn quality(
    evidence: &Evidence,
    window: Option<&Window<'_>>,
    summary: &Summary,
    resources: &Resources,
    calibration: &Calibration,
) -> Quality {
    let workload = &evidence.workload;
    let produce = summary.produce.as_ref();
    let offered = produce.and_then(|produce| produce.offered).map_or(0.0, |rate| rate.records_per_s);
    let achieved = produce.map_or(0.0, |produce| produce.achieved.records_per_s);
    // A run that was cut short says nothing of what the broker could have kept up with.
    let saturated = evidence.error.is_none()
        && is_saturated(offered, achieved, under_way(evidence, summary), summary.measured_secs.max(1e-9));
    let (cores, readers) = (cores(evidence), workload.consumers * workload.groups);
    let threads = (workload.producers as usize).min(cores).max((readers as usize).min(cores));
    let busy = resources.loadgen.as_ref().map_or(0.0, |used| used.cpu_secs() / summary.measured_secs.max(1e-9));
    Quality {
        // A ramp ends elsewhere than it began by intent.
        steady: window.filter(|_| workload.arrivals.ramp_from_per_s.is_none()).and_then(|window| steady(window)),
        client_limited: summary.measured_secs > 0.0 && busy > BUSY_SHARE_MAX * threads as f64,
        saturated,
        noisy: noisy(resources, calibration),
        closed_loop: workload.is_closed_loop(),
        notes: notes(evidence)
            .into_iter()
            .chain(window.and_then(late_warmup))
            .chain(agents::notes(evidence, summary))
            .collect(),
    }
}

/// Whether more is missing than the share that any run may lack, and more than was under way at its end.
fn is_saturated(offered_per_s: f64, achieved_per_s: f64, under_way: f64, measured_secs: f64) -> bool {
    let lacking_secs = ((1.0 - ACHIEVED_SHARE_MIN) * measured_secs).max(STALL_SECS);
    (offered_per_s - achieved_per_s) * measured_secs > offered_per_s * lacking_secs + under_way
}

/// Of the hosts that the load comes from.
fn cores(evidence: &Evidence) -> usize {
    let agents = &evidence.agents;
    if agents.workers > 0 {
        return agents.environments.iter().filter(|host| host.role != HostRole::Broker).map(|host| host.cores).sum();
    }
    let pinned = evidence.core_split.as_ref().and_then(|split| CoreList::parse(&split.loadgen).ok());
    pinned.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |cores| cores.count())
}

/// Records that a client with such a linger and such answers has under way at any moment: those of the end of the window are answered
/// behind it, and no sign of a queue. The wait of a growing queue comes before the write, so it is not in the service time.
fn under_way(evidence: &Evidence, summary: &Summary) -> f64 {
    let service = summary.produce.as_ref().and_then(|produce| produce.latency.service.as_ref()?.mean_ns);
    let secs = evidence.workload.linger.as_secs_f64() + service.unwrap_or(0.0) / 1e9;
    evidence.workload.arrivals.records_per_s * secs
}

fn notes(evidence: &Evidence) -> Vec<String> {
    let mut notes = Vec::new();
    let unsent: u64 = evidence.reports.producers.values().map(|report| report.unsent_records).sum();
    if unsent > 0 && evidence.error.is_none() {
        notes.push(format!(
            "{unsent} records were due but could not be sent before the window ended; their latency is in no histogram."
        ));
    }
    let retried = evidence.reports.retried_batches();
    if !retried.is_empty() {
        let reasons: Vec<String> =
            retried.iter().map(|(&code, batches)| format!("{} {batches}", error_name(code))).collect();
        notes.push(format!("Batches that were refused for now and sent again: {}.", reasons.join(", ")));
    }
    notes.extend(evidence.earlier.as_ref().map(|earlier| {
        format!(
            "Resumed: of {} records that were acknowledged to {} earlier runs, {} are missing; the account includes them.",
            earlier.tally.acked, earlier.runs, earlier.tally.missing
        )
    }));
    notes.extend(evidence.faults.iter().map(fault_in_words));
    let resent: u64 = evidence.reports.producers.values().map(|report| report.resent_batches).sum();
    if resent > 0 {
        notes.push(format!("Batches whose connection was lost before the answer, and that were sent again: {resent}."));
    }
    if evidence.workload.verify == Verify::Off {
        notes.push("Not verified by reading: --verify off.".into());
    } else if evidence.workload.mode == Mode::Produce && evidence.verified {
        notes.push("Verified by reading the whole topic back after the measured window.".into());
    }
    if evidence.workload.acks == Acks::None {
        notes.push("acks=0 has no answers: response and service end when the kernel has taken the request.".into());
    }
    if evidence.workload.mode == Mode::Drain {
        notes.push("The topic was filled before; producers went on while its backlog was read.".into());
    }
    if evidence.workload.mode == Mode::Consume && evidence.consumed_all_ns.is_some() {
        notes.push("The topic was filled before; the window ends when it is read to its end.".into());
    }
    notes
}

fn fault_in_words(fault: &FaultEvent) -> String {
    let lasted = fault.duration_secs.map_or_else(String::new, |secs| format!(", {secs:.3} s long"));
    let recovery = match fault.recovery_secs {
        Some(secs) => format!("back at 90 % of the rate {secs:.3} s after it began"),
        None => "the rate was not back at 90 % while it was watched".into(),
    };
    let errors = match fault.error_window_secs {
        Some(secs) => format!("errors until {secs:.3} s after it began"),
        None => "no errors".into(),
    };
    format!("Fault {} at {:.3} s{lasted}: {recovery}; {errors}.", fault.kind, fault.t_secs)
}

/// Whether the machine was another one at the end, or not ours the whole time.
fn noisy(resources: &Resources, calibration: &Calibration) -> bool {
    let hosts = resources.host.iter().chain(resources.agents.iter().map(|agent| &agent.host));
    let steal = hosts.filter_map(|host| host.steal_share).fold(0.0, f64::max);
    let drifted = |probe: Option<NoiseProbe>, max: f64| probe.is_some_and(|probe| probe.drift() > max);
    steal > STEAL_SHARE_MAX
        || drifted(calibration.cpu_probe, CPU_DRIFT_MAX)
        || drifted(calibration.fdatasync_probe, FLUSH_DRIFT_MAX)
}

/// Whether the first and the last third agree; absent when there are too few rows to tell.
fn steady(window: &Window<'_>) -> Option<bool> {
    thirds_agree(&whole_seconds(window))
}

/// Says so when the window began before the warm-up was over (MSER-5). The run stays unsteady: its percentiles have that time in them.
fn late_warmup(window: &Window<'_>) -> Option<String> {
    let seconds = whole_seconds(window);
    let length = late_warmup_length(&seconds)?;
    Some(format!(
        "The first {length} s of the window are unlike the rest, which agrees with itself: give --warmup {length} s more."
    ))
}

/// The seconds that belong to the warm-up, if without them an unsteady run would be steady.
fn late_warmup_length(seconds: &[Second]) -> Option<usize> {
    if thirds_agree(seconds) != Some(false) {
        return None;
    }
    let rates: Vec<f64> = seconds.iter().map(|second| second.records as f64).collect();
    let tails: Vec<f64> = seconds.iter().filter_map(|second| second.p99_ns).map(|ns| ns as f64).collect();
    let lengths = [Some(rates), Some(tails).filter(|tails| tails.len() == seconds.len())];
    let length = lengths.into_iter().flatten().filter_map(|values| warmup_length(&values)).max()?;
    (thirds_agree(&seconds[length..]) == Some(true)).then_some(length)
}

/// What of a second says whether the load was steady.
#[derive(Debug, Clone, Copy)]
struct Second {
    records: u64,
    p99_ns: Option<u64>,
}

fn whole_seconds(window: &Window<'_>) -> Vec<Second> {
    let whole = window.rows().filter(|row| window.timeline.covered_secs(row.second) > 0.99);
    let second = |row: &Row| Second {
        records: row.counts.acked_records.max(row.counts.consumed_records),
        p99_ns: row.response.p99_ns,
    };
    whole.map(second).collect()
}

fn thirds_agree(seconds: &[Second]) -> Option<bool> {
    if seconds.len() < STEADY_ROWS_MIN {
        return None;
    }
    let third = seconds.len() / 3;
    let (first, last) = (&seconds[..third], &seconds[seconds.len() - third..]);
    let records = |seconds: &[Second]| seconds.iter().map(|second| second.records).sum::<u64>() as f64;
    let median_p99 = |seconds: &[Second]| {
        let mut p99s: Vec<u64> = seconds.iter().filter_map(|second| second.p99_ns).collect();
        p99s.sort_unstable();
        p99s.get(p99s.len() / 2).map(|&ns| ns as f64)
    };
    let agree = |a: f64, b: f64, share: f64| (a - b).abs() <= share * a.max(b);
    let latency = median_p99(first).zip(median_p99(last)).is_none_or(|(a, b)| agree(a, b, STEADY_P99_SHARE));
    Some(latency && agree(records(first), records(last), STEADY_RATE_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_warmup_is_told_from_a_run_that_never_gets_steady() {
        let run = |warmup: usize, p99_ns: &dyn Fn(usize) -> u64| -> Vec<Second> {
            let second = |index: usize| Second {
                records: if index < warmup { 400 + index as u64 * 30 } else { 1_000 + (index * 7 % 5) as u64 },
                p99_ns: Some(p99_ns(index)),
            };
            (0..60).map(second).collect()
        };
        let flat = |_| 2_000_000;
        assert_eq!(late_warmup_length(&run(0, &flat)), None, "nothing to say of a steady run");
        assert_eq!(late_warmup_length(&run(15, &flat)), Some(15));
        let cooling = |index: usize| flat(index) + if index < 10 { 9_000_000 } else { 0 };
        assert_eq!(late_warmup_length(&run(0, &cooling)), Some(10));
        let growing = |index: usize| 2_000_000 + index as u64 * 100_000;
        assert_eq!(late_warmup_length(&run(0, &growing)), None, "a queue that grows is no warm-up");
    }

    #[test]
    fn a_growing_queue_is_told_from_one_stall_at_the_end() {
        // Ninety seconds: the share decides, to the record.
        assert!(is_saturated(1_000.0, 989.9, 0.0, 90.0));
        assert!(!is_saturated(1_000.0, 990.1, 0.0, 90.0));
        // One second: 60 ms of disk are no queue, a quarter of the load is.
        assert!(!is_saturated(1_000.0, 940.0, 0.0, 1.0));
        assert!(is_saturated(1_000.0, 740.0, 0.0, 1.0));
        // Answers that come half a second later by the client's own linger are under way.
        assert!(!is_saturated(1_000.0, 500.0, 500.0, 1.0));
        assert!(is_saturated(1_000.0, 200.0, 500.0, 1.0));
    }
}
