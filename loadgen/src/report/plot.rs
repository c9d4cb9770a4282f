//! A chart as data. It is drawn as a static picture, and told to the page's script, which draws the same again with
//! zoom and hover; so the two cannot differ in what they show.

use serde_json::{Value, json};

use super::chart::{
    Axis, Frame, Ink, LEFT, Line, LineStyle, TOP, open, push_label, push_line, push_ring, push_segment, push_span,
};
use super::markup::Markup;

/// Values of a line in the static picture; beyond this they are closer than a pixel can show.
const STATIC_POINTS_MAX: usize = 160;
/// Longer legends than this are left to the list of series at the top.
const LEGEND_ENTRIES_MAX: usize = 8;

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Names the chart in the address of a page: unique on it.
    pub(super) id: String,
    pub(super) heading: String,
    /// What a reader must know of it.
    pub(super) note: String,
    pub(super) frame: Frame,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// What x is.
    pub(super) across: Across,
    pub(super) reading: Reading,
    pub(super) lines: Vec<Line>,
    pub(super) spans: Vec<Span>,
    pub(super) marks: Vec<Mark>,
    pub(super) rules: Vec<Rule>,
    /// The seconds of the runs when x is time, else empty. Charts over time share zoom and cursor.
    pub(super) times: Vec<f64>,
}

/// How values are told to the reader who points at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nanoseconds.
    Duration,
    /// As the axis is labelled.
    Plain,
}

/// What the x axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Across {
    /// A quantity, as the axis is labelled.
    Plain,
    /// The share of records, in nines.
    Nines,
    /// Places in a row that have names.
    Named,
}

/// A shaded stretch of x.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) name: String,
    pub(super) is_fault: bool,
}

/// A ring around a value.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: (f64, f64),
    /// The end of the line that the ring belongs to, when there is a gap between the two.
    pub(super) from: Option<(f64, f64)>,
    pub(super) ink: Ink,
    pub(super) group: Option<usize>,
    pub(super) text: String,
}

/// A straight line through the whole plot, with a word.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// At a value of x.
    Upright(f64, String),
    /// At a value of y.
    Level(f64, String),
}

impl Plot {
    /// The section of the page; `index` is the chart's place in the script's data.
    pub(super) fn section(&self, index: usize) -> Markup {
        let mut html = Markup::default();
        html.raw("<section class=\"chart\" id=\"").text(&self.id).raw("\"><h2>").text(&self.heading).raw("</h2>");
        self.push_legend(&mut html);
        html.raw("<div class=\"plot\" data-plot=\"").text(index).raw("\">").append(&self.svg()).raw("</div>");
        if !self.note.is_empty() {
            html.raw("<p class=\"note\">").text(&self.note).raw("</p>");
        }
        html.raw("</section>\n");
        html
    }

    /// The static picture.
    pub(super) fn svg(&self) -> Markup {
        let (frame, x, y) = (self.frame, &self.x, &self.y);
        let mut svg = open(frame, &format!("{}: {} against {}", self.heading, y.label, x.label), x, y);
        for span in &self.spans {
            let class = if span.is_fault { "fault" } else { "band" };
            push_span(&mut svg, frame, class, (x.scale.at(span.from), x.scale.at(span.to)), &span.name);
        }
        for rule in &self.rules {
            push_rule(&mut svg, frame, x, y, rule);
        }
        for line in &self.lines {
            let thinned = Line { points: thinned(&line.points), ..line.clone() };
            push_line(&mut svg, x, y, &thinned);
        }
        for mark in &self.marks {
            let at = |(px, py): (f64, f64)| (x.scale.at(px), y.scale.at(py));
            if let Some(from) = mark.from {
                push_segment(&mut svg, "faint", at(from), at(mark.at));
            }
            push_ring(&mut svg, mark.ink, at(mark.at), &mark.text);
        }
        svg.raw("</svg>");
        svg
    }

