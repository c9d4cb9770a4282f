//! The page of one run and the page of many: verdict first, then figures, charts, settings, machine. Both are the same
//! sections in the same look; a single run tells more of its own.

use super::backlog_chart::backlog_chart;
use super::collection::{Collection, Group, subtitle, title};
use super::costs::{cost_sections, parts_section};
use super::dot_plot;
use super::environment_table;
use super::facts::push_facts;
use super::forest_plot;
use super::groups;
use super::heat_map;
use super::history_chart::history_charts;
use super::judgement::{Statement, Tone, achieved_share, notes, verdict, warnings};
use super::markup::Markup;
use super::overview;
use super::page::Page;
use super::percentile_chart;
use super::rate_curve::rate_curve;
use super::run_table;
use super::series_chart;
use super::sweep_chart::sweep_charts;
use super::table::{latency_rows, load_line, percentile_text, resources_line, target_line};
use super::transactions;
use super::units::{binary_bytes, count, decimal, duration_ns, megabytes_per_s, percent};
use crate::compare::{Grid, Layout, Settings};
use crate::result::{Percentile, RunResult};

/// Groups whose curves share a chart; with more, lines could not be told apart.
const PANEL_GROUPS_MAX: usize = 8;
/// Panels of a page; the loads beyond are in its tables only.
const PANELS_MAX: usize = 12;

/// The page of one run.
pub fn html_page(result: &RunResult) -> String {
    let title = format!("{} · {} · {}", result.target.product, verdict(result).word, result.id);
    let mut page = Page::new(&title, result.quality.saturated);
    push_header(page.html(), result);
    push_statements(page.html(), result);
    push_figures(page.html(), result);
    push_latencies(&mut page, result);
    groups::push_section(page.html(), result);
    transactions::push_section(page.html(), result);
    push_notes(page.html(), result);
    let collection = Collection::of(std::slice::from_ref(result));
    let all: Vec<&Group<'_>> = collection.groups.iter().collect();
    let mut charts = series_chart::of_run(result);
    charts.extend(backlog_chart(&all, ""));
    page.push_grid(&charts, &heat_map::sections(&all));
    if let Some(parts) = parts_section(&collection.groups) {
        page.html().append(&parts);
    }
    push_resources(page.html(), result);
    push_facts(page.html(), result);
    page.finish(&format!(
        "loadgen {} ({} build) · result {} · workload {} · format version {}",
        result.loadgen.version, result.loadgen.build_profile, result.id, result.workload_id, result.schema_version
    ))
}

/// The page of many runs: repeats, sides of a comparison, points of a curve or a sweep, a history, or all of them. The
/// same results give the same bytes, in whatever order they come.
pub fn html_report(results: &[RunResult]) -> String {
    let collection = Collection::of(results);
    let title = title(&collection);
    let mut page = Page::new(&format!("{title} · loadgen"), false);
    page.html().raw("<header><h1>").text(&title).raw("</h1><p>").text(subtitle(&collection)).raw("</p>");
    overview::push_classes(page.html(), &collection);
    page.html().raw("</header>\n");
    let grid = Grid::new(results, &Layout::default(), &Settings::default()).ok().filter(|grid| grid.columns.len() > 1);
    overview::push_statements(page.html(), &collection, grid.as_ref());
    page.html().append(&run_table::section(&collection));
    if let Some(grid) = &grid {
        match forest_plot::sections(&collection, grid).as_slice() {
            [only] => {
                page.html().append(only);
            }
            sections => page.push_grid(&[], sections),
        }
        dot_plot::push_sections(page.html(), &collection, grid);
    }
    for plot in history_charts(&collection) {
        page.push_plot(&plot);
    }
    if let Some(curve) = rate_curve(&collection) {
        page.push_plot(&curve);
    }
    page.push_grid(&sweep_charts(&collection), &[]);
    push_panels(&mut page, &collection);
    if let Some(parts) = parts_section(&collection.groups) {
        page.html().append(&parts);
    }
    page.push_grid(&[], &cost_sections(&collection.groups));
    if let Some(environment) = environment_table::section(&collection) {
        page.html().append(&environment);
    }
    overview::push_commands(page.html(), &collection);
    page.finish(&overview::footer(&collection))
}

