//! How far an agent's monotonic clock is ahead of ours, as far as it can be proved.
//!
//! A probe leaves at `sent`, is received and answered by the agent at two moments of its own clock, and is back at `returned`. Whatever
//! the ways there and back took, the offset lies between `answered - returned` and `received - sent`: the round trip, without the time
//! that the agent took, is the width of what is not known. Later probes narrow what earlier ones left, which meanwhile widens by
//! what two clocks may drift apart.

use crate::result::ClockOffset;

/// Two clocks that are kept by the kernel drift apart by less: crystals by a few tens of millionths, and a time service corrects each
/// by at most five hundred.
const DRIFT_PPM_MAX: i64 = 500;

/// One exchange: the first and last moment on our monotonic clock, the two between on the agent's.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units end the names")]
pub struct Exchange {
    /// The probe left here...
    pub sent_ns: i64,
    /// ...was there...
    pub received_ns: i64,
    /// ...left there...
    pub answered_ns: i64,
    /// ...and was back here.
    pub returned_ns: i64,
}

/// An offset that lies between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "units end the names")]
struct Span {
    at_ns: i64,
    low_ns: i64,
    high_ns: i64,
}

/// The estimate for one agent, and how wrong the offset that it works with can have been at most.
#[derive(Debug, Default)]
pub struct OffsetTrack {
    known: Option<Span>,
    first: Option<Span>,
    applied_ns: Option<i64>,
    err_ns: u64,
    round_trip_min_ns: Option<u64>,
    probes: u64,
    corrections: u64,
    jumps: u64,
}

impl Exchange {
    fn round_trip_ns(&self) -> Option<u64> {
        let there_ns = self.answered_ns.checked_sub(self.received_ns)?;
        let whole_ns = self.returned_ns.checked_sub(self.sent_ns)?;
        u64::try_from(whole_ns.checked_sub(there_ns)?).ok().filter(|_| there_ns >= 0)
    }

    fn span(&self) -> Option<Span> {
        Some(Span {
            at_ns: self.returned_ns,
            low_ns: self.answered_ns.checked_sub(self.returned_ns)?,
            high_ns: self.received_ns.checked_sub(self.sent_ns)?,
        })
    }
}

impl Span {
    /// What is known of it at a later moment.
    fn at(self, now_ns: i64) -> Self {
        let drift_ns = now_ns.saturating_sub(self.at_ns).max(0) / 1_000_000 * DRIFT_PPM_MAX + DRIFT_PPM_MAX;
        Self {
            at_ns: now_ns,
            low_ns: self.low_ns.saturating_sub(drift_ns),
            high_ns: self.high_ns.saturating_add(drift_ns),
        }
    }

    fn middle_ns(self) -> i64 {
        self.low_ns + (self.high_ns - self.low_ns) / 2
    }

    fn half_ns(self) -> u64 {
        self.high_ns.abs_diff(self.low_ns).div_ceil(2)
    }
}

impl OffsetTrack {
    /// Takes in one exchange; false when it cannot have happened so.
    pub fn note(&mut self, exchange: &Exchange) -> bool {
        let Some((round_trip_ns, span)) = exchange.round_trip_ns().zip(exchange.span()) else { return false };
        self.probes += 1;
        self.round_trip_min_ns = Some(self.round_trip_min_ns.map_or(round_trip_ns, |least| least.min(round_trip_ns)));
        let known = self.known.map_or(span, |known| {
            let known = known.at(span.at_ns);
            let (low_ns, high_ns) = (known.low_ns.max(span.low_ns), known.high_ns.min(span.high_ns));
            if low_ns <= high_ns {
                return Span { low_ns, high_ns, ..span };
            }
            // No drift explains it: a clock was stopped or set, as when a virtual machine is moved.
            self.jumps += 1;
            span
        });
        self.known = Some(known);
        true
    }

    /// Exchanges so far.
    pub fn probes(&self) -> u64 {
        self.probes
    }

    /// Accounts for the offset that the agent works with; another one when that is proved wrong, or was never given.
    pub fn correct(&mut self, now_ns: i64) -> Option<i64> {
        let known = self.known?.at(now_ns);
        self.first.get_or_insert(known);
        let is_right = |applied_ns: &i64| (known.low_ns..=known.high_ns).contains(applied_ns);
        if let Some(applied_ns) = self.applied_ns {
            self.err_ns = self.err_ns.max(known.low_ns.abs_diff(applied_ns)).max(known.high_ns.abs_diff(applied_ns));
            if is_right(&applied_ns) {
                return None;
            }
            self.corrections += 1;
        }
        self.applied_ns = Some(known.middle_ns());
        self.err_ns = self.err_ns.max(known.half_ns());
        self.applied_ns
    }

