//! One Produce request, built where it is sent from: batches are encoded behind each other in the frame itself, or, in
//! raw mode, wait behind it in pieces of their own.
//!
//! Versions up to 8 have plain lengths and counts, which can be written before they are known and patched after.

mod raw;

use std::sync::Arc;

use protocol::Message;
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::header::RequestHeader;
use protocol::messages::produce::{ProduceRequest, TopicProduceData};
use protocol::reader::Reader;
use protocol::record_batch::{BatchBuilder, HEADER_BYTES, ProducerFields};

use crate::client::CLIENT_ID;
use crate::payload::{PayloadWriter, Stamp};
use crate::raw_batch::{BatchFacts, BatchLayout, PARTITION_HEAD_BYTES, RawBatch};
use crate::record_size::records_that_fit;
use crate::result::Acks;
use crate::workload::REQUEST_BYTES_MAX;

/// The newest version with plain lengths.
pub const PRODUCE_VERSION_MAX: i16 = 8;

const CORRELATION_ID_AT: usize = 8;

/// Everything of a request that is the same in all of them.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    batch_bytes_max: usize,
    is_transactional: bool,
    /// Batches are encoded ahead like this.
    raw: Option<Arc<BatchLayout>>,
}

impl Template {
    /// Requests for one topic in `version`, which is at most [`PRODUCE_VERSION_MAX`].
    pub fn new(topic: &str, acks: Acks, timeout_ms: i32, version: i16, batch_bytes_max: usize) -> Self {
        assert!(version <= PRODUCE_VERSION_MAX, "newer versions have lengths of variable size");
        let acks = match acks {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        };
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms,
            topic_data: vec![TopicProduceData { name: topic, partition_data: Vec::new() }],
        };
        Self { bytes: Self::encode(&request, version), batch_bytes_max, is_transactional: false, raw: None }
    }

    fn encode(request: &ProduceRequest<'_>, version: i16) -> Vec<u8> {
        let header = RequestHeader {
            api_key: ApiKey::Produce as i16,
            api_version: version,
            correlation_id: 0,
            client_id: Some(CLIENT_ID),
        };
        let bytes = frame::encode_request(&header, request).concat();
        assert!(bytes.ends_with(&[0; 4]), "the count of partitions comes last");
        bytes
    }

    /// The same in transactions of this id.
    #[must_use]
    pub fn in_transactions(self, transactional_id: &str, version: i16) -> Self {
        let mut reader = Reader::new(&self.bytes[4..]);
        let decoded = RequestHeader::decode(&mut reader)
            .and_then(|_| ProduceRequest::decode(&mut reader, version))
            .expect("it was encoded here");
        let request = ProduceRequest { transactional_id: Some(transactional_id), ..decoded };
        Self { bytes: Self::encode(&request, version), is_transactional: true, ..self }
    }

    /// The same for batches that are encoded ahead.
    #[must_use]
    pub fn with_raw_batches(self, layout: Arc<BatchLayout>) -> Self {
        Self { raw: Some(layout), ..self }
    }

    /// How batches are encoded ahead, if they are.
    pub fn raw(&self) -> Option<&Arc<BatchLayout>> {
        self.raw.as_ref()
    }
}

/// A batch inside a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSpan {
    /// Where it goes.
    pub partition: u32,
    /// Number of its first record within (producer, partition).
    pub first_sequence: u64,
    /// Its records.
    pub records: u32,
    /// Its size on the wire.
    pub bytes: u32,
    /// Its size before compression.
    pub uncompressed_bytes: u32,
    /// Keys and values in it.
    pub payload_bytes: u64,
    /// Its entries in the request's intended times.
    intended_runs: u32,
}

/// A batch that was built elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct PreparedBatch<'a> {
    /// Where it goes.
    pub partition: u32,
    /// Number of its first record within (producer, partition).
    pub first_sequence: u64,
    /// Its records.
    pub records: u32,
    /// As it goes on the wire.
    pub bytes: &'a [u8],
    /// Its size before compression.
    pub uncompressed_bytes: u32,
    /// Keys and values in it.
    pub payload_bytes: u64,
    /// Runs of its records that were due at the same time.
    pub intended: &'a [(u64, u32)],
}

/// A request under construction, then in flight, then empty again: its memory is used for the whole run.
#[derive(Debug, Default)]
pub struct Request {
    bytes: Vec<u8>,
    batches: Vec<BatchSpan>,
    /// Runs of records that were due at the same time.
    intended: Vec<(u64, u32)>,
    open: Option<OpenBatch>,
    /// Batches that were encoded ahead; the first `raw_used` follow `bytes` on the wire.
    raw: Vec<RawBatch>,
    raw_used: usize,
    raw_bytes: usize,
    partitions_at: usize,
    has_full_batch: bool,
    is_transactional: bool,
    /// Comes back in the answer.
    pub correlation_id: i32,
    /// When its first byte went to the socket, the last time that it was sent; 0 before.
    pub sent_ns: u64,
    /// How often it was sent again.
    pub retries: u32,
}

