//! When each record ought to be sent, decided before the broker can influence it.
//!
//! Latency counts from these times. A schedule never waits for anybody: what is due stays due until it is sent.

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
}

/// The intended send times of one producer, in order.
#[derive(Debug)]
pub struct Schedule {
    arrival: Arrival,
    gap_ns: f64,
    phase: f64,
    random: Xoshiro256PlusPlus,
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
        let mut schedule = Self { arrival, gap_ns: 1e9 / records_per_s, phase, random, next_ns: 0.0, issued: 0 };
        schedule.restart(origin_ns);
        schedule
    }

    /// Forgets what was due and starts again from `origin_ns`: no catch-up burst.
    pub fn restart(&mut self, origin_ns: u64) {
        self.next_ns = origin_ns as f64 + self.phase * self.gap_ns;
        self.issued = 0;
    }

    /// The next intended time.
    pub fn peek_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// When about `records` of them will be due; early rather than late where gaps vary.
    pub fn estimate_ns(&self, records: usize) -> u64 {
        let gaps = records.saturating_sub(1) as f64;
        let gaps = match self.arrival {
            Arrival::Constant => gaps,
            Arrival::Poisson => gaps / 2.0,
        };
        (self.next_ns + gaps * self.gap_ns) as u64
    }

    /// Takes the next record off the schedule.
    pub fn advance(&mut self) -> u64 {
        let intended_ns = self.next_ns as u64;
        self.next_ns += match self.arrival {
            Arrival::Constant => self.gap_ns,
            Arrival::Poisson => exponential(&mut self.random) * self.gap_ns,
        };
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
