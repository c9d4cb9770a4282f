//! The runs of a page in order: repeats form a group, groups of one load form a row, groups of one side a column.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chart::Ink;
use super::facts::{flattened, known_part};
use super::table::load_line;
use super::units::{binary_bytes, count, decimal, megabytes_per_s};
use crate::compare::{Key, Layout};
use crate::result::{RunResult, Workload};

/// Settings that the name of a load tells at most.
const NAME_PARTS_MAX: usize = 4;

/// All runs of a page.
pub(super) struct Collection<'a> {
    /// What is compared: labels, or products with their versions; in the order in which they are given.
    pub(super) sides: Vec<String>,
    /// The loads, told by what differs between them; least offered first.
    pub(super) loads: Vec<String>,
    /// Runs of one side under one load, by load and then by side.
    pub(super) groups: Vec<Group<'a>>,
}

/// Repeats.
pub(super) struct Group<'a> {
    /// Its place among all groups.
    pub(super) index: usize,
    pub(super) side: usize,
    pub(super) load: usize,
    /// Side and load, as far as there are several.
    pub(super) name: String,
    pub(super) ink: Ink,
    /// In the order in which they were made.
    pub(super) runs: Vec<&'a RunResult>,
}

impl<'a> Collection<'a> {
    /// Sides in the order in which they are given, the first being what others are held against; repeats by their
    /// start. A run given twice counts once.
    pub(super) fn of(results: &'a [RunResult]) -> Self {
        Self::arranged(results, &Layout::default())
    }

    /// The same with rows, columns and filters as comparisons have them. What a layout names and nobody has is refused by the comparison.
    pub(super) fn arranged(results: &'a [RunResult], layout: &Layout) -> Self {
        let labelled = results.iter().any(|run| run.label.is_some());
        let mut placed: Vec<Placed<'_>> = results.iter().filter_map(|run| placed(run, layout, labelled)).collect();
        let mut sides: Vec<String> = Vec::new();
        for one in &placed {
            if !sides.contains(&one.side) {
                sides.push(one.side.clone());
            }
        }
        if let Some(base) = layout.base.as_ref().and_then(|base| sides.iter().position(|side| side == base)) {
            sides[..=base].rotate_right(1);
        }
        placed.sort_by(|a, b| (&a.run.started_utc, &a.run.id).cmp(&(&b.run.started_utc, &b.run.id)));
        placed.dedup_by(|a, b| {
            (&a.run.id, &a.run.started_utc, &a.run.label) == (&b.run.id, &b.run.started_utc, &b.run.label)
        });
        let mut loads: Vec<(String, &RunResult)> = Vec::new();
        for one in &placed {
            if loads.iter().all(|(known, _)| *known != one.load) {
                loads.push((one.load.clone(), one.run));
            }
        }
        loads.sort_by(|a, b| {
            let size = |load: &Workload| (load.partitions, load.record_bytes, load.producers, load.consumers);
            let (a, b) = ((&a.1.workload, &a.0), (&b.1.workload, &b.0));
            offered(a.0).total_cmp(&offered(b.0)).then_with(|| (size(a.0), a.1).cmp(&(size(b.0), b.1)))
        });
        let names = if layout.row.is_empty() {
            load_names(&loads.iter().map(|(_, run)| *run).collect::<Vec<_>>())
        } else {
            loads.iter().map(|(load, _)| load.clone()).collect()
        };
        let groups = grouped(&placed, &sides, &loads, &names);
        Self { sides, loads: names, groups }
    }

    /// Every run, group by group.
    pub(super) fn runs(&self) -> impl Iterator<Item = &'a RunResult> {
        self.groups.iter().flat_map(|group| group.runs.iter().copied())
    }

    /// How many there are.
    pub(super) fn run_count(&self) -> usize {
        self.groups.iter().map(|group| group.runs.len()).sum()
    }
}

impl Group<'_> {
    /// A figure of every sound repeat that has it.
    pub(super) fn figures(&self, figure: impl Fn(&RunResult) -> Option<f64>) -> Vec<f64> {
        let sound = self.runs.iter().filter(|run| is_sound(run));
        sound.filter_map(|run| figure(run)).filter(|value| value.is_finite()).collect()
    }
}

/// Whether the figures of a run count: it ended as planned, and no record was lost or harmed.
pub(super) fn is_sound(run: &RunResult) -> bool {
    run.error.is_none() && run.integrity.verdict != crate::result::Verdict::Fail
}

/// Records that a load offers each second; a closed loop offers without end.
pub(super) fn offered(workload: &Workload) -> f64 {
    workload.arrival.records_per_s.unwrap_or(f64::INFINITY)
}

/// A run and where it stands on the page.
struct Placed<'a> {
    run: &'a RunResult,
    side: String,
    load: String,
}

