//! When records are due, over all producers: from options to the schedule of one producer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::options::LoadOptions;
use crate::result;
use crate::schedule::{Arrival, Schedule};
use crate::timeline::Timeline;
use crate::workload::{InvalidWorkload, Workload};

/// More than the schedule can resolve: 10 ns from record to record.
const RECORDS_PER_S_MAX: f64 = 1e8;

/// A shorter burst is a batch, a longer one is a run.
const BURST_MIN: Duration = Duration::from_millis(1);
const BURST_MAX: Duration = Duration::from_secs(600);

/// When records are due, over all producers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Arrivals {
    /// Offered records a second, the mean of a burst and its silence; 0 is a closed loop, for which nothing else counts.
    pub records_per_s: f64,
    /// Distribution of the gaps.
    pub arrival: Arrival,
    /// Length of a burst and of the silence behind it, where arrivals come in bursts.
    pub bursts: Option<(Duration, Duration)>,
    /// Records a second where the window begins, if that is another rate than where it ends.
    pub ramp_from_per_s: Option<f64>,
}

impl Arrivals {
    /// Checks the options against each other; a record has `record_bytes` on average.
    pub(super) fn from_options(args: &LoadOptions, record_bytes: f64) -> Result<Self, InvalidWorkload> {
        let records_per_s = args.rate.records_per_s_of(record_bytes);
        let bursts = (args.arrival == Arrival::Burst).then_some((args.burst_on, args.burst_off));
        let ramp_from_per_s = args.ramp_from.map(|rate| rate.records_per_s_of(record_bytes));
        let arrivals = Self { records_per_s, arrival: args.arrival, bursts, ramp_from_per_s };
        arrivals.check().map(|()| arrivals)
    }

    /// Holds them against the bounds, wherever they come from.
    pub(crate) fn check(&self) -> Result<(), InvalidWorkload> {
        let is_length = |length: Duration| (BURST_MIN..=BURST_MAX).contains(&length);
        if self.bursts.is_some_and(|(on, off)| !is_length(on) || !is_length(off)) {
            return Err(InvalidWorkload::Bursts);
        }
        if self.ramp_from_per_s.is_some() && self.bursts.is_some() {
            return Err(InvalidWorkload::RampOfBursts);
        }
        // What is no number is not above 0 either.
        if self.ramp_from_per_s.is_some_and(|rate| rate.is_nan() || rate <= 0.0) {
            return Err(InvalidWorkload::RampFromNothing);
        }
        let density = self.bursts.map_or(1.0, |(on, off)| (on + off).as_secs_f64() / on.as_secs_f64());
        let rates = [self.records_per_s * density, self.ramp_from_per_s.unwrap_or(0.0)];
        match rates.into_iter().find(|rate| !(0.0..=RECORDS_PER_S_MAX).contains(rate)) {
            Some(rate) => Err(InvalidWorkload::Rate(rate as u64)),
            None => Ok(()),
        }
    }

    /// Offered records a second, on average, from `from_secs` to `to_secs` after the start of the warm-up or, where it has `begun`, of the
    /// measured window of `window_secs`.
    fn offered_per_s(&self, from_secs: f64, to_secs: f64, begun: bool, window_secs: f64) -> f64 {
        let until = |secs: f64| match (self.bursts, self.ramp_from_per_s) {
            (Some((on, off)), _) => {
                let cycle_secs = (on + off).as_secs_f64();
                let cycles = secs / cycle_secs;
                let in_burst = (cycles.fract() * cycle_secs / on.as_secs_f64()).min(1.0);
                (cycles.floor() + in_burst) * cycle_secs * self.records_per_s
            }
            (None, Some(from)) if begun => secs * (from + (self.records_per_s - from) * secs / window_secs / 2.0),
            (None, Some(from)) => secs * from,
            (None, None) => secs * self.records_per_s,
        };
        if to_secs > from_secs { (until(to_secs) - until(from_secs)) / (to_secs - from_secs) } else { 0.0 }
    }

    /// As the result file tells it.
    pub(super) fn describe(&self) -> result::Arrival {
        if self.records_per_s == 0.0 {
            return result::Arrival::closed_loop();
        }
        let millis = |length: Duration| length.as_secs_f64() * 1e3;
        result::Arrival {
            kind: match self.arrival {
                Arrival::Constant => result::ArrivalKind::Constant,
                Arrival::Poisson => result::ArrivalKind::Poisson,
                Arrival::Burst => result::ArrivalKind::Burst,
            },
            records_per_s: Some(self.records_per_s),
            burst_on_ms: self.bursts.map(|(on, _)| millis(on)),
            burst_off_ms: self.bursts.map(|(_, off)| millis(off)),
            ramp_from_records_per_s: self.ramp_from_per_s,
        }
    }
}

