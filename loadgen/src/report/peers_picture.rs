//! Peers side by side as one picture for a README: a bar a peer in each cell, coloured by durability, with the spread of its runs. Plain
//! SVG with colours of its own, since it stands where no style sheet is.

use super::markup::Markup;
use super::units::{duration_ns, megabytes_per_s};
use crate::result::{ArrivalKind, RunResult};
use crate::statistics::median;

const WIDTH: f64 = 900.0;
const BAR_LEFT: f64 = 190.0;
/// Longest bar; right of it stands its figure.
const BAR_WIDTH: f64 = 470.0;
const BAR_HEIGHT: f64 = 14.0;
const ROW: f64 = 20.0;
const HEAD: f64 = 42.0;
/// Of classes in the order in which they appear; told apart by the colour-blind too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#cc79a7", "#009e73", "#d55e00", "#7a8593"];

/// What the bars of a cell show.
struct Figure {
    of: fn(&RunResult) -> Option<f64>,
    told: fn(f64) -> String,
    caption: &'static str,
}

const PRODUCED: Figure = Figure {
    of: |run| Some(run.summary.produce.as_ref()?.achieved.bytes_per_s),
    told: megabytes_per_s,
    caption: "produced, more is better",
};
const CONSUMED: Figure = Figure {
    of: |run| Some(run.summary.consume.as_ref()?.achieved.bytes_per_s),
    told: megabytes_per_s,
    caption: "consumed, more is better",
};
const RESPONSE_P99: Figure = Figure {
    of: |run| Some(run.summary.produce.as_ref()?.latency.response.as_ref()?.p99_ns? as f64),
    told: duration_ns,
    caption: "99th percentile of the answers to producers, less is better",
};

struct Bar<'a> {
    peer: &'a str,
    class: &'static str,
    middle: f64,
    low: f64,
    high: f64,
}

/// The picture of some cells, each with its samples; peers by their labels, in the order of `peers`. None if there is nothing to show.
pub fn peers_picture(title: &str, peers: &[&str], cells: &[(&str, Vec<&RunResult>)]) -> Option<String> {
    let panels: Vec<(&str, Figure, Vec<Bar<'_>>)> = cells
        .iter()
        .map(|(cell, runs)| {
            let figure = figure_of(runs);
            let bars = peers.iter().filter_map(|peer| bar(peer, runs, &figure)).collect();
            (*cell, figure, bars)
        })
        .filter(|(_, _, bars): &(_, _, Vec<Bar<'_>>)| !bars.is_empty())
        .collect();
    let mut classes: Vec<&str> = Vec::new();
    for bar in panels.iter().flat_map(|(.., bars)| bars) {
        if !classes.contains(&bar.class) {
            classes.push(bar.class);
        }
    }
    if classes.is_empty() {
        return None;
    }
    let legend_height = ROW * classes.len() as f64;
    let rows: usize = panels.iter().map(|(.., bars)| bars.len()).sum();
    let height = 52.0 + legend_height + panels.len() as f64 * HEAD + rows as f64 * ROW + 16.0;
    let mut svg = Markup::default();
    svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ")
        .number(WIDTH)
        .raw(" ")
        .number(height);
    svg.raw("\" font-family=\"system-ui, sans-serif\" font-size=\"13\"><title>").text(title).raw("</title>");
    svg.raw("<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#ffffff\"/>");
    text(&mut svg, 16.0, 28.0, "16", title);
    let mut y = 52.0;
    for (class, colour) in classes.iter().zip(COLOURS.iter().cycle()) {
        rect(&mut svg, 16.0, y - 11.0, 12.0, colour);
        text(&mut svg, 34.0, y, "13", class);
        y += ROW;
    }
    for (cell, figure, bars) in &panels {
        y += HEAD;
        text(&mut svg, 16.0, y - 20.0, "14", &format!("{cell}: {}", figure.caption));
        let most = bars.iter().map(|bar| bar.high).fold(f64::MIN_POSITIVE, f64::max);
        for bar in bars {
            let class = classes.iter().position(|class| *class == bar.class).unwrap_or_default();
            draw(&mut svg, bar, y, most, COLOURS[class % COLOURS.len()], figure.told);
            y += ROW;
        }
    }
    svg.raw("</svg>\n");
    Some(svg.into_string())
}

/// Closed loops rank by throughput, offered rates by latency.
fn figure_of(runs: &[&RunResult]) -> Figure {
    let is_closed = |run: &&&RunResult| run.workload.arrival.kind == ArrivalKind::ClosedLoop;
    match runs.first() {
        Some(run) if run.summary.produce.is_none() => CONSUMED,
        Some(_) if runs.iter().filter(is_closed).count() == runs.len() => PRODUCED,
        _ => RESPONSE_P99,
    }
}

fn bar<'a>(peer: &'a str, runs: &[&RunResult], figure: &Figure) -> Option<Bar<'a>> {
    let own: Vec<&RunResult> = runs.iter().copied().filter(|run| run.label.as_deref() == Some(peer)).collect();
    let values: Vec<f64> = own.iter().filter_map(|run| (figure.of)(run)).collect();
    Some(Bar {
        peer,
        class: own.first()?.target.durability.label(),
        middle: median(&values)?,
        low: values.iter().copied().fold(f64::MAX, f64::min),
        high: values.iter().copied().fold(f64::MIN, f64::max),
    })
}

fn draw(svg: &mut Markup, bar: &Bar<'_>, y: f64, most: f64, colour: &'static str, told: fn(f64) -> String) {
    let length = |value: f64| value / most * BAR_WIDTH;
    svg.raw("<text x=\"")
        .number(BAR_LEFT - 8.0)
        .raw("\" y=\"")
        .number(y)
        .raw("\" text-anchor=\"end\" fill=\"#1b2330\">");
    svg.text(bar.peer).raw("</text>");
    rect(svg, BAR_LEFT, y - 11.0, length(bar.middle).max(1.0), colour);
    // From the smallest to the largest run.
    svg.raw("<line x1=\"").number(BAR_LEFT + length(bar.low)).raw("\" x2=\"").number(BAR_LEFT + length(bar.high));
    svg.raw("\" y1=\"").number(y - 4.0).raw("\" y2=\"").number(y - 4.0);
    svg.raw("\" stroke=\"#1b2330\" stroke-width=\"1.5\"/>");
    text(svg, BAR_LEFT + length(bar.high.max(bar.middle)) + 8.0, y, "13", &told(bar.middle));
}

fn rect(svg: &mut Markup, x: f64, y: f64, width: f64, colour: &'static str) {
    svg.raw("<rect x=\"").number(x).raw("\" y=\"").number(y).raw("\" width=\"").number(width).raw("\" height=\"");
    svg.number(BAR_HEIGHT).raw("\" fill=\"").raw(colour).raw("\"/>");
}

fn text(svg: &mut Markup, x: f64, y: f64, size: &'static str, words: &str) {
    svg.raw("<text x=\"").number(x).raw("\" y=\"").number(y).raw("\" font-size=\"").raw(size);
    svg.raw("\" fill=\"#1b2330\">").text(words).raw("</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_show_is_no_picture() {
        assert_eq!(peers_picture("t", &["ours"], &[("produce", Vec::new())]), None);
    }
}
