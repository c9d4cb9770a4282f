//! The way of records that are not all alike, or have keys, or are compressed: through an [`Accumulator`], batches of many
//! partitions open at once.

use std::sync::Arc;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::accumulator::{Accumulator, BatchLimits, Draft};
use super::codec::Codec;
use super::{Producer, ProducerSettings};
use crate::error::Error;
use crate::filler::FillerPool;
use crate::keys::KeySource;
use crate::partitioner::partition_of;
use crate::payload::{STAMP_BYTES, Stamp};
use crate::recorder::Recorder;
use crate::result::Acks;
use crate::sizes::SizeMixture;
use crate::workload::Workload;

/// Kafka's `buffer.memory`.
const BUFFER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// All producers of a run together; with more than sixteen, each has less than Kafka's default.
const BUFFERS_BYTES_MAX: usize = 16 * BUFFER_BYTES_MAX;

/// Requests sent in one turn: the thread's other clients, its clock and its orders wait that long.
const REQUESTS_A_TURN_MAX: usize = 64;

/// In a closed loop the clock is looked at once in so many records.
const RECORDS_A_CLOCK: u32 = 64;

/// Where records come from and where they wait.
#[derive(Debug)]
pub(super) struct ByPartition {
    source: RecordSource,
    accumulator: Accumulator,
    /// Where records without a key go now.
    sticky: u32,
}

/// Draws records: size, key, filler.
#[derive(Debug)]
struct RecordSource {
    random: Xoshiro256PlusPlus,
    sizes: SizeMixture,
    keys: Option<KeySource>,
    pool: Arc<FillerPool>,
    pool_at: usize,
    value: Vec<u8>,
}

impl ByPartition {
    /// For one producer; absent where all its records are alike and go the short way.
    pub(super) fn new(index: u32, settings: &ProducerSettings, identity: Option<(i64, i16)>) -> Option<Self> {
        let (workload, topic) = (&settings.workload, &settings.topic);
        let pool = settings.filler.clone()?;
        let limits = BatchLimits {
            batch_bytes: workload.batch_bytes,
            buffer_bytes: (BUFFERS_BYTES_MAX / workload.producers as usize).min(BUFFER_BYTES_MAX),
            linger_ns: workload.linger.as_nanos() as u64,
            is_transactional: workload.transactions.is_some(),
        };
        let codec = Codec::new(workload.records.compression.into());
        let accumulator = Accumulator::new(limits, codec, identity, topic.leaders.clone(), topic.brokers.len());
        Some(Self {
            source: RecordSource::new(index, workload, pool),
            accumulator,
            sticky: (index as usize % topic.leaders.len()) as u32,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accumulator.is_empty()
    }
}

impl RecordSource {
    fn new(index: u32, workload: &Workload, pool: Arc<FillerPool>) -> Self {
        let records = &workload.records;
        // Another stream than that of the schedule, which has the producer's number alone.
        let seed = workload.seed ^ ((u64::from(index) << 32) | 0x5eed);
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            sizes: records.sizes.clone(),
            keys: records.keys.as_ref().map(KeySource::new),
            pool,
            pool_at: 0,
            value: Vec::new(),
        }
    }
}

impl Producer {
    /// Builds and sends what is due at `now_ns`.
    pub(super) fn fill_by_partition(&mut self, now_ns: u64, recorder: &mut Recorder) -> Result<(), Error> {
        for broker in 0..self.links.len() {
            let resent = self.links[broker].resend(now_ns, &self.settings.clock);
            self.endure(broker, resent)?;
        }
        for _ in 0..REQUESTS_A_TURN_MAX {
            let filled = self.gather(now_ns);
            self.send_ready(now_ns, recorder)?;
            if !filled {
                break;
            }
        }
        Ok(())
    }

    /// When `fill_by_partition` is worth calling again, if nothing is answered before.
    pub(super) fn next_wake_by_partition_ns(&self, by_partition: &ByPartition) -> u64 {
        let accumulator = &by_partition.accumulator;
        let workload = &self.settings.workload;
        let mut wake_ns = u64::MAX;
        let will_send = !self.closing && self.records_left > 0 && !self.is_held() && !accumulator.is_used_up();
        for (broker, _) in self.links.iter().enumerate().filter(|(_, link)| link.has_room(workload.in_flight)) {
            wake_ns = wake_ns.min(accumulator.linger_end_ns(broker).unwrap_or(u64::MAX));
            match self.schedule.as_ref().filter(|_| will_send) {
                Some(schedule) => {
                    // Nothing is lost by sleeping until a batch may be full: its records are built with their own times.
                    let records = &workload.records;
                    let value_bytes_max = records.sizes.max_bytes() as usize;
                    let left = accumulator.records_to_full(broker, records.key_bytes(), value_bytes_max);
                    let linger_end_ns = schedule.peek_ns().saturating_add(workload.linger.as_nanos() as u64);
                    wake_ns = wake_ns.min(linger_end_ns.min(schedule.estimate_ns(left)));
                }
                None if will_send => return 0,
                None => {}
            }
        }
        wake_ns
    }

