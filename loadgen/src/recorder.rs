//! What a thread measures, second by second, and how seconds become one result.
//!
//! Each thread fills its own histograms and hands them over once a second; the collector merges them (percentiles are
//! never averaged) and gives the memory back, so that a run of a day takes no more than a run of a minute.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::result::Latency;

const SECOND_NS: u64 = 1_000_000_000;

/// Latencies saturate here; a request is given up long before.
const LATENCY_NS_MAX: u64 = 600 * SECOND_NS;

/// When the phases of a run begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// First send.
    pub start_ns: u64,
    /// End of the warm-up: the schedule's origin moves here.
    pub measure_ns: u64,
    /// Nothing is sent from here on.
    pub end_ns: u64,
}

impl Timeline {
    /// The second that `now_ns` belongs to, counted from the measured window; negative in the warm-up. What completes
    /// after the end belongs to the last second.
    pub fn second(&self, now_ns: u64) -> i64 {
        let now_ns = now_ns.clamp(self.start_ns, self.end_ns.saturating_sub(1));
        (now_ns as i64 - self.measure_ns as i64).div_euclid(SECOND_NS as i64)
    }

    /// How much of a second the run covers: less than 1 where a phase has a fraction.
    pub fn covered_secs(&self, second: i64) -> f64 {
        let from = self.measure_ns as i64 + second * SECOND_NS as i64;
        let to = (from + SECOND_NS as i64).min(self.end_ns as i64);
        (to - from.max(self.start_ns as i64)).max(0) as f64 / 1e9
    }

    /// Whether `now_ns` lies in the measured window.
    pub fn measures(&self, now_ns: u64) -> bool {
        (self.measure_ns..self.end_ns).contains(&now_ns)
    }

    /// Length of the measured window.
    pub fn measured_secs(&self) -> f64 {
        (self.end_ns - self.measure_ns) as f64 / 1e9
    }
}

/// Things counted in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records acknowledged without error.
    pub acked_records: u64,
    /// Batches acknowledged without error.
    pub acked_batches: u64,
    /// Size of these batches on the wire.
    pub acked_batch_bytes: u64,
    /// Records whose batch came back with an error.
    pub failed_records: u64,
    /// Produce requests answered.
    pub produce_requests: u64,
    /// Time that these requests were unanswered, added up: over the time that passed, the mean number in flight.
    pub produce_in_flight_ns: u64,
    /// Batches among the samples of the produce histograms.
    pub response_batches: u64,
    /// Records read.
    pub consumed_records: u64,
    /// Their values' bytes.
    pub consumed_bytes: u64,
    /// Batches read.
    pub consumed_batches: u64,
    /// Size of these batches on the wire.
    pub consumed_batch_bytes: u64,
    /// Fetch requests answered.
    pub fetch_requests: u64,
    /// Batches among the samples of the end-to-end histogram.
    pub end_to_end_batches: u64,
}

impl Counts {
    /// Adds another thread's or second's counts.
    pub fn add(&mut self, other: &Self) {
        self.acked_records += other.acked_records;
        self.acked_batches += other.acked_batches;
        self.acked_batch_bytes += other.acked_batch_bytes;
        self.failed_records += other.failed_records;
        self.produce_requests += other.produce_requests;
        self.produce_in_flight_ns += other.produce_in_flight_ns;
        self.response_batches += other.response_batches;
        self.consumed_records += other.consumed_records;
        self.consumed_bytes += other.consumed_bytes;
        self.consumed_batches += other.consumed_batches;
        self.consumed_batch_bytes += other.consumed_batch_bytes;
        self.fetch_requests += other.fetch_requests;
        self.end_to_end_batches += other.end_to_end_batches;
    }
}

