//! A second in one line, for logs and pipes.

use super::{Achieved, Snapshot};
use crate::report::{count, duration_ns, megabytes_per_s};

/// Phase, time and figures.
pub(super) fn line(snapshot: &Snapshot) -> String {
    format!("{:8} {}  {}", snapshot.phase, passed(snapshot), figures(snapshot))
}

/// How much of the phase has passed; the drain has no planned length.
fn passed(snapshot: &Snapshot) -> String {
    match snapshot.planned_secs {
        0 => format!("{:>3} s", snapshot.elapsed_secs),
        planned => format!("{:>3}/{planned} s", snapshot.elapsed_secs),
    }
}

/// The figures of a second; faults only when there are any.
fn figures(snapshot: &Snapshot) -> String {
    let mut parts = snapshot.achieved.as_ref().map_or_else(|| vec!["waiting for the rest".into()], rates);
    let numbers = [
        (snapshot.unread_records.unwrap_or(0), "unread"),
        (snapshot.errors, "ERRORS"),
        (snapshot.integrity_faults.unwrap_or(0), "INTEGRITY FAULTS"),
    ];
    let present = numbers.into_iter().filter(|(number, _)| *number > 0);
    parts.extend(present.map(|(number, name)| format!("{} {name}", count(number))));
    parts.join(" · ")
}

fn rates(achieved: &Achieved) -> Vec<String> {
    let bytes = megabytes_per_s(achieved.bytes_per_s);
    let mut parts = vec![match achieved.offered_bytes_per_s {
        Some(offered) => format!("{bytes} of {}", megabytes_per_s(offered)),
        None => bytes,
    }];
    parts.push(format!("{} rec/s", count(achieved.records_per_s.max(0.0).round() as u64)));
    let latencies = [("p50", achieved.response_p50_ns), ("p99", achieved.response_p99_ns)];
    parts.extend(latencies.into_iter().filter_map(|(name, ns)| Some(format!("{name} {}", duration_ns(ns? as f64)))));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_show_at_once_and_their_absence_takes_no_room() {
        let calm = Snapshot {
            phase: "measure",
            achieved: Some(Achieved {
                offered_bytes_per_s: Some(20e6),
                bytes_per_s: 19.99e6,
                records_per_s: 19_990.0,
                response_p50_ns: Some(900_000),
                ..Achieved::default()
            }),
            integrity_faults: Some(0),
            ..Snapshot::default()
        };
        assert_eq!(figures(&calm), "20.0 MB/s of 20.0 MB/s · 19,990 rec/s · p50 900 µs");
        let faulty = Snapshot { integrity_faults: Some(3), ..calm };
        assert!(figures(&faulty).ends_with("3 INTEGRITY FAULTS"));
    }

    #[test]
    fn the_drain_tells_what_is_left_and_no_rates_of_before() {
        let drain = Snapshot { phase: "drain", elapsed_secs: 2, unread_records: Some(1_200), ..Snapshot::default() };
        assert_eq!((passed(&drain), figures(&drain)), ("  2 s".into(), "waiting for the rest · 1,200 unread".into()));
    }
}
