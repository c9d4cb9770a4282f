//! One side held against another.

use serde::Serialize;

use super::difference::{Difference, differences};
use super::metric::{Family, Metric};
use super::ranking::{Finding, Outcome, unlike, why_not_ranked};
use super::side::{SideSummary, sort_out};
use crate::result::RunResult;
use crate::statistics::{
    Estimate, Method, coefficient_of_variation, detectable_deviations, hodges_lehmann_ratio, holm, mann_whitney,
    median, pooled_log_deviation, repeats_needed, smallest_p,
};

/// A name and its runs. The order of sides matters: the later one is judged against the earlier.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What it is called.
    pub name: &'a str,
    /// All its runs, good and bad.
    pub runs: &'a [&'a RunResult],
}

/// How strict to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The figures; each family of them is corrected for its number.
    pub metrics: Vec<Metric>,
    /// Chance of a false alarm in a family of figures when both sides are alike.
    pub alpha: f64,
    /// The smallest difference that matters, as a share; absent takes each figure's own.
    pub threshold: Option<f64>,
    /// Rank what is unlike, with a warning.
    pub force: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { metrics: Metric::ALL.to_vec(), alpha: 0.05, threshold: None, force: false }
    }
}

/// Everything that two sides show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The earlier side.
    pub a: SideSummary,
    /// The later one, which is judged.
    pub b: SideSummary,
    /// Over all figures.
    pub outcome: Outcome,
    /// The figures that at least one side measured.
    pub metrics: Vec<MetricComparison>,
    /// Why nothing is ranked, or what `force` overruled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<String>,
    /// Settings, versions and machines that are not the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// One figure of two sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricComparison {
    /// Which.
    pub metric: Metric,
    /// Unit of the values.
    pub unit: &'static str,
    /// Direction.
    pub higher_is_better: bool,
    /// Values of the earlier side.
    pub a: Sample,
    /// Values of the later side.
    pub b: Sample,
    /// Hodges and Lehmann's estimate of `b` over `a`; absent where it is not ranked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Estimate>,
    /// Exact two-sided p of this figure alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// How it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The same, corrected by Holm for the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// Figures of its family that were ranked.
    pub family_size: usize,
    /// The smallest ratio above 1 that these runs would have shown four times out of five, at the level that the correction leaves to the
    /// only figure that changes; absent when they can show nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable_ratio: Option<f64>,
    /// The smallest difference that matters, as a share.
    pub threshold: f64,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The values of one figure on one side, one a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// In the order of the runs.
    pub values: Vec<f64>,
    /// The middle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// Coefficient of variation: the noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variation: Option<f64>,
}

/// Holds `b` against `a`.
pub fn compare(a: Side<'_>, b: Side<'_>, settings: &Settings) -> Comparison {
    let ((runs_a, a), (runs_b, b)) = (sort_out(a.name, a.runs), sort_out(b.name, b.runs));
    let sides = [(a.name.as_str(), &runs_a[..]), (b.name.as_str(), &runs_b[..])];
    let unlike = unlike(sides);
    let mut metrics: Vec<MetricComparison> = settings
        .metrics
        .iter()
        .filter_map(|metric| {
            let shown = unlike.first().filter(|_| !settings.force).cloned();
            let barred = shown.or_else(|| why_not_ranked(*metric, sides));
            measure(*metric, sides.map(|(_, runs)| runs), barred, settings)
        })
        .collect();
    for family in [Family::Throughput, Family::Latency, Family::Cost] {
        let mut members: Vec<&mut MetricComparison> =
            metrics.iter_mut().filter(|metric| metric.metric.family() == family && metric.p.is_some()).collect();
        judge_family(&mut members, family, settings.alpha);
    }
    let outcome = Outcome::of(metrics.iter().map(|metric| &metric.finding));
    let differences = differences(&runs_a, &runs_b);
    Comparison { a, b, outcome, metrics, unlike, differences }
}

