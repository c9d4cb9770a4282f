//! Batches that are encoded ahead, for the ceiling of a broker. To use one again costs a few stores a record: its stamp
//! is written and its checksum, and the batch's checksum follows from these without another look at the bytes.
//!
//! CRC-32C is linear. A record's own CRC is that of the blank record, known from the start, and what its stamp adds;
//! the batch's is that of the header, moved over each record in turn, each adding its own.

mod crc_shift;

use std::sync::Arc;

use protocol::record_batch::{
    BatchBuilder, BatchHeader, CRC_AT, CRC_COVERS_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC_V2, ProducerFields,
};

use crate::payload::{
    INTENDED_AT, LOW_INTENDED, LOW_SEQUENCES, PayloadWriter, SEQUENCE_AT, STAMP_BYTES, Stamp, StampTables, crc_added,
};
use crate::workload::RECORD_OVERHEAD_BYTES_MAX;
use crc_shift::CrcShift;

/// Partition index and length of the batch: what a produce request of a version with plain lengths says before it.
pub(crate) const PARTITION_HEAD_BYTES: usize = 8;

/// A record's count of headers, which is 0, stands behind its value.
const BEHIND_VALUE_BYTES: usize = 1;

/// What all raw batches of a run have in common.
#[derive(Debug)]
pub struct BatchLayout {
    /// A full batch of blank records behind a blank header.
    encoded: Vec<u8>,
    value_bytes: usize,
    spans: Vec<Span>,
    records_max: usize,
    /// Checksums of blank values; the count is a power of two, and record `n` has the one of `n` modulo that.
    blank_value_crcs: Vec<u32>,
    /// Checksums of blank records.
    blank_record_crcs: Vec<u32>,
    /// What a stamp adds to its value's checksum.
    value_tables: StampTables,
    /// What a stamp with its checksum adds to the CRC of its record.
    record_tables: StampTables,
}

/// Records of one encoded size.
#[derive(Debug)]
struct Span {
    first: usize,
    end: usize,
    /// Where the first one begins.
    at: usize,
    record_bytes: usize,
    shift: Box<CrcShift>,
}

impl BatchLayout {
    /// Batches of at most `batch_bytes_max` of values of `value_bytes`, fillers drawn from `seed`.
    pub fn new(value_bytes: usize, batch_bytes_max: usize, seed: u64) -> Self {
        let blanks = PayloadWriter::new(value_bytes, seed).into_blanks();
        let record_bytes_max = value_bytes + RECORD_OVERHEAD_BYTES_MAX;
        let mut builder = BatchBuilder::new(Vec::new(), 0, ProducerFields::NONE);
        let mut ends = Vec::new();
        while ends.is_empty() || builder.batch_bytes() + record_bytes_max <= batch_bytes_max {
            builder.append_payload(0, None, &blanks[ends.len() & (blanks.len() - 1)]);
            ends.push(builder.batch_bytes());
        }
        let encoded = builder.finish();
        let starts = std::iter::once(HEADER_BYTES).chain(ends.iter().copied());
        let records = || starts.clone().zip(&ends).map(|(start, &end)| start..end);
        let value_tables = StampTables::new(|fields| crc_added(fields, value_bytes - STAMP_BYTES));
        let record_tables = StampTables::new(|fields| {
            let mut stamp = [0; STAMP_BYTES];
            stamp[..4].copy_from_slice(&crc_added(fields, value_bytes - STAMP_BYTES).to_le_bytes());
            stamp[4..].copy_from_slice(fields);
            crc_added(&stamp, value_bytes - STAMP_BYTES + BEHIND_VALUE_BYTES)
        });
        Self {
            spans: spans(records()),
            records_max: ends.len(),
            blank_value_crcs: blanks.iter().map(|value| checksum::crc32c(&value[4..])).collect(),
            blank_record_crcs: records().map(|record| checksum::crc32c(&encoded[record])).collect(),
            encoded,
            value_bytes,
            value_tables,
            record_tables,
        }
    }

    /// Records of a full batch.
    pub fn records_max(&self) -> usize {
        self.records_max
    }
}

/// Neighbours of equal size.
fn spans(records: impl Iterator<Item = std::ops::Range<usize>>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (index, record) in records.enumerate() {
        match spans.last_mut() {
            Some(last) if last.record_bytes == record.len() => last.end = index + 1,
            _ => spans.push(Span {
                first: index,
                end: index + 1,
                at: record.start,
                record_bytes: record.len(),
                shift: Box::new(CrcShift::over(record.len())),
            }),
        }
    }
    spans
}

