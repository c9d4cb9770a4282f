//! Values to pixels, with ticks where a reader expects them. Every scale is finite, also of nothing, one or zero.

/// Logarithmic scales longer than this have ticks at powers of ten only.
const FINE_DECADES_MAX: f64 = 3.1;

/// A mapping of values onto a stretch of pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    start_px: f64,
    end_px: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Log,
}

impl Scale {
    /// From 0 to a round number at or above the largest value; to 1 when there is none above 0.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>, start_px: f64, end_px: f64) -> Self {
        let largest = largest_of(values).filter(|largest| *largest > 0.0).unwrap_or(1.0);
        let step = round_step(largest / 5.0);
        let high = (largest / step - 1e-9).ceil().max(1.0) * step;
        Self { kind: Kind::Linear, low: 0.0, high, start_px, end_px }
    }

    /// From `low` to `high` exactly.
    pub(super) fn exact(low: f64, high: f64, start_px: f64, end_px: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { kind: Kind::Linear, low, high, start_px, end_px }
    }

    /// Logarithmic, between 1-2-5 steps around the positive values; a decade at least.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>, start_px: f64, end_px: f64) -> Self {
        let positive: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).collect();
        let smallest = positive.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = largest_of(positive.into_iter()).unwrap_or(10.0);
        let mut low = round_down(smallest.min(largest));
        let mut high = round_up(largest).max(low * 10.0);
        if (high / low).log10() > FINE_DECADES_MAX {
            low = decade_of(low * 1.001);
            high = decade_of(high * 9.99);
        }
        Self { kind: Kind::Log, low, high, start_px, end_px }
    }

    /// The pixel of a value, held within the scale.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear => (value - self.low) / (self.high - self.low),
            Kind::Log => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self.start_px + share * (self.end_px - self.start_px)
    }

    /// The values at the ends.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether equal factors are equally far apart.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.kind == Kind::Log
    }

    /// Round values to draw lines at, lowest first.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = round_step((self.high - self.low) / 5.0);
                let first = (self.low / step).ceil() as i64;
                let last = (self.high / step + 1e-9).floor() as i64;
                (first..=last).map(|index| index as f64 * step).collect()
            }
            Kind::Log => self.logarithmic_ticks(),
        }
    }

    fn logarithmic_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let factors: &[f64] = if decades <= FINE_DECADES_MAX { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        (first..=last)
            .flat_map(|exponent| factors.iter().map(move |factor| factor * 10_f64.powi(exponent)))
            .filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick))
            .collect()
    }
}

fn largest_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.filter(|value| value.is_finite()).reduce(f64::max)
}

/// The nearest 1, 2, 2.5 or 5 times a power of ten at or above.
fn round_step(step: f64) -> f64 {
    let decade = decade_of(step);
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * decade >= step * 0.999_999);
    factor.unwrap_or(10.0) * decade
}

fn round_down(value: f64) -> f64 {
    let decade = decade_of(value);
    [5.0, 2.0].into_iter().find(|factor| factor * decade <= value).unwrap_or(1.0) * decade
}

fn round_up(value: f64) -> f64 {
    let decade = decade_of(value);
    [1.0, 2.0, 5.0].into_iter().find(|factor| factor * decade >= value).unwrap_or(10.0) * decade
}

fn decade_of(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_nothing_zero_or_one_value_are_finite() {
        let nothing = || std::iter::empty::<f64>();
        let scales = [
            Scale::from_zero(nothing(), 0.0, 100.0),
            Scale::from_zero([0.0].into_iter(), 0.0, 100.0),
            Scale::from_zero([f64::NAN, f64::INFINITY].into_iter(), 0.0, 100.0),
            Scale::logarithmic(nothing(), 0.0, 100.0),
            Scale::logarithmic([0.0, -3.0].into_iter(), 0.0, 100.0),
            Scale::logarithmic([7.0].into_iter(), 0.0, 100.0),
            Scale::exact(3.0, 3.0, 0.0, 100.0),
        ];
        for scale in scales {
            for value in [0.0, -1.0, 7.0, f64::NAN, f64::INFINITY, 1e300] {
                assert!((0.0..=100.0).contains(&scale.at(value)), "{scale:?} at {value}");
            }
            let ticks = scale.ticks();
            assert!((2..=20).contains(&ticks.len()), "{scale:?} has ticks {ticks:?}");
        }
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let scale = Scale::from_zero([20.3].into_iter(), 0.0, 100.0);
        assert_eq!(scale.ticks(), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        let long = Scale::logarithmic([150e3, 900e6].into_iter(), 0.0, 100.0);
        assert_eq!(long.ticks(), [1e5, 1e6, 1e7, 1e8, 1e9]);
        let short = Scale::logarithmic([0.6, 9.0].into_iter(), 0.0, 100.0);
        assert_eq!(short.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0]);
    }
}
