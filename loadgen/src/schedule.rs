//! When each record ought to be sent, decided before the broker can influence it.
//!
//! Latency counts from these times. A schedule never waits for anybody: what is due stays due until it is sent.

use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// How gaps between records are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub enum Arrival {
    /// Equal gaps.
    Constant,
    /// Exponential gaps: independent users.
    Poisson,
    /// Equal gaps for a while, then none for a while; all producers at once.
    Burst,
}

/// How the rate goes in the course of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Course {
    /// The same all the time.
    Steady,
    /// `on_ns` of load, then `off_ns` of silence.
    Burst { on_ns: f64, off_ns: f64 },
    /// From `from` times the rate linearly to the rate, within `window_ns` after the restart; before it, the first rate.
    Ramp { from: f64, window_ns: f64, has_begun: bool },
}

impl Course {
    /// Nanoseconds from the origin at which `gaps` mean gaps of `gap_ns` have passed.
    fn elapsed_ns(self, gaps: f64, gap_ns: f64) -> f64 {
        match self {
            Self::Steady => gaps * gap_ns,
            Self::Burst { on_ns, off_ns } => {
                let cycle_ns = on_ns + off_ns;
                // All of a cycle's records lie in its first part.
                let cycles = gaps * gap_ns / cycle_ns;
                cycles.floor() * cycle_ns + cycles.fract() * on_ns
            }
            Self::Ramp { from, has_begun: false, .. } => gaps * gap_ns / from,
            Self::Ramp { from, window_ns, .. } => {
                // The rate grows by `slope` gaps each gap's time; their sum from * x + slope * x^2 / 2 is solved for x. In this form
                // it holds without a slope too, and loses no digits to a small one.
                let slope = (1.0 - from) * gap_ns / window_ns;
                let window_gaps = window_ns / gap_ns * (1.0 + from) / 2.0;
                if gaps >= window_gaps {
                    return window_ns + (gaps - window_gaps) * gap_ns;
                }
                let root = (from * from + 2.0 * slope * gaps).max(0.0).sqrt();
                2.0 * gaps / (from + root) * gap_ns
            }
        }
    }
}

/// The intended send times of one producer, in order.
#[derive(Debug)]
pub struct Schedule {
    arrival: Arrival,
    course: Course,
    gap_ns: f64,
    phase: f64,
    random: Xoshiro256PlusPlus,
    origin_ns: f64,
    /// Mean gaps from the origin to the next record, where the rate is not steady.
    gaps: f64,
    next_ns: f64,
    issued: u64,
}

impl Schedule {
    /// `records_per_s` of this producer alone, starting at `origin_ns` plus a phase drawn from the seed, so that
    /// producers do not fire in step.
    pub fn new(arrival: Arrival, records_per_s: f64, origin_ns: u64, seed: u64, producer: u64) -> Self {
        assert!(records_per_s > 0.0, "a schedule needs a rate");
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ producer.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let phase = random.random::<f64>();
        let mut schedule = Self {
            arrival,
            course: Course::Steady,
            gap_ns: 1e9 / records_per_s,
            phase,
            random,
            origin_ns: 0.0,
            gaps: 0.0,
            next_ns: 0.0,
            issued: 0,
        };
        schedule.begin(origin_ns);
        schedule
    }

    /// The same number of records in bursts: `on` of load, `off` of silence. The mean rate over whole cycles stays.
    #[must_use]
    pub fn in_bursts(mut self, on: Duration, off: Duration) -> Self {
        self.course = Course::Burst { on_ns: on.as_nanos() as f64, off_ns: off.as_nanos() as f64 };
        self.begin(self.origin_ns as u64);
        self
    }

    /// From another rate linearly to this one, within `window` after the restart; until then the other rate.
    #[must_use]
    pub fn ramping_from(mut self, records_per_s: f64, window: Duration) -> Self {
        assert!(records_per_s > 0.0, "a schedule needs a rate");
        let from = records_per_s * self.gap_ns / 1e9;
        self.course = Course::Ramp { from, window_ns: window.as_nanos() as f64, has_begun: false };
        self.begin(self.origin_ns as u64);
        self
    }

