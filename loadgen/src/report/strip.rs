//! Rows of a name, a strip of marks along a common axis, and figures: for what is compared item by item. Positions
//! are shares of the strip's width, so that it is as legible on a telephone as on a desk.

use super::chart::Ink;
use super::markup::Markup;
use super::scale::Scale;

/// Marks of one row.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) group: Option<usize>,
    /// From where to where a bar reaches.
    pub(super) bar: Option<(f64, f64)>,
    /// From where to where a thin line with ends reaches.
    pub(super) interval: Option<(f64, f64)>,
    pub(super) dots: Vec<Dot>,
    /// An upright stroke.
    pub(super) middle: Option<f64>,
    /// What stands at the end of the row.
    pub(super) figures: String,
    /// A row that sums the others up.
    pub(super) is_total: bool,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Dot {
    pub(super) value: f64,
    pub(super) shape: Shape,
    pub(super) text: String,
}

/// The form of a dot, so that colour is not the only difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Ring,
    Square,
    Diamond,
}

/// Rows over one axis.
#[derive(Clone, Debug)]
pub(super) struct Strips {
    /// From 0 to 100, in percent of the width.
    pub(super) scale: Scale,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) unit: String,
    /// A line through all rows: no difference.
    pub(super) reference: Option<f64>,
    pub(super) rows: Vec<Row>,
}

/// Labels closer than this, in percent of the width, would touch on a telephone; the later one is left out.
const LABEL_PERCENT: f64 = 14.0;
/// Ends of the axis in percent, so that marks at the ends are whole.
pub(super) const START: f64 = 3.0;
/// See [`START`].
pub(super) const END: f64 = 97.0;

impl Strips {
    /// Rows and their axis.
    pub(super) fn push(&self, html: &mut Markup) {
        html.raw("<div class=\"strips\">");
        for row in &self.rows {
            self.push_row(html, row);
        }
        html.raw("<div class=\"strip-axis\"><span></span><svg height=\"18\" aria-hidden=\"true\">");
        let mut ticks: Vec<(f64, &String)> =
            self.ticks.iter().map(|(value, text)| (self.scale.at(*value), text)).collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f64::NEG_INFINITY;
        for (at, text) in ticks {
            if at - last >= LABEL_PERCENT {
                html.raw("<text class=\"tick middle\" y=\"13\" x=\"").number(at).raw("%\">").text(text).raw("</text>");
                last = at;
            }
        }
        html.raw("</svg><span class=\"unit\">").text(&self.unit).raw("</span></div></div>");
    }

    fn push_row(&self, html: &mut Markup, row: &Row) {
        html.raw(if row.is_total { "<div class=\"strip total\"" } else { "<div class=\"strip\"" });
        if let Some(group) = row.group {
            html.raw(" data-group=\"").text(group).raw("\"");
        }
        html.raw("><span class=\"name\">").text(&row.name).raw("</span><svg height=\"26\" role=\"img\" aria-label=\"");
        html.text(&row.name).raw(": ").text(&row.figures).raw("\">");
        for (value, _) in &self.ticks {
            upright(html, "grid", self.scale.at(*value), (0, 26));
        }
        if let Some(reference) = self.reference {
            upright(html, "rule", self.scale.at(reference), (0, 26));
        }
        if let Some((from, to)) = row.bar {
            let (from, to) = (self.scale.at(from), self.scale.at(to));
            html.raw("<rect y=\"5\" height=\"16\" class=\"");
            row.ink.push_class(html, "bar");
            html.raw("\" x=\"").number(from).raw("%\" width=\"").number(to - from).raw("%\"/>");
        }
        if let Some((from, to)) = row.interval {
            let (from, to) = (self.scale.at(from), self.scale.at(to));
            html.raw("<g class=\"");
            row.ink.push_class(html, "line");
            html.raw("\"><line y1=\"13\" y2=\"13\" x1=\"").number(from).raw("%\" x2=\"").number(to).raw("%\"/>");
            upright(html, "whisker", from, (8, 18));
            upright(html, "whisker", to, (8, 18));
            html.raw("</g>");
        }
        row.dots.iter().for_each(|dot| push_dot(html, row.ink, dot, self.scale.at(dot.value)));
        if let Some(middle) = row.middle {
            upright(html, "median", self.scale.at(middle), (3, 23));
        }
        html.raw("</svg><span class=\"figures\">").text(&row.figures).raw("</span></div>");
    }
}

fn upright(html: &mut Markup, class: &'static str, at: f64, (from, to): (u32, u32)) {
    html.raw("<line class=\"").raw(class).raw("\" x1=\"").number(at).raw("%\" x2=\"").number(at);
    html.raw("%\" y1=\"").text(from).raw("\" y2=\"").text(to).raw("\"/>");
}

/// Squares and diamonds lie in a small picture of their own: a path has no positions in percent.
fn push_dot(html: &mut Markup, ink: Ink, dot: &Dot, at: f64) {
    let path = match dot.shape {
        Shape::Circle | Shape::Ring => {
            html.raw("<circle cy=\"13\" r=\"4.5\" cx=\"").number(at).raw("%\" class=\"");
            ink.push_class(html, if dot.shape == Shape::Ring { "line" } else { "dot" });
            html.raw("\"><title>").text(&dot.text).raw("</title></circle>");
            return;
        }
        Shape::Square => "M-4.5 -4.5h9v9h-9z",
        Shape::Diamond => "M0 -6.5l6.5 6.5l-6.5 6.5l-6.5 -6.5z",
    };
    html.raw("<svg class=\"shape\" y=\"13\" x=\"").number(at).raw("%\"><path d=\"").raw(path).raw("\" class=\"");
    ink.push_class(html, "dot");
    html.raw("\"><title>").text(&dot.text).raw("</title></path></svg>");
}
