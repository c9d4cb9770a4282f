//! The strokes that charts are made of: a frame with axes and units, grid, lines with gaps where there is no value,
//! bands, rings, rules.

use super::markup::Markup;
use super::scale::Scale;

/// Where the plot lies within a chart, in pixels of the view box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The look of a line: a colour and a dash, so that colour is never the only difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ink {
    /// Index into the palette of the style sheet, or [`QUIET`].
    pub(super) colour: usize,
    /// Index into the dashes of the style sheet.
    pub(super) dash: usize,
}

/// One line; `None` is a gap.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) ink: Ink,
    /// The series that the reader can switch off; none for a line that is always there.
    pub(super) group: Option<usize>,
    /// Which of the repeats it is, from 1; none for a line that stands for all of them.
    pub(super) repeat: Option<usize>,
    pub(super) points: Vec<Option<(f64, f64)>>,
    /// Lowest and highest of the repeats, as (x, low, high).
    pub(super) band: Vec<(f64, f64, f64)>,
    pub(super) style: LineStyle,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineStyle {
    #[default]
    Plain,
    /// One of many.
    Thin,
    /// With a dot at every value, for few values.
    Dotted,
    /// Dots alone.
    Dots,
}

/// An axis: its scale, what it counts, and how a tick reads.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) label: String,
    pub(super) ticks: Vec<(f64, String)>,
}

/// Colours of the palette.
pub(super) const COLOURS: usize = 7;
/// Dashes of the style sheet.
pub(super) const DASHES: usize = 4;
/// The colour of what is only there for orientation.
pub(super) const QUIET: usize = COLOURS;
/// Pixels left of the plot, for the ticks of the y axis.
pub(super) const LEFT: f64 = 64.0;
const RIGHT: f64 = 18.0;
/// Pixels above the plot, for unit and names of bands.
pub(super) const TOP: f64 = 40.0;
const BOTTOM: f64 = 46.0;

impl Frame {
    pub(super) fn right(self) -> f64 {
        self.width - RIGHT
    }

    pub(super) fn bottom(self) -> f64 {
        self.height - BOTTOM
    }
}

impl Ink {
    /// The palette in order, solid; dashed once it is used up.
    pub(super) fn of(index: usize) -> Self {
        Self { colour: index % COLOURS, dash: index / COLOURS % DASHES }
    }

    /// A colour with a dash of its own.
    pub(super) fn dashed(colour: usize, dash: usize) -> Self {
        Self { colour: colour % COLOURS, dash: dash % DASHES }
    }

    /// For orientation only.
    pub(super) fn quiet() -> Self {
        Self { colour: QUIET, dash: 0 }
    }

    /// The classes of the style sheet.
    pub(super) fn push_class(self, svg: &mut Markup, kind: &'static str) {
        svg.raw(kind).raw(" c").text(self.colour).raw(" d").text(self.dash);
    }
}

