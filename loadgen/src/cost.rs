//! What integrity costs this generator: the work on a record with its check data and without, in memory, one thread.
//!
//! Both sides take turns and the quickest turn of each counts, so that what else the machine does stays out.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use protocol::record_batch::{BatchBuilder, BatchHeader, HEADER_BYTES, ProducerFields, records};

use crate::integrity::PartitionSeen;
use crate::payload::{PayloadWriter, Stamp};
use crate::raw_batch::{BatchFacts, BatchLayout, RawBatch};
use crate::result::{IntegrityCost, OnOff};
use crate::workload::{BATCH_HEADER_BYTES, ClientMode, RECORD_OVERHEAD_BYTES_MAX, Workload};

/// Turns of each side.
const TURNS: usize = 15;

/// Value bytes of a turn: some milliseconds, far beyond what the clock resolves.
const TURN_BYTES: usize = 8 * 1024 * 1024;

/// Batches are no larger here: more would measure the memory.
const BATCH_BYTES_MAX: usize = 256 * 1024;

const FIRST: Stamp = Stamp { run: 1, producer: 0, partition: 0, sequence: 0, intended_ns: 1 };

/// Measures it for the records of a workload.
pub fn measure(workload: &Workload) -> IntegrityCost {
    let value_bytes = workload.record_bytes;
    let batch_bytes = workload.batch_bytes.min(BATCH_BYTES_MAX);
    let room = batch_bytes.saturating_sub(BATCH_HEADER_BYTES);
    let work = Work { value_bytes, records: (room / (value_bytes + RECORD_OVERHEAD_BYTES_MAX)).max(1) };
    let produce = match workload.client_mode {
        ClientMode::Modelled => work.produce_modelled(),
        ClientMode::Raw => work.produce_raw(batch_bytes),
    };
    IntegrityCost { produce, consume: work.consume() }
}

/// One batch's worth of records.
struct Work {
    value_bytes: usize,
    records: usize,
}

impl Work {
    fn produce_modelled(&self) -> OnOff {
        let mut payload = PayloadWriter::new(self.value_bytes, 1);
        let blank = vec![0x5a; self.value_bytes];
        let (mut stamped, mut unstamped) = (Vec::new(), Vec::new());
        let on = || {
            build(&mut stamped, self.stamps(), |stamp, builder| {
                builder.append_payload(0, None, payload.value(&stamp));
            });
        };
        let off = || build(&mut unstamped, self.stamps(), |_, builder| builder.append_payload(0, None, &blank));
        self.compare(on, off)
    }

    fn produce_raw(&self, batch_bytes: usize) -> OnOff {
        let layout = Arc::new(BatchLayout::new(self.value_bytes, batch_bytes, 1));
        let (mut stamped, mut unstamped) = (RawBatch::new(layout.clone()), RawBatch::new(layout));
        let facts = BatchFacts { first: FIRST, timestamp_ms: 1, producer: ProducerFields::NONE };
        self.compare(
            || stamped.encode(black_box(&facts), &[(FIRST.intended_ns, self.records as u32)]),
            || unstamped.write_head(black_box(&facts), self.records),
        )
    }

    fn consume(&self) -> OnOff {
        let mut payload = PayloadWriter::new(self.value_bytes, 1);
        let mut batch = Vec::new();
        build(&mut batch, self.stamps(), |stamp, builder| builder.append_payload(0, None, payload.value(&stamp)));
        let header = BatchHeader::parse(&batch).expect("our own batch");
        let values = || {
            let values = records(&header, black_box(&batch[HEADER_BYTES..])).map_while(Result::ok);
            values.map(|record| record.value.unwrap_or_default())
        };
        let checked = || {
            let mut seen = PartitionSeen::new(&[FIRST.run], FIRST.partition, 1);
            for value in values() {
                black_box(seen.note(value));
            }
        };
        let read = || {
            for value in values() {
                black_box(Stamp::read(value));
            }
        };
        self.compare(checked, read)
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> {
        (0..self.records as u64).map(|sequence| Stamp { sequence, intended_ns: sequence + 1, ..FIRST })
    }

    /// Nanoseconds a record of a batch's work with check data and without.
    fn compare(&self, mut on: impl FnMut(), mut off: impl FnMut()) -> OnOff {
        let batches = (TURN_BYTES / (self.records * self.value_bytes)).max(1);
        let turn = |work: &mut dyn FnMut()| {
            let began = Instant::now();
            (0..batches).for_each(|_| work());
            began.elapsed().as_nanos() as f64 / (batches * self.records) as f64
        };
        let mut best = OnOff { on_ns: f64::MAX, off_ns: f64::MAX };
        for _ in 0..TURNS {
            best = OnOff { on_ns: best.on_ns.min(turn(&mut on)), off_ns: best.off_ns.min(turn(&mut off)) };
        }
        best
    }
}

/// A batch in the memory of `bytes`, as the modelled producer builds it.
fn build(bytes: &mut Vec<u8>, stamps: impl Iterator<Item = Stamp>, mut append: impl FnMut(Stamp, &mut BatchBuilder)) {
    bytes.clear();
    let mut builder = BatchBuilder::new(std::mem::take(bytes), 0, ProducerFields::NONE);
    stamps.for_each(|stamp| append(stamp, &mut builder));
    *bytes = builder.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_whole_batches_that_verify() {
        let work = Work { value_bytes: 100, records: 50 };
        let mut payload = PayloadWriter::new(100, 1);
        let mut batch = Vec::new();
        build(&mut batch, work.stamps(), |stamp, builder| builder.append_payload(0, None, payload.value(&stamp)));
        let header = BatchHeader::parse(&batch).expect("a batch");
        let mut seen = PartitionSeen::new(&[FIRST.run], FIRST.partition, 1);
        let values = records(&header, &batch[HEADER_BYTES..]).map(|record| record.expect("framed").value);
        assert_eq!(values.filter_map(|value| seen.note(value?)).count(), 50);
        assert_eq!(seen.faults(), 0);
    }

    #[test]
    fn each_side_is_timed_by_the_record() {
        let work = Work { value_bytes: 4 * 1024 * 1024, records: 2 };
        let (mut on, mut off) = (0, 0);
        let cost = work.compare(|| on += 1, || off += 1);
        assert_eq!((on, off), (TURNS, TURNS), "a turn is one batch of this size");
        assert!(cost.on_ns >= 0.0 && cost.off_ns < f64::MAX);
    }
}
