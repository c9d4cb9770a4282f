//! What is measured each second: columns of a series with heading and unit, and the subjects that a single run's
//! charts gather them into.

use crate::result::Series;

const BYTES_PER_MB: f64 = 1e6;
const BYTES_PER_MIB: f64 = 1_048_576.0;
const PERCENT: f64 = 0.01;

/// A column of a series.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    pub(super) unit: &'static str,
    pub(super) upwards: Upwards,
    /// Without a chart when it was zero all the time: what did not happen needs no picture.
    pub(super) only_when_present: bool,
    pub(super) column: fn(&Series) -> Vec<Option<f64>>,
}

/// How values stand on the y axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upwards {
    FromZero,
    /// Nanoseconds, logarithmic.
    Latency,
}

/// Measures that are read together.
pub(super) struct Subject {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    /// Each with its name in the legend; all have the unit of the first.
    pub(super) measures: &'static [(&'static str, Measure)],
}

macro_rules! measure {
    ($id:literal, $heading:literal, $unit:literal, bytes $column:ident per $scale:expr) => {
        measure!(@ $id, $heading, $unit, FromZero, |series: &Series| whole_in_units(&series.$column, $scale))
    };
    ($id:literal, $heading:literal, $unit:literal, $column:ident per $scale:expr) => {
        measure!(@ $id, $heading, $unit, FromZero, |series: &Series| in_units(&series.$column, $scale))
    };
    ($id:literal, $heading:literal, latency $column:ident) => {
        measure!(@ $id, $heading, "latency", Latency, |series: &Series| whole_in_units(&series.$column, 1.0))
    };
    (@ $id:literal, $heading:literal, $unit:literal, $upwards:ident, $column:expr) => {
        Measure { id: $id, heading: $heading, unit: $unit, upwards: Upwards::$upwards, only_when_present: false, column: $column }
    };
}

const OFFERED: Measure = measure!("offered", "Offered", "MB/s", offered_bytes_per_s per BYTES_PER_MB);
const ACHIEVED: Measure = measure!("achieved", "Achieved throughput", "MB/s", achieved_bytes_per_s per BYTES_PER_MB);
const CONSUMED: Measure = measure!("consumed", "Consumed throughput", "MB/s", consumed_bytes_per_s per BYTES_PER_MB);
const RESPONSE_P50: Measure = measure!("response-p50", "Response p50", latency response_p50_ns);
const RESPONSE_P99: Measure = measure!("response-p99", "Response p99", latency response_p99_ns);
const RESPONSE_MAX: Measure = measure!("response-max", "Response max", latency response_max_ns);
const END_TO_END_P50: Measure = measure!("end-to-end-p50", "End-to-end p50", latency end_to_end_p50_ns);
const END_TO_END_P99: Measure = measure!("end-to-end-p99", "End-to-end p99", latency end_to_end_p99_ns);
const END_TO_END_MAX: Measure = measure!("end-to-end-max", "End-to-end max", latency end_to_end_max_ns);
const LAG_P99: Measure = measure!("lag-p99", "Lag of the generator, p99", latency lag_p99_ns);
const IN_FLIGHT: Measure = measure!("in-flight", "Unanswered requests", "requests", inflight_requests per 1.0);
const ERRORS: Measure =
    Measure { only_when_present: true, ..measure!("errors", "Failed records", "records/s", errors_per_s per 1.0) };
const BROKER_CPU: Measure = measure!("broker-cpu", "Broker processor", "cores", broker_cpu_cores per 1.0);
const LOADGEN_CPU: Measure = measure!("loadgen-cpu", "Generator processor", "cores", loadgen_cpu_cores per 1.0);
const MEMORY: Measure = measure!("memory", "Broker memory", "MiB resident", bytes broker_rss_bytes per BYTES_PER_MIB);
const DISK_WRITTEN: Measure =
    measure!("disk-written", "Broker's disk, written", "MB/s", broker_disk_written_bytes_per_s per BYTES_PER_MB);
const DISK_READ: Measure = Measure {
    only_when_present: true,
    ..measure!("disk-read", "Broker's disk, read", "MB/s", broker_disk_read_bytes_per_s per BYTES_PER_MB)
};
const CPU_PRESSURE: Measure =
    measure!("cpu-pressure", "Waits for a processor", "% of time", cpu_pressure_share per PERCENT);
const IO_PRESSURE: Measure = measure!("io-pressure", "Waits for the disk", "% of time", io_pressure_share per PERCENT);
const STEAL: Measure = Measure {
    only_when_present: true,
    ..measure!("steal", "Stolen by the hypervisor", "% of time", steal_share per PERCENT)
};

/// Every measure of the charts of many runs, in the order of the page.
pub(super) const MEASURES: [Measure; 16] = [
    ACHIEVED,
    CONSUMED,
    RESPONSE_P50,
    RESPONSE_P99,
    RESPONSE_MAX,
    END_TO_END_P99,
    LAG_P99,
    ERRORS,
    BROKER_CPU,
    MEMORY,
    DISK_WRITTEN,
    DISK_READ,
    LOADGEN_CPU,
    CPU_PRESSURE,
    IO_PRESSURE,
    STEAL,
];

/// The charts of a single run, in the order of the page.
pub(super) const SUBJECTS: [Subject; 10] = [
    Subject {
        id: "throughput",
        heading: "Throughput",
        measures: &[("achieved", ACHIEVED), ("consumed", CONSUMED), ("offered", OFFERED)],
    },
    Subject {
        id: "response",
        heading: "Response",
        measures: &[("p50", RESPONSE_P50), ("p99", RESPONSE_P99), ("max", RESPONSE_MAX)],
    },
    Subject {
        id: "end-to-end",
        heading: "End-to-end",
        measures: &[("p50", END_TO_END_P50), ("p99", END_TO_END_P99), ("max", END_TO_END_MAX)],
    },
    Subject { id: "lag", heading: "Lag of the generator", measures: &[("p99", LAG_P99)] },
    Subject { id: "in-flight", heading: "Unanswered requests", measures: &[("at the end of the second", IN_FLIGHT)] },
    Subject { id: "errors", heading: "Failed records", measures: &[("failed", ERRORS)] },
    Subject {
        id: "processor",
        heading: "Processor",
        measures: &[("broker", BROKER_CPU), ("load generator", LOADGEN_CPU)],
    },
    Subject { id: "memory", heading: "Broker memory", measures: &[("resident", MEMORY)] },
    Subject { id: "disk", heading: "Broker's disk", measures: &[("written", DISK_WRITTEN), ("read", DISK_READ)] },
    Subject {
        id: "disturbance",
        heading: "Disturbance",
        measures: &[("waits for CPU", CPU_PRESSURE), ("waits for disk", IO_PRESSURE), ("stolen", STEAL)],
    },
];

fn in_units(column: &[Option<f64>], unit: f64) -> Vec<Option<f64>> {
    column.iter().map(|value| value.map(|value| value / unit)).collect()
}

fn whole_in_units(column: &[Option<u64>], unit: f64) -> Vec<Option<f64>> {
    column.iter().map(|value| value.map(|value| value as f64 / unit)).collect()
}
