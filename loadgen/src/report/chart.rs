//! The frame of every chart: a title, axes with units, grid, legend and lines with gaps where there is no value.

use super::markup::Markup;
use super::scale::Scale;

/// Where the plot lies within a chart, in pixels of the view box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The look of a line. Each has a colour and a dash of its own, so that colour is never the only difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    First,
    Second,
    Third,
    Quiet,
}

/// One line; `None` is a gap.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) points: Vec<Option<(f64, f64)>>,
}

/// An axis: its scale, what it counts, and how a tick reads.
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) label: &'static str,
    pub(super) ticks: Vec<(f64, String)>,
}

/// Pixels left of the plot, for the ticks of the y axis.
pub(super) const LEFT: f64 = 64.0;
const RIGHT: f64 = 18.0;
/// Pixels above the plot, for unit and legend.
pub(super) const TOP: f64 = 40.0;
const BOTTOM: f64 = 46.0;
/// Width that a character of a legend takes, about.
const LEGEND_CHARACTER_PX: f64 = 6.7;

impl Frame {
    pub(super) fn right(self) -> f64 {
        self.width - RIGHT
    }

    pub(super) fn bottom(self) -> f64 {
        self.height - BOTTOM
    }
}

impl Ink {
    fn line_class(self) -> &'static str {
        match self {
            Self::First => "line ink1",
            Self::Second => "line ink2",
            Self::Third => "line ink3",
            Self::Quiet => "line ink4",
        }
    }

    fn dot_class(self) -> &'static str {
        match self {
            Self::First => "dot ink1",
            Self::Second => "dot ink2",
            Self::Third => "dot ink3",
            Self::Quiet => "dot ink4",
        }
    }
}

impl Axis {
    /// An axis whose ticks are the round values of its scale.
    pub(super) fn new(scale: Scale, label: &'static str, tick: impl Fn(f64) -> String) -> Self {
        let ticks = scale.ticks().into_iter().map(|value| (value, tick(value))).collect();
        Self { scale, label, ticks }
    }
}

/// Opens the chart with its description for those who hear it, and draws grid and axes.
pub(super) fn open(frame: Frame, description: &str, x: &Axis, y: &Axis) -> Markup {
    let mut svg = Markup::default();
    svg.raw("<svg role=\"img\" viewBox=\"0 0 ").number(frame.width).raw(" ").number(frame.height);
    svg.raw("\" aria-label=\"").text(description).raw("\">");
    for (value, text) in &y.ticks {
        let at = y.scale.at(*value);
        push_segment(&mut svg, "grid", (LEFT, at), (frame.right(), at));
        push_label(&mut svg, "tick end", (LEFT - 8.0, at + 4.0), text);
    }
    for (value, text) in &x.ticks {
        let at = x.scale.at(*value);
        push_segment(&mut svg, "grid", (at, TOP), (at, frame.bottom()));
        push_label(&mut svg, "tick middle", (at, frame.bottom() + 18.0), text);
    }
    push_segment(&mut svg, "axis", (LEFT, frame.bottom()), (frame.right(), frame.bottom()));
    push_label(&mut svg, "unit", (4.0, 14.0), y.label);
    push_label(&mut svg, "unit end", (frame.right(), frame.height - 8.0), x.label);
    svg
}

/// Draws lines and their legend, and closes the chart.
pub(super) fn close(mut svg: Markup, frame: Frame, x: &Axis, y: &Axis, lines: &[Line]) -> Markup {
    for line in lines {
        push_line(&mut svg, x, y, line);
    }
    let mut left = frame.right();
    for line in lines.iter().rev().filter(|line| line.points.iter().any(Option::is_some)) {
        left -= line.name.chars().count() as f64 * LEGEND_CHARACTER_PX;
        push_label(&mut svg, "legend", (left, 14.0), &line.name);
        push_segment(&mut svg, line.ink.line_class(), (left - 30.0, 10.0), (left - 6.0, 10.0));
        left -= 50.0;
    }
    svg.raw("</svg>");
    svg
}

/// Shades a stretch of the x axis and names it.
pub(super) fn push_band(svg: &mut Markup, frame: Frame, from_px: f64, to_px: f64, name: &str) {
    svg.raw("<rect class=\"band\" x=\"").number(from_px).raw("\" y=\"").number(TOP);
    svg.raw("\" width=\"").number((to_px - from_px).max(0.0));
    svg.raw("\" height=\"").number(frame.bottom() - TOP).raw("\"/>");
    push_label(svg, "tick", (from_px + 2.0, TOP - 6.0), name);
}

/// A ring at a point, for a single value that stands out.
pub(super) fn push_ring(svg: &mut Markup, ink: Ink, centre: (f64, f64), description: &str) {
    svg.raw("<circle class=\"").text(ink.line_class()).raw("\" cx=\"").number(centre.0);
    svg.raw("\" cy=\"").number(centre.1).raw("\" r=\"4\"><title>").text(description).raw("</title></circle>");
}

/// A faint connection, for what lies between known points.
pub(super) fn push_faint(svg: &mut Markup, from: (f64, f64), to: (f64, f64)) {
    push_segment(svg, "faint", from, to);
}

fn push_segment(svg: &mut Markup, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    svg.raw("<line class=\"").raw(class).raw("\" x1=\"").number(from.0).raw("\" y1=\"").number(from.1);
    svg.raw("\" x2=\"").number(to.0).raw("\" y2=\"").number(to.1).raw("\"/>");
}

fn push_label(svg: &mut Markup, class: &'static str, at: (f64, f64), text: &str) {
    svg.raw("<text class=\"").raw(class).raw("\" x=\"").number(at.0).raw("\" y=\"").number(at.1);
    svg.raw("\">").text(text).raw("</text>");
}

/// One path, moved over gaps; a value between two gaps would be an invisible line, so it is a dot.
fn push_line(svg: &mut Markup, x: &Axis, y: &Axis, line: &Line) {
    let at = |(px, py): (f64, f64)| (x.scale.at(px), y.scale.at(py));
    let mut path = Markup::default();
    for run in line.points.split(Option::is_none) {
        let run: Vec<(f64, f64)> = run.iter().flatten().copied().map(at).collect();
        if let [only] = run.as_slice() {
            svg.raw("<circle class=\"").raw(line.ink.dot_class()).raw("\" cx=\"").number(only.0);
            svg.raw("\" cy=\"").number(only.1).raw("\" r=\"3\"/>");
            continue;
        }
        for (index, point) in run.iter().enumerate() {
            path.raw(if index == 0 { "M" } else { "L" }).number(point.0).raw(" ").number(point.1);
        }
    }
    if path != Markup::default() {
        svg.raw("<path class=\"").raw(line.ink.line_class()).raw("\" d=\"").append(&path).raw("\"/>");
    }
}
