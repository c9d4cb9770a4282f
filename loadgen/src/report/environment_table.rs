//! What the sides of a page ran on and with, fact by fact: those that differ first and marked, equal ones folded away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::collection::Collection;
use super::facts::{flattened, known_part, leaf_text};
use super::markup::Markup;
use crate::result::RunResult;

/// Columns of the table at most; a page of more sides shows the first.
const COLUMNS_MAX: usize = 6;
/// Different values of one fact on one side that are written out.
const VALUES_MAX: usize = 3;
/// Facts that differ from run to run by nature, and say nothing when they do.
const VOLATILE: [&str; 3] = ["free bytes", "bootstrap", "ceiling measured utc"];

/// The values of a fact on each side.
type Facts = BTreeMap<String, Vec<BTreeSet<String>>>;

/// The section; nothing without runs.
pub(super) fn section(collection: &Collection<'_>) -> Option<Markup> {
    let columns = columns_of(collection);
    if columns.is_empty() {
        return None;
    }
    let mut facts = Facts::new();
    for (index, (_, runs)) in columns.iter().enumerate() {
        for run in runs {
            for (name, value) in facts_of(run) {
                let text = leaf_text(&name, &value);
                facts.entry(name).or_insert_with(|| vec![BTreeSet::new(); columns.len()])[index].insert(text);
            }
        }
    }
    let is_volatile = |name: &str| VOLATILE.iter().any(|ending| name.ends_with(ending));
    let differs = |values: &[BTreeSet<String>]| values.iter().any(|side| side.len() != 1 || *side != values[0]);
    let (different, equal): (Facts, Facts) =
        facts.into_iter().partition(|(name, values)| !is_volatile(name) && differs(values));
    let mut html = Markup::default();
    html.raw("<section><h2>Environment</h2>");
    if different.is_empty() {
        html.raw("<p>Machine, target, load and generator are the same in all runs.</p>");
    } else {
        let number = different.len();
        html.raw("<p>").text(number).raw(if number == 1 { " fact differs." } else { " facts differ." }).raw("</p>");
        push_table(&mut html, &columns, &different, true);
    }
    html.raw("<details><summary>").text(equal.len()).raw(" facts that are the same, or differ by nature</summary>");
    push_table(&mut html, &columns, &equal, false);
    html.raw("</details></section>\n");
    Some(html)
}

/// A column a side; of a single side, one for each group.
fn columns_of<'a>(collection: &'a Collection<'_>) -> Vec<(&'a str, Vec<&'a RunResult>)> {
    let of_side = |side: usize| collection.groups.iter().filter(move |group| group.side == side);
    if collection.sides.len() > 1 {
        let sides = collection.sides.iter().enumerate();
        let columns =
            sides.map(|(side, name)| (name.as_str(), of_side(side).flat_map(|group| &group.runs).copied().collect()));
        return columns.take(COLUMNS_MAX).collect();
    }
    let groups = collection.groups.iter().take(COLUMNS_MAX);
    groups.map(|group| (group.name.as_str(), group.runs.clone())).collect()
}

fn facts_of(run: &RunResult) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    let mut add = |part: &str, leaves: BTreeMap<String, Value>| {
        facts.extend(leaves.into_iter().map(|(name, value)| (format!("{part} {name}"), value)));
    };
    for host in &run.env {
        add("machine", flattened(host));
    }
    add("target", flattened(&known_part(run, "target", &run.target)));
    add("load", flattened(&known_part(run, "workload", &run.workload)));
    add("generator", flattened(&run.loadgen));
    facts
}

fn push_table(html: &mut Markup, columns: &[(&str, Vec<&RunResult>)], facts: &Facts, marked: bool) {
    html.raw("<div class=\"scroll\"><table class=\"environment\"><thead><tr><th scope=\"col\">fact</th>");
    for (name, _) in columns {
        html.raw("<th scope=\"col\">").text(name).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for (name, values) in facts {
        html.raw(if marked { "<tr class=\"differs\"><th scope=\"row\"><b>≠</b> " } else { "<tr><th scope=\"row\">" });
        html.text(name).raw("</th>");
        for side in values {
            html.raw("<td>").text(side_text(side)).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

fn side_text(values: &BTreeSet<String>) -> String {
    let told: Vec<&str> = values.iter().take(VALUES_MAX).map(String::as_str).collect();
    match values.len() {
        0 => "not told".into(),
        number if number > VALUES_MAX => format!("{} and {} more", told.join(" | "), number - VALUES_MAX),
        _ => told.join(" | "),
    }
}