    /// Every x at which some line has a value, or every second.
    fn positions(&self) -> Vec<f64> {
        if !self.times.is_empty() {
            return self.times.clone();
        }
        let mut xs: Vec<f64> = self.lines.iter().flat_map(|line| line.points.iter().flatten().map(|p| p.0)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }

    fn push_legend(&self, html: &mut Markup) {
        let mut named: Vec<&Line> = Vec::new();
        for line in &self.lines {
            let is_new = named.iter().all(|other| (other.ink, &other.name) != (line.ink, &line.name));
            if is_new && !line.name.is_empty() && line.points.iter().any(Option::is_some) {
                named.push(line);
            }
        }
        if named.len() > LEGEND_ENTRIES_MAX {
            return;
        }
        html.raw("<div class=\"legend\">");
        for line in named {
            push_key(html, line.ink, line.style, &line.name);
        }
        html.raw("</div>");
    }

    /// The same for the script.
    pub(super) fn data(&self) -> Value {
        // Over time what is missing is a gap, null; elsewhere an x that only other lines have is none: it is false.
        let missing = if self.times.is_empty() { Value::Bool(false) } else { Value::Null };
        let xs = self.positions();
        let scale = if self.reading == Reading::Duration { 1e-3 } else { 1.0 };
        let ticks = |axis: &Axis, scale: f64| -> Vec<Value> {
            axis.ticks.iter().map(|(value, text)| json!([short(value * scale), text])).collect()
        };
        let (x_ends, y_ends) = (self.x.scale.ends(), self.y.scale.ends());
        json!({
            "id": self.id,
            "height": self.frame.height,
            "time": !self.times.is_empty(),
            "duration": self.reading == Reading::Duration,
            "x": xs.iter().map(|x| short(*x)).collect::<Vec<_>>(),
            "xAxis": { "label": self.x.label, "low": short(x_ends.0), "high": short(x_ends.1), "ticks": ticks(&self.x, 1.0),
                "kind": match self.across { Across::Plain => "plain", Across::Nines => "nines", Across::Named => "named" } },
            "yAxis": {
                "label": self.y.label, "low": short(y_ends.0 * scale), "high": short(y_ends.1 * scale),
                "log": self.y.scale.is_logarithmic(), "ticks": ticks(&self.y, scale),
            },
            "lines": self.lines.iter().map(|line| line_data(line, &xs, &missing, scale)).collect::<Vec<_>>(),
            "spans": self.spans.iter().map(|s| json!([short(s.from), short(s.to), s.name, s.is_fault])).collect::<Vec<_>>(),
            "marks": self.marks.iter().map(|mark| json!({
                "at": [short(mark.at.0), short(mark.at.1 * scale)], "colour": mark.ink.colour, "group": mark.group,
                "from": mark.from.map(|from| [short(from.0), short(from.1 * scale)]),
            })).collect::<Vec<_>>(),
            "rules": self.rules.iter().map(|rule| match rule {
                Rule::Upright(at, name) => json!(["x", short(*at), name]),
                Rule::Level(at, name) => json!(["y", short(at * scale), name]),
            }).collect::<Vec<_>>(),
        })
    }
}

/// An entry of a legend: a piece of the line and its name.
pub(super) fn push_key(html: &mut Markup, ink: Ink, style: LineStyle, name: &str) {
    html.raw("<span class=\"key\"><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\">");
    if style == LineStyle::Dots {
        html.raw("<circle cx=\"13\" cy=\"5\" r=\"4\" class=\"");
        ink.push_class(html, "dot");
    } else {
        html.raw("<line x1=\"1\" y1=\"5\" x2=\"25\" y2=\"5\" class=\"");
        ink.push_class(html, "line");
    }
    html.raw("\"/></svg>").text(name).raw("</span>");
}

fn push_rule(svg: &mut Markup, frame: Frame, x: &Axis, y: &Axis, rule: &Rule) {
    match rule {
        Rule::Upright(value, name) => {
            let at = x.scale.at(*value);
            push_segment(svg, "rule", (at, TOP), (at, frame.bottom()));
            let is_right = at > f64::midpoint(LEFT, frame.right());
            let class = if is_right { "tick end" } else { "tick" };
            push_label(svg, class, (if is_right { at - 4.0 } else { at + 4.0 }, TOP + 12.0), name);
        }
        Rule::Level(value, name) => {
            let at = y.scale.at(*value);
            push_segment(svg, "rule", (LEFT, at), (frame.right(), at));
            push_label(svg, "tick end", (frame.right() - 2.0, at - 5.0), name);
        }
    }
}

/// The largest value of each of as many stretches as the picture can tell apart, so that peaks stay.
fn thinned(points: &[Option<(f64, f64)>]) -> Vec<Option<(f64, f64)>> {
    if points.len() <= STATIC_POINTS_MAX {
        return points.to_vec();
    }
    points
        .chunks(points.len().div_ceil(STATIC_POINTS_MAX))
        .map(|chunk| chunk.iter().flatten().copied().max_by(|a, b| a.1.total_cmp(&b.1)))
        .collect()
}

fn line_data(line: &Line, xs: &[f64], missing: &Value, scale: f64) -> Value {
    let column = |points: &mut dyn Iterator<Item = (f64, f64)>| -> Vec<Value> {
        let mut column = vec![missing.clone(); xs.len()];
        for (px, py) in points {
            let at = xs.partition_point(|x| *x < px);
            if xs.get(at) == Some(&px) {
                column[at] = short(py * scale);
            }
        }
        column
    };
    let mut data = json!({
        "name": line.name, "colour": line.ink.colour, "dash": line.ink.dash, "group": line.group, "repeat": line.repeat,
        "y": column(&mut line.points.iter().flatten().copied()),
        "style": match line.style {
            LineStyle::Plain => "plain",
            LineStyle::Thin => "thin",
            LineStyle::Dotted => "dotted",
            LineStyle::Dots => "dots",
        },
    });
    if !line.band.is_empty() {
        data["low"] = Value::Array(column(&mut line.band.iter().map(|(x, low, _)| (*x, *low))));
        data["high"] = Value::Array(column(&mut line.band.iter().map(|(x, _, high)| (*x, *high))));
    }
    data
}

/// Four digits that matter, written as shortly as JSON allows.
fn short(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    if value == 0.0 {
        return json!(0);
    }
    let decade = value.abs().log10().floor() as i32;
    let digits = usize::try_from(3 - decade).unwrap_or(0).min(9);
    let rounded: f64 = if digits > 0 {
        format!("{value:.digits$}").parse().unwrap_or(value)
    } else {
        let unit = 10_f64.powi(decade - 3);
        (value / unit).round() * unit
    };
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_the_script_have_four_digits_that_matter() {
        let texts: Vec<String> = [0.0, 1_234_567.0, 0.001_234_56, 12.345_6, -7.0, f64::NAN, 2.0]
            .into_iter()
            .map(|value| short(value).to_string())
            .collect();
        assert_eq!(texts, ["0", "1235000", "0.001235", "12.35", "-7", "null", "2"]);
    }

    #[test]
    fn what_a_line_lacks_is_a_gap_over_time_and_nothing_elsewhere() {
        let line = Line { points: vec![Some((1.0, 5.0)), None, Some((3.0, 6.0))], ..Line::default() };
        let column = |missing| line_data(&line, &[1.0, 2.0, 3.0], &missing, 1.0)["y"].clone();
        assert_eq!(column(Value::Null), json!([5, null, 6]));
        assert_eq!(column(Value::Bool(false)), json!([5, false, 6]));
    }

    #[test]
    fn thinning_keeps_the_peak() {
        let points: Vec<_> = (0..1_000).map(|at| Some((f64::from(at), if at == 501 { 9.0 } else { 1.0 }))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= STATIC_POINTS_MAX);
        assert!(thin.contains(&Some((501.0, 9.0))));
    }
}
