//! The figures of the measured window.

use std::collections::BTreeMap;

use crate::assemble::{groups, transactions};
use crate::collector::{Collector, Row};
use crate::evidence::Evidence;
use crate::producer::ProducerReport;
use crate::recorder::{Counts, Histograms};
use crate::result::{
    Backlog, BatchShape, Compression, Latency, Rate, Resources, StreamLatency, StreamSummary, Summary,
    encode_histogram, histogram_name,
};
use crate::timeline::Timeline;
use crate::workload::Mode;

/// The measured window of a run that came so far.
pub(super) struct Window<'e> {
    pub(super) timeline: Timeline,
    secs: f64,
    to_ns: u64,
    pub(super) collector: &'e Collector,
    counts: &'e Counts,
    histograms: &'e Histograms,
}

impl<'e> Window<'e> {
    /// Absent when the run never came to its measured window.
    pub(super) fn of(evidence: &'e Evidence) -> Option<Self> {
        let (timeline, collector) = (evidence.timeline?, evidence.collector.as_ref()?);
        let (counts, histograms) = collector.measured();
        // A topic that was read to its end before the time was over stopped the clock there.
        let ends = [Some(timeline.end_ns), evidence.consumed_all_ns, evidence.stopped_ns];
        let to_ns = ends.into_iter().flatten().min().filter(|&to_ns| to_ns > timeline.measure_ns)?;
        let secs = (to_ns - timeline.measure_ns) as f64 / 1e9;
        Some(Self { timeline, secs, to_ns, collector, counts, histograms })
    }

    /// Rates and latencies.
    pub(super) fn summary(&self, evidence: &Evidence) -> Summary {
        let workload = &evidence.workload;
        Summary {
            measured_secs: self.secs,
            produce: (workload.mode != Mode::Consume).then(|| self.produced(evidence)),
            consume: (workload.consumers > 0).then(|| self.consumed(evidence)),
            backlog: self.backlog(evidence),
            groups: groups::summary(evidence),
            transactions: transactions::summary(evidence),
            drain_secs: evidence.drain.map(|drain| drain.as_secs_f64()),
        }
    }

    fn produced(&self, evidence: &Evidence) -> StreamSummary {
        let (counts, histograms) = (self.counts, self.histograms);
        let rate = |records: u64, bytes: u64| Rate::over(records, bytes, self.secs);
        let offered: u64 = evidence.reports.producers.values().map(|report| report.offered_records).sum();
        let offered_bytes = (offered as f64 * evidence.workload.records.payload_bytes_mean()) as u64;
        let is_compressed = evidence.workload.records.compression != Compression::None;
        let samples = Some(counts.response_batches);
        StreamSummary {
            offered: (!evidence.workload.is_closed_loop()).then(|| rate(offered, offered_bytes)),
            achieved: rate(
                counts.acked_records + counts.failed_records,
                counts.acked_payload_bytes + counts.failed_payload_bytes,
            ),
            goodput: rate(counts.acked_records, counts.acked_payload_bytes),
            records: counts.acked_records,
            bytes: counts.acked_payload_bytes,
            errors: errors(evidence),
            retries: evidence.reports.producers.values().map(ProducerReport::retries).sum(),
            timeouts: evidence.reports.producers.values().map(|report| report.timeouts).sum(),
            end_to_end_negative_records: 0,
            batch: Some(BatchShape {
                batches: counts.acked_batches,
                requests: counts.produce_requests,
                records_per_batch_mean: ratio(counts.acked_records, counts.acked_batches),
                batch_bytes_mean: ratio(counts.acked_batch_bytes, counts.acked_batches),
                compression_ratio: is_compressed
                    .then(|| ratio(counts.acked_uncompressed_bytes, counts.acked_batch_bytes)),
                requests_per_s: counts.produce_requests as f64 / self.secs,
                inflight_requests_mean: Some(counts.produce_in_flight_ns as f64 / 1e9 / self.secs),
            }),
            latency: StreamLatency {
                response: Some(Latency::from_histogram(&histograms.response, samples)),
                service: Some(Latency::from_histogram(&histograms.service, samples)),
                lag: Some(Latency::from_histogram(&histograms.lag, samples)),
                end_to_end: None,
            },
        }
    }

