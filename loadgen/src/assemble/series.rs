//! One value a second, for the charts.

use crate::assemble::window::Window;
use crate::collector::Row;
use crate::evidence::Evidence;
use crate::host::DiskBytes;
use crate::result::Series;
use crate::timeline::Timeline;
use crate::usage::Usage;
use crate::workload::Mode;

/// The columns of a run.
pub(super) fn series(evidence: &Evidence, window: &Window<'_>) -> Series {
    let (workload, timeline) = (&evidence.workload, &window.timeline);
    let payload_bytes = workload.records.payload_bytes_mean();
    let rows = window.collector.rows();
    let produced = workload.mode != Mode::Consume;
    let with_consumers = workload.consumers > 0;
    let end_to_end = matches!(workload.mode, Mode::Both | Mode::Drain);
    let unread = unread_records(evidence, rows);
    let per_s = |row: &Row, amount: f64| {
        let secs = timeline.covered_secs(row.second);
        (secs > 0.0).then(|| amount / secs)
    };
    let column = |wanted: bool, value: &dyn Fn(&Row) -> Option<f64>| -> Vec<Option<f64>> {
        if wanted { rows.iter().map(value).collect() } else { Vec::new() }
    };
    let latency = |wanted: bool, value: &dyn Fn(&Row) -> Option<u64>| -> Vec<Option<u64>> {
        if wanted { rows.iter().map(value).collect() } else { Vec::new() }
    };
    let usage = UsageRows::new(evidence, timeline);
    let warmup_secs = (timeline.measure_ns - timeline.start_ns) as f64 / 1e9;
    Series {
        t_secs: rows.iter().map(|row| warmup_secs + row.second as f64 + 1.0).collect(),
        offered_bytes_per_s: column(produced && !workload.is_closed_loop(), &|row| {
            Some(workload.offered_per_s(timeline, row.second) * payload_bytes)
        }),
        achieved_bytes_per_s: column(produced, &|row| per_s(row, row.counts.acked_payload_bytes as f64)),
        consumed_bytes_per_s: column(with_consumers, &|row| per_s(row, row.counts.consumed_bytes as f64)),
        errors_per_s: column(produced, &|row| per_s(row, row.counts.failed_records as f64)),
        inflight_requests: column(produced, &|row| per_s(row, row.counts.produce_in_flight_ns as f64 / 1e9)),
        response_p50_ns: latency(produced, &|row| row.response.p50_ns),
        response_p99_ns: latency(produced, &|row| row.response.p99_ns),
        response_max_ns: latency(produced, &|row| row.response.max_ns),
        end_to_end_p50_ns: latency(end_to_end, &|row| row.end_to_end.p50_ns),
        end_to_end_p99_ns: latency(end_to_end, &|row| row.end_to_end.p99_ns),
        end_to_end_max_ns: latency(end_to_end, &|row| row.end_to_end.max_ns),
        unread_records: if with_consumers { unread } else { Vec::new() },
        lag_p99_ns: latency(produced, &|row| row.lag.p99_ns),
        broker_cpu_cores: column(usage.has_broker, &|row| usage.cores(row, |usage| Some(usage.broker?.cpu()))),
        broker_rss_bytes: latency(usage.has_broker, &|row| {
            usage.last(row).and_then(|usage| Some(usage.broker?.rss_bytes))
        }),
        broker_disk_read_bytes_per_s: column(usage.has_disk, &|row| usage.disk(row, |disk| disk.read)),
        broker_disk_written_bytes_per_s: column(usage.has_disk, &|row| usage.disk(row, |disk| disk.written)),
        loadgen_cpu_cores: column(true, &|row| usage.cores(row, |usage| Some(usage.loadgen?.cpu()))),
        steal_share: column(true, &|row| usage.pressure(row).and_then(|host| host.steal_share)),
        cpu_pressure_share: column(true, &|row| usage.pressure(row).and_then(|host| host.cpu_pressure_share)),
        io_pressure_share: column(true, &|row| usage.pressure(row).and_then(|host| host.io_pressure_share)),
    }
}

