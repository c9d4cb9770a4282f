//! What one answer delivered, on its way into the recorder.

use crate::recorder::Recorder;

/// What one answer delivered.
pub(crate) struct Delivery<'r> {
    now_ns: u64,
    recorder: &'r mut Recorder,
    run: (u64, u64),
    records: u64,
    bytes: u64,
    batches: u64,
    batch_bytes: u64,
    batch_first_ns: Option<u64>,
}

impl<'r> Delivery<'r> {
    pub(crate) fn new(now_ns: u64, recorder: &'r mut Recorder) -> Self {
        Self { now_ns, recorder, run: (0, 0), records: 0, bytes: 0, batches: 0, batch_bytes: 0, batch_first_ns: None }
    }

    pub(crate) fn begin_batch(&mut self, bytes: usize) {
        self.batches += 1;
        self.batch_bytes += bytes as u64;
        self.batch_first_ns = None;
    }

    /// One record; those of one intended time go into the histogram together.
    pub(crate) fn note(&mut self, intended_ns: u64, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.batch_first_ns.get_or_insert(intended_ns);
        if self.run.0 == intended_ns {
            self.run.1 += 1;
        } else {
            self.flush_run();
            self.run = (intended_ns, 1);
        }
    }

    /// Records so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    pub(crate) fn end_batch(&mut self) {
        if let Some(intended_ns) = self.batch_first_ns {
            self.recorder.record_end_to_end_batch(intended_ns);
        }
    }

    fn flush_run(&mut self) {
        if self.run.1 > 0 {
            self.recorder.record_end_to_end(self.run.0, self.now_ns, self.run.1);
        }
    }

    pub(crate) fn finish(mut self) {
        self.flush_run();
        if let Some(counts) = self.recorder.counts(self.now_ns) {
            counts.fetch_requests += 1;
            counts.consumed_records += self.records;
            counts.consumed_bytes += self.bytes;
            counts.consumed_batches += self.batches;
            counts.consumed_batch_bytes += self.batch_bytes;
        }
    }
}
