//! A suite in one table: a row a peer, a column a cell, in it the figures that the cell is about.

use super::figure::Figure;
use crate::result::{ArrivalKind, RunResult};

/// Throughput where the load is as fast as it goes, latency where its rate is given or one request is in flight.
fn figures_of(run: &RunResult) -> &'static [Figure] {
    let is_flood = run.workload.arrival.kind == ArrivalKind::ClosedLoop && run.workload.inflight_requests_max > 1;
    match (&run.summary.produce, &run.summary.consume) {
        (None, _) => &[Figure::CONSUMED],
        (Some(_), _) if is_flood => &[Figure::PRODUCED],
        (Some(_), None) => &[Figure::P50, Figure::P99],
        (Some(_), Some(_)) => &[Figure::P50, Figure::P99, Figure::END_TO_END],
    }
}

/// The table as Markdown, of the samples of each cell.
pub(super) fn overview(peers: &[&str], cells: &[(&str, Vec<RunResult>)]) -> String {
    let columns: Vec<_> =
        cells.iter().filter_map(|(cell, runs)| Some((*cell, figures_of(runs.first()?), runs))).collect();
    let names = |figures: &[Figure]| figures.iter().map(|figure| figure.name).collect::<Vec<_>>().join(" / ");
    let mut text = String::from("| peer | an acknowledgement |");
    for (cell, figures, _) in &columns {
        text.extend([" ", cell, "<br>", &names(figures), " |"]);
    }
    text.extend(["\n|---|---|", &"---|".repeat(columns.len()), "\n"]);
    for peer in peers {
        let of_peer = |run: &&RunResult| run.label.as_deref() == Some(*peer);
        let Some(first) = columns.iter().find_map(|(_, _, runs)| runs.iter().find(of_peer)) else { continue };
        text.extend(["| ", *peer, " | ", first.target.durability.label(), " |"]);
        for (_, figures, runs) in &columns {
            let own: Vec<&RunResult> = runs.iter().filter(of_peer).collect();
            let told: Vec<String> =
                figures.iter().map(|figure| figure.median_and_spread(&own).unwrap_or_else(|| "-".into())).collect();
            if own.is_empty() {
                text.push_str(" |");
                continue;
            }
            let is_saturated = own.iter().filter(|run| run.quality.saturated).count() * 2 > own.len();
            let held = if is_saturated { ", rate not held" } else { "" };
            text.extend([" ", &told.join(" / "), held, " |"]);
        }
        text.push('\n');
    }
    text
}