/// One batch, used for the whole run: encoded, sent, and encoded again.
#[derive(Debug)]
pub struct RawBatch {
    layout: Arc<BatchLayout>,
    bytes: Vec<u8>,
    end: usize,
}

/// What a batch says of itself.
#[derive(Debug, Clone, Copy)]
pub struct BatchFacts {
    /// The stamp of its first record; the intended times come from elsewhere.
    pub first: Stamp,
    /// Wall-clock time of its records.
    pub timestamp_ms: i64,
    /// Who numbers it.
    pub producer: ProducerFields,
}

impl RawBatch {
    /// An empty batch.
    pub fn new(layout: Arc<BatchLayout>) -> Self {
        let bytes = [&[0; PARTITION_HEAD_BYTES], layout.encoded.as_slice()].concat();
        Self { bytes, end: PARTITION_HEAD_BYTES + HEADER_BYTES, layout }
    }

    /// The batch with its partition's head, as it goes to the socket.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Writes stamps, header and checksum of a batch of `runs` of records that were due at the same time.
    pub fn encode(&mut self, facts: &BatchFacts, runs: &[(u64, u32)]) {
        self.write_head(facts, runs.iter().map(|run| run.1 as usize).sum());
        let batch = &mut self.bytes[PARTITION_HEAD_BYTES..self.end];
        let crc = self.layout.write_stamps(facts.first, runs, batch);
        batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    }

    /// Writes what stands before the records, which are `records` from then on. The checksum is left to the stamps.
    pub(crate) fn write_head(&mut self, facts: &BatchFacts, records: usize) {
        let batch_bytes = self.layout.end(records);
        self.end = PARTITION_HEAD_BYTES + batch_bytes;
        let (head, batch) = self.bytes.split_at_mut(PARTITION_HEAD_BYTES);
        head[..4].copy_from_slice(&facts.first.partition.to_be_bytes());
        head[4..].copy_from_slice(&(batch_bytes as i32).to_be_bytes());
        facts.write_header(records, &mut batch[..batch_bytes]);
    }
}

impl BatchFacts {
    fn write_header(&self, records: usize, batch: &mut [u8]) {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: (batch.len() - LENGTH_PREFIX_BYTES) as i32,
            partition_leader_epoch: -1,
            magic: MAGIC_V2,
            crc: 0,
            attributes: 0,
            last_offset_delta: records as i32 - 1,
            base_timestamp: self.timestamp_ms,
            max_timestamp: self.timestamp_ms,
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
            base_sequence: self.producer.base_sequence,
            record_count: records as i32,
        };
        header.write(batch.first_chunk_mut().expect("a layout has a header"));
    }
}

/// Where the stamping of a batch has come to.
struct Stamping {
    sequence: u64,
    record: usize,
    /// The next stamp, but for its checksum and sequence number.
    head: [u8; STAMP_BYTES],
    span: usize,
}

/// What a part of a stamp adds to the checksum of the value, and of the record.
#[derive(Clone, Copy)]
struct Added {
    to_value: u32,
    to_record: u32,
}

impl Added {
    fn and(self, other: Self) -> Self {
        Self { to_value: self.to_value ^ other.to_value, to_record: self.to_record ^ other.to_record }
    }
}

/// What the higher bytes of sequence number and intended time add: the same for thousands of records.
struct Coarse {
    sequence: u64,
    intended: u64,
    added: Added,
}

impl Coarse {
    /// Holds for no stamp.
    const NONE: Self = Self { sequence: u64::MAX, intended: u64::MAX, added: Added { to_value: 0, to_record: 0 } };

    fn holds_for(&self, sequence: u64, intended_ns: u64) -> bool {
        self.sequence == sequence / LOW_SEQUENCES && self.intended == intended_ns / LOW_INTENDED
    }
}