/// The four latencies of a run, nanoseconds.
#[derive(Debug, Clone)]
pub struct Histograms {
    /// Intended send time to acknowledgement.
    pub response: Histogram<u64>,
    /// Write to the socket to acknowledgement.
    pub service: Histogram<u64>,
    /// Intended send time to write to the socket.
    pub lag: Histogram<u64>,
    /// Intended send time to delivery.
    pub end_to_end: Histogram<u64>,
}

impl Histograms {
    fn empty() -> Self {
        let empty = || Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds are valid");
        Self { response: empty(), service: empty(), lag: empty(), end_to_end: empty() }
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
            (&mut self.lag, &other.lag),
            (&mut self.end_to_end, &other.end_to_end),
        ];
        for (sum, part) in pairs {
            if !part.is_empty() {
                sum.add(part).expect("all histograms have the same bounds");
            }
        }
    }

    fn reset(&mut self) {
        for histogram in [&mut self.response, &mut self.service, &mut self.lag, &mut self.end_to_end] {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }
}

/// One thread's second.
#[derive(Debug)]
struct Second {
    thread: usize,
    index: i64,
    counts: Counts,
    histograms: Histograms,
}

impl Second {
    fn empty(thread: usize, index: i64) -> Box<Self> {
        Box::new(Self { thread, index, counts: Counts::default(), histograms: Histograms::empty() })
    }
}

/// A thread's own end: records without locks, hands over a second when it has passed.
#[derive(Debug)]
pub struct Recorder {
    timeline: Timeline,
    current: Box<Second>,
    full: Sender<Box<Second>>,
    recycled: Receiver<Box<Second>>,
}

impl Recorder {
    /// Begins at the start of the run.
    pub fn new(timeline: Timeline, outlet: Outlet) -> Self {
        let current = Second::empty(outlet.thread, timeline.second(timeline.start_ns));
        Self { timeline, current, full: outlet.full, recycled: outlet.recycled }
    }

    /// The phases.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Moves on to the second of `now_ns`; call it before recording, at least ten times a second.
    pub fn roll(&mut self, now_ns: u64) {
        let index = self.timeline.second(now_ns);
        if index == self.current.index {
            return;
        }
        let mut next = self.recycled.try_recv().unwrap_or_else(|_| Second::empty(self.current.thread, index));
        next.index = index;
        // A collector that has gone is a run that has failed; there is nobody left to tell.
        let _ = self.full.send(std::mem::replace(&mut self.current, next));
    }

    /// The counts to add to when `now_ns` lies within the run; the drain behind it must not lift the rates.
    pub fn counts(&mut self, now_ns: u64) -> Option<&mut Counts> {
        (now_ns < self.timeline.end_ns).then_some(&mut self.current.counts)
    }

    /// `records` of one acknowledged batch that shared an intended time.
    pub fn record_response(&mut self, intended_ns: u64, sent_ns: u64, now_ns: u64, records: u64) {
        if self.belongs(intended_ns) {
            let histograms = &mut self.current.histograms;
            histograms.response.saturating_record_n(now_ns.saturating_sub(intended_ns), records);
            histograms.lag.saturating_record_n(sent_ns.saturating_sub(intended_ns), records);
        }
    }

    /// All records of one acknowledged batch, of which the first was due at `intended_ns`.
    pub fn record_service(&mut self, intended_ns: u64, sent_ns: u64, now_ns: u64, records: u64) {
        if self.belongs(intended_ns) {
            self.current.counts.response_batches += 1;
            self.current.histograms.service.saturating_record_n(now_ns.saturating_sub(sent_ns), records);
        }
    }

    /// `records` delivered at `now_ns` that shared an intended time.
    pub fn record_end_to_end(&mut self, intended_ns: u64, now_ns: u64, records: u64) {
        if self.belongs(intended_ns) {
            self.current.histograms.end_to_end.saturating_record_n(now_ns.saturating_sub(intended_ns), records);
        }
    }

    /// One more batch among the end-to-end samples.
    pub fn record_end_to_end_batch(&mut self, intended_ns: u64) {
        if self.belongs(intended_ns) {
            self.current.counts.end_to_end_batches += 1;
        }
    }

