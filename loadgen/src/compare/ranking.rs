//! What may be ranked, and the outcome where it is.

use std::collections::BTreeSet;

use serde::Serialize;

use super::metric::{Family, Metric};
use super::side::durability;
use crate::report::count;
use crate::result::{ClientMode, RunResult};

/// Offered rates that differ by no more than this are the same rate: a rate in bytes is seldom a whole number of records.
const RATE_TOLERANCE: f64 = 1e-3;

/// What a comparison of one figure found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "finding", content = "reason")]
pub enum Finding {
    /// The later side is better, by as much as matters.
    Better,
    /// The later side is worse, by as much as matters.
    Worse,
    /// They differ, by less than matters.
    Small,
    /// The whole interval is smaller than what matters.
    Same,
    /// No difference was found; there may be one.
    NoDifference,
    /// So few runs cannot show any difference.
    TooFew(String),
    /// Shown, but not ranked.
    NotRanked(String),
    /// A side did not measure it.
    NotMeasured,
}

/// What a comparison found over all its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something is worse.
    Regression,
    /// Something is better and nothing is worse.
    Better,
    /// Nothing that matters differs, as far as was found.
    NoDifference,
    /// Nothing could be ranked.
    NothingComparable,
}

impl Finding {
    /// Whether the figure was held against the other side at all.
    pub fn is_ranked(&self) -> bool {
        !matches!(self, Self::TooFew(_) | Self::NotRanked(_) | Self::NotMeasured)
    }
}

impl Outcome {
    /// Over the findings of one comparison.
    pub(super) fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let one = |finding: &Finding| match finding {
            Finding::Worse => Self::Regression,
            Finding::Better => Self::Better,
            ranked if ranked.is_ranked() => Self::NoDifference,
            _ => Self::NothingComparable,
        };
        findings.into_iter().map(one).fold(Self::NothingComparable, Self::heavier)
    }

    /// The one of two that decides.
    #[must_use]
    pub fn heavier(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(self) -> u8 {
        match self {
            Self::NothingComparable => 0,
            Self::NoDifference => 1,
            Self::Better => 2,
            Self::Regression => 3,
        }
    }
}

/// Why the sides are not ranked in any figure, in whole sentences; `--force` overrules these.
pub(super) fn unlike(samples: [(&str, &[&RunResult]); 2]) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut look = |what: &str, of: fn(&RunResult) -> String| {
        let [a, b] = samples.map(|(name, runs)| (name, runs.iter().map(|run| of(run)).collect::<BTreeSet<_>>()));
        let words = |(name, classes): &(&str, BTreeSet<String>)| {
            format!("{name}: {}", classes.iter().map(String::as_str).collect::<Vec<_>>().join(" and "))
        };
        if a.1.union(&b.1).count() > 1 && !a.1.is_empty() && !b.1.is_empty() {
            reasons.push(format!("{what} ({}; {})", words(&a), words(&b)));
        }
    };
    look("unlike durability", durability);
    look("unlike client modes", |run| mode(run).into());
    reasons
}

fn mode(run: &RunResult) -> &'static str {
    match run.workload.client_mode {
        ClientMode::Modelled => "modelled",
        ClientMode::Raw => "raw",
    }
}

/// Why these samples do not rank a figure, in a phrase.
pub(super) fn why_not_ranked(metric: Metric, samples: [(&str, &[&RunResult]); 2]) -> Option<String> {
    let closed = |run: &RunResult| run.quality.closed_loop;
    let any = |has: fn(&RunResult) -> bool| samples.iter().any(|(_, runs)| runs.iter().any(|run| has(run)));
    let who = |has: fn(&RunResult) -> bool| {
        let of = |(name, runs): &(&str, &[&RunResult])| {
            let with = runs.iter().filter(|run| has(run)).count();
            (with > 0).then(|| format!("{name} {with} of {}", runs.len()))
        };
        samples.iter().filter_map(of).collect::<Vec<_>>().join(", ")
    };
    let saturated = |run: &RunResult| run.quality.saturated;
    let open = |run: &RunResult| !run.quality.closed_loop;
    let limited = |run: &RunResult| run.quality.client_limited;
    match metric.family() {
        Family::Throughput if any(open) => Some("open loop: the schedule, not the broker, sets the rate".into()),
        Family::Throughput if any(limited) => {
            Some(format!("client-limited ({}): the load generator may have set the figure", who(limited)))
        }
        Family::Latency if any(closed) => Some("closed loop: each side took another load".into()),
        Family::Cost if any(closed) && any(open) => Some("open loop on one side only".into()),
        Family::Latency | Family::Cost if any(saturated) => {
            Some(format!("saturated ({}): figures of a growing queue", who(saturated)))
        }
        Family::Latency | Family::Cost => unequal_rates(samples),
        Family::Throughput => None,
    }
}

fn unequal_rates(samples: [(&str, &[&RunResult]); 2]) -> Option<String> {
    let rates = || {
        let runs = samples.iter().flat_map(|(_, runs)| runs.iter());
        runs.filter_map(|run| run.workload.arrival.records_per_s)
    };
    let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    let whole = |rate: f64| count(rate.round() as u64);
    (high > low * (1.0 + RATE_TOLERANCE))
        .then(|| format!("offered rates differ: {} to {} records/s", whole(low), whole(high)))
}
