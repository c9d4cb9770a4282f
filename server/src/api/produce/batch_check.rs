//! What only the request and its topic can tell of a produced batch; the engine checks size, CRC, counts, timestamps and sequences.

use std::borrow::Cow;

use engine::error::AppendError;
use protocol::compression::CompressionError;
use protocol::error_code::ErrorCode;
use protocol::record_batch::{BatchError, BatchHeader, Compression, HEADER_BYTES, Record, records};

use super::record_times::{Blame, Times};
use crate::api::error_map;
use crate::compaction::records_without_key;
use crate::limits::RECORD_ERRORS_MAX;
use crate::recompression::RecompressionError;
use crate::transaction::TransactionError;

/// First version that may carry zstd: older clients could not read it back.
const FIRST_VERSION_WITH_ZSTD: i16 = 7;

/// From this version on producers can abort and go on where the state of the transaction is wrong.
const FIRST_VERSION_WITH_ABORTABLE: i16 = 11;

/// Why a partition's batch was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    /// What clients act on.
    pub(super) code: ErrorCode,
    /// For people; empty when the code says it all.
    pub(super) reason: Cow<'static, str>,
    /// The records that are to blame; none when the batch is.
    pub(super) records: Vec<RecordFault>,
    /// Whether it was found in the records, or by the log: then the answer tells where the log starts, as in Kafka.
    pub(super) is_of_the_log: bool,
    /// Where the log starts, or -1.
    pub(super) log_start: i64,
}

/// A record that is to blame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RecordFault {
    /// Its position in the batch.
    pub(super) index: i32,
    /// What is wrong with it, if the reason of all does not say it.
    pub(super) reason: Option<String>,
}

/// What a topic asks of its records.
pub(super) struct Rules {
    /// Each has a key.
    pub(super) is_compacted: bool,
    /// Their times.
    pub(super) times: Times,
}

/// A batch that may be taken.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) header: BatchHeader,
    /// The newest time of its records, or, where they are not looked into, the one that its header claims, or the first record's at least.
    pub(super) newest_ms: i64,
}

impl Refusal {
    /// Of the batch as a whole.
    pub(super) fn new(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, reason: reason.into(), records: Vec::new(), is_of_the_log: false, log_start: -1 }
    }

    /// Of its records.
    pub(super) fn of_records(reason: impl Into<Cow<'static, str>>, records: Vec<RecordFault>) -> Refusal {
        Refusal { records, is_of_the_log: true, ..Refusal::new(ErrorCode::InvalidRecord, reason) }
    }

    /// By the log.
    pub(super) fn by_the_log(error: &AppendError) -> Refusal {
        let is_of_the_log = !matches!(
            error,
            AppendError::UnknownLog(_) | AppendError::Corrupt(_) | AppendError::TooLarge { .. } | AppendError::Stopping
        );
        Refusal { is_of_the_log, ..Refusal::new(error_map::append(error), error.to_string()) }
    }
}

/// Checks what a request has for one partition. Compressed batches are looked into only where a topic is compacted.
pub(super) fn check_batch(bytes: &[u8], version: i16, rules: &Rules, blame: &mut Blame) -> Result<Checked, Refusal> {
    let header = check_frame(bytes)?;
    let codec = match header.compression() {
        Ok(Compression::Zstd) if version < FIRST_VERSION_WITH_ZSTD => {
            return Err(Refusal::new(ErrorCode::UnsupportedCompressionType, "zstd needs Produce version 7"));
        }
        Ok(codec) => codec,
        Err(_) => return Err(Refusal::new(ErrorCode::InvalidRecord, "the compression codec is unknown")),
    };
    if rules.is_compacted {
        check_keys(&header, bytes)?;
    }
    if codec != Compression::None {
        rules.times.check_claimed(&header, bytes, blame)?;
        // Sarama leaves it out until 1.45, which shows. Any other claim is believed.
        let is_left_out = rules.times.taken.is_some() && header.max_timestamp < header.base_timestamp;
        return Ok(Checked {
            newest_ms: if is_left_out { header.base_timestamp } else { header.max_timestamp },
            header,
        });
    }
    let newest_ms = check_records(&header, bytes, &rules.times, blame)?;
    // Where the broker sets the times it does not matter, and a batch without a record is refused by the log.
    let is_known = rules.times.taken.is_some() && header.record_count > 0;
    Ok(Checked { newest_ms: if is_known { newest_ms } else { header.max_timestamp }, header })
}