    /// Puts what is due into batches; true when that stopped at a full batch that can go at once.
    fn gather(&mut self, now_ns: u64) -> bool {
        let Some(mut by_partition) = self.by_partition.take() else { return false };
        let mut filled = false;
        let (mut intended_ns, mut since_clock) = (now_ns, 0);
        let may_write = self.may_write_anywhere(now_ns);
        while !filled
            && !self.closing
            && self.is_due(now_ns)
            && may_write
            && self.transaction_room() > 0
            && !by_partition.accumulator.is_used_up()
        {
            match &mut self.schedule {
                Some(schedule) => intended_ns = schedule.advance(),
                None if since_clock % RECORDS_A_CLOCK == 0 => intended_ns = self.settings.clock.now_ns(),
                None => {}
            }
            since_clock += 1;
            if let Some(partition) = self.add_record(&mut by_partition, intended_ns, now_ns) {
                let broker = self.settings.topic.leaders[partition as usize];
                filled = self.links[broker].has_room(self.settings.workload.in_flight);
            }
        }
        self.by_partition = Some(by_partition);
        filled
    }

    /// Draws the next record and appends it; the partition whose batch it found full.
    fn add_record(&mut self, by: &mut ByPartition, intended_ns: u64, now_ns: u64) -> Option<u32> {
        let ByPartition { source, accumulator, sticky } = by;
        let partitions = self.settings.topic.leaders.len() as u32;
        let value_bytes = source.sizes.draw(&mut source.random) as usize;
        let key = source.keys.as_mut().map(|keys| keys.draw(&mut source.random));
        let mut partition = key.map_or(*sticky, |key| partition_of(key, partitions));
        let full = accumulator.close_if_full(partition, key.map(<[u8]>::len), value_bytes).then_some(partition);
        if full.is_some() && key.is_none() {
            *sticky = (*sticky + 1) % partitions;
            partition = *sticky;
        }
        let sequence = self.report.ledgers[partition as usize].produced;
        let stamp = Stamp { run: self.settings.run, producer: self.index, partition, sequence, intended_ns };
        source.value.resize(STAMP_BYTES, 0);
        source.value.extend_from_slice(source.pool.take(&mut source.pool_at, value_bytes - STAMP_BYTES));
        stamp.write(&mut source.value);
        let timestamp_ms = self.settings.clock.unix_ms(now_ns);
        let draft = Draft { partition, key, value: &source.value, intended_ns, sequence, timestamp_ms };
        accumulator.append(&draft);
        source.value.clear();
        self.report.ledgers[partition as usize].produced += 1;
        self.records_left -= 1;
        self.note_written(1);
        full
    }

    /// Sends what is full or has lingered to every leader that may be sent to.
    fn send_ready(&mut self, now_ns: u64, recorder: &mut Recorder) -> Result<(), Error> {
        let hurry = self.hurries() || self.records_left == 0;
        for broker in 0..self.links.len() {
            while self.links[broker].has_room(self.settings.workload.in_flight) {
                let Some(ByPartition { accumulator, sticky, .. }) = &mut self.by_partition else { return Ok(()) };
                if !accumulator.is_ready(broker, now_ns, hurry) {
                    break;
                }
                let link = &mut self.links[broker];
                let mut request = link.take_spare();
                request.begin(&self.template);
                let partitions = self.settings.topic.leaders.len() as u32;
                let mut was_sticky = false;
                accumulator.drain(broker, &mut request, |partition| was_sticky |= partition == *sticky);
                if was_sticky {
                    *sticky = (*sticky + 1) % partitions;
                }
                let sent = link.send(request, &self.settings.clock);
                self.endure(broker, sent)?;
                if self.settings.workload.acks == Acks::None {
                    let settled = self.settle_unacknowledged(broker, recorder);
                    self.endure(broker, settled)?;
                }
            }
        }
        Ok(())
    }
}