    /// Forgets what was due and starts again from `origin_ns`: no catch-up burst. A ramp begins here.
    pub fn restart(&mut self, origin_ns: u64) {
        if let Course::Ramp { has_begun, .. } = &mut self.course {
            *has_begun = true;
        }
        self.begin(origin_ns);
    }

    fn begin(&mut self, origin_ns: u64) {
        self.origin_ns = origin_ns as f64;
        self.gaps = self.phase;
        self.next_ns = self.time_ns(self.gaps);
        self.issued = 0;
    }

    fn time_ns(&self, gaps: f64) -> f64 {
        self.origin_ns + self.course.elapsed_ns(gaps, self.gap_ns)
    }

    /// The next intended time.
    pub fn peek_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// When about `records` of them will be due; early rather than late where gaps vary.
    pub fn estimate_ns(&self, records: usize) -> u64 {
        let gaps = records.saturating_sub(1) as f64;
        let gaps = match self.arrival {
            Arrival::Constant | Arrival::Burst => gaps,
            Arrival::Poisson => gaps / 2.0,
        };
        match self.course {
            Course::Steady => (self.next_ns + gaps * self.gap_ns) as u64,
            _ => self.time_ns(self.gaps + gaps) as u64,
        }
    }

    /// Takes the next record off the schedule.
    pub fn advance(&mut self) -> u64 {
        let intended_ns = self.next_ns as u64;
        let gaps = match self.arrival {
            Arrival::Constant | Arrival::Burst => 1.0,
            Arrival::Poisson => exponential(&mut self.random),
        };
        if self.course == Course::Steady {
            self.next_ns += gaps * self.gap_ns;
        } else {
            self.gaps += gaps;
            self.next_ns = self.time_ns(self.gaps);
        }
        self.issued += 1;
        intended_ns
    }

    /// Records taken since the origin.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Records still due before `end_ns`: what a saturated broker did not let us send. Consumes the schedule.
    pub fn count_until(&mut self, end_ns: u64) -> u64 {
        let before = self.issued;
        while self.peek_ns() < end_ns {
            self.advance();
        }
        self.issued - before
    }
}