/// One whole batch, and nothing else.
fn check_frame(bytes: &[u8]) -> Result<BatchHeader, Refusal> {
    let refused = |code, reason: &'static str| Err(Refusal::new(code, reason));
    if bytes.is_empty() {
        return refused(ErrorCode::InvalidRecord, "a partition needs exactly one record batch, there is none");
    }
    let header = match BatchHeader::parse(bytes) {
        Ok(header) => header,
        Err(BatchError::UnsupportedMagic(0 | 1)) => {
            return refused(ErrorCode::InvalidRecord, "only record batches of magic 2 are accepted");
        }
        Err(error @ (BatchError::UnsupportedMagic(_) | BatchError::LengthTooSmall(_))) => {
            return Err(Refusal::new(ErrorCode::CorruptMessage, error.to_string()));
        }
        Err(_) => return refused(ErrorCode::InvalidRecord, "the record batch is cut off"),
    };
    if header.total_bytes() > bytes.len() {
        return refused(ErrorCode::InvalidRecord, "the record batch is longer than its field");
    }
    if header.total_bytes() < bytes.len() {
        if !header.crc_is_valid(&bytes[..header.total_bytes()]) {
            return refused(ErrorCode::CorruptMessage, "the record batch is shorter than its records");
        }
        return refused(ErrorCode::InvalidRecord, "a partition needs exactly one record batch, there are more");
    }
    if header.base_offset != 0 {
        return Err(Refusal::of_records("the base offset of a produced batch must be 0", Vec::new()));
    }
    Ok(header)
}

/// Checks the size of a batch that is to be put into another codec; of any other the engine does.
pub(super) fn check_size(batch: &[u8], bytes_max: usize) -> Result<(), Refusal> {
    if batch.len() <= bytes_max {
        return Ok(());
    }
    let error = AppendError::TooLarge { bytes: batch.len(), limit: bytes_max };
    Err(Refusal::new(error_map::append(&error), error.to_string()))
}

/// A batch is part of a transaction if, and only if, its request names one.
pub(super) fn check_transaction(header: &BatchHeader, is_transactional_request: bool) -> Result<(), Refusal> {
    match (header.is_transactional(), is_transactional_request) {
        (true, false) => Err(Refusal::new(
            ErrorCode::TransactionalIdAuthorizationFailed,
            "a transactional batch needs a request with a transactional id",
        )),
        // Kafka finds this in the log.
        (false, true) => Err(Refusal {
            is_of_the_log: true,
            ..Refusal::new(
                ErrorCode::InvalidTxnState,
                "a request with a transactional id takes transactional batches only",
            )
        }),
        _ => Ok(()),
    }
}

/// The records are those that the header tells of, and have times that are taken; gives the newest. A batch of which that is not so would end
/// every consumer that comes to it.
fn check_records(header: &BatchHeader, batch: &[u8], times: &Times, blame: &mut Blame) -> Result<i64, Refusal> {
    let is_right =
        |record: &Record<'_>, index| record.offset_delta == index && record.headers().all(|header| header.is_ok());
    let (mut newest_ms, mut are_taken) = (i64::MIN, true);
    let mut walked = (0..).zip(records(header, &batch[HEADER_BYTES..]));
    let wrong = walked.find(|(index, record)| match record {
        Ok(record) => {
            let time_ms = header.timestamp(record.timestamp_delta);
            newest_ms = newest_ms.max(time_ms);
            are_taken &= times.takes(header, time_ms);
            !is_right(record, *index)
        }
        Err(_) => true,
    });
    match wrong {
        None if are_taken => Ok(newest_ms),
        // Damage on the way is sent again; what the client made wrong is not.
        _ if !header.crc_is_valid(batch) => Err(unrecompressed(&RecompressionError::WrongCrc)),
        None => Err(times.refusal(header, batch, blame)),
        Some((_, Err(error))) => Err(Refusal::of_records(error.to_string(), Vec::new())),
        Some((index, Ok(_))) => Err(Refusal::of_records(
            format!("record {index} has another offset than its place, or headers that are malformed"),
            Vec::new(),
        )),
    }
}