/// Curves and charts over time: a panel for each load when sides are compared, else for as many loads as one chart
/// can show. The first panel is open.
fn push_panels(page: &mut Page, collection: &Collection<'_>) {
    let all: Vec<&Group<'_>> = collection.groups.iter().collect();
    let panels: Vec<&[&Group<'_>]> = if collection.sides.len() > 1 {
        all.chunk_by(|a, b| a.load == b.load).flat_map(|groups| groups.chunks(PANEL_GROUPS_MAX)).collect()
    } else {
        all.chunks(PANEL_GROUPS_MAX).collect()
    };
    let are_many = panels.len() > 1;
    for (index, groups) in panels.iter().take(PANELS_MAX).enumerate() {
        if are_many {
            page.html().raw(if index == 0 { "<details class=\"panel\" open>" } else { "<details class=\"panel\">" });
            page.html().raw("<summary><h2>").text(panel_name(collection, groups)).raw("</h2></summary>\n");
        }
        let prefix = if are_many { format!("{}-", index + 1) } else { String::new() };
        for plot in percentile_chart::of_groups(groups, &prefix) {
            page.push_plot(&plot);
        }
        let mut charts = series_chart::of_groups(groups, &prefix);
        charts.extend(backlog_chart(groups, &prefix));
        page.push_grid(&charts, &heat_map::sections(groups));
        if are_many {
            page.html().raw("</details>\n");
        }
    }
    if panels.len() > PANELS_MAX {
        page.html().raw("<p class=\"note\">Curves of the first ").text(PANELS_MAX).raw(" loads are drawn.</p>");
    }
}

