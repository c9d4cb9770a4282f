//! The cells of a comparison: one table a figure over all rows, or one table of all figures where there is one row.

use super::comparison::{Comparison, MetricComparison, Sample};
use super::geomean::GeometricMean;
use super::grid::Grid;
use super::metric::Metric;
use super::ranking::Finding;
use crate::report::{Align, Table};
use crate::statistics::Estimate;

/// Names of sides are cut to this length, so that one does not push the figures off the page.
const NAME_CHARS_MAX: usize = 40;
/// Names of rows are made of keys, and the last one may be what tells them apart.
const LABEL_CHARS_MAX: usize = 120;

/// A table and what stands above it.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) names: [String; 2],
    pub(super) lines: Vec<Line>,
    interval_heading: String,
}

/// One row of a table in words.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) sides: [Cell; 2],
    pub(super) change: String,
    pub(super) interval: String,
    pub(super) p: String,
    pub(super) n: String,
    pub(super) detects: String,
    pub(super) verdict: String,
}

/// A median with its noise and its marks.
#[derive(Default)]
pub(super) struct Cell {
    value: String,
    noise: String,
    letters: String,
}

/// Why figures are not ranked, each told once.
#[derive(Default)]
pub(super) struct Reasons(pub(super) Vec<String>);

/// All tables against a later column (from 1), or of the only column (0).
pub(super) fn sections(grid: &Grid, column: usize, reasons: &mut Reasons) -> Vec<Section> {
    let later = column.saturating_sub(1);
    let names = [
        clean(&grid.columns[0]),
        grid.columns.get(column).filter(|_| column > 0).map_or_else(String::new, |name| clean(name)),
    ];
    let confidence = (1.0 - grid.settings.alpha) * 100.0;
    let section = |title: String, lines: Vec<Line>| Section {
        title,
        names: names.clone(),
        lines,
        interval_heading: format!("{} % interval", rounded(confidence)),
    };
    let mut line = |label: &str, comparison: &Comparison, metric: &MetricComparison| {
        Line::new(label, comparison, metric, grid.settings.alpha, reasons)
    };
    if let [row] = &grid.rows[..] {
        let comparison = &row.comparisons[later];
        let lines = comparison.metrics.iter().map(|metric| line(metric.metric.title(), comparison, metric)).collect();
        return vec![section(clean_label(&row.label), lines)];
    }
    let mut sections = Vec::new();
    for metric in &grid.settings.metrics {
        let rows = grid.rows.iter().map(|row| (&row.label, &row.comparisons[later]));
        let mut lines: Vec<Line> =
            rows.filter_map(|(label, of)| Some(line(&clean_label(label), of, of.metric(*metric)?))).collect();
        if lines.is_empty() {
            continue;
        }
        let means = grid.geomeans.iter().filter(|mean| mean.metric == *metric && column > 0);
        lines.extend(means.filter(|mean| mean.column == grid.columns[column]).map(Line::geomean));
        let direction = if metric.higher_is_better() { "higher is better" } else { "lower is better" };
        sections.push(section(format!("{} ({direction})", metric.title()), lines));
    }
    sections
}

impl Section {
    /// The figures under headings, within a column each under its like if they are `aligned`. Without a later side there is nothing to compare.
    pub(super) fn table(&self, aligned: bool) -> Table {
        let [a, b] = &self.names;
        let mut headings = vec![("", Align::Left), (a.as_str(), Align::Right)];
        if !b.is_empty() {
            headings.extend([
                (b.as_str(), Align::Right),
                ("change", Align::Right),
                (self.interval_heading.as_str(), Align::Right),
                ("p", Align::Right),
            ]);
        }
        headings.push(("n", Align::Right));
        if !b.is_empty() {
            headings.extend([("detects", Align::Right), ("verdict", Align::Left)]);
        }
        let mut table = Table::new(&headings);
        let widths = [0, 1].map(|side| {
            let width = |of: fn(&Cell) -> &String| {
                self.lines.iter().map(|line| of(&line.sides[side]).chars().count()).max().unwrap_or(0)
            };
            (width(|cell| &cell.noise), width(|cell| &cell.letters))
        });
        let side = |line: &Line, side: usize| {
            if aligned { line.sides[side].aligned(widths[side]) } else { line.sides[side].plain() }
        };
        for line in &self.lines {
            let mut cells = vec![line.label.clone(), side(line, 0)];
            if !b.is_empty() {
                cells.extend([side(line, 1), line.change.clone(), line.interval.clone(), line.p.clone()]);
            }
            cells.push(line.n.clone());
            if !b.is_empty() {
                cells.extend([line.detects.clone(), line.verdict.clone()]);
            }
            table.row(cells);
        }
        table
    }
}