/// Nothing for a run that the filters leave out.
fn placed<'a>(run: &'a RunResult, layout: &Layout, labelled: bool) -> Option<Placed<'a>> {
    if layout.row.is_empty() && layout.column.is_empty() && layout.filter.is_empty() {
        return Some(Placed { run, side: side_name(run, labelled), load: load_key(&run.workload) });
    }
    let json = serde_json::to_value(run).unwrap_or_default();
    if !layout.filter.iter().all(|filter| filter.takes(&json)) {
        return None;
    }
    let value = |key: &Key| key.value(&json).unwrap_or_else(|| "(none)".into());
    let side = if layout.column.is_empty() {
        side_name(run, labelled)
    } else {
        layout.column.iter().map(value).collect::<Vec<_>>().join(" ")
    };
    let load = if layout.row.is_empty() {
        load_key(&run.workload)
    } else {
        let named = |key: &Key| format!("{}={}", key.as_str().trim_start_matches("workload."), value(key));
        layout.row.iter().map(named).collect::<Vec<_>>().join(" ")
    };
    Some(Placed { run, side, load })
}

/// As comparisons name their columns: the label, or what was measured where nobody gave one.
fn side_name(run: &RunResult, labelled: bool) -> String {
    let version = run.target.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    match &run.label {
        Some(label) => label.clone(),
        None if labelled => "(none)".into(),
        None => format!("{}{version}", run.target.product),
    }
}

/// A load without what may differ between repeats.
fn load_key(workload: &Workload) -> String {
    let mut value = serde_json::to_value(workload).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("seed");
    }
    value.to_string()
}

fn grouped<'a>(
    placed: &[Placed<'a>],
    sides: &[String],
    loads: &[(String, &RunResult)],
    names: &[String],
) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    for (load, (key, _)) in loads.iter().enumerate() {
        for (side, side_text) in sides.iter().enumerate() {
            let members: Vec<&RunResult> =
                placed.iter().filter(|one| one.load == *key && one.side == *side_text).map(|one| one.run).collect();
            if members.is_empty() {
                continue;
            }
            let (name, ink) = match (sides.len() > 1, loads.len() > 1) {
                (true, true) => (format!("{side_text} · {}", names[load]), Ink::dashed(side, load)),
                (false, true) => (names[load].clone(), Ink::of(load)),
                (_, false) => (side_text.clone(), Ink::of(side)),
            };
            groups.push(Group { index: groups.len(), side, load, name, ink, runs: members });
        }
    }
    groups
}

/// Names that tell loads apart, and nothing more.
fn load_names(runs: &[&RunResult]) -> Vec<String> {
    let known = |run: &&RunResult| flattened(&known_part(run, "workload", &run.workload));
    let described: Vec<BTreeMap<String, Value>> = runs.iter().map(known).collect();
    let differs = |key: &String| described.iter().any(|load| load.get(key) != described[0].get(key));
    let mut keys: Vec<String> = described.iter().flat_map(|load| load.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| key != "seed" && key != "arrival kind" && differs(key));
    // The rate comes first: it is what loads differ by most often.
    keys.sort_by_key(|key| !key.starts_with("arrival"));
    let names = runs.iter().zip(&described).map(|(run, load)| {
        let parts: Vec<String> =
            keys.iter().take(NAME_PARTS_MAX).map(|key| part(&run.workload, key, load.get(key))).collect();
        if parts.is_empty() { short_load(&run.workload) } else { parts.join(", ") }
    });
    names.collect()
}

fn part(workload: &Workload, key: &str, value: Option<&Value>) -> String {
    if key == "arrival records per s" {
        return short_load(workload);
    }
    let Some(value) = value else { return format!("no {key}") };
    match (value, value.as_u64(), value.as_f64()) {
        (_, Some(bytes), _) if key.ends_with("bytes") || key.ends_with("bytes max") => {
            format!("{} {}", key.replace(" bytes", ""), binary_bytes(bytes))
        }
        (_, Some(number), _) => format!("{key} {}", count(number)),
        (_, None, Some(number)) => format!("{key} {}", decimal(number)),
        (Value::String(text), ..) => format!("{key} {text}"),
        _ => format!("{key} {value}"),
    }
}

fn short_load(workload: &Workload) -> String {
    match workload.arrival.records_per_s {
        // An imported source may tell the rate and not the size.
        Some(records_per_s) if workload.record_bytes == 0 => format!("{} records/s", decimal(records_per_s)),
        Some(records_per_s) => megabytes_per_s(records_per_s * f64::from(workload.record_bytes)),
        None => "closed loop".into(),
    }
}

/// What the page is about, in its first line.
pub(super) fn title(collection: &Collection<'_>) -> String {
    match (collection.sides.as_slice(), collection.loads.len()) {
        ([first, second], _) => format!("{second} against {first}"),
        ([only], 1) => only.clone(),
        ([only], loads) => format!("{only} under {loads} loads"),
        (sides, _) => format!("{} systems compared", sides.len()),
    }
}

/// The load that all runs share, or how many there are.
pub(super) fn subtitle(collection: &Collection<'_>) -> String {
    let runs = collection.run_count();
    match (collection.loads.len(), collection.runs().next()) {
        (1, Some(run)) => format!("{runs} runs · {}", load_line(run)),
        (loads, _) => format!("{runs} runs · {loads} loads"),
    }
}