    /// Hands over what is left.
    pub fn finish(self) {
        let _ = self.full.send(self.current);
    }

    /// A sample of the warm-up stays out of the measured seconds, however late it comes.
    fn belongs(&self, intended_ns: u64) -> bool {
        self.current.index < 0 || intended_ns >= self.timeline.measure_ns
    }
}

/// What a recorder is made of before the timeline is known.
#[derive(Debug)]
pub struct Outlet {
    thread: usize,
    full: Sender<Box<Second>>,
    recycled: Receiver<Box<Second>>,
}

/// One second of the whole run, all threads merged.
#[derive(Debug, Clone)]
pub struct Row {
    /// Seconds from the measured window's start; negative in the warm-up.
    pub second: i64,
    /// Counts of all threads.
    pub counts: Counts,
    /// Response of the records acknowledged in this second.
    pub response: Latency,
    /// End to end of the records delivered in this second.
    pub end_to_end: Latency,
    /// Lag of the records acknowledged in this second.
    pub lag: Latency,
}

/// The other end: merges what the threads hand over.
#[derive(Debug)]
pub struct Collector {
    seconds: Receiver<Box<Second>>,
    recycle: Vec<Sender<Box<Second>>>,
    pending: BTreeMap<i64, (Counts, Histograms)>,
    passed: Vec<i64>,
    rows: Vec<Row>,
    measured: (Counts, Histograms),
    arrivals: u64,
}

impl Collector {
    /// A collector of `threads` recorders and their ends.
    pub fn new(threads: usize) -> (Self, Vec<Outlet>) {
        let (full, seconds) = channel();
        let (recycle, outlets) = (0..threads)
            .map(|thread| {
                let (give, recycled) = channel();
                (give, Outlet { thread, full: full.clone(), recycled })
            })
            .unzip();
        let collector = Self {
            seconds,
            recycle,
            pending: BTreeMap::new(),
            passed: vec![i64::MIN; threads],
            rows: Vec::new(),
            measured: (Counts::default(), Histograms::empty()),
            arrivals: 0,
        };
        (collector, outlets)
    }

    /// Takes in what arrives within `wait`; false when all recorders have finished.
    pub fn collect(&mut self, wait: Duration) -> bool {
        let first = self.seconds.recv_timeout(wait);
        if matches!(first, Err(std::sync::mpsc::RecvTimeoutError::Disconnected)) {
            self.settle(i64::MAX);
            return false;
        }
        let mut next = first.ok();
        while let Some(second) = next {
            self.absorb(second);
            next = self.seconds.try_recv().ok();
        }
        self.settle(self.passed.iter().copied().min().unwrap_or(i64::MIN));
        true
    }

    /// Takes in what has arrived already; false when nothing had.
    pub fn has_arrivals(&mut self) -> bool {
        let before = self.arrivals;
        self.collect(Duration::ZERO);
        self.arrivals > before
    }

    /// Seconds that all threads have passed, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Counts and histograms of the measured window.
    pub fn measured(&self) -> (&Counts, &Histograms) {
        (&self.measured.0, &self.measured.1)
    }

    fn absorb(&mut self, mut second: Box<Second>) {
        let (counts, histograms) =
            self.pending.entry(second.index).or_insert_with(|| (Counts::default(), Histograms::empty()));
        self.arrivals += 1;
        counts.add(&second.counts);
        histograms.add(&second.histograms);
        self.passed[second.thread] = second.index;
        second.counts = Counts::default();
        second.histograms.reset();
        let _ = self.recycle[second.thread].send(second);
    }

