//! `Text`: the Prometheus text format 0.0.4. An encoder crate would bring its own shared counters, which the shards do not want; without those it is
//! these lines.

use std::fmt::Write;

use engine::latency::LatencyHistogram;

/// A page in the making. Writing to a `String` cannot fail, so results are dropped.
#[derive(Default)]
pub struct Text {
    page: String,
}

/// What a number means.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Only rises; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Text {
    /// A family of numbers, each with its labels; nothing is said of a family without any.
    pub fn numbers<L: AsRef<[(&'static str, String)]>>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) {
        let kind = match kind {
            Kind::Counter => {
                assert!(name.ends_with("_total"), "{name} is a counter");
                "counter"
            }
            Kind::Gauge => "gauge",
        };
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.begin(name, help, kind);
        for (labels, value) in samples {
            self.sample(name, labels.as_ref(), "", &value.to_string());
        }
    }

    /// A family of durations, in seconds.
    pub fn durations<'h, L: AsRef<[(&'static str, String)]>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, &'h LatencyHistogram)>,
    ) {
        assert!(name.ends_with("_seconds"), "{name} has its unit");
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.begin(name, help, "histogram");
        for (labels, histogram) in samples {
            let labels = labels.as_ref();
            let bucket = format!("{name}_bucket");
            for (bound_ns, count) in histogram.cumulative() {
                self.sample(&bucket, labels, &seconds(bound_ns), &count.to_string());
            }
            self.sample(&bucket, labels, "+Inf", &histogram.count().to_string());
            self.sample(&format!("{name}_sum"), labels, "", &seconds(histogram.sum_ns()));
            self.sample(&format!("{name}_count"), labels, "", &histogram.count().to_string());
        }
    }

    /// The page.
    pub fn finish(self) -> String {
        self.page
    }

    fn begin(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.page, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, String)], bound: &str, value: &str) {
        self.page.push_str(name);
        let bound = (!bound.is_empty()).then_some(("le", bound));
        let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound);
        let mut opened = false;
        for (name, label) in labels {
            // All values are ours, or names of the protocol: there is nothing to escape.
            debug_assert!(!label.contains(['"', '\\', '\n']), "{label}");
            let _ = write!(self.page, "{}{name}=\"{label}\"", if opened { ',' } else { '{' });
            opened = true;
        }
        let _ = writeln!(self.page, "{} {value}", if opened { "}" } else { "" });
    }
}

fn seconds(ns: u64) -> String {
    (ns as f64 / 1e9).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_look_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.numbers(Kind::Gauge, "a_bytes", "What a holds.", [([("shard", "0".to_owned())], 5)]);
        text.numbers(Kind::Counter, "none_total", "Never.", std::iter::empty::<([_; 0], u64)>());
        let mut histogram = LatencyHistogram::default();
        histogram.record(100_000);
        text.durations("b_seconds", "How long b took.", [([("api", "Fetch".to_owned())], &histogram)]);
        let page = text.finish();
        assert!(
            page.starts_with("# HELP a_bytes What a holds.\n# TYPE a_bytes gauge\na_bytes{shard=\"0\"} 5\n# HELP b")
        );
        assert!(page.contains("b_seconds_bucket{api=\"Fetch\",le=\"0.000064\"} 0\n"));
        assert!(page.contains("b_seconds_bucket{api=\"Fetch\",le=\"0.000128\"} 1\n"));
        assert!(page.ends_with(
            "b_seconds_bucket{api=\"Fetch\",le=\"+Inf\"} 1\nb_seconds_sum{api=\"Fetch\"} 0.0001\nb_seconds_count{api=\"Fetch\"} 1\n"
        ));
    }
}