impl BatchLayout {
    /// Writes the stamps; the CRC of the batch.
    fn write_stamps(&self, first: Stamp, runs: &[(u64, u32)], batch: &mut [u8]) -> u32 {
        let mut crc = checksum::crc32c(&batch[CRC_COVERS_FROM..HEADER_BYTES]);
        let mut stamping = Stamping { sequence: first.sequence, record: 0, head: first.encode(), span: 0 };
        let identity = self.added(|tables| tables.identity(&first));
        let mut coarse = Coarse::NONE;
        for &(intended_ns, count) in runs {
            stamping.head[INTENDED_AT..].copy_from_slice(&intended_ns.to_le_bytes());
            let end = stamping.record + count as usize;
            while stamping.record < end {
                let span = &self.spans[stamping.span];
                if stamping.record == span.end {
                    stamping.span += 1;
                    continue;
                }
                if !coarse.holds_for(stamping.sequence, intended_ns) {
                    coarse = Coarse {
                        sequence: stamping.sequence / LOW_SEQUENCES,
                        intended: intended_ns / LOW_INTENDED,
                        added: self.added(|tables| {
                            tables.sequence_high(stamping.sequence) ^ tables.intended_high(intended_ns)
                        }),
                    };
                }
                let fine = self.added(|tables| tables.intended_low(intended_ns));
                let added = identity.and(coarse.added).and(fine);
                // Up to where the higher bytes of the sequence number change.
                let alike = (LOW_SEQUENCES - stamping.sequence % LOW_SEQUENCES) as usize;
                let stop = end.min(span.end).min(stamping.record + alike);
                let at = span.at + (stamping.record - span.first) * span.record_bytes;
                let to = at + (stop - stamping.record) * span.record_bytes;
                crc = self.stamp_neighbours(&mut batch[at..to], &mut stamping, added, crc);
            }
        }
        crc
    }

    /// Stamps `bytes`, which hold records that differ in the two lowest bytes of their sequence numbers only; the CRC
    /// behind them when `crc` is that in front.
    fn stamp_neighbours(&self, bytes: &mut [u8], stamping: &mut Stamping, added: Added, mut crc: u32) -> u32 {
        let span = &self.spans[stamping.span];
        let stamp_at = span.record_bytes - BEHIND_VALUE_BYTES - self.value_bytes;
        let value_mask = self.blank_value_crcs.len() - 1;
        let Stamping { sequence, record: index, head, .. } = stamping;
        let blanks = self.blank_record_crcs[*index..].iter();
        for (record, blank_crc) in bytes.chunks_exact_mut(span.record_bytes).zip(blanks) {
            let blank_value_crc = self.blank_value_crcs[*index & value_mask];
            let value_crc = blank_value_crc ^ added.to_value ^ self.value_tables.sequence_low(*sequence);
            head[..4].copy_from_slice(&value_crc.to_le_bytes());
            head[SEQUENCE_AT..INTENDED_AT].copy_from_slice(&sequence.to_le_bytes());
            record[stamp_at..stamp_at + STAMP_BYTES].copy_from_slice(head);
            let record_crc = blank_crc ^ added.to_record ^ self.record_tables.sequence_low(*sequence);
            crc = span.shift.apply(crc) ^ record_crc;
            *sequence += 1;
            *index += 1;
        }
        crc
    }

    /// What a part of a stamp adds to both checksums.
    fn added(&self, part: impl Fn(&StampTables) -> u32) -> Added {
        Added { to_value: part(&self.value_tables), to_record: part(&self.record_tables) }
    }

    /// Where a batch of so many records ends.
    fn end(&self, records: usize) -> usize {
        assert!((1..=self.records_max).contains(&records), "the producer keeps to the room that it was told");
        let span = &self.spans[self.spans.partition_point(|span| span.end < records)];
        span.at + (records - span.first) * span.record_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Request, Template};
    use crate::result::Acks;
    use protocol::Message;
    use protocol::header::RequestHeader;
    use protocol::messages::produce::ProduceRequest;
    use protocol::reader::Reader;
    use protocol::record_batch::{batches, records};

    const FIRST: Stamp = Stamp { run: 9, producer: 2, partition: 5, sequence: 65_500, intended_ns: 0 };
    const FACTS: BatchFacts = BatchFacts {
        first: FIRST,
        timestamp_ms: 1_700_000_000_000,
        producer: ProducerFields { producer_id: 7, producer_epoch: 1, base_sequence: 65_500 },
    };