/// Exponential with mean 1, by inversion; `1 - u` keeps the argument above zero.
fn exponential(random: &mut impl Rng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN_NS: u64 = 5_000_000_000;

    fn times(arrival: Arrival, seed: u64, producer: u64, count: usize) -> Vec<u64> {
        let mut schedule = Schedule::new(arrival, 10_000.0, ORIGIN_NS, seed, producer);
        (0..count).map(|_| schedule.advance()).collect()
    }

    #[test]
    fn constant_arrivals_keep_the_gap_and_the_rate() {
        let times = times(Arrival::Constant, 1, 0, 10_001);
        assert!(times[0] >= ORIGIN_NS && times[0] < ORIGIN_NS + 100_000, "phase within one gap");
        assert!(times.windows(2).all(|pair| (pair[1] - pair[0]).abs_diff(100_000) <= 1));
        assert!((times[10_000] - times[0]).abs_diff(1_000_000_000) < 1_000, "no drift over a second");
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_spread_the_gaps() {
        let times = times(Arrival::Poisson, 1, 0, 100_001);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 100_000.0 - 1.0).abs() < 0.02, "mean gap {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "an exponential's deviation equals its mean");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_producers_have_their_own_phase() {
        assert_eq!(times(Arrival::Poisson, 7, 3, 100), times(Arrival::Poisson, 7, 3, 100));
        assert_ne!(times(Arrival::Poisson, 7, 3, 100), times(Arrival::Poisson, 8, 3, 100));
        assert_ne!(times(Arrival::Constant, 7, 0, 1), times(Arrival::Constant, 7, 1, 1));
    }

    fn count_between(times: &[u64], from_ns: u64, to_ns: u64) -> usize {
        times.iter().filter(|time| (from_ns..to_ns).contains(time)).count()
    }

    #[test]
    fn bursts_keep_the_mean_rate_and_the_silence() {
        let (on, off) = (Duration::from_millis(100), Duration::from_millis(900));
        let mut schedule = Schedule::new(Arrival::Burst, 10_000.0, ORIGIN_NS, 1, 0).in_bursts(on, off);
        let times: Vec<u64> = (0..50_000).map(|_| schedule.advance()).collect();
        for second in 0..5 {
            let begin_ns = ORIGIN_NS + second * 1_000_000_000;
            assert_eq!(count_between(&times, begin_ns, begin_ns + 100_000_000), 10_000, "second {second}");
            assert_eq!(count_between(&times, begin_ns + 100_000_000, begin_ns + 1_000_000_000), 0, "second {second}");
        }
        assert!(times[..10_000].windows(2).all(|pair| (pair[1] - pair[0]).abs_diff(10_000) <= 1), "ten times as dense");
    }

    #[test]
    fn a_ramp_offers_the_area_under_its_line() {
        // From 1,000 to 10,000 records/s in 10 s: 1000 t + 450 t^2 records after t seconds. And down again.
        for (from, to, expected) in
            [(1_000.0, 10_000.0, [1_450, 16_250, 55_000]), (10_000.0, 1_000.0, [9_550, 38_750, 55_000])]
        {
            let mut schedule =
                Schedule::new(Arrival::Constant, to, 0, 1, 0).ramping_from(from, Duration::from_secs(10));
            assert_eq!(schedule.count_until(1_000_000_000), from as u64, "the warm-up has the first rate");
            schedule.restart(ORIGIN_NS);
            let times: Vec<u64> = (0..55_000).map(|_| schedule.advance()).collect();
            assert!(times.is_sorted());
            for (secs, expected) in [1, 5, 10].into_iter().zip(expected) {
                assert_eq!(count_between(&times, 0, ORIGIN_NS + secs * 1_000_000_000), expected, "after {secs} s");
            }
            assert_eq!(schedule.count_until(ORIGIN_NS + 11_000_000_000), to as u64, "then the rate stays");
        }
    }

    #[test]
    fn a_poisson_ramp_keeps_the_area_too() {
        let schedule = Schedule::new(Arrival::Poisson, 20_000.0, 0, 5, 0);
        let mut schedule = schedule.ramping_from(10_000.0, Duration::from_secs(10));
        schedule.restart(0);
        let records = schedule.count_until(10_000_000_000);
        assert!(records.abs_diff(150_000) < 2_000, "{records} is more than five deviations off");
    }

    #[test]
    fn an_estimate_is_the_time_of_that_record_where_gaps_are_equal() {
        let bursts = Schedule::new(Arrival::Burst, 1_000.0, ORIGIN_NS, 1, 0)
            .in_bursts(Duration::from_millis(50), Duration::from_millis(150));
        let mut ramp = Schedule::new(Arrival::Constant, 5_000.0, 0, 1, 0).ramping_from(100.0, Duration::from_secs(3));
        ramp.restart(ORIGIN_NS);
        for mut schedule in [bursts, ramp] {
            for _ in 0..70 {
                schedule.advance();
            }
            let estimate_ns = schedule.estimate_ns(1_000);
            let times: Vec<u64> = (0..1_000).map(|_| schedule.advance()).collect();
            assert!(times[999].abs_diff(estimate_ns) <= 1, "{} against {estimate_ns}", times[999]);
        }
    }

    #[test]
    fn a_restart_owes_nothing_from_before() {
        let mut schedule = Schedule::new(Arrival::Constant, 1_000.0, ORIGIN_NS, 1, 0);
        schedule.advance();
        schedule.restart(ORIGIN_NS + 9_000_000_000);
        assert!(schedule.peek_ns() >= ORIGIN_NS + 9_000_000_000);
        assert_eq!(schedule.issued(), 0);
    }

    #[test]
    fn what_was_never_sent_is_counted() {
        let mut schedule = Schedule::new(Arrival::Constant, 1_000.0, 0, 1, 0);
        for _ in 0..250 {
            schedule.advance();
        }
        assert_eq!(schedule.count_until(1_000_000_000), 750);
    }
}