impl Axis {
    /// An axis whose ticks are the round values of its scale.
    pub(super) fn new(scale: Scale, label: impl Into<String>, tick: impl Fn(f64) -> String) -> Self {
        let ticks = scale.ticks().into_iter().map(|value| (value, tick(value))).collect();
        Self { scale, label: label.into(), ticks }
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
    push_label(&mut svg, "unit", (4.0, 14.0), &y.label);
    push_label(&mut svg, "unit end", (frame.right(), frame.height - 8.0), &x.label);
    svg
}

/// Shades a stretch of the x axis and names it.
pub(super) fn push_span(svg: &mut Markup, frame: Frame, class: &'static str, (from_px, to_px): (f64, f64), name: &str) {
    svg.raw("<rect class=\"").raw(class).raw("\" x=\"").number(from_px).raw("\" y=\"").number(TOP);
    svg.raw("\" width=\"").number((to_px - from_px).max(1.0));
    svg.raw("\" height=\"").number(frame.bottom() - TOP).raw("\"/>");
    push_label(svg, "tick", (from_px + 2.0, TOP - 6.0), name);
}

/// A ring at a point, for a single value that stands out.
pub(super) fn push_ring(svg: &mut Markup, ink: Ink, centre: (f64, f64), description: &str) {
    svg.raw("<circle class=\"");
    ink.push_class(svg, "line");
    svg.raw("\" cx=\"").number(centre.0);
    svg.raw("\" cy=\"").number(centre.1).raw("\" r=\"4\"><title>").text(description).raw("</title></circle>");
}

/// A straight line.
pub(super) fn push_segment(svg: &mut Markup, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    svg.raw("<line class=\"").raw(class).raw("\" x1=\"").number(from.0).raw("\" y1=\"").number(from.1);
    svg.raw("\" x2=\"").number(to.0).raw("\" y2=\"").number(to.1).raw("\"/>");
}

/// A word.
pub(super) fn push_label(svg: &mut Markup, class: &'static str, at: (f64, f64), text: &str) {
    svg.raw("<text class=\"").raw(class).raw("\" x=\"").number(at.0).raw("\" y=\"").number(at.1);
    svg.raw("\">").text(text).raw("</text>");
}

/// A line with its band: one path, moved over gaps; a value between two gaps would be an invisible line, so it is a
/// dot.
pub(super) fn push_line(svg: &mut Markup, x: &Axis, y: &Axis, line: &Line) {
    let at = |(px, py): (f64, f64)| (x.scale.at(px), y.scale.at(py));
    push_band(svg, x, y, line);
    let mut path = Markup::default();
    for run in line.points.split(Option::is_none) {
        let run: Vec<(f64, f64)> = run.iter().flatten().copied().map(at).collect();
        let has_dots = matches!(line.style, LineStyle::Dots | LineStyle::Dotted);
        if has_dots || run.len() == 1 {
            for point in &run {
                push_dot(svg, line.ink, *point);
            }
        }
        if line.style != LineStyle::Dots && run.len() > 1 {
            push_path(&mut path, &run);
        }
    }
    if !path.is_empty() {
        let kind = if line.style == LineStyle::Thin { "line thin" } else { "line" };
        svg.raw("<path class=\"");
        line.ink.push_class(svg, kind);
        svg.raw("\" d=\"").append(&path).raw("\"/>");
    }
}

fn push_dot(svg: &mut Markup, ink: Ink, point: (f64, f64)) {
    svg.raw("<circle class=\"");
    ink.push_class(svg, "dot");
    svg.raw("\" cx=\"").number(point.0).raw("\" cy=\"").number(point.1).raw("\" r=\"3\"/>");
}

fn push_band(svg: &mut Markup, x: &Axis, y: &Axis, line: &Line) {
    if line.band.len() < 2 {
        return;
    }
    let low = line.band.iter().map(|(at, low, _)| (x.scale.at(*at), y.scale.at(*low)));
    let high = line.band.iter().rev().map(|(at, _, high)| (x.scale.at(*at), y.scale.at(*high)));
    let outline: Vec<(f64, f64)> = low.chain(high).collect();
    let mut path = Markup::default();
    push_path(&mut path, &outline);
    svg.raw("<path class=\"");
    line.ink.push_class(svg, "spread");
    svg.raw("\" d=\"").append(&path).raw("z\"/>");
}

/// The first point as it is, the others as steps from where the pen is after rounding, which keeps long lines short
/// in bytes without drift.
fn push_path(path: &mut Markup, points: &[(f64, f64)]) {
    let tenths = |value: f64| if value.is_finite() { (value * 10.0).round() as i64 } else { 0 };
    let mut pen: Option<(i64, i64)> = None;
    for (px, py) in points {
        let point = (tenths(*px), tenths(*py));
        match pen {
            None => path.raw("M").tenths(point.0).raw(" ").tenths(point.1),
            Some(pen) => {
                path.raw("l").tenths(point.0 - pen.0);
                let down = point.1 - pen.1;
                path.raw(if down < 0 { "" } else { " " }).tenths(down)
            }
        };
        pen = Some(point);
    }
}
