//! The seconds of all threads become one result.
//!
//! Each thread hands over its histograms once a second; they are merged here (percentiles are never averaged) and their
//! memory is given back, so that a run of a day takes no more than a run of a minute.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::recorder::{Counts, Histograms, Outlet, Second};
use crate::result::Latency;

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

/// One second of the whole crew, as it goes on to where several crews are merged.
#[derive(Debug)]
pub struct Merged {
    /// As in [`Row`].
    pub second: i64,
    /// Counts of all threads.
    pub counts: Counts,
    /// Samples of all threads.
    pub histograms: Histograms,
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
    onward: Option<Sender<Merged>>,
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
            onward: None,
        };
        (collector, outlets)
    }

    /// From now on seconds that all threads have passed go to the receiver and are forgotten here.
    pub fn hand_on(&mut self) -> Receiver<Merged> {
        let (onward, receiver) = channel();
        self.onward = Some(onward);
        receiver
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
            if let Some(onward) = &self.onward {
                // Who does not listen any more has what it wanted.
                let _ = onward.send(Merged { second, counts, histograms });
                continue;
            }
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
    use crate::recorder::Recorder;
    use crate::timeline::{SECOND_NS, Timeline};

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
}
