//! Many results in rows and columns: a row is a load, a column a side, and each later column is held against the first.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::comparison::{Comparison, MetricComparison, Settings, Side, compare};
use super::difference::{settings_of, values_of};
use super::geomean::{GeometricMean, geomean};
use super::key::{ABSENT, Filter, Key};
use super::ranking::Outcome;
use crate::result::RunResult;

/// How runs are sorted into rows and columns.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Runs with equal values are in one row; by default those of equal loads.
    pub row: Vec<Key>,
    /// Runs with equal values are in one column; by default those of one label, or of one product and version.
    pub column: Vec<Key>,
    /// Runs that are looked at.
    pub filter: Vec<Filter>,
    /// The first column; by default that of the first run.
    pub base: Option<String>,
}

/// Everything that a set of results shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grid {
    /// How strict the comparison was.
    pub settings: Settings,
    /// Over all rows.
    pub outcome: Outcome,
    /// Names of the sides; the first is what the others are held against.
    pub columns: Vec<String>,
    /// The loads.
    pub rows: Vec<GridRow>,
    /// Each figure over all rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub geomeans: Vec<GeometricMean>,
    /// What the reader must know about the grouping, in whole sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridRow {
    /// What sets it apart from the other rows.
    pub label: String,
    /// The first column against each later one, in their order.
    pub comparisons: Vec<Comparison>,
}

/// Why results cannot be laid out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A mistyped key would put everything into one row.
    #[error("no result has the key {0}; keys are paths of the result file, as in workload.partitions")]
    UnknownKey(String),
    /// All filtered away.
    #[error("no result passes the filter")]
    NothingLeft,
    /// A mistyped name.
    #[error("no column is called {base:?}; there are {}", columns.join(", "))]
    UnknownBase {
        /// As given.
        base: String,
        /// The names there are.
        columns: Vec<String>,
    },
}

/// The keys that loads mostly differ in, so that a row is named after them where they tell it apart.
const KEYS_OF_LABELS: [&str; 8] = [
    "partitions",
    "record_bytes",
    "arrival.records_per_s",
    "producers",
    "consumers",
    "acks",
    "compression",
    "batch_bytes_max",
];

/// A run with what sorts it.
struct Sorted<'a> {
    run: &'a RunResult,
    json: Value,
    row: Vec<(String, String)>,
    column: String,
}

impl Grid {
    /// Sorts and compares.
    pub fn new(runs: &[RunResult], layout: &Layout, settings: &Settings) -> Result<Self, GridError> {
        let mut sorted = sort(runs, layout)?;
        let mut warnings = Vec::new();
        let columns = columns(&sorted, layout)?;
        if layout.row.is_empty() {
            sort_by_load(&mut sorted, &columns, layout, &mut warnings);
        }
        let rows = first_seen(sorted.iter().map(|one| &one.row));
        let labels = labels(&rows, &sorted, !layout.row.is_empty());
        for (row, label) in rows.iter().zip(&labels) {
            for column in &columns {
                warnings.extend(mixed(&cell(&sorted, row, column), label, column, rows.len() > 1, layout));
            }
        }
        let rows: Vec<GridRow> = rows
            .iter()
            .zip(labels)
            .map(|(row, label)| {
                let base = cell(&sorted, row, &columns[0]);
                let against = |column: &String| {
                    let runs = cell(&sorted, row, column);
                    compare(Side { name: &columns[0], runs: &base }, Side { name: column, runs: &runs }, settings)
                };
                let alone = || compare(Side { name: &columns[0], runs: &base }, Side { name: "", runs: &[] }, settings);
                let later: Vec<Comparison> = columns[1..].iter().map(against).collect();
                GridRow { label, comparisons: if later.is_empty() { vec![alone()] } else { later } }
            })
            .collect();
        let mut grid = Self::judged(columns, rows, warnings, settings);
        grid.forget_differences(&layout.column, runs.iter().any(|run| run.label.is_some()));
        Ok(grid)
    }

    /// What the columns are made of is no news of a difference between them.
    fn forget_differences(&mut self, column: &[Key], labelled: bool) {
        let by_default: &[&str] =
            if column.is_empty() && !labelled { &["target.product", "target.version"] } else { &[] };
        for comparison in self.rows.iter_mut().flat_map(|row| &mut row.comparisons) {
            let asked = |key: &str| column.iter().any(|one| one.as_str() == key) || by_default.contains(&key);
            comparison.differences.retain(|difference| !asked(&difference.key));
        }
    }

