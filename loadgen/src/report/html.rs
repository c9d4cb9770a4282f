//! One page that explains a run to someone who was not there: verdict, figures, curves, settings, machine. It loads
//! nothing and runs nothing, so it can be mailed, archived and diffed.

use super::facts::push_facts;
use super::judgement::{Statement, Tone, achieved_share, notes, verdict, warnings};
use super::markup::Markup;
use super::percentile_chart::percentile_chart;
use super::series_chart::series_charts;
use super::table::{latency_rows, load_line, percentile_text, resources_line, target_line};
use super::units::{binary_bytes, count, decimal, duration_ns, megabytes_per_s, percent};
use crate::result::{Percentile, RunResult};

const STYLE: &str = include_str!("style.css");
/// The percentiles of the table, with their headings.
const PERCENTILES: [(&str, Percentile); 7] = [
    ("p50", Percentile::P50),
    ("p75", Percentile::P75),
    ("p90", Percentile::P90),
    ("p95", Percentile::P95),
    ("p99", Percentile::P99),
    ("p99.9", Percentile::P99_9),
    ("p99.99", Percentile::P99_99),
];

/// The whole page.
pub fn html_page(result: &RunResult) -> String {
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    page.text(&result.target.product).raw(" · ").text(verdict(result).word).raw(" · ").text(&result.id);
    page.raw("</title><style>\n").raw(STYLE).raw("</style></head>\n");
    page.raw(if result.quality.saturated { "<body class=\"queue\">" } else { "<body>" });
    page.raw("<main>\n");
    push_header(&mut page, result);
    push_statements(&mut page, result);
    push_figures(&mut page, result);
    push_latencies(&mut page, result);
    push_notes(&mut page, result);
    push_series(&mut page, result);
    push_resources(&mut page, result);
    push_facts(&mut page, result);
    page.raw("<footer>loadgen ").text(&result.loadgen.version).raw(" (").text(&result.loadgen.build_profile);
    page.raw(" build) · result ").text(&result.id).raw(" · workload ").text(&result.workload_id);
    page.raw(" · format version ").text(result.schema_version).raw("</footer>\n</main></body></html>\n");
    page.into_string()
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

fn push_statement(page: &mut Markup, statement: &Statement, class: &'static str, examples: &[String]) {
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
    page.raw("<section class=\"figures\">");
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

fn push_latencies(page: &mut Markup, result: &RunResult) {
    let rows = latency_rows(result);
    if rows.is_empty() {
        return;
    }
    page.raw("<section><h2>Latency by percentile</h2><div class=\"scroll wide\">")
        .append(&percentile_chart(result))
        .raw("</div>");
    page.raw("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">latency</th>");
    for (heading, _) in PERCENTILES {
        page.raw("<th scope=\"col\">").raw(heading).raw("</th>");
    }
    page.raw("<th scope=\"col\">max</th><th scope=\"col\">n records</th><th scope=\"col\">n batches</th></tr></thead><tbody>");
    for (name, latency) in rows {
        page.raw("<tr><th scope=\"row\">").text(name).raw("</th>");
        for (_, percentile) in PERCENTILES {
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
    page.raw(" A percentile needs ten independent samples (batches) above it, or it is n/a. Rings mark the largest value.</p>");
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

fn push_series(page: &mut Markup, result: &RunResult) {
    page.raw("<div class=\"charts\">");
    for chart in series_charts(result) {
        page.raw("<section><h2>").raw(chart.heading).raw("</h2>").append(&chart.svg).raw("</section>\n");
    }
    page.raw("</div>\n");
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