/// Records that were there and not yet read, at the end of each second. Counted from the acknowledgements, so that a consumer which is
/// ahead of them shows as 0.
fn unread_records(evidence: &Evidence, rows: &[Row]) -> Vec<Option<u64>> {
    let moved = rows.iter().map(|row| Moved {
        acked: row.counts.acked_records,
        hidden: evidence.workload.hidden_records(&row.counts),
        consumed: row.counts.consumed_records,
    });
    left_unread(evidence.backlog_records, u64::from(evidence.workload.groups), moved)
}

/// Records of one second.
struct Moved {
    acked: u64,
    /// Of the acknowledged ones, those that no reader will see.
    hidden: u64,
    /// By all groups together.
    consumed: u64,
}

/// What any group has before it at the end of each second.
fn left_unread(backlog: u64, groups: u64, moved: impl Iterator<Item = Moved>) -> Vec<Option<u64>> {
    let (mut written, mut read) = (backlog * groups, 0);
    let after = moved.map(|moved| {
        written += moved.acked * groups;
        read += moved.consumed + moved.hidden * groups;
        Some(written.saturating_sub(read))
    });
    after.collect()
}

/// The looks at the processes, found by the second that they close.
struct UsageRows<'e> {
    samples: &'e [Usage],
    timeline: Timeline,
    has_broker: bool,
    has_disk: bool,
}

impl<'e> UsageRows<'e> {
    fn new(evidence: &'e Evidence, timeline: &Timeline) -> Self {
        let samples = evidence.usage.as_ref().map_or(&[][..], |usage| usage.samples());
        let has_broker = samples.iter().any(|usage| usage.broker.is_some());
        let has_disk = samples.iter().any(|usage| usage.broker.is_some_and(|broker| broker.disk.is_some()));
        Self { samples, timeline: *timeline, has_broker, has_disk }
    }

    /// The look nearest to the end of the row's second, and the one before it.
    fn pair(&self, row: &Row) -> Option<(&'e Usage, &'e Usage)> {
        let end_ns = (self.timeline.measure_ns as i64 + (row.second + 1) * 1_000_000_000) as u64;
        let after = (1..self.samples.len()).min_by_key(|&sample| self.samples[sample].at_ns.abs_diff(end_ns))?;
        Some((&self.samples[after - 1], &self.samples[after]))
    }

    fn last(&self, row: &Row) -> Option<&'e Usage> {
        self.pair(row).map(|(_, last)| last)
    }

    fn disk(&self, row: &Row, bytes: fn(&DiskBytes) -> u64) -> Option<f64> {
        let (before, after) = self.pair(row)?;
        let secs = (after.at_ns - before.at_ns) as f64 / 1e9;
        let moved = after.broker?.disk?.since(&before.broker?.disk?);
        Some(bytes(&moved) as f64 / secs.max(1e-3))
    }

    fn cores(&self, row: &Row, cpu: fn(&Usage) -> Option<std::time::Duration>) -> Option<f64> {
        let (before, after) = self.pair(row)?;
        let secs = (after.at_ns - before.at_ns) as f64 / 1e9;
        Some(cpu(after)?.saturating_sub(cpu(before)?).as_secs_f64() / secs.max(1e-3))
    }

    fn pressure(&self, row: &Row) -> Option<crate::result::HostPressure> {
        self.pair(row).map(|(before, after)| after.system.pressure_since(&before.system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aborted_records_are_not_waited_for_and_each_group_has_its_own_unread() {
        let second = |acked, hidden, consumed| Moved { acked, hidden, consumed };
        let moved = [second(100, 30, 40), second(100, 0, 300), second(0, 0, 100), second(0, 0, 50)];
        let left = left_unread(10, 2, moved.into_iter());
        assert_eq!(left, [Some(120), Some(20), Some(0), Some(0)], "a reader that is ahead has nothing unread");
    }
}
