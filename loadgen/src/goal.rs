//! Goals that a run is held against: `p99<10ms`, `goodput>=100MB/s`, `errors<1`, `cpu_s_per_gb<=2.5`.
//!
//! A latency is the response unless `service.`, `lag.` or `e2e.` stands before the percentile. What was not measured, or with too few
//! samples for that percentile, is not met.

use std::fmt;
use std::str::FromStr;

use crate::quantity::{parse_bytes, parse_duration, parse_rate};
use crate::report::{binary_bytes, decimal, duration_ns, megabytes_per_s};
use crate::result::{Goal, Latency, Percentile, RunResult};

/// Names of what a goal may be about, for messages.
const METRICS: &str = "p50 p75 p90 p95 p99 p99.9 p99.99 max mean (each also with service. lag. e2e. before it), goodput, \
                       achieved, errors, cpu_s_per_gb, cpu_us_per_record, rss";

/// One goal, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalExpression {
    text: String,
    metric: Metric,
    comparison: Comparison,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Latency(Stream, Figure),
    GoodputBytes,
    GoodputRecords,
    AchievedShare,
    Errors,
    CpuSecsPerGb,
    CpuMicrosPerRecord,
    RssBytes,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stream {
    Response,
    Service,
    Lag,
    EndToEnd,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure {
    Percentile(Percentile),
    Mean,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl FromStr for GoalExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("goal {text:?}: {what}; a goal reads like p99<10ms or goodput>=100MB/s");
        let at = text.find(['<', '>']).ok_or_else(|| wrong("there is no < or >"))?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let (comparison, value) = match (rest.strip_prefix("<="), rest.strip_prefix(">=")) {
            (Some(value), _) => (Comparison::AtMost, value),
            (_, Some(value)) => (Comparison::AtLeast, value),
            _ if rest.starts_with('<') => (Comparison::Below, &rest[1..]),
            _ => (Comparison::Above, &rest[1..]),
        };
        let (metric, bound) = metric_and_bound(name, value.trim()).map_err(|what| wrong(&what))?;
        if !bound.is_finite() || bound < 0.0 {
            return Err(wrong("the bound must be a positive number"));
        }
        Ok(Self { text: text.trim().to_owned(), metric, comparison, bound })
    }
}

impl fmt::Display for GoalExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl GoalExpression {
    /// The bound of a goal for the response latency, where a chart can draw it.
    pub fn response_bound_ns(&self) -> Option<f64> {
        matches!(self.metric, Metric::Latency(Stream::Response, _)).then_some(self.bound)
    }

    /// Holds a result against the goal.
    pub fn judge(&self, result: &RunResult) -> Goal {
        let value = self.metric.of(result);
        let pass = value.is_some_and(|value| match self.comparison {
            Comparison::Below => value < self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Above => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
        });
        Goal { expr: self.text.clone(), value, pass }
    }
}

/// What a judged goal measured, as people read it.
pub fn measured_text(goal: &Goal) -> String {
    let metric = goal.expr.parse::<GoalExpression>().map(|parsed| parsed.metric);
    match (goal.value, metric) {
        (None, _) => "not measured, or too few samples".into(),
        (Some(ns), Ok(Metric::Latency(..))) => duration_ns(ns),
        (Some(bytes), Ok(Metric::GoodputBytes)) => megabytes_per_s(bytes),
        (Some(share), Ok(Metric::AchievedShare)) => format!("{:.1} %", share * 100.0),
        (Some(bytes), Ok(Metric::RssBytes)) => binary_bytes(bytes as u64),
        (Some(value), _) => decimal(value),
    }
}

fn metric_and_bound(name: &str, value: &str) -> Result<(Metric, f64), String> {
    let number = || value.parse::<f64>().map_err(|_| format!("{value:?} is no number"));
    Ok(match name {
        "goodput" if value.ends_with("B/s") => (Metric::GoodputBytes, rate(value)?),
        "goodput" => (Metric::GoodputRecords, rate(value)?),
        "achieved" => {
            let percent =
                value.strip_suffix('%').ok_or("achieved is a share of the offered load, as in achieved>=99%")?;
            (
                Metric::AchievedShare,
                percent.trim().parse::<f64>().map_err(|_| format!("{value:?} is no share"))? / 100.0,
            )
        }
        "errors" => (Metric::Errors, number()?),
        "cpu_s_per_gb" => (Metric::CpuSecsPerGb, number()?),
        "cpu_us_per_record" => (Metric::CpuMicrosPerRecord, number()?),
        "rss" => (Metric::RssBytes, parse_bytes(value)? as f64),
        _ => {
            let (stream, figure) = latency_of(name).ok_or_else(|| format!("{name:?} is none of {METRICS}"))?;
            (Metric::Latency(stream, figure), parse_duration(value)?.as_nanos() as f64)
        }
    })
}

fn rate(value: &str) -> Result<f64, String> {
    // With a value of one byte, bytes and records are the same number.
    Ok(parse_rate(value)?.records_per_s(1))
}