#[derive(Debug)]
struct OpenBatch {
    body: Body,
    partition: u32,
    first_sequence: u64,
    timestamp_ms: i64,
    head_at: usize,
    first_run: usize,
    payload_bytes: u64,
}

/// The records of the open batch.
#[derive(Debug)]
enum Body {
    /// Encoded one by one.
    Built(BatchBuilder),
    /// Encoded ahead, to be stamped all at once when it is known how many there are.
    Ahead { facts: BatchFacts, records: usize },
}

impl Request {
    /// Starts over in the same memory.
    pub fn begin(&mut self, template: &Template) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&template.bytes);
        self.batches.clear();
        self.intended.clear();
        self.open = None;
        (self.raw_used, self.raw_bytes) = (0, 0);
        self.partitions_at = template.bytes.len() - 4;
        self.has_full_batch = false;
        self.is_transactional = template.is_transactional;
        self.sent_ns = 0;
        self.retries = 0;
    }

    /// Whether another batch may go in: one for each partition, and not beyond the request's size unless it is alone.
    pub fn takes_batch(&self, partition: u32, template: &Template) -> bool {
        assert!(self.open.is_none(), "one batch is open at a time");
        let bytes = self.wire_bytes() + PARTITION_HEAD_BYTES + template.batch_bytes_max;
        self.batches.is_empty()
            || (bytes <= REQUEST_BYTES_MAX && !self.batches.iter().any(|batch| batch.partition == partition))
    }

    /// Opens a batch; its records carry `timestamp_ms`.
    pub fn open_batch(&mut self, partition: u32, first_sequence: u64, timestamp_ms: i64, producer: Option<(i64, i16)>) {
        let head_at = self.bytes.len();
        self.bytes.extend_from_slice(&partition.to_be_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        let fields = producer_fields(producer, first_sequence);
        let mut builder = BatchBuilder::new(std::mem::take(&mut self.bytes), timestamp_ms, fields);
        if self.is_transactional {
            builder.mark_transactional();
        }
        let body = Body::Built(builder);
        let first_run = self.intended.len();
        self.open =
            Some(OpenBatch { body, partition, first_sequence, timestamp_ms, head_at, first_run, payload_bytes: 0 });
    }

    /// The partition of the batch that is open.
    pub fn open_partition(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.partition)
    }

    /// How many more values of `value_bytes` the open batch surely takes; at least one while it is empty.
    pub fn room(&self, value_bytes: usize, template: &Template) -> usize {
        match self.open.as_ref().map(|open| &open.body) {
            Some(Body::Built(builder)) => {
                let left = template.batch_bytes_max.saturating_sub(builder.batch_bytes());
                let records = records_that_fit(left, builder.record_count() as usize, value_bytes);
                records.max(usize::from(builder.batch_bytes() == HEADER_BYTES))
            }
            Some(Body::Ahead { records, .. }) => {
                let layout = template.raw.as_ref().expect("the template has the layout of its batches");
                layout.records_max() - records
            }
            None => 0,
        }
    }

    /// Appends a record to the open batch.
    pub fn append(&mut self, value: &[u8], intended_ns: u64) {
        let open = self.open.as_mut().expect("a batch is open");
        let Body::Built(builder) = &mut open.body else { panic!("a batch encoded ahead has values of its own") };
        builder.append_payload(open.timestamp_ms, None, value);
        open.payload_bytes += value.len() as u64;
        self.note_intended(intended_ns, 1);
    }

    /// Appends `count` records that are due at the same time to the open batch, numbered from `first` on.
    pub fn append_run(&mut self, first: Stamp, count: u32, payload: &mut PayloadWriter) {
        let open = self.open.as_mut().expect("a batch is open");
        open.payload_bytes += u64::from(count) * payload.value_bytes() as u64;
        match &mut open.body {
            Body::Built(builder) => {
                for sequence in first.sequence..first.sequence + u64::from(count) {
                    builder.append_payload(open.timestamp_ms, None, payload.value(&Stamp { sequence, ..first }));
                }
            }
            Body::Ahead { records, .. } => *records += count as usize,
        }
        self.note_intended(first.intended_ns, count);
    }

    /// Closes the open batch, if there is one; `full` makes the request worth sending at once.
    pub fn close_batch(&mut self, full: bool) {
        let Some(open) = self.open.take() else { return };
        let runs = &self.intended[open.first_run..];
        let (records, bytes) = match open.body {
            Body::Built(builder) => {
                let (records, bytes) = (builder.record_count() as usize, builder.batch_bytes());
                self.bytes = builder.finish();
                let length = (bytes as i32).to_be_bytes();
                self.bytes[open.head_at + 4..open.head_at + PARTITION_HEAD_BYTES].copy_from_slice(&length);
                (records, bytes)
            }
            Body::Ahead { facts, records } => {
                let batch = &mut self.raw[self.raw_used];
                batch.encode(&facts, runs);
                self.raw_used += 1;
                self.raw_bytes += batch.bytes().len();
                (records, batch.bytes().len() - PARTITION_HEAD_BYTES)
            }
        };
        self.has_full_batch |= full;
        self.batches.push(BatchSpan {
            partition: open.partition,
            first_sequence: open.first_sequence,
            records: records as u32,
            bytes: bytes as u32,
            uncompressed_bytes: bytes as u32,
            payload_bytes: open.payload_bytes,
            intended_runs: runs.len() as u32,
        });
    }

    /// Whether a batch of about `bytes` may go in; one alone always does.
    pub fn has_space_for(&self, bytes: usize) -> bool {
        self.batches.is_empty() || self.bytes.len() + PARTITION_HEAD_BYTES + bytes <= REQUEST_BYTES_MAX
    }

    /// Appends a whole batch of a partition that has none in this request yet.
    pub fn push_batch(&mut self, batch: &PreparedBatch<'_>) {
        assert!(self.open.is_none(), "no batch is built here at the same time");
        self.bytes.extend_from_slice(&batch.partition.to_be_bytes());
        self.bytes.extend_from_slice(&(batch.bytes.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(batch.bytes);
        self.intended.extend_from_slice(batch.intended);
        self.batches.push(BatchSpan {
            partition: batch.partition,
            first_sequence: batch.first_sequence,
            records: batch.records,
            bytes: batch.bytes.len() as u32,
            uncompressed_bytes: batch.uncompressed_bytes,
            payload_bytes: batch.payload_bytes,
            intended_runs: batch.intended.len() as u32,
        });
    }

    /// Fills in what was not known at the start.
    pub fn finish(&mut self, correlation_id: i32) {
        assert!(self.open.is_none() && !self.batches.is_empty(), "a request holds closed batches");
        self.correlation_id = correlation_id;
        self.bytes[CORRELATION_ID_AT..CORRELATION_ID_AT + 4].copy_from_slice(&correlation_id.to_be_bytes());
        let count = (self.batches.len() as i32).to_be_bytes();
        self.bytes[self.partitions_at..self.partitions_at + 4].copy_from_slice(&count);
        let length = ((self.wire_bytes() - 4) as i32).to_be_bytes();
        self.bytes[..4].copy_from_slice(&length);
    }

    /// When the oldest record in it was due; `None` while it is empty.
    pub fn first_intended_ns(&self) -> Option<u64> {
        self.intended.first().map(|run| run.0)
    }

    /// Whether one of its batches can take no more.
    pub fn has_full_batch(&self) -> bool {
        self.has_full_batch
    }

    /// The frame in its pieces, once finished.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.bytes.as_slice()).chain(self.raw[..self.raw_used].iter().map(RawBatch::bytes))
    }

    /// Size of the frame.
    pub fn wire_bytes(&self) -> usize {
        self.bytes.len() + self.raw_bytes
    }

    /// The batches with the runs of records that were due at the same time.
    pub fn batches(&self) -> impl Iterator<Item = (&BatchSpan, &[(u64, u32)])> {
        let mut rest = self.intended.as_slice();
        self.batches.iter().map(move |batch| {
            let (runs, after) = rest.split_at(batch.intended_runs as usize);
            rest = after;
            (batch, runs)
        })
    }

    fn note_intended(&mut self, intended_ns: u64, count: u32) {
        let first_run = self.open.as_ref().map_or(0, |open| open.first_run);
        match self.intended[first_run..].last_mut() {
            Some(run) if run.0 == intended_ns => run.1 += count,
            _ => self.intended.push((intended_ns, count)),
        }
    }
}

fn producer_fields(producer: Option<(i64, i16)>, first_sequence: u64) -> ProducerFields {
    producer.map_or(ProducerFields::NONE, |(producer_id, producer_epoch)| ProducerFields {
        producer_id,
        producer_epoch,
        // Kafka's sequence numbers wrap from the largest i32 to 0.
        base_sequence: (first_sequence & i32::MAX as u64) as i32,
    })
}

#[cfg(test)]
mod tests;
