//! The heat map: seconds across, latency upwards, and the darker a cell the more records were slower than it.
//!
//! A result carries the median, the 99th percentile and the largest value of each second. Between these three the
//! share of slower records is interpolated on the scale of nines; nothing is claimed about the faster half.

use super::chart::{Axis, Frame, LEFT, TOP, open, push_label};
use super::collection::{Group, is_sound};
use super::markup::Markup;
use super::percentile_chart::duration_tick;
use super::scale::Scale;
use super::series_chart::trimmed;
use crate::result::{RunResult, Series};

const FRAME: Frame = Frame { width: 530.0, height: 270.0 };
/// Cells across: narrower ones could not be seen.
const COLUMNS_MAX: f64 = 116.0;
/// Cells upwards.
const ROWS: usize = 40;
/// A heat map each for this many groups; more would be a wall.
const GROUPS_MAX: usize = 4;
/// Shares of slower records at which the shade changes, darkest first, with their words.
const SHADES: [(f64, &str); 5] =
    [(0.5, "over half"), (0.1, "over 10 %"), (0.01, "over 1 %"), (0.001, "over 0.1 %"), (0.0, "some")];

/// One latency, second by second.
type Columns = fn(&Series) -> [&Vec<Option<u64>>; 3];

const LATENCIES: [(&str, Columns); 2] = [
    ("Response", |series| [&series.response_p50_ns, &series.response_p99_ns, &series.response_max_ns]),
    ("End-to-end", |series| [&series.end_to_end_p50_ns, &series.end_to_end_p99_ns, &series.end_to_end_max_ns]),
];

/// What one second tells: a latency and the nines at it, rising.
type Second = Vec<(f64, f64)>;
/// The seconds of a run.
type Timed = Vec<(f64, Second)>;