/// Why the coordinator of its transaction does not let a batch in.
pub(super) fn not_in_transaction(error: TransactionError, version: i16) -> Refusal {
    let code = match error {
        TransactionError::InvalidTxnState if version >= FIRST_VERSION_WITH_ABORTABLE => ErrorCode::TransactionAbortable,
        TransactionError::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        // Old clients try no other code of these again; this one costs them no metadata.
        TransactionError::ConcurrentTransactions
        | TransactionError::CoordinatorLoadInProgress
        | TransactionError::CoordinatorNotAvailable
        | TransactionError::NotCoordinator => ErrorCode::NotEnoughReplicas,
        error => error.code(),
    };
    match error {
        TransactionError::InvalidTxnState => Refusal::new(code, "Partition was not added to the transaction"),
        error => Refusal::new(code, error.to_string()),
    }
}

/// A compacted topic keeps the newest record of each key, so that one without a key has no place in it.
fn check_keys(header: &BatchHeader, batch: &[u8]) -> Result<(), Refusal> {
    match records_without_key(batch, RECORD_ERRORS_MAX) {
        Ok(records) if records.is_empty() => Ok(()),
        Ok(records) => {
            let reason = "a compacted topic cannot take a record without a key";
            let faults = records.into_iter().map(|index| RecordFault { index, reason: None });
            Err(Refusal::of_records(reason, faults.collect()))
        }
        // Damage on the way is sent again; what the client made wrong is not.
        Err(_) if !header.crc_is_valid(batch) => Err(unrecompressed(&RecompressionError::WrongCrc)),
        Err(error) => Err(unrecompressed(&error.into())),
    }
}