    fn consumed(&self, evidence: &Evidence) -> StreamSummary {
        let counts = self.counts;
        let rate = Rate::over(counts.consumed_records, counts.consumed_bytes, self.secs);
        let end_to_end = Latency::from_histogram(&self.histograms.end_to_end, Some(counts.end_to_end_batches));
        StreamSummary {
            achieved: rate,
            goodput: rate,
            records: counts.consumed_records,
            bytes: counts.consumed_bytes,
            end_to_end_negative_records: counts.end_to_end_negative_records,
            batch: Some(BatchShape {
                batches: counts.consumed_batches,
                requests: counts.fetch_requests,
                records_per_batch_mean: ratio(counts.consumed_records, counts.consumed_batches),
                batch_bytes_mean: ratio(counts.consumed_batch_bytes, counts.consumed_batches),
                requests_per_s: counts.fetch_requests as f64 / self.secs,
                compression_ratio: None,
                inflight_requests_mean: None,
            }),
            // The records of a filled topic were due long before anybody read them.
            latency: StreamLatency {
                end_to_end: matches!(evidence.workload.mode, Mode::Both | Mode::Drain).then_some(end_to_end),
                ..StreamLatency::default()
            },
            ..StreamSummary::default()
        }
    }

    /// How the backlog went down; the readers caught up in the first second that ended with less than a second's offer unread.
    fn backlog(&self, evidence: &Evidence) -> Option<Backlog> {
        let workload = &evidence.workload;
        let groups = u64::from(workload.groups);
        let mut unread = evidence.backlog_records * groups;
        if unread == 0 {
            return None;
        }
        let (mut consumed, mut drained_secs) = (0, None);
        for row in self.rows() {
            unread += row.counts.acked_records * groups;
            consumed += row.counts.consumed_records;
            if unread <= consumed + workload.arrivals.records_per_s as u64 {
                drained_secs = Some((row.second + 1) as f64);
                break;
            }
        }
        if workload.mode == Mode::Consume {
            drained_secs = evidence.consumed_all_ns.map(|_| self.secs);
        }
        let records = evidence.backlog_records;
        let read_secs = drained_secs.unwrap_or(self.secs);
        let value_bytes = workload.payload_bytes();
        Some(Backlog {
            records,
            bytes: records * value_bytes,
            drained_secs,
            read: Rate::over(consumed, consumed * value_bytes, read_secs),
        })
    }

    /// What the processes used.
    pub(super) fn resources(&self, evidence: &Evidence, summary: &Summary) -> Resources {
        let stream = summary.produce.as_ref().or(summary.consume.as_ref());
        let bytes = stream.map_or(0, |stream| stream.bytes);
        let usage = evidence.usage.as_ref();
        usage.map(|usage| usage.between(self.timeline.measure_ns, self.to_ns, bytes)).unwrap_or_default()
    }

    /// The merged histograms, those with samples.
    pub(super) fn encoded_histograms(&self, evidence: &Evidence) -> BTreeMap<String, String> {
        let histograms = self.histograms;
        let (commits, transactions) = (groups::commits(evidence), transactions::commits(evidence));
        let named = [
            (histogram_name::PRODUCE_RESPONSE, &histograms.response),
            (histogram_name::PRODUCE_SERVICE, &histograms.service),
            (histogram_name::PRODUCE_LAG, &histograms.lag),
            (histogram_name::CONSUME_END_TO_END, &histograms.end_to_end),
            (histogram_name::GROUP_COMMIT, &commits),
            (histogram_name::TRANSACTION_COMMIT, &transactions),
        ];
        let filled = named.into_iter().filter(|(_, histogram)| !histogram.is_empty());
        filled.filter_map(|(name, histogram)| Some((name.to_owned(), encode_histogram(histogram).ok()?))).collect()
    }

    /// Whole rows of the measured window.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'e Row> {
        self.collector.rows().iter().filter(|row| row.second >= 0)
    }
}

fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

fn errors(evidence: &Evidence) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (failure, records) in evidence.reports.producers.values().flat_map(|report| &report.errors) {
        *errors.entry(failure.to_string()).or_default() += records;
    }
    errors
}
