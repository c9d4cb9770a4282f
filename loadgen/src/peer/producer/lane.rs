//! What one partition has not acknowledged yet, oldest first.

use std::collections::VecDeque;

use crate::integrity::AckLedger;
use crate::recorder::Recorder;

/// Records that are built and sent together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) partition: usize,
    pub(super) records: u32,
    /// As they go on the wire, until they are handed over.
    pub(super) bytes: Vec<u8>,
    pub(super) wire_bytes: u64,
    first_sequence: u64,
    payload_bytes: u64,
    first_intended_ns: u64,
    /// Runs of records that were due at the same time and are not acknowledged.
    runs: VecDeque<(u64, u32)>,
    acked: u32,
    /// When its first byte went to the socket; 0 before.
    sent_ns: u64,
}

/// The batches of a partition without their last acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Lane {
    batches: VecDeque<Batch>,
}

impl Batch {
    /// An empty one in this memory.
    pub(super) fn new(partition: usize, first_sequence: u64, bytes: Vec<u8>) -> Self {
        Self {
            partition,
            records: 0,
            bytes,
            wire_bytes: 0,
            first_sequence,
            payload_bytes: 0,
            first_intended_ns: 0,
            runs: VecDeque::new(),
            acked: 0,
            sent_ns: 0,
        }
    }

    pub(super) fn first_intended_ns(&self) -> u64 {
        self.first_intended_ns
    }

    pub(super) fn note_record(&mut self, intended_ns: u64, value_bytes: usize) {
        if self.records == 0 {
            self.first_intended_ns = intended_ns;
        }
        self.records += 1;
        self.payload_bytes += value_bytes as u64;
        match self.runs.back_mut() {
            Some(run) if run.0 == intended_ns => run.1 += 1,
            _ => self.runs.push_back((intended_ns, 1)),
        }
    }

    /// Books the next `count` records; whether these were the last.
    fn settle(&mut self, count: u32, now_ns: u64, ledger: &mut AckLedger, recorder: &mut Recorder) -> bool {
        let start = self.first_sequence + u64::from(self.acked);
        ledger.acked.push(start, start + u64::from(count));
        self.acked += count;
        let mut left = count;
        while let Some(run) = self.runs.front_mut().filter(|_| left > 0) {
            let records = run.1.min(left);
            recorder.record_response(run.0, self.sent_ns, now_ns, u64::from(records));
            run.1 -= records;
            left -= records;
            if run.1 == 0 {
                self.runs.pop_front();
            }
        }
        let value_bytes = self.payload_bytes / u64::from(self.records);
        let is_last = self.acked == self.records;
        if let Some(counts) = recorder.counts(now_ns) {
            counts.acked_records += u64::from(count);
            counts.acked_payload_bytes += u64::from(count) * value_bytes;
            if is_last {
                counts.acked_batches += 1;
                counts.acked_batch_bytes += self.wire_bytes;
                counts.acked_uncompressed_bytes += self.wire_bytes;
                counts.produce_requests += 1;
                counts.produce_in_flight_ns += now_ns.saturating_sub(self.sent_ns);
            }
        }
        if is_last {
            recorder.record_service(self.first_intended_ns, self.sent_ns, now_ns, u64::from(self.records));
        }
        is_last
    }
}

impl Lane {
    pub(super) fn push(&mut self, batch: Batch) {
        assert!(batch.records > 0, "nothing is never sent");
        self.batches.push_back(batch);
    }

    /// The kernel has taken the first bytes of the last batch.
    pub(super) fn note_written(&mut self, now_ns: u64) {
        if let Some(batch) = self.batches.back_mut().filter(|batch| batch.sent_ns == 0) {
            batch.sent_ns = now_ns;
        }
    }

    /// Books the oldest `count` records as acknowledged; how many batches that ends, or `None` when there are not so many sent.
    pub(super) fn settle(
        &mut self,
        count: u32,
        now_ns: u64,
        ledger: &mut AckLedger,
        recorder: &mut Recorder,
    ) -> Option<usize> {
        let (mut left, mut ended) = (count, 0);
        while left > 0 {
            let batch = self.batches.front_mut().filter(|batch| batch.sent_ns > 0)?;
            let records = left.min(batch.records - batch.acked);
            left -= records;
            if batch.settle(records, now_ns, ledger, recorder) {
                self.batches.pop_front();
                ended += 1;
            }
        }
        Some(ended)
    }

    pub(super) fn oldest_sent_ns(&self) -> Option<u64> {
        self.batches.front().map(|batch| batch.sent_ns).filter(|&sent_ns| sent_ns > 0)
    }

    /// Records that were sent and have no answer.
    pub(super) fn unsettled_records(&self) -> u64 {
        self.batches.iter().filter(|batch| batch.sent_ns > 0).map(|batch| u64::from(batch.records - batch.acked)).sum()
    }
}
