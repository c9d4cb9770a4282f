//! Batches of many partitions at once, as the Java client's accumulator keeps them: each record goes to the last batch of its partition,
//! a full batch waits in line for its leader, and a request takes the oldest batch of every partition of one leader.

use std::collections::VecDeque;

use protocol::record_batch::{BatchBuilder, HEADER_BYTES, ProducerFields};

use super::codec::Codec;
use crate::record_size::record_bytes;
use crate::request::{PreparedBatch, Request};
use crate::workload::UNCOMPRESSED_BATCH_BYTES_MAX;

/// Everything of a batch that is the same in all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    /// Kafka's `batch.size`.
    pub(super) batch_bytes: usize,
    /// Share of Kafka's `buffer.memory`: what waits beyond stays on the schedule.
    pub(super) buffer_bytes: usize,
    /// Kafka's `linger.ms`.
    pub(super) linger_ns: u64,
    /// Batches belong to transactions.
    pub(super) is_transactional: bool,
}

/// One record on its way into a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) partition: u32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    pub(super) intended_ns: u64,
    /// Its number within (producer, partition).
    pub(super) sequence: u64,
    /// Timestamp of the batch, should it be the first one in it.
    pub(super) timestamp_ms: i64,
}

/// Batches that wait for their leaders.
#[derive(Debug)]
pub(super) struct Accumulator {
    limits: BatchLimits,
    identity: Option<(i64, i16)>,
    codec: Codec,
    /// By partition; only the last batch of a line may be open.
    lines: Vec<VecDeque<Batch>>,
    leaders: Vec<Leader>,
    /// Index of its leader, by partition.
    led_by: Vec<usize>,
    bytes: usize,
    batches_begun: u64,
    requests_begun: u64,
    /// The request that last took a batch, by partition.
    taken_by: Vec<u64>,
    spare: Vec<Spare>,
}

/// Memory of a batch that has left: its buffer and its intended times.
type Spare = (Vec<u8>, Vec<(u64, u32)>);

/// What waits for one leader.
#[derive(Debug, Default)]
struct Leader {
    /// Batches in the order in which they were begun, which is the order in which their linger ends.
    waiting: VecDeque<Ticket>,
    full_batches: usize,
    /// Size of the fullest open batch.
    fullest_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    partition: u32,
    intended_ns: u64,
}

#[derive(Debug)]
struct Batch {
    builder: BatchBuilder,
    number: u64,
    first_sequence: u64,
    timestamp_ms: i64,
    intended: Vec<(u64, u32)>,
    payload_bytes: u64,
    is_full: bool,
}

