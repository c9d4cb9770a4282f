//! What a producer knows of its records: kept, failed and why, sent again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::SyncSender;

use protocol::error_code::ErrorCode;
use protocol::messages::produce::ProduceResponse;
use serde::{Deserialize, Serialize};

use crate::error::{Error, error_name};
use crate::integrity::AckLedger;
use crate::ledger::AckedRange;
use crate::producer::TransactionReport;
use crate::recorder::Recorder;
use crate::request::{BatchSpan, Request};

const DUPLICATE_SEQUENCE_NUMBER: i16 = ErrorCode::DuplicateSequenceNumber as i16;

/// Why records failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Failure {
    /// The broker said no, with Kafka's code.
    Refused(i16),
    /// The connection went away before the answer came.
    Disconnected,
    /// No answer came in time.
    Timeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Refused(code) => f.write_str(&error_name(code)),
            Self::Disconnected => f.write_str("disconnected"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

/// What a producer knows at its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ProducerReport {
    /// Which producer.
    pub index: u32,
    /// Who writes acknowledgements down, if anybody does.
    #[serde(skip)]
    pub journal: Option<SyncSender<AckedRange>>,
    /// For each partition.
    pub ledgers: Vec<AckLedger>,
    /// Acknowledged ranges of the open transaction, by partition; absent where there are no transactions.
    #[serde(skip)]
    pub undecided: Option<Vec<(u32, u64, u64)>>,
    /// What became of transactions.
    #[serde(skip)]
    pub transactions: Option<TransactionReport>,
    /// Failed records by their failure, all phases.
    #[serde(with = "pairs")]
    pub errors: BTreeMap<Failure, u64>,
    /// Batches that were refused for now and sent again, by Kafka's error code.
    pub retried: BTreeMap<i16, u64>,
    /// Batches whose connection was lost before the answer, and that were sent again.
    pub resent_batches: u64,
    /// Records that were answered without error; at acks=0, handed to the kernel.
    pub acked_records: u64,
    /// Requests that had no answer in time.
    pub timeouts: u64,
    /// Records due in the measured window.
    pub offered_records: u64,
    /// Of these, records that could not be sent before its end.
    pub unsent_records: u64,
}

impl ProducerReport {
    /// Batches that were sent again.
    pub fn retries(&self) -> u64 {
        self.retried.values().sum()
    }

    /// Whether a batch was refused for a reason that passes; if so, these are counted.
    pub(super) fn note_passing_refusals(&mut self, request: &Request, response: &ProduceResponse<'_>) -> bool {
        let mut found = false;
        for (_, _, code) in answers(request, response) {
            let passing = code.filter(|&code| ErrorCode::from_code(code).is_some_and(ErrorCode::is_retriable));
            if let Some(code) = passing {
                *self.retried.entry(code).or_default() += 1;
                found = true;
            }
        }
        found
    }