    /// A single comparison as a grid, for those who print one.
    pub fn of(comparison: Comparison, label: &str, settings: &Settings) -> Self {
        let columns = vec![comparison.a.name.clone(), comparison.b.name.clone()];
        let row = GridRow { label: label.to_owned(), comparisons: vec![comparison] };
        Self::judged(columns, vec![row], Vec::new(), settings)
    }

    fn judged(columns: Vec<String>, rows: Vec<GridRow>, warnings: Vec<String>, settings: &Settings) -> Self {
        let comparisons = rows.iter().flat_map(|row| &row.comparisons);
        let outcome = comparisons.map(|one| one.outcome).fold(Outcome::NothingComparable, Outcome::heavier);
        let mut grid = Self { settings: settings.clone(), outcome, columns, rows, geomeans: Vec::new(), warnings };
        for later in 0..grid.columns.len().saturating_sub(1) {
            for metric in &settings.metrics {
                let ranked: Vec<&MetricComparison> = grid
                    .rows
                    .iter()
                    .filter_map(|row| row.comparisons[later].metric(*metric))
                    .filter(|one| one.ratio.is_some())
                    .collect();
                let mean = geomean(*metric, &grid.columns[later + 1], &ranked, 1.0 - settings.alpha);
                grid.geomeans.extend(mean);
            }
        }
        grid
    }
}

fn sort<'a>(runs: &'a [RunResult], layout: &Layout) -> Result<Vec<Sorted<'a>>, GridError> {
    let labelled = runs.iter().any(|run| run.label.is_some());
    let mut sorted: Vec<Sorted<'_>> = runs
        .iter()
        .map(|run| {
            let json = serde_json::to_value(run).unwrap_or(Value::Null);
            let value = |key: &Key| key.value(&json).unwrap_or_else(|| ABSENT.into());
            let row = layout.row.iter().map(|key| (key.short().to_owned(), value(key))).collect();
            let column = match &layout.column[..] {
                [] => default_column(run, labelled),
                keys => keys.iter().map(value).collect::<Vec<_>>().join(" "),
            };
            Sorted { run, json, row, column }
        })
        .collect();
    for key in layout.row.iter().chain(&layout.column).chain(layout.filter.iter().map(Filter::key)) {
        if sorted.iter().all(|one| key.value(&one.json).is_none()) {
            return Err(GridError::UnknownKey(key.as_str().to_owned()));
        }
    }
    sorted.retain(|one| layout.filter.iter().all(|filter| filter.takes(&one.json)));
    if sorted.is_empty() { Err(GridError::NothingLeft) } else { Ok(sorted) }
}

/// The name that somebody gave the side, or what was measured.
fn default_column(run: &RunResult, labelled: bool) -> String {
    match (&run.label, &run.target.version) {
        (Some(label), _) => label.clone(),
        (None, _) if labelled => ABSENT.into(),
        (None, Some(version)) => format!("{} {version}", run.target.product),
        (None, None) => run.target.product.clone(),
    }
}