fn latency_of(name: &str) -> Option<(Stream, Figure)> {
    let (stream, figure) = match name.split_once('.') {
        Some(("response", figure)) => (Stream::Response, figure),
        Some(("service", figure)) => (Stream::Service, figure),
        Some(("lag", figure)) => (Stream::Lag, figure),
        Some(("e2e" | "end_to_end", figure)) => (Stream::EndToEnd, figure),
        _ => (Stream::Response, name),
    };
    let figure = match figure {
        "mean" => Figure::Mean,
        "max" => Figure::Max,
        _ => Figure::Percentile(Percentile::NAMED.into_iter().find(|(name, _)| *name == figure)?.1),
    };
    Some((stream, figure))
}

impl Metric {
    fn of(self, result: &RunResult) -> Option<f64> {
        let summary = &result.summary;
        let stream = summary.produce.as_ref().or(summary.consume.as_ref());
        match self {
            Self::Latency(stream, figure) => figure.of(stream.of(result)?),
            Self::GoodputBytes => stream.map(|stream| stream.goodput.bytes_per_s),
            Self::GoodputRecords => stream.map(|stream| stream.goodput.records_per_s),
            Self::AchievedShare => {
                let produce = summary.produce.as_ref()?;
                Some(produce.achieved.records_per_s / produce.offered?.records_per_s)
            }
            Self::Errors => stream.map(|stream| stream.errors.values().sum::<u64>() as f64),
            Self::CpuSecsPerGb => result.resources.broker.as_ref()?.cpu_s_per_gb,
            Self::CpuMicrosPerRecord => result.resources.broker.as_ref()?.cpu_us_per_record,
            Self::RssBytes => result.resources.broker.as_ref()?.rss_max_bytes.map(|bytes| bytes as f64),
        }
    }
}

impl Stream {
    fn of(self, result: &RunResult) -> Option<&Latency> {
        let produce = result.summary.produce.as_ref();
        match self {
            Self::Response => produce?.latency.response.as_ref(),
            Self::Service => produce?.latency.service.as_ref(),
            Self::Lag => produce?.latency.lag.as_ref(),
            Self::EndToEnd => result.summary.consume.as_ref()?.latency.end_to_end.as_ref(),
        }
    }
}

impl Figure {
    fn of(self, latency: &Latency) -> Option<f64> {
        match self {
            Self::Percentile(percentile) => latency.at(percentile).map(|ns| ns as f64),
            Self::Mean => latency.mean_ns,
            Self::Max => latency.max_ns.map(|ns| ns as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_read_as_people_write_them() {
        for (text, metric, comparison, bound) in [
            (
                "p99<10ms",
                Metric::Latency(Stream::Response, Figure::Percentile(Percentile::P99)),
                Comparison::Below,
                1e7,
            ),
            (
                "e2e.p99.9 <= 1s",
                Metric::Latency(Stream::EndToEnd, Figure::Percentile(Percentile::P99_9)),
                Comparison::AtMost,
                1e9,
            ),
            ("service.max<250us", Metric::Latency(Stream::Service, Figure::Max), Comparison::Below, 2.5e5),
            ("goodput>=100MB/s", Metric::GoodputBytes, Comparison::AtLeast, 1e8),
            ("goodput>50000", Metric::GoodputRecords, Comparison::Above, 5e4),
            ("achieved>=99%", Metric::AchievedShare, Comparison::AtLeast, 0.99),
            ("errors<1", Metric::Errors, Comparison::Below, 1.0),
            ("rss<=1GiB", Metric::RssBytes, Comparison::AtMost, 1_073_741_824.0),
        ] {
            let goal: GoalExpression = text.parse().expect(text);
            assert_eq!((goal.metric, goal.comparison, goal.bound), (metric, comparison, bound), "{text}");
        }
    }

    #[test]
    fn what_was_measured_is_told_in_its_own_unit() {
        let told = |expr: &str, value| measured_text(&Goal { expr: expr.into(), value, pass: false });
        assert_eq!(told("p99<10ms", Some(14_200_000.0)), "14.2 ms");
        assert_eq!(told("goodput>=100MB/s", Some(99_500_000.0)), "99.5 MB/s");
        assert_eq!(told("achieved>=99%", Some(0.5)), "50.0 %");
        assert!(told("p99.99<1s", None).contains("too few"));
    }

    #[test]
    fn a_goal_that_cannot_be_parsed_says_what_is_wrong_and_shows_one_that_can() {
        for (text, says) in [
            ("p99", "no < or >"),
            ("p98<10ms", "p98"),
            ("p99<10parsecs", "unit"),
            ("p99<", "number"),
            ("goodput>=fast", "number"),
            ("achieved>=1", "share"),
            ("", "no < or >"),
        ] {
            let error = text.parse::<GoalExpression>().expect_err(text);
            assert!(error.contains(says) && error.contains("p99<10ms"), "{text}: {error}");
        }
    }
}