    /// Books what had no last answer when `error` ended the run; an interruption is nobody's failure.
    pub(super) fn note_unsettled<'r>(&mut self, requests: impl Iterator<Item = &'r Request>, error: &Error) {
        let failure = match error {
            Error::Io { .. } | Error::Connect { .. } => Failure::Disconnected,
            Error::Deadline { .. } => Failure::Timeout,
            _ => return,
        };
        for request in requests.filter(|request| request.sent_ns > 0) {
            let records: u64 = request.batches().map(|(batch, _)| u64::from(batch.records)).sum();
            *self.errors.entry(failure).or_default() += records;
            self.timeouts += u64::from(failure == Failure::Timeout);
        }
    }

    /// The broker has promised to keep a range.
    fn promise(&mut self, (partition, start, end): (u32, u64, u64)) {
        self.ledgers[partition as usize].acked.push(start, end);
        let Some(journal) = &self.journal else { return };
        // A journal that has ended has failed, and main ends the run for it.
        let _ = journal.send(AckedRange { producer: self.index, partition, start, end });
    }

    /// The transaction is committed or aborted; its records.
    pub(super) fn decide(&mut self, commits: bool) -> u64 {
        let ranges = self.undecided.as_mut().map(std::mem::take).unwrap_or_default();
        let records = ranges.iter().map(|&(_, start, end)| end - start).sum();
        for range in ranges {
            if commits {
                self.promise(range);
            } else {
                self.ledgers[range.0 as usize].aborted.push(range.1, range.2);
            }
        }
        records
    }

    /// Books requests whose connection was lost: nobody will know what became of their records.
    pub(super) fn note_lost(&mut self, request: &Request) {
        let records: u64 = request.batches().map(|(batch, _)| u64::from(batch.records)).sum();
        *self.errors.entry(Failure::Disconnected).or_default() += records;
    }

    /// Books an answer: acknowledged ranges into the ledgers, latencies into the recorder.
    pub(super) fn settle(
        &mut self,
        request: &Request,
        response: &ProduceResponse<'_>,
        now_ns: u64,
        recorder: &mut Recorder,
    ) -> Result<(), &'static str> {
        recorder.roll(now_ns);
        if let Some(counts) = recorder.counts(now_ns) {
            counts.produce_requests += 1;
            counts.produce_in_flight_ns += now_ns.saturating_sub(request.sent_ns);
        }
        for (batch, runs, code) in answers(request, response) {
            match code.ok_or("a partition is missing")? {
                // The second answer to a batch that was stored the first time.
                0 | DUPLICATE_SEQUENCE_NUMBER => {
                    let end = batch.first_sequence + u64::from(batch.records);
                    self.acked_records += u64::from(batch.records);
                    let range = (batch.partition, batch.first_sequence, end);
                    match &mut self.undecided {
                        Some(undecided) => undecided.push(range),
                        None => self.promise(range),
                    }
                    record_batch(recorder, batch, runs, request.sent_ns, now_ns);
                }
                code => {
                    *self.errors.entry(Failure::Refused(code)).or_default() += u64::from(batch.records);
                    if let Some(counts) = recorder.counts(now_ns) {
                        counts.failed_records += u64::from(batch.records);
                        counts.failed_payload_bytes += batch.payload_bytes;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A map as a list of pairs, since a key of JSON is text.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Failure;

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Failure, u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Failure, u64>, D::Error> {
        Ok(Vec::<(Failure, u64)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The batches of a request, each with the runs of its records' intended times and its error code in the answer.
fn answers<'r>(
    request: &'r Request,
    response: &'r ProduceResponse<'_>,
) -> impl Iterator<Item = (&'r BatchSpan, &'r [(u64, u32)], Option<i16>)> {
    let answers = || response.responses.iter().flat_map(|topic| &topic.partition_responses);
    // Brokers answer in the order of the request; one that does not is searched.
    let mut in_order = answers();
    request.batches().map(move |(batch, runs)| {
        let partition = batch.partition as i32;
        let answer = in_order.next().filter(|answer| answer.index == partition);
        let answer = answer.or_else(|| answers().find(|answer| answer.index == partition));
        (batch, runs, answer.map(|answer| answer.error_code))
    })
}

/// The latencies and counts of an acknowledged batch.
pub(super) fn record_batch(recorder: &mut Recorder, batch: &BatchSpan, runs: &[(u64, u32)], sent_ns: u64, now_ns: u64) {
    if let Some(counts) = recorder.counts(now_ns) {
        counts.acked_records += u64::from(batch.records);
        counts.acked_payload_bytes += batch.payload_bytes;
        counts.acked_batches += 1;
        counts.acked_batch_bytes += u64::from(batch.bytes);
        counts.acked_uncompressed_bytes += u64::from(batch.uncompressed_bytes);
    }
    let first_intended_ns = runs.first().map_or(sent_ns, |run| run.0);
    recorder.record_service(first_intended_ns, sent_ns, now_ns, u64::from(batch.records));
    for &(intended_ns, count) in runs {
        recorder.record_response(intended_ns, sent_ns, now_ns, u64::from(count));
    }
}
