//! What a thread measures, second by second, without locks. The collector has the other end.

use std::sync::mpsc::{Receiver, Sender};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::timeline::{SECOND_NS, Timeline};

/// Latencies saturate here; a request is given up long before.
const LATENCY_NS_MAX: u64 = 600 * SECOND_NS;

/// Things counted in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records acknowledged without error.
    pub acked_records: u64,
    /// Their keys and values.
    pub acked_payload_bytes: u64,
    /// Batches acknowledged without error.
    pub acked_batches: u64,
    /// Size of these batches on the wire.
    pub acked_batch_bytes: u64,
    /// Their size before compression.
    pub acked_uncompressed_bytes: u64,
    /// Of these, records whose transaction was aborted: nobody who reads what is committed waits for them.
    #[serde(default)]
    pub aborted_records: u64,
    /// Records whose batch came back with an error.
    pub failed_records: u64,
    /// Their keys and values.
    pub failed_payload_bytes: u64,
    /// Produce requests answered.
    pub produce_requests: u64,
    /// Time that these requests were unanswered, added up: over the time that passed, the mean number in flight.
    pub produce_in_flight_ns: u64,
    /// Batches among the samples of the produce histograms.
    pub response_batches: u64,
    /// Records read.
    pub consumed_records: u64,
    /// Their keys and values.
    pub consumed_bytes: u64,
    /// Batches read.
    pub consumed_batches: u64,
    /// Size of these batches on the wire.
    pub consumed_batch_bytes: u64,
    /// Fetch requests answered.
    pub fetch_requests: u64,
    /// Batches among the samples of the end-to-end histogram.
    pub end_to_end_batches: u64,
    /// Records that seem to have come before they were due, since the clocks of two hosts differ; they are in the histogram as 0.
    pub end_to_end_negative_records: u64,
}

impl Counts {
    /// Adds another thread's or second's counts.
    pub fn add(&mut self, other: &Self) {
        self.acked_records += other.acked_records;
        self.acked_payload_bytes += other.acked_payload_bytes;
        self.acked_uncompressed_bytes += other.acked_uncompressed_bytes;
        self.failed_payload_bytes += other.failed_payload_bytes;
        self.acked_batches += other.acked_batches;
        self.acked_batch_bytes += other.acked_batch_bytes;
        self.failed_records += other.failed_records;
        self.aborted_records += other.aborted_records;
        self.produce_requests += other.produce_requests;
        self.produce_in_flight_ns += other.produce_in_flight_ns;
        self.response_batches += other.response_batches;
        self.consumed_records += other.consumed_records;
        self.consumed_bytes += other.consumed_bytes;
        self.consumed_batches += other.consumed_batches;
        self.consumed_batch_bytes += other.consumed_batch_bytes;
        self.fetch_requests += other.fetch_requests;
        self.end_to_end_batches += other.end_to_end_batches;
        self.end_to_end_negative_records += other.end_to_end_negative_records;
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
    /// No samples.
    pub fn empty() -> Self {
        let empty = || Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds are valid");
        Self { response: empty(), service: empty(), lag: empty(), end_to_end: empty() }
    }

    /// Adds another thread's or second's samples.
    pub fn add(&mut self, other: &Self) {
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

    /// Forgets the samples and keeps the memory.
    pub fn reset(&mut self) {
        for histogram in [&mut self.response, &mut self.service, &mut self.lag, &mut self.end_to_end] {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }
}

/// One thread's second.
#[derive(Debug)]
pub(crate) struct Second {
    pub(crate) thread: usize,
    pub(crate) index: i64,
    pub(crate) counts: Counts,
    pub(crate) histograms: Histograms,
}

impl Second {
    pub(crate) fn empty(thread: usize, index: i64) -> Box<Self> {
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
        // A clock that follows another host's goes back by microseconds when it is corrected; a second that is over stays over.
        if index <= self.current.index {
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
            self.current.counts.end_to_end_negative_records += if intended_ns > now_ns { records } else { 0 };
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
    pub(crate) thread: usize,
    pub(crate) full: Sender<Box<Second>>,
    pub(crate) recycled: Receiver<Box<Second>>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::collector::Collector;

    #[test]
    fn a_delivery_before_its_time_is_counted_and_not_dropped() {
        let timeline = Timeline { start_ns: 0, measure_ns: 0, end_ns: 5 * SECOND_NS };
        let (mut collector, mut outlets) = Collector::new(1);
        let mut recorder = Recorder::new(timeline, outlets.remove(0));
        recorder.record_end_to_end(2_000, 1_999, 3);
        recorder.record_end_to_end(2_000, 2_000, 4);
        recorder.finish();
        while collector.collect(Duration::from_millis(1)) {}
        let (counts, histograms) = collector.measured();
        assert_eq!((counts.end_to_end_negative_records, histograms.end_to_end.len()), (3, 7));
    }

    #[test]
    fn a_second_that_is_over_stays_over_when_the_clock_is_set_back() {
        let timeline = Timeline { start_ns: 0, measure_ns: 0, end_ns: 5 * SECOND_NS };
        let (_collector, mut outlets) = Collector::new(1);
        let mut recorder = Recorder::new(timeline, outlets.remove(0));
        recorder.roll(SECOND_NS);
        recorder.roll(SECOND_NS - 1);
        assert_eq!(recorder.current.index, 1);
    }

    #[test]
    fn memory_of_a_second_is_used_again() {
        let timeline = Timeline { start_ns: 0, measure_ns: SECOND_NS, end_ns: 5 * SECOND_NS };
        let (mut collector, mut outlets) = Collector::new(1);
        let mut recorder = Recorder::new(timeline, outlets.remove(0));
        recorder.roll(timeline.measure_ns);
        collector.collect(Duration::from_millis(1));
        recorder.roll(timeline.measure_ns + SECOND_NS);
        assert!(recorder.recycled.try_recv().is_err(), "the handed-back second is in use");
        assert_eq!(recorder.current.index, 1);
    }
}
