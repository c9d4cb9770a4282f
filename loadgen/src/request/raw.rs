//! Batches that were encoded ahead stand behind the frame's own bytes, each with its partition's head.

use std::sync::Arc;

use super::{Body, OpenBatch, Request, producer_fields};
use crate::payload::Stamp;
use crate::raw_batch::{BatchFacts, BatchLayout, RawBatch};

impl Request {
    /// Opens a batch that was encoded ahead, whose first record gets the stamp `first`.
    pub fn open_raw_batch(
        &mut self,
        layout: &Arc<BatchLayout>,
        first: Stamp,
        timestamp_ms: i64,
        producer: Option<(i64, i16)>,
    ) {
        if self.raw.len() == self.raw_used {
            self.raw.push(RawBatch::new(layout.clone()));
        }
        let facts = BatchFacts { first, timestamp_ms, producer: producer_fields(producer, first.sequence) };
        self.open = Some(OpenBatch {
            body: Body::Ahead { facts, records: 0 },
            partition: first.partition,
            first_sequence: first.sequence,
            timestamp_ms,
            head_at: self.bytes.len(),
            first_run: self.intended.len(),
            payload_bytes: 0,
        });
    }
}