impl Line {
    fn new(label: &str, comparison: &Comparison, metric: &MetricComparison, alpha: f64, reasons: &mut Reasons) -> Self {
        let (a, b) = (&metric.a, &metric.b);
        let alone = comparison.b.name.is_empty();
        let ratio = metric.ratio.as_ref();
        let differs = matches!(metric.finding, Finding::Better | Finding::Worse | Finding::Small);
        let change = ratio.map(|ratio| if differs { percent(ratio.value) } else { "~".into() });
        let detects =
            || metric.detectable_ratio.map_or_else(|| "nothing".into(), |ratio| percent(ratio).replace('+', ""));
        Self {
            label: label.to_owned(),
            sides: [
                Cell::new(metric.metric, a, comparison.a.letters()),
                Cell::new(metric.metric, b, comparison.b.letters()),
            ],
            change: change.unwrap_or_default(),
            interval: ratio.map_or_else(String::new, |ratio| interval(ratio, 1.0 - alpha)),
            p: metric.p_holm.map_or_else(String::new, p_text),
            n: if alone { a.values.len().to_string() } else { format!("{} v {}", a.values.len(), b.values.len()) },
            detects: if metric.p.is_some() { detects() } else { String::new() },
            verdict: verdict(metric, reasons),
        }
    }

    fn geomean(mean: &GeometricMean) -> Self {
        let cell = |value| Cell { value: mean.metric.format(value), ..Cell::default() };
        Self {
            label: "geomean".into(),
            sides: [cell(mean.a), cell(mean.b)],
            change: percent(mean.ratio),
            interval: bounds(mean.interval.low, mean.interval.high),
            p: String::new(),
            n: String::new(),
            detects: String::new(),
            verdict: format!("{} rows", mean.rows),
        }
    }
}

impl Cell {
    fn new(metric: Metric, sample: &Sample, letters: String) -> Self {
        let Some(median) = sample.median else { return Self { value: "n/a".into(), noise: String::new(), letters } };
        let noise = sample.variation.map_or_else(String::new, |share| format!("{:.1} %", share * 100.0));
        Self { value: metric.format(median), noise, letters }
    }

    /// Padded so that figures stand under figures.
    fn aligned(&self, (noise, letters): (usize, usize)) -> String {
        let blanks = " ".repeat(noise - self.noise.chars().count());
        let spread = match (noise, self.noise.is_empty()) {
            (0, _) => String::new(),
            (_, true) => format!("  {blanks}"),
            (_, false) => format!(" ±{blanks}{}", self.noise),
        };
        let marks = if letters == 0 { String::new() } else { format!(" {:letters$}", self.letters) };
        format!("{}{spread}{marks}", self.value)
    }

    /// For a line of its own.
    pub(super) fn plain(&self) -> String {
        self.aligned((self.noise.chars().count(), self.letters.chars().count()))
    }
}

impl Reasons {
    /// The number of a reason, from 1.
    fn number(&mut self, reason: &str) -> usize {
        let known = self.0.iter().position(|one| one == reason);
        1 + known.unwrap_or_else(|| {
            self.0.push(reason.to_owned());
            self.0.len() - 1
        })
    }
}

fn verdict(metric: &MetricComparison, reasons: &mut Reasons) -> String {
    match &metric.finding {
        Finding::Better => "better".into(),
        Finding::Worse => "WORSE".into(),
        Finding::Small => format!("below {} %", rounded(metric.threshold * 100.0)),
        Finding::Same => format!("same ±{} %", rounded(metric.threshold * 100.0)),
        Finding::NoDifference => String::new(),
        Finding::TooFew(reason) => format!("too few ({})", reasons.number(reason)),
        Finding::NotRanked(reason) => format!("– ({})", reasons.number(reason)),
        Finding::NotMeasured => "one side".into(),
    }
}

fn interval(ratio: &Estimate, wanted: f64) -> String {
    let bounds = bounds(ratio.low, ratio.high);
    // A rounding error is no lack of confidence.
    if ratio.confidence < wanted - 1e-9 { format!("{bounds} ({:.0} %)", ratio.confidence * 100.0) } else { bounds }
}

fn bounds(low: f64, high: f64) -> String {
    let (low, high) = (percent(low), percent(high));
    format!("{} to {high}", low.trim_end_matches(" %"))
}

/// A ratio as a change: `+12.5 %`.
pub(super) fn percent(ratio: f64) -> String {
    let change = (ratio - 1.0) * 100.0;
    // A change that rounds to nothing has no sign.
    let change = if change.abs() < 0.05 { 0.0 } else { change };
    if change.abs() < 999.5 { format!("{change:+.1} %") } else { format!("{change:+.0} %") }
}

fn p_text(p: f64) -> String {
    if p < 0.000_5 { "<0.001".into() } else { format!("{p:.3}") }
}

/// Without digits that say nothing: `95`, `2.5`.
pub(super) fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// Foreign text without control characters, cut to a length that leaves room for figures.
pub(super) fn clean(text: &str) -> String {
    cut(text, NAME_CHARS_MAX)
}

/// The same for the name of a row.
pub(super) fn clean_label(text: &str) -> String {
    cut(text, LABEL_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let kept: String = letters.by_ref().take(chars_max).collect();
    if letters.next().is_some() { format!("{kept}…") } else { kept }
}