    /// The estimate as the result tells it; absent before the first `correct`.
    pub fn summary(&self) -> Option<ClockOffset> {
        let (first, last) = (self.first?, self.known?);
        let elapsed_ns = (last.at_ns - first.at_ns) as f64;
        let per_million = |ns: f64| (elapsed_ns > 0.0).then(|| ns / elapsed_ns * 1e6);
        let moved_ns = last.middle_ns().saturating_sub(first.middle_ns()) as f64;
        Some(ClockOffset {
            est_ns: last.middle_ns(),
            err_ns: self.err_ns,
            drift_ppm: per_million(moved_ns),
            drift_err_ppm: per_million((first.half_ns() + last.half_ns()) as f64),
            round_trip_min_ns: self.round_trip_min_ns.unwrap_or(0),
            probes: self.probes,
            corrections: self.corrections,
            jumps: self.jumps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    /// A probe at `sent_ns` between clocks that are `ahead_ns` apart, over ways of these lengths.
    fn exchange(sent_ns: i64, ahead_ns: i64, there_ns: i64, back_ns: i64) -> Exchange {
        let received_ns = sent_ns + there_ns + ahead_ns;
        let answered_ns = received_ns + 7_000;
        Exchange { sent_ns, received_ns, answered_ns, returned_ns: answered_ns - ahead_ns + back_ns }
    }

    #[test]
    fn the_bound_holds_however_unequal_the_ways_are() {
        for (there_ns, back_ns) in [(50_000, 50_000), (5_000_000, 30_000), (30_000, 5_000_000)] {
            let mut track = OffsetTrack::default();
            assert!(track.note(&exchange(SECOND_NS, -77 * SECOND_NS, there_ns, back_ns)));
            track.correct(SECOND_NS + 10_000_000).expect("the first estimate");
            let found = track.summary().expect("one probe");
            assert!(found.est_ns.abs_diff(-77 * SECOND_NS) <= found.err_ns, "{found:?}");
            assert_eq!(found.round_trip_min_ns as i64, there_ns + back_ns, "without the agent's own time");
        }
    }

    #[test]
    fn opposite_delays_narrow_the_bound_below_half_a_round_trip() {
        let mut track = OffsetTrack::default();
        track.note(&exchange(0, 5_000, 1_000_000, 10_000));
        track.note(&exchange(2_000_000, 5_000, 10_000, 1_000_000));
        track.correct(3_100_000);
        let found = track.summary().expect("two probes");
        assert!(found.err_ns < 20_000 && found.est_ns.abs_diff(5_000) <= found.err_ns, "{found:?}");
    }

    #[test]
    fn a_clock_that_drifts_is_followed_within_the_stated_error() {
        let (mut track, mut applied_ns) = (OffsetTrack::default(), None);
        let true_ns = |at_ns: i64| 3_000_000 + at_ns / 1_000_000 * 50;
        let mut worst_ns = 0;
        for tenth in 0..600 {
            let at_ns = tenth * SECOND_NS / 10;
            assert!(track.note(&exchange(at_ns, true_ns(at_ns), 40_000, 60_000)));
            if tenth % 10 == 0 {
                applied_ns = track.correct(at_ns + 200_000).or(applied_ns);
            }
            worst_ns = worst_ns.max(true_ns(at_ns).abs_diff(applied_ns.expect("given at once")));
        }
        let found = track.summary().expect("probed");
        assert!(found.corrections > 10 && found.jumps == 0, "{found:?}");
        let (drift, err) = (found.drift_ppm.expect("a minute"), found.drift_err_ppm.expect("a minute"));
        assert!((drift - 50.0).abs() <= err, "{found:?}");
        assert!(worst_ns <= found.err_ns && found.err_ns < 250_000, "{worst_ns} {found:?}");
    }

    #[test]
    fn a_clock_that_jumps_is_noticed_and_an_exchange_that_cannot_be_is_refused() {
        let mut track = OffsetTrack::default();
        track.note(&exchange(0, 0, 50_000, 50_000));
        track.correct(200_000);
        track.note(&exchange(SECOND_NS, 30 * SECOND_NS, 50_000, 50_000));
        let corrected = track.correct(SECOND_NS + 200_000).expect("proved wrong");
        assert!(corrected.abs_diff(30 * SECOND_NS) < 100_000);
        assert_eq!(track.summary().map(|found| (found.jumps, found.err_ns > 29_000_000_000)), Some((1, true)));
        let fast = Exchange { sent_ns: 10, received_ns: 0, answered_ns: 100, returned_ns: 20 };
        assert!(!track.note(&fast), "longer there than away");
        let absurd = Exchange { sent_ns: i64::MIN, received_ns: i64::MAX, answered_ns: i64::MIN, returned_ns: 1 };
        assert!(!track.note(&absurd));
    }
}