    fn settle(&mut self, passed: i64) {
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() <= passed) {
            let (second, (counts, histograms)) = entry.remove_entry();
            if second >= 0 {
                self.measured.0.add(&counts);
                self.measured.1.add(&histograms);
            }
            let acked = Some(counts.response_batches);
            self.rows.push(Row {
                second,
                counts,
                response: Latency::from_histogram(&histograms.response, acked),
                end_to_end: Latency::from_histogram(&histograms.end_to_end, Some(counts.end_to_end_batches)),
                lag: Latency::from_histogram(&histograms.lag, acked),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: Timeline =
        Timeline { start_ns: SECOND_NS, measure_ns: 2 * SECOND_NS, end_ns: 4 * SECOND_NS + SECOND_NS / 2 };

    fn collect(recorders: Vec<Recorder>, collector: &mut Collector) {
        recorders.into_iter().for_each(Recorder::finish);
        while collector.collect(Duration::from_millis(1)) {}
    }

    fn recorders(count: usize) -> (Collector, Vec<Recorder>) {
        let (collector, outlets) = Collector::new(count);
        (collector, outlets.into_iter().map(|outlet| Recorder::new(TIMELINE, outlet)).collect())
    }

    #[test]
    fn percentiles_come_from_merged_histograms_and_not_from_averages() {
        let (mut collector, mut threads) = recorders(2);
        // One thread is fast a thousand times, the other slow a hundred times: the p99 is slow, no mean of p99s.
        for (thread, latency_ns, count) in [(0, 1_000_000, 1_000), (1, 100_000_000, 100)] {
            let now_ns = TIMELINE.measure_ns + 500_000_000;
            threads[thread].roll(now_ns);
            for _ in 0..count {
                let intended_ns = now_ns - latency_ns;
                threads[thread].record_response(intended_ns, intended_ns, now_ns, 1);
                threads[thread].record_service(intended_ns, intended_ns, now_ns, 1);
            }
        }
        collect(threads, &mut collector);
        let (_, histograms) = collector.measured();
        assert_eq!(histograms.response.len(), 1_100);
        assert!(histograms.response.value_at_quantile(0.99) >= 99_000_000);
        assert!(histograms.response.value_at_quantile(0.50) <= 1_001_000);
    }

    #[test]
    fn warm_up_samples_stay_out_of_the_measured_window_however_late_they_complete() {
        let (mut collector, mut threads) = recorders(1);
        let now_ns = TIMELINE.measure_ns + 1;
        threads[0].roll(now_ns);
        threads[0].record_response(TIMELINE.measure_ns - 1, now_ns, now_ns, 1);
        threads[0].record_response(TIMELINE.measure_ns, now_ns, now_ns, 1);
        collect(threads, &mut collector);
        assert_eq!(collector.measured().1.response.len(), 1);
    }

    #[test]
    fn the_drain_adds_its_latencies_but_does_not_lift_the_rate() {
        let (mut collector, mut threads) = recorders(1);
        let late_ns = TIMELINE.end_ns + 5 * SECOND_NS;
        threads[0].roll(late_ns);
        assert!(threads[0].counts(late_ns).is_none());
        threads[0].record_response(TIMELINE.end_ns - 1, late_ns, late_ns, 3);
        collect(threads, &mut collector);
        assert_eq!(collector.measured().1.response.len(), 3);
        assert_eq!(collector.rows().last().map(|row| row.second), Some(2));
    }

    #[test]
    fn seconds_know_how_much_of_them_the_run_covers() {
        assert_eq!(TIMELINE.second(SECOND_NS), -1);
        assert_eq!(TIMELINE.second(4 * SECOND_NS), 2);
        assert!((TIMELINE.covered_secs(2) - 0.5).abs() < 1e-9);
        assert!((TIMELINE.covered_secs(-1) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn memory_of_a_second_is_used_again() {
        let (mut collector, mut threads) = recorders(1);
        threads[0].roll(TIMELINE.measure_ns);
        collector.collect(Duration::from_millis(1));
        threads[0].roll(TIMELINE.measure_ns + SECOND_NS);
        assert!(threads[0].recycled.try_recv().is_err(), "the handed-back second is in use");
        assert_eq!(threads[0].current.index, 1);
    }
}