fn panel_name(collection: &Collection<'_>, groups: &[&Group<'_>]) -> String {
    let mut loads: Vec<&str> = groups.iter().map(|group| collection.loads[group.load].as_str()).collect();
    loads.dedup();
    match loads.as_slice() {
        [only] => (*only).into(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    }
}

fn push_header(page: &mut Markup, result: &RunResult) {
    page.raw("<header><h1>").text(target_line(result)).raw("</h1><p>");
    page.text(load_line(result)).raw(" · ").text(&result.started_utc).raw("</p><p class=\"class\"><b>Durability:</b> ");
    page.text(result.target.durability.label()).raw("</p></header>\n");
}

fn push_statements(page: &mut Markup, result: &RunResult) {
    page.raw("<div class=\"statements\">");
    push_statement(page, &verdict(result), "verdict", &result.integrity.examples);
    for warning in warnings(result) {
        push_statement(page, &warning, "", &[]);
    }
    page.raw("</div>\n");
}

/// A statement with its sign, word, sentence and examples.
pub(super) fn push_statement(page: &mut Markup, statement: &Statement, class: &'static str, examples: &[String]) {
    let (tone, sign) = match statement.tone {
        Tone::Good => ("good", "✓ "),
        Tone::Caution => ("caution", "! "),
        Tone::Bad => ("bad", "✗ "),
    };
    page.raw("<div role=\"status\" class=\"statement ").raw(tone).raw(" ").raw(class).raw("\"><b>");
    page.raw(sign).raw(statement.word).raw("</b><span>").text(&statement.sentence).raw("</span>");
    if !examples.is_empty() {
        page.raw("<ul>");
        for example in examples {
            page.raw("<li>").text(example).raw("</li>");
        }
        page.raw("</ul>");
    }
    page.raw("</div>");
}

/// The few figures that answer most questions, each with what it must not be read without.
fn push_figures(page: &mut Markup, result: &RunResult) {
    page.raw("<section class=\"figures-grid\">");
    if let Some(produce) = &result.summary.produce {
        let aside = match (produce.offered, achieved_share(result)) {
            (Some(offered), Some(share)) => {
                format!("{} of {} offered", percent(share), megabytes_per_s(offered.bytes_per_s))
            }
            _ => "closed loop".into(),
        };
        let achieved = produce.achieved;
        push_figure(page, "", "Achieved", &megabytes_per_s(achieved.bytes_per_s), &aside);
        let records = count(achieved.records_per_s.max(0.0).round() as u64);
        let batch = produce
            .batch
            .as_ref()
            .map(|batch| format!("{} in a batch on average", decimal(batch.records_per_batch_mean)));
        push_figure(page, "", "Records each second", &records, &batch.unwrap_or_default());
    }
    for (name, latency) in latency_rows(result) {
        let (heading, percentile) = match name {
            "response" => ("Response p99", Percentile::P99),
            "end-to-end" => ("End-to-end p99", Percentile::P99),
            _ => continue,
        };
        let aside = format!(
            "p50 {} · p99.9 {}",
            percentile_text(latency, Percentile::P50),
            percentile_text(latency, Percentile::P99_9)
        );
        push_figure(page, "latency", heading, &percentile_text(latency, percentile), &aside);
    }
    if let Some(broker) = &result.resources.broker {
        if let Some(cpu) = broker.cpu_s_per_gb {
            push_figure(page, "", "Broker CPU per GB", &format!("{} s", decimal(cpu)), "user and system");
        }
        if let Some(max) = broker.rss_max_bytes {
            let idle = broker.rss_idle_bytes.map(|idle| format!("{} idle", binary_bytes(idle)));
            push_figure(page, "", "Broker memory", &binary_bytes(max), &idle.unwrap_or_default());
        }
    }
    page.raw("</section>\n");
}

fn push_figure(page: &mut Markup, class: &'static str, name: &str, value: &str, aside: &str) {
    page.raw("<div class=\"figure ").raw(class).raw("\"><div class=\"name\">").text(name);
    page.raw("</div><div class=\"value\">").text(value).raw("</div><div class=\"aside\">");
    page.text(aside).raw("</div></div>");
}

fn push_latencies(page: &mut Page, result: &RunResult) {
    let rows = latency_rows(result);
    if rows.is_empty() {
        return;
    }
    page.push_plot(&percentile_chart::of_run(result));
    let page = page.html();
    page.raw("<section>");
    page.raw("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">latency</th>");
    for (heading, _) in Percentile::NAMED {
        page.raw("<th scope=\"col\">").raw(heading).raw("</th>");
    }
    page.raw("<th scope=\"col\">max</th><th scope=\"col\">n records</th><th scope=\"col\">n batches</th></tr></thead><tbody>");
    for (name, latency) in rows {
        page.raw("<tr><th scope=\"row\">").text(name).raw("</th>");
        for (_, percentile) in Percentile::NAMED {
            page.raw("<td class=\"latency\">").text(percentile_text(latency, percentile)).raw("</td>");
        }
        let max = latency.max_ns.map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64));
        page.raw("<td class=\"latency\">").text(max).raw("</td><td>").text(count(latency.n)).raw("</td><td>");
        page.text(latency.n_batches.map_or_else(String::new, count)).raw("</td></tr>");
    }
    page.raw("</tbody></table></div>");
    let start = if result.quality.closed_loop {
        "A closed loop has no intended time: every latency counts from the actual send."
    } else {
        "Response and end-to-end count from the intended send time; service from the write to the socket; lag is what lies between."
    };
    page.raw("<p class=\"note\">").text(start);
    page.raw(" A percentile needs ten independent samples (batches) above it, or it is n/a.</p>");
    page.raw("</section>\n");
}

fn push_notes(page: &mut Markup, result: &RunResult) {
    let notes = notes(result);
    if notes.is_empty() {
        return;
    }
    page.raw("<section><h2>Notes</h2>");
    for note in notes {
        page.raw("<p class=\"note\">").text(note).raw("</p>");
    }
    page.raw("</section>\n");
}

fn push_resources(page: &mut Markup, result: &RunResult) {
    let resources = &result.resources;
    let processes = [("Broker", &resources.broker), ("Load generator", &resources.loadgen)];
    if processes.iter().all(|(_, process)| process.is_none()) {
        return;
    }
    page.raw("<section><h2>Cost</h2>");
    for (name, process) in processes {
        if let Some(process) = process {
            page.raw("<div><b>").raw(name).raw("</b>: ").text(resources_line(process)).raw("</div>");
        }
    }
    if let Some(host) = &resources.host {
        let shares = [
            (host.cpu_pressure_share, "some task waited for a processor"),
            (host.io_pressure_share, "some task waited for the disk"),
            (host.steal_share, "the hypervisor gave the processor to others"),
        ];
        let told: Vec<String> = shares
            .into_iter()
            .filter_map(|(share, what)| Some(format!("{:.1} % of the time {what}", share? * 100.0)))
            .collect();
        page.raw("<div><b>Machine</b>: ").text(told.join(" · ")).raw("</div>");
    }
    page.raw("</section>\n");
}