fn columns(sorted: &[Sorted<'_>], layout: &Layout) -> Result<Vec<String>, GridError> {
    let mut columns: Vec<String> = first_seen(sorted.iter().map(|one| &one.column));
    if let Some(base) = &layout.base {
        let Some(position) = columns.iter().position(|column| column == base) else {
            return Err(GridError::UnknownBase { base: base.clone(), columns });
        };
        columns[..=position].rotate_right(1);
    }
    Ok(columns)
}

/// Rows are loads. Where no load was run on both sides, a key that has one value on each side is what the sides are about, not what the rows are
/// about: it is left out of the rows, with a warning.
fn sort_by_load(sorted: &mut [Sorted<'_>], columns: &[String], layout: &Layout, warnings: &mut Vec<String>) {
    let taken: BTreeSet<&str> = layout.column.iter().map(Key::as_str).collect();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    let loads: Vec<BTreeMap<String, String>> = sorted
        .iter()
        .map(|one| {
            let mut load = settings_of(one.run);
            load.retain(|key, _| key.starts_with("workload.") && !taken.contains(key.as_str()));
            keys.extend(load.keys().cloned());
            load
        })
        .collect();
    let value = |index: usize, key: &String| loads[index].get(key).cloned().unwrap_or_else(|| ABSENT.into());
    let row = |index: usize, keys: &BTreeSet<String>| -> Vec<(String, String)> {
        keys.iter().map(|key| (key.trim_start_matches("workload.").to_owned(), value(index, key))).collect()
    };
    let place = |sorted: &mut [Sorted<'_>], keys: &BTreeSet<String>| {
        for (index, one) in sorted.iter_mut().enumerate() {
            one.row = row(index, keys);
        }
    };
    place(sorted, &keys);
    let meets = sorted.iter().any(|one| sorted.iter().any(|other| one.row == other.row && one.column != other.column));
    if meets || columns.len() < 2 {
        return;
    }
    let of_column = |key: &String, column: &String| -> BTreeSet<String> {
        let inside = sorted.iter().enumerate().filter(|(_, one)| one.column == *column);
        inside.map(|(index, _)| value(index, key)).collect()
    };
    let about_sides: Vec<String> = keys
        .iter()
        .filter(|key| {
            let values: Vec<BTreeSet<String>> = columns.iter().map(|column| of_column(key, column)).collect();
            values.iter().all(|of| of.len() == 1) && values.iter().any(|of| *of != values[0])
        })
        .cloned()
        .collect();
    if about_sides.is_empty() {
        warnings.push("no load was run on more than one side; give --row to say which belong together".into());
        return;
    }
    warnings.push(format!("the sides ran unlike loads: they differ in {}", about_sides.join(", ")));
    keys.retain(|key| !about_sides.contains(key));
    place(sorted, &keys);
}

/// The fewest keys that tell the rows apart, those that people ask for first; the whole load when there is one row only.
fn labels(rows: &[Vec<(String, String)>], sorted: &[Sorted<'_>], asked: bool) -> Vec<String> {
    if let ([row], false) = (rows, asked) {
        return vec![sorted.iter().find(|one| one.row == *row).map_or_else(String::new, |one| load_words(one.run))];
    }
    let names: Vec<&str> = rows[0].iter().map(|(key, _)| key.as_str()).collect();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&index| KEYS_OF_LABELS.iter().position(|key| *key == names[index]).unwrap_or(usize::MAX));
    let told = |keys: &[usize]| -> Vec<Vec<&str>> {
        rows.iter().map(|row| keys.iter().map(|&index| row[index].1.as_str()).collect()).collect()
    };
    let kinds = |keys: &[usize]| told(keys).into_iter().collect::<BTreeSet<_>>().len();
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        let more = [&kept[..], &[index]].concat();
        if asked || kinds(&more) > kinds(&kept) {
            kept = more;
        }
    }
    let words = |values: Vec<&str>| {
        let short = |index: usize| names[index].trim_start_matches("arrival.");
        let pairs = kept.iter().zip(values).map(|(&index, value)| format!("{}={value}", short(index)));
        pairs.collect::<Vec<_>>().join(" ")
    };
    told(&kept).into_iter().map(words).collect()
}

/// A load in a few words, as far as it is known.
fn load_words(run: &RunResult) -> String {
    let workload = &run.workload;
    let rate = match workload.arrival.records_per_s {
        Some(rate) => format!("{} records/s", crate::report::count(rate.round() as u64)),
        None => "closed loop".into(),
    };
    let parts = [
        ("workload.record_bytes", format!("{} B", workload.record_bytes)),
        ("workload.partitions", format!("{}p", workload.partitions.saturating_mul(workload.topics))),
        ("workload.arrival.kind", rate),
    ];
    let known: Vec<String> = parts.into_iter().filter(|(path, _)| run.knows(path)).map(|(_, text)| text).collect();
    if known.is_empty() { "a load that its source does not tell".into() } else { known.join(", ") }
}

fn cell<'a>(sorted: &[Sorted<'a>], row: &[(String, String)], column: &str) -> Vec<&'a RunResult> {
    sorted.iter().filter(|one| one.row == row && one.column == column).map(|one| one.run).collect()
}

/// A warning when runs that are taken for repeats differ in a setting.
fn mixed(runs: &[&RunResult], label: &str, column: &str, many_rows: bool, layout: &Layout) -> Option<String> {
    let keys = layout.row.iter().chain(&layout.column);
    let sorted_by: BTreeSet<&str> = keys.map(Key::as_str).collect();
    let unlike: Vec<String> = values_of(runs)
        .into_iter()
        .filter(|(key, values)| values.len() > 1 && !sorted_by.contains(key.as_str()))
        .map(|(key, values)| format!("{key} ({})", values.into_iter().collect::<Vec<_>>().join(", ")))
        .collect();
    let place = if many_rows { format!("{column}, {label}") } else { column.to_owned() };
    (!unlike.is_empty()).then(|| format!("{place}: runs that are taken for repeats differ in {}", unlike.join(", ")))
}

fn first_seen<'a, T: Clone + PartialEq + 'a>(values: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut seen: Vec<T> = Vec::new();
    for value in values {
        if !seen.contains(value) {
            seen.push(value.clone());
        }
    }
    seen
}