/// Heat maps of the first groups, all on the same axes, of the first latency that was measured.
pub(super) fn sections(groups: &[&Group<'_>]) -> Vec<Markup> {
    for (name, columns) in LATENCIES {
        let told: Vec<(&Group<'_>, Vec<Timed>)> = groups
            .iter()
            .map(|group| {
                let runs = group.runs.iter().filter(|run| is_sound(run));
                (*group, runs.map(|run| seconds_of(run, columns)).filter(|seconds| !seconds.is_empty()).collect())
            })
            .filter(|(_, runs): &(_, Vec<_>)| !runs.is_empty())
            .take(GROUPS_MAX)
            .collect();
        if told.is_empty() {
            continue;
        }
        let seconds = || told.iter().flat_map(|(_, runs)| runs.iter().flatten());
        let end_secs = seconds().map(|(second, _)| *second).fold(1.0, f64::max);
        let values = seconds().flat_map(|(_, second)| second.iter().map(|(ns, _)| *ns));
        let x = Axis::new(Scale::exact(0.0, end_secs, LEFT, FRAME.right()), "seconds since start", trimmed);
        let y = Axis::new(Scale::logarithmic(values, FRAME.bottom(), TOP), "latency", duration_tick);
        return told.iter().map(|(group, runs)| section(name, group, runs, &x, &y)).collect();
    }
    Vec::new()
}

fn section(name: &'static str, group: &Group<'_>, runs: &[Timed], x: &Axis, y: &Axis) -> Markup {
    let (_, end_secs) = x.scale.ends();
    let columns = end_secs.clamp(1.0, COLUMNS_MAX).floor();
    let cells = cells_of(runs, columns, end_secs, y);
    let mut html = Markup::default();
    html.raw("<section class=\"chart\"><h2>")
        .raw(name)
        .raw(" heat map: ")
        .text(&group.name)
        .raw("</h2><div class=\"legend\">slower than the cell: ");
    for (index, (_, words)) in SHADES.iter().enumerate() {
        html.raw("<span class=\"key\"><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"heat h")
            .text(index);
        html.raw("\" d=\"M0 0h26v10h-26z\"/></svg>").text(words).raw("</span>");
    }
    html.raw("</div>");
    let mut svg = open(FRAME, &format!("{name} over time: share of slower records"), x, y);
    let width = (FRAME.right() - LEFT) / columns;
    let height = (FRAME.bottom() - TOP) / ROWS as f64;
    for shade in 0..SHADES.len() {
        push_shade(&mut svg, shade, &cells, (width, height));
    }
    if runs.len() > 1 {
        push_label(&mut svg, "tick end", (FRAME.right(), TOP - 6.0), &format!("mean of {} runs", runs.len()));
    }
    html.append(&svg).raw("</svg><p class=\"note\">Made from the p50, p99 and max of each second; between them the share of slower records is interpolated.</p></section>\n");
    html
}

/// The shade of every cell, column by column from the bottom.
fn cells_of(runs: &[Timed], columns: f64, end_secs: f64, y: &Axis) -> Vec<[Option<usize>; ROWS]> {
    let (low, high) = y.scale.ends();
    let mut cells = vec![[None; ROWS]; columns as usize];
    for (column, cells) in cells.iter_mut().enumerate() {
        let is_within = |second: f64| ((second - 0.5).max(0.0) / end_secs * columns).floor() as usize == column;
        let seconds = || runs.iter().flatten().filter(|(second, _)| is_within(*second));
        let number = seconds().count();
        for (row, cell) in cells.iter_mut().enumerate() {
            let ns = low * (high / low).powf(row as f64 / ROWS as f64);
            let sum: f64 = seconds().map(|(_, second)| share_slower(second, ns)).sum();
            let share = sum / number.max(1) as f64;
            *cell = (share > 0.0).then(|| SHADES.iter().position(|(least, _)| share >= *least)).flatten();
        }
    }
    cells
}

/// Neighbours upwards of the same shade are one box.
fn push_shade(svg: &mut Markup, shade: usize, cells: &[[Option<usize>; ROWS]], (width, height): (f64, f64)) {
    let mut path = Markup::default();
    for (column, cells) in cells.iter().enumerate() {
        let mut row = 0;
        while row < ROWS {
            let length = cells[row..].iter().take_while(|cell| **cell == Some(shade)).count();
            if length > 0 {
                path.raw("M")
                    .number(LEFT + column as f64 * width)
                    .raw(" ")
                    .number(FRAME.bottom() - row as f64 * height);
                path.raw("v").number(-(length as f64) * height).raw("h").number(width + 0.15);
                path.raw("v").number(length as f64 * height).raw("z");
            }
            row += length.max(1);
        }
    }
    if !path.is_empty() {
        svg.raw("<path class=\"heat h").text(shade).raw("\" d=\"").append(&path).raw("\"/>");
    }
}

fn seconds_of(run: &RunResult, columns: Columns) -> Timed {
    let Some(series) = &run.series else { return Vec::new() };
    let [p50, p99, max] = columns(series);
    let at = |column: &Vec<Option<u64>>, row: usize| column.get(row).copied().flatten().map(|ns| ns.max(1) as f64);
    let record_bytes = f64::from(run.workload.record_bytes.max(1));
    let rows = series.t_secs.iter().enumerate().filter(|(_, second)| second.is_finite() && **second >= 0.0);
    rows.filter_map(|(row, second)| {
        let bytes = series.achieved_bytes_per_s.get(row).copied().flatten().filter(|bytes| bytes.is_finite());
        let records = (bytes.unwrap_or(0.0) / record_bytes).max(1_000.0);
        let mut known = vec![(at(p50, row)?, std::f64::consts::LOG10_2)];
        known.extend(at(p99, row).map(|ns| (ns, 2.0)));
        known.extend(at(max, row).map(|ns| (ns, records.log10())));
        Some((*second, known))
    })
    .collect()
}

/// The share of a second's records that took longer.
fn share_slower(second: &Second, ns: f64) -> f64 {
    let (Some(first), Some(last)) = (second.first(), second.last()) else { return 0.0 };
    if ns <= first.0 {
        return 0.5;
    }
    if ns > last.0 {
        return 0.0;
    }
    let between = second.windows(2).find(|pair| ns <= pair[1].0);
    let nines = between.map_or(last.1, |pair| {
        let (from, to) = (pair[0], pair[1]);
        let way = (ns / from.0).ln() / (to.0 / from.0).ln();
        from.1 + (to.1 - from.1) * if way.is_finite() { way } else { 1.0 }
    });
    10_f64.powf(-nines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_percentiles_are_met_exactly_and_nothing_lies_beyond_the_largest() {
        let second = vec![(1e6, std::f64::consts::LOG10_2), (4e6, 2.0), (9e6, 4.0)];
        assert!((share_slower(&second, 1e6) - 0.5).abs() < 1e-12);
        assert!((share_slower(&second, 4e6) - 0.01).abs() < 1e-12);
        assert!((share_slower(&second, 9e6) - 1e-4).abs() < 1e-12);
        assert!(share_slower(&second, 9.1e6) <= 0.0);
        let between = share_slower(&second, 2e6);
        assert!((0.01..0.5).contains(&between), "{between}");
    }
}