impl Accumulator {
    /// For partitions with these leaders, of which there are `brokers`.
    pub(super) fn new(
        limits: BatchLimits,
        codec: Codec,
        identity: Option<(i64, i16)>,
        led_by: Vec<usize>,
        brokers: usize,
    ) -> Self {
        Self {
            limits,
            identity,
            codec,
            lines: led_by.iter().map(|_| VecDeque::new()).collect(),
            leaders: (0..brokers).map(|_| Leader::default()).collect(),
            bytes: 0,
            batches_begun: 0,
            requests_begun: 0,
            taken_by: vec![0; led_by.len()],
            led_by,
            spare: Vec::new(),
        }
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// No more may wait: the producer stands still until something has left.
    pub(super) fn is_used_up(&self) -> bool {
        self.bytes >= self.limits.buffer_bytes
    }

    /// Closes the last batch of a partition when a record of this size does not fit any more; true when it did.
    pub(super) fn close_if_full(&mut self, partition: u32, key_bytes: Option<usize>, value_bytes: usize) -> bool {
        let capacity = self.capacity();
        let line = &mut self.lines[partition as usize];
        let Some(open) = line.back_mut().filter(|batch| !batch.is_full) else { return false };
        let record = record_bytes(open.builder.record_count() as usize, key_bytes, value_bytes);
        if open.builder.batch_bytes() + record <= capacity {
            return false;
        }
        open.is_full = true;
        self.leaders[self.led_by[partition as usize]].full_batches += 1;
        true
    }

    /// Appends a record to the last batch of its partition, which [`Self::close_if_full`] has looked at, or to a new one.
    pub(super) fn append(&mut self, draft: &Draft<'_>) {
        if self.lines[draft.partition as usize].back().is_none_or(|batch| batch.is_full) {
            self.open(draft);
        }
        let line = &mut self.lines[draft.partition as usize];
        let batch = line.back_mut().expect("it was opened above");
        let before = batch.builder.batch_bytes();
        batch.append(draft);
        let after = batch.builder.batch_bytes();
        self.bytes += after - before;
        let leader = &mut self.leaders[self.led_by[draft.partition as usize]];
        leader.fullest_bytes = leader.fullest_bytes.max(after);
    }

    /// Whether the leader has a batch that need not wait any longer; with `hurry`, any batch.
    pub(super) fn is_ready(&self, leader: usize, now_ns: u64, hurry: bool) -> bool {
        let waits = !self.leaders[leader].waiting.is_empty();
        self.leaders[leader].full_batches > 0
            || waits && (hurry || self.is_used_up())
            || self.linger_end_ns(leader).is_some_and(|end_ns| end_ns <= now_ns)
    }

    /// When the oldest batch for the leader has waited long enough.
    pub(super) fn linger_end_ns(&self, leader: usize) -> Option<u64> {
        let oldest = self.leaders[leader].waiting.front()?;
        Some(oldest.intended_ns.saturating_add(self.limits.linger_ns))
    }

    /// How many of the largest records fill a batch for this leader at the earliest.
    pub(super) fn records_to_full(&self, leader: usize, key_bytes: Option<usize>, value_bytes_max: usize) -> usize {
        let capacity = self.capacity();
        let left = capacity.saturating_sub(self.leaders[leader].fullest_bytes.max(HEADER_BYTES));
        (left / record_bytes(0, key_bytes, value_bytes_max)).max(1)
    }

    /// Moves the oldest batch of each of the leader's partitions into the request, oldest first, as long as they fit. Calls `taken` with
    /// the partition of each.
    pub(super) fn drain(&mut self, leader: usize, request: &mut Request, mut taken: impl FnMut(u32)) {
        self.requests_begun += 1;
        let mut kept = Vec::new();
        while let Some(ticket) = self.leaders[leader].waiting.pop_front() {
            let partition = ticket.partition as usize;
            if self.taken_by[partition] == self.requests_begun {
                // A request has one batch of a partition.
                kept.push(ticket);
                continue;
            }
            let line = &mut self.lines[partition];
            let batch = line.front().expect("a ticket stands for a batch in line");
            assert_eq!(batch.number, ticket.number, "batches leave in the order in which they were begun");
            if !request.has_space_for(self.codec.estimate(batch.builder.batch_bytes())) {
                kept.push(ticket);
                break;
            }
            self.taken_by[partition] = self.requests_begun;
            if let Some(batch) = line.pop_front() {
                self.hand_over(leader, ticket.partition, batch, request);
                taken(ticket.partition);
            }
        }
        let leader = &mut self.leaders[leader];
        kept.into_iter().rev().for_each(|ticket| leader.waiting.push_front(ticket));
        leader.fullest_bytes = 0;
    }

    fn hand_over(&mut self, leader: usize, partition: u32, batch: Batch, request: &mut Request) {
        self.leaders[leader].full_batches -= usize::from(batch.is_full);
        let uncompressed_bytes = batch.builder.batch_bytes();
        self.bytes -= uncompressed_bytes;
        let records = batch.builder.record_count() as u32;
        let mut bytes = batch.builder.finish();
        self.codec.finish(&mut bytes);
        request.push_batch(&PreparedBatch {
            partition,
            first_sequence: batch.first_sequence,
            records,
            bytes: &bytes,
            uncompressed_bytes: uncompressed_bytes as u32,
            payload_bytes: batch.payload_bytes,
            intended: &batch.intended,
        });
        if self.spare.len() * self.limits.batch_bytes < self.limits.buffer_bytes {
            let mut intended = batch.intended;
            bytes.clear();
            intended.clear();
            self.spare.push((bytes, intended));
        }
    }

    fn open(&mut self, draft: &Draft<'_>) {
        self.batches_begun += 1;
        let (buffer, intended) = self.spare.pop().unwrap_or_default();
        let mut batch = Batch::begin(self.batches_begun, draft, buffer, intended, self.identity);
        if self.limits.is_transactional {
            batch.builder.mark_transactional();
        }
        self.bytes += batch.builder.batch_bytes();
        let ticket = Ticket { number: batch.number, partition: draft.partition, intended_ns: draft.intended_ns };
        self.leaders[self.led_by[draft.partition as usize]].waiting.push_back(ticket);
        self.lines[draft.partition as usize].push_back(batch);
    }

    /// Bytes of a batch before compression.
    fn capacity(&self) -> usize {
        self.codec.capacity(self.limits.batch_bytes).min(UNCOMPRESSED_BATCH_BYTES_MAX)
    }
}

impl Batch {
    fn begin(
        number: u64,
        draft: &Draft<'_>,
        buffer: Vec<u8>,
        intended: Vec<(u64, u32)>,
        identity: Option<(i64, i16)>,
    ) -> Self {
        let fields = identity.map_or(ProducerFields::NONE, |(producer_id, producer_epoch)| ProducerFields {
            producer_id,
            producer_epoch,
            // Kafka's sequence numbers wrap from the largest i32 to 0.
            base_sequence: (draft.sequence & i32::MAX as u64) as i32,
        });
        Self {
            builder: BatchBuilder::new(buffer, draft.timestamp_ms, fields),
            number,
            first_sequence: draft.sequence,
            timestamp_ms: draft.timestamp_ms,
            intended,
            payload_bytes: 0,
            is_full: false,
        }
    }

    fn append(&mut self, draft: &Draft<'_>) {
        self.builder.append_payload(self.timestamp_ms, draft.key, draft.value);
        self.payload_bytes += (draft.key.map_or(0, <[u8]>::len) + draft.value.len()) as u64;
        match self.intended.last_mut() {
            Some(run) if run.0 == draft.intended_ns => run.1 += 1,
            _ => self.intended.push((draft.intended_ns, 1)),
        }
    }
}