/// The values of a figure and what the two sides alone say of it; absent when nobody measured it.
fn measure(
    metric: Metric,
    runs: [&[&RunResult]; 2],
    barred: Option<String>,
    settings: &Settings,
) -> Option<MetricComparison> {
    let [a, b] = runs.map(|runs| Sample::of(runs.iter().filter_map(|run| metric.value(run)).collect()));
    if a.values.is_empty() && b.values.is_empty() {
        return None;
    }
    let measured = !a.values.is_empty() && !b.values.is_empty();
    let ratio = hodges_lehmann_ratio(&a.values, &b.values, 1.0 - settings.alpha);
    let finding = match barred {
        _ if !measured => Finding::NotMeasured,
        Some(reason) => Finding::NotRanked(reason),
        None if ratio.is_none() => Finding::NotRanked("a value is zero, so there is no ratio".into()),
        None => Finding::NoDifference,
    };
    let test = mann_whitney(&a.values, &b.values).filter(|_| finding == Finding::NoDifference);
    Some(MetricComparison {
        metric,
        unit: metric.unit(),
        higher_is_better: metric.higher_is_better(),
        ratio: ratio.filter(|_| test.is_some()),
        p: test.map(|test| test.p),
        method: test.map(|test| test.method),
        p_holm: None,
        family_size: 0,
        detectable_ratio: None,
        threshold: settings.threshold.unwrap_or_else(|| metric.threshold_default()),
        finding,
        a,
        b,
    })
}

/// Corrects the figures of a family for one another and judges each.
fn judge_family(members: &mut [&mut MetricComparison], family: Family, alpha: f64) {
    let corrected = holm(&members.iter().filter_map(|member| member.p).collect::<Vec<_>>());
    let size = members.len();
    let level = alpha / size as f64;
    // Figures of the same runs have the same sizes, and the simulation depends on nothing else.
    let mut known: Option<(usize, usize, Option<f64>)> = None;
    for (member, p_holm) in members.iter_mut().zip(corrected) {
        let (n_a, n_b) = (member.a.values.len(), member.b.values.len());
        let deviations = match known {
            Some((a, b, deviations)) if (a, b) == (n_a, n_b) => deviations,
            _ => detectable_deviations(n_a, n_b, level),
        };
        known = Some((n_a, n_b, deviations));
        member.p_holm = Some(p_holm);
        member.family_size = size;
        member.detectable_ratio = pooled_log_deviation(&member.a.values, &member.b.values)
            .and_then(|noise| deviations.map(|deviations| (deviations * noise).exp()));
        member.finding = if smallest_p(n_a, n_b) > level {
            Finding::TooFew(too_few(n_a, n_b, size, family, level))
        } else {
            member.judged(p_holm, alpha)
        };
    }
}

fn too_few(n_a: usize, n_b: usize, size: usize, family: Family, level: f64) -> String {
    let smallest = smallest_p(n_a, n_b);
    let all = if size > 1 { format!(" times {size} {}", family.plural()) } else { String::new() };
    format!(
        "{n_a} v {n_b} runs reach p = {smallest:.2}{all} at best; {} a side can show something",
        repeats_needed(level)
    )
}

impl MetricComparison {
    fn judged(&self, p_holm: f64, alpha: f64) -> Finding {
        let Some(ratio) = self.ratio else { return Finding::NotMeasured };
        let matters = self.threshold.ln_1p();
        let reaches = |value: f64| value.ln().abs() >= matters;
        if p_holm <= alpha {
            return match (reaches(ratio.value), (ratio.value > 1.0) == self.higher_is_better) {
                (false, _) => Finding::Small,
                (true, true) => Finding::Better,
                (true, false) => Finding::Worse,
            };
        }
        let narrow = ratio.confidence >= 1.0 - alpha && !reaches(ratio.low) && !reaches(ratio.high);
        if narrow { Finding::Same } else { Finding::NoDifference }
    }
}

impl Sample {
    fn of(values: Vec<f64>) -> Self {
        Self { median: median(&values), variation: coefficient_of_variation(&values), values }
    }
}

impl Comparison {
    /// Figures with this kind of finding.
    pub fn found(&self, wanted: impl Fn(&Finding) -> bool) -> impl Iterator<Item = &MetricComparison> {
        self.metrics.iter().filter(move |metric| wanted(&metric.finding))
    }

    /// The finding for one figure, if a side measured it.
    pub fn metric(&self, metric: Metric) -> Option<&MetricComparison> {
        self.metrics.iter().find(|one| one.metric == metric)
    }
}