impl Workload {
    /// The same as fast as it goes.
    #[must_use]
    pub fn in_closed_loop(&self) -> Self {
        Self { arrivals: Arrivals { records_per_s: 0.0, ..self.arrivals }, ..self.clone() }
    }

    /// Offered records a second within one second of a run, counted from the measured window as in [`Timeline::second`].
    pub fn offered_per_s(&self, timeline: &Timeline, second: i64) -> f64 {
        let window_secs = timeline.measured_secs();
        // The schedule starts anew with the window, so a second of the warm-up counts from the warm-up's start.
        let warmup_secs = (timeline.measure_ns - timeline.start_ns) as f64 / 1e9;
        let (origin_secs, end_secs) = if second < 0 { (warmup_secs, warmup_secs) } else { (0.0, window_secs) };
        let from_secs = (origin_secs + second as f64).max(0.0);
        let to_secs = (origin_secs + (second + 1) as f64).min(end_secs);
        self.arrivals.offered_per_s(from_secs, to_secs, second >= 0, window_secs)
    }

    /// The schedule of one producer; none in a closed loop.
    pub fn schedule(&self, producer: u32, origin_ns: u64) -> Option<Schedule> {
        if self.is_closed_loop() {
            return None;
        }
        let arrivals = &self.arrivals;
        let share = |records_per_s: f64| records_per_s / f64::from(self.producers);
        let rate = share(arrivals.records_per_s);
        let schedule = Schedule::new(arrivals.arrival, rate, origin_ns, self.seed, u64::from(producer));
        Some(match (arrivals.bursts, arrivals.ramp_from_per_s) {
            (Some((on, off)), _) => schedule.in_bursts(on, off),
            (None, Some(from)) => schedule.ramping_from(share(from), self.duration),
            (None, None) => schedule,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;
    use crate::result::ArrivalKind;
    use crate::workload::tests::parse;

    #[test]
    fn bursts_and_ramps_are_told_and_contradictions_are_named() {
        let bursts = parse("--arrival burst --burst-on 50ms --burst-off 150ms --rate 1000").expect("valid");
        let told = bursts.describe().arrival;
        assert_eq!((told.kind, told.burst_on_ms, told.burst_off_ms), (ArrivalKind::Burst, Some(50.0), Some(150.0)));
        let ramp = parse("--ramp-from 1MB/s --rate 10MB/s --record-bytes 500").expect("valid").describe().arrival;
        assert_eq!((ramp.ramp_from_records_per_s, ramp.records_per_s), (Some(2_000.0), Some(20_000.0)));
        assert_eq!(parse("").expect("valid").describe().arrival.burst_on_ms, None, "what does not count is not told");
        let refused = |line: &str| parse(line).expect_err(line);
        assert!(refused("--arrival burst --burst-on 0s").contains("--burst-on"));
        assert!(refused("--arrival burst --burst-off 11m").contains("--burst-off"));
        assert!(refused("--arrival burst --ramp-from 5").contains("--ramp-from"));
        assert!(refused("--ramp-from 0").contains("--ramp-from"));
        assert!(refused("--arrival burst --burst-on 1ms --burst-off 1s --rate 1000000").contains("100 million"));
    }

    #[test]
    fn what_is_offered_in_a_second_follows_the_course() {
        let offered = |line: &str, from_secs, to_secs, begun| {
            parse(line).expect(line).arrivals.offered_per_s(from_secs, to_secs, begun, 10.0)
        };
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{value} for {expected}");
        let bursts = "--rate 1000 --arrival burst --burst-on 500ms --burst-off 1500ms";
        close(offered(bursts, 2.0, 3.0, true), 2_000.0);
        close(offered(bursts, 3.0, 4.0, true), 0.0);
        close(offered(bursts, 0.25, 0.75, true), 2_000.0);
        let ramp = "--rate 1000 --ramp-from 100";
        close(offered(ramp, 0.0, 10.0, true), 550.0);
        close(offered(ramp, 9.0, 10.0, true), 955.0);
        close(offered(ramp, 1.0, 2.0, false), 100.0);
        close(offered("--rate 1000", 4.0, 4.5, true), 1_000.0);
        let timeline = Timeline { start_ns: 0, measure_ns: 1_500_000_000, end_ns: 4_000_000_000 };
        let in_second = |second| parse(ramp).expect(ramp).offered_per_s(&timeline, second);
        close(in_second(-2), 100.0);
        close(in_second(0), 280.0);
        close(in_second(2), 910.0);
    }

    #[test]
    fn the_producers_share_the_rate_and_its_course() {
        let workload = parse("--ramp-from 1000 --rate 3000 --producers 2 --duration 10s").expect("valid");
        let mut schedule = workload.schedule(1, 0).expect("open loop");
        schedule.restart(0);
        assert_eq!(schedule.count_until(10_000_000_000), 10_000, "half of 20,000");
        assert!(parse("--rate 0 --arrival burst").expect("valid").schedule(0, 0).is_none());
    }
}