    /// What a reader finds: the stamps of the batch's records, all checked.
    fn read(batch: &RawBatch) -> Vec<Stamp> {
        let (header, whole) =
            batches(&batch.bytes()[PARTITION_HEAD_BYTES..]).next().expect("one batch").expect("valid");
        assert_eq!(whole.len() + PARTITION_HEAD_BYTES, batch.bytes().len());
        assert!(header.crc_is_valid(whole), "the batch's checksum");
        assert_eq!((header.producer_id, header.base_sequence), (7, 65_500));
        assert_eq!((header.base_timestamp, header.max_timestamp), (FACTS.timestamp_ms, FACTS.timestamp_ms));
        let values = records(&header, &whole[HEADER_BYTES..]);
        values.map(|record| Stamp::verify(record.expect("framed").value.expect("a value")).expect("whole")).collect()
    }

    #[test]
    fn a_batch_of_any_count_and_size_reads_as_if_built_record_by_record() {
        for (value_bytes, batch_bytes) in [(32, 16_384), (100, 1 << 20), (1_000, 16_384), (9_000, 9_100)] {
            let layout = Arc::new(BatchLayout::new(value_bytes, batch_bytes, 1));
            let full = layout.records_max();
            let mut batch = RawBatch::new(layout);
            for count in [full, 1, full.min(64), full.min(65), full.min(8_193), full] {
                let half = count as u32 / 2;
                let runs = [(10, half), (20, count as u32 - half)];
                batch.encode(&FACTS, &runs[usize::from(half == 0)..]);
                let expected = (0..count as u64).map(|record| Stamp {
                    sequence: FIRST.sequence + record,
                    intended_ns: if record < u64::from(half) { 10 } else { 20 },
                    ..FIRST
                });
                assert_eq!(read(&batch), expected.collect::<Vec<_>>(), "{count} records of {value_bytes} B");
            }
            assert!(batch.bytes().len() <= batch_bytes.max(value_bytes + RECORD_OVERHEAD_BYTES_MAX + HEADER_BYTES) + 8);
        }
    }

    #[test]
    fn every_record_may_have_an_intended_time_of_its_own() {
        let mut batch = RawBatch::new(Arc::new(BatchLayout::new(100, 1 << 20, 1)));
        // Both the sequence numbers and the times cross a border of their higher bytes, at different records.
        let times: Vec<(u64, u32)> = (0..100).map(|record| (LOW_INTENDED * 7 - 500 + record * 10, 1)).collect();
        batch.encode(&FACTS, &times);
        let found: Vec<(u64, u64)> = read(&batch).iter().map(|stamp| (stamp.sequence, stamp.intended_ns)).collect();
        let expected = (FIRST.sequence..).zip(times.iter().map(|time| time.0));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn batches_encoded_ahead_stand_in_the_frame_as_if_they_had_been_built() {
        let layout = Arc::new(BatchLayout::new(100, 16_384, 1));
        let template = Template::new("loadgen-t", Acks::All, 30_000, 7, 16_384).with_raw_batches(layout.clone());
        let mut request = Request::default();
        // The second time, the same memory holds fewer records.
        for counts in [[layout.records_max(), 40], [7, 1]] {
            request.begin(&template);
            for (partition, count) in [3, 0].into_iter().zip(counts) {
                assert!(request.takes_batch(partition, &template));
                let first = Stamp { run: 1, producer: 2, partition, sequence: 70, intended_ns: 5 };
                request.open_raw_batch(&layout, first, 0, Some((77, 5)));
                assert_eq!(request.room(100, &template), layout.records_max());
                request.append_run(first, count as u32, &mut PayloadWriter::new(100, 1));
                request.close_batch(false);
            }
            request.finish(99);
            let frame = request.pieces().collect::<Vec<_>>().concat();
            assert_eq!(frame.len(), request.wire_bytes());
            let mut reader = Reader::new(&frame[4..]);
            RequestHeader::decode(&mut reader).expect("header");
            let decoded = ProduceRequest::decode(&mut reader, 7).expect("body");
            reader.finish().expect("nothing behind it");
            for (partition, count) in decoded.topic_data[0].partition_data.iter().zip(counts) {
                let bytes = partition.records.as_ref().and_then(protocol::Records::as_borrowed).expect("records");
                let (batch, whole) = batches(bytes).next().expect("one batch").expect("valid");
                assert!(batch.crc_is_valid(whole) && batch.base_sequence == 70);
                let values = records(&batch, &whole[HEADER_BYTES..]).map(|record| record.expect("record").value);
                let stamps = values.filter_map(|value| Stamp::verify(value?));
                assert_eq!(stamps.filter(|stamp| stamp.partition == partition.index as u32).count(), count);
            }
        }
    }
}
