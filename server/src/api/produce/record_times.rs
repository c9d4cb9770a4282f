//! The times of produced records: which of them a topic takes, and what is said of the others, in Kafka's words.

use std::ops::RangeInclusive;

use protocol::error_code::ErrorCode;
use protocol::record_batch::{BatchHeader, HEADER_BYTES, Record, records, visit};

use super::batch_check::{RecordFault, Refusal};
use crate::limits::{RECOMPRESSED_AT_ONCE_BYTES_MAX, RECORD_ERRORS_MAX};

/// Of a record that has none.
const NO_TIME: i64 = -1;

/// The times that a topic takes.
pub(super) struct Times {
    /// From the earliest to the latest, ms; none where the broker sets them.
    pub(super) taken: Option<RangeInclusive<i64>>,
}

/// What a request may still spend on naming records: short batches would get long answers.
pub(super) struct Blame {
    records_left: usize,
    /// Of records that are compressed as they come.
    plain_bytes_left: usize,
}

impl Default for Blame {
    fn default() -> Blame {
        Blame { records_left: RECORD_ERRORS_MAX, plain_bytes_left: RECOMPRESSED_AT_ONCE_BYTES_MAX }
    }
}

impl Times {
    /// Whether a record of that time is taken.
    pub(super) fn takes(&self, header: &BatchHeader, time_ms: i64) -> bool {
        match &self.taken {
            Some(taken) => time_ms == NO_TIME || taken.contains(&time_ms),
            None => !header.has_log_append_time(),
        }
    }

    /// Checks a compressed batch by what its header claims. Only where that is not taken it is looked into, the first small one of a request, to
    /// name the records. Of any other the log says no.
    pub(super) fn check_claimed(&self, header: &BatchHeader, batch: &[u8], blame: &mut Blame) -> Result<(), Refusal> {
        if self.takes(header, header.max_timestamp) || !header.crc_is_valid(batch) {
            return Ok(());
        }
        let plain_bytes_max = std::mem::take(&mut blame.plain_bytes_left);
        let mut faults = Vec::new();
        let looked_at = visit(batch, plain_bytes_max, &mut |header, record| {
            faults.extend(self.fault(header, record, blame));
        });
        if looked_at.is_err() || faults.is_empty() { Ok(()) } else { Err(refusal(faults)) }
    }

    /// Of a whole batch that is not compressed, and has a record that is not taken.
    pub(super) fn refusal(&self, header: &BatchHeader, batch: &[u8], blame: &mut Blame) -> Refusal {
        let read = records(header, &batch[HEADER_BYTES..]).flatten();
        refusal(read.filter_map(|record| self.fault(header, &record, blame)).collect())
    }

    fn fault(&self, header: &BatchHeader, record: &Record<'_>, blame: &mut Blame) -> Option<RecordFault> {
        let time_ms = header.timestamp(record.timestamp_delta);
        if self.takes(header, time_ms) || blame.records_left == 0 {
            return None;
        }
        blame.records_left -= 1;
        let offset = header.offset(record.offset_delta);
        let reason = if let Some(taken) = &self.taken {
            let (first, last) = (taken.start(), taken.end());
            format!(
                "Timestamp {time_ms} of message with offset {offset} is out of range. The timestamp should be within [{first}, {last}]"
            )
        } else {
            let bytes = |field: Option<&[u8]>| field.map_or(0, <[u8]>::len);
            let (key, value) = (bytes(record.key), bytes(record.value));
            format!(
                "Invalid timestamp type in message DefaultRecord(offset={offset}, timestamp={time_ms}, key={key} bytes, value={value} bytes). \
                 Producer should not set timestamp type to LogAppendTime."
            )
        };
        Some(RecordFault { index: record.offset_delta, reason: Some(reason) })
    }
}

fn refusal(faults: Vec<RecordFault>) -> Refusal {
    let reason = "One or more records have been rejected due to invalid timestamp";
    Refusal { code: ErrorCode::InvalidTimestamp, ..Refusal::of_records(reason, faults) }
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{ATTRIBUTES_AT, BatchBuilder, CRC_AT, Compression, ProducerFields, recompress};

    use super::*;
    use crate::api::produce::batch_check::{Rules, check_batch};

    fn batch(times: &[i64]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), times[0], ProducerFields::NONE);
        for time in times {
            builder.append_payload(*time, None, b"v");
        }
        builder.finish()
    }

    fn named(batch: &[u8], taken: Option<RangeInclusive<i64>>) -> Result<(), (ErrorCode, Vec<i32>)> {
        let rules = Rules { is_compacted: false, times: Times { taken } };
        let checked = check_batch(batch, 9, &rules, &mut Blame::default());
        checked.map(drop).map_err(|refusal| (refusal.code, refusal.records.iter().map(|fault| fault.index).collect()))
    }

    #[test]
    fn records_out_of_range_are_named_whatever_their_codec() {
        let plain = batch(&[50, 99, 100, NO_TIME, 201]);
        let zstd = recompress(&plain, Compression::Zstd, None, 1_000).unwrap().batch;
        for batch in [plain, zstd] {
            assert_eq!(named(&batch, Some(100..=200)), Err((ErrorCode::InvalidTimestamp, vec![0, 1, 4])));
            assert_eq!(named(&batch, Some(50..=201)), Ok(()));
        }
        assert_eq!(named(&batch(&[99, 150]), Some(100..=200)), Err((ErrorCode::InvalidTimestamp, vec![0])));
    }

    #[test]
    fn what_says_that_the_broker_set_its_times_is_refused_where_the_broker_does() {
        let mut batch = batch(&[5, 6]);
        assert_eq!(named(&batch, None), Ok(()));
        batch[ATTRIBUTES_AT + 1] |= 8;
        let crc = checksum::crc32c(&batch[ATTRIBUTES_AT..]);
        batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(named(&batch, None), Err((ErrorCode::InvalidTimestamp, vec![0, 1])));
    }

    #[test]
    fn a_request_names_so_many_records_and_looks_into_one_compressed_batch() {
        let (late, mut blame) = (batch(&[9; 60]), Blame::default());
        let times = Times { taken: Some(0..=8) };
        let header = BatchHeader::parse(&late).unwrap();
        let mut count = || times.refusal(&header, &late, &mut blame).records.len();
        assert_eq!([count(), count(), count()], [60, RECORD_ERRORS_MAX - 60, 0]);
        let (late, mut blame) = (recompress(&late, Compression::Gzip, None, 10_000).unwrap().batch, Blame::default());
        let header = BatchHeader::parse(&late).unwrap();
        assert!(times.check_claimed(&header, &late, &mut blame).is_err());
        assert!(times.check_claimed(&header, &late, &mut blame).is_ok(), "the log refuses it");
    }
}