/// Why a batch was not put into its topic's codec, or not even read.
pub(super) fn unrecompressed(error: &RecompressionError) -> Refusal {
    let code = match error {
        RecompressionError::WrongCrc => ErrorCode::CorruptMessage,
        // Clients split the batch and try its parts.
        RecompressionError::Unreadable(CompressionError::OutputTooLarge { .. }) => ErrorCode::MessageTooLarge,
        RecompressionError::Unreadable(_) => ErrorCode::InvalidRecord,
        RecompressionError::NoMemory => ErrorCode::RequestTimedOut,
        RecompressionError::Failed => ErrorCode::UnknownServerError,
    };
    Refusal::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::{
        ATTRIBUTES_AT, BASE_OFFSET_AT, BatchBuilder, CRC_AT, CRC_COVERS_FROM, MAGIC_AT, MAX_TIMESTAMP_AT,
        ProducerFields, RECORD_COUNT_AT,
    };

    use super::*;

    fn batch(keys: &[Option<&[u8]>]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 1, ProducerFields::NONE);
        for key in keys {
            builder.append_payload(1, *key, b"v");
        }
        builder.finish()
    }

    fn checked(bytes: &[u8], version: i16, is_compacted: bool) -> Result<Checked, Refusal> {
        let rules = Rules { is_compacted, times: Times { taken: Some(i64::MIN..=i64::MAX) } };
        check_batch(bytes, version, &rules, &mut Blame::default())
    }

    fn refusal(bytes: &[u8]) -> ErrorCode {
        checked(bytes, 9, false).unwrap_err().code
    }

    #[test]
    fn a_partition_takes_exactly_one_batch_of_magic_2() {
        let batch = batch(&[None]);
        assert!(checked(&batch, 9, false).is_ok());
        assert_eq!(refusal(&[]), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&[batch.clone(), batch.clone()].concat()), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&batch[..batch.len() - 1]), ErrorCode::InvalidRecord);
        let with = |at: usize, byte: u8| {
            let mut changed = batch.clone();
            changed[at] = byte;
            changed
        };
        assert_eq!(refusal(&with(MAGIC_AT, 1)), ErrorCode::InvalidRecord);
        assert_eq!(refusal(&with(MAGIC_AT, 3)), ErrorCode::CorruptMessage);
        assert_eq!(refusal(&with(BASE_OFFSET_AT + 7, 5)), ErrorCode::InvalidRecord);
    }

    #[test]
    fn a_batch_is_transactional_exactly_where_its_request_is() {
        let plain = batch(&[None]);
        let mut transactional = plain.clone();
        transactional[ATTRIBUTES_AT + 1] |= 0x10;
        let code = |bytes: &[u8], is_transactional| {
            check_transaction(&BatchHeader::parse(bytes).unwrap(), is_transactional).map_err(|refusal| refusal.code)
        };
        assert_eq!((code(&plain, false), code(&transactional, true)), (Ok(()), Ok(())));
        assert_eq!(code(&plain, true), Err(ErrorCode::InvalidTxnState));
        assert_eq!(code(&transactional, false), Err(ErrorCode::TransactionalIdAuthorizationFailed));
    }

    #[test]
    fn what_the_coordinator_says_becomes_a_code_that_clients_of_that_version_act_on() {
        let code = |error, version| not_in_transaction(error, version).code;
        assert_eq!(code(TransactionError::InvalidTxnState, 10), ErrorCode::InvalidTxnState);
        assert_eq!(code(TransactionError::InvalidTxnState, 11), ErrorCode::TransactionAbortable);
        assert_eq!(code(TransactionError::ProducerFenced, 11), ErrorCode::InvalidProducerEpoch);
        assert_eq!(code(TransactionError::InvalidProducerIdMapping, 11), ErrorCode::InvalidProducerIdMapping);
        assert_eq!(code(TransactionError::ConcurrentTransactions, 11), ErrorCode::NotEnoughReplicas);
    }

    #[test]
    fn the_newest_time_is_that_of_the_records_and_not_what_the_header_claims() {
        let mut batch = batch(&[None]);
        batch[MAX_TIMESTAMP_AT + 7] = 9;
        assert_eq!(checked(&batch, 9, false).unwrap().newest_ms, 1);
    }

    #[test]
    fn zstd_needs_a_client_that_can_read_it_back() {
        let mut batch = batch(&[None]);
        batch[ATTRIBUTES_AT + 1] = 4;
        assert_eq!(checked(&batch, 6, false).unwrap_err().code, ErrorCode::UnsupportedCompressionType);
        assert!(checked(&batch, 7, false).is_ok());
    }

    #[test]
    fn records_that_are_not_those_of_the_header_are_refused_and_damage_is_sent_again() {
        let resealed = |at: usize, byte: u8| {
            let mut changed = batch(&[None, None]);
            changed[at] = byte;
            let crc = checksum::crc32c(&changed[CRC_COVERS_FROM..]);
            changed[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
            changed
        };
        assert_eq!(refusal(&resealed(RECORD_COUNT_AT + 3, 1)), ErrorCode::InvalidRecord, "one more than it tells of");
        assert_eq!(refusal(&resealed(RECORD_COUNT_AT + 3, 3)), ErrorCode::InvalidRecord, "one less");
        let first_delta_at = HEADER_BYTES + 3;
        assert_eq!(refusal(&resealed(first_delta_at, 2)), ErrorCode::InvalidRecord, "an offset that is the second's");
        let mut damaged = batch(&[None, None]);
        damaged[first_delta_at] = 2;
        assert_eq!(refusal(&damaged), ErrorCode::CorruptMessage);
    }

    #[test]
    fn a_compacted_topic_names_the_records_without_a_key() {
        assert!(checked(&batch(&[Some(b"a"), Some(b"")]), 9, true).is_ok());
        let refused = checked(&batch(&[Some(b"a"), None, Some(b"b"), None]), 9, true).unwrap_err();
        let records: Vec<i32> = refused.records.iter().map(|fault| fault.index).collect();
        assert_eq!((refused.code, records), (ErrorCode::InvalidRecord, vec![1, 3]));
        let many = checked(&batch(&[None; 500]), 9, true).unwrap_err();
        assert_eq!(many.records.len(), RECORD_ERRORS_MAX);
    }

    #[test]
    fn a_compacted_topic_refuses_what_it_cannot_look_into() {
        let mut damaged = batch(&[Some(b"a")]);
        damaged[HEADER_BYTES] ^= 0x40;
        let code = |batch: &[u8]| checked(batch, 9, true).unwrap_err().code;
        assert_eq!(code(&damaged), ErrorCode::CorruptMessage);
        let crc = checksum::crc32c(&damaged[CRC_COVERS_FROM..]);
        damaged[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(code(&damaged), ErrorCode::InvalidRecord, "the client made it so");
    }
}
