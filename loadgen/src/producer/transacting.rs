//! A producer and the coordinator of its transactions.

use mio::{Registry, Token};
use protocol::api_key::ApiKey;
use protocol::frame;
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use protocol::reader::DecodeError;

use super::transaction::{Outcome, Question, Transactions};
use super::{Producer, ProducerSettings};
use crate::cluster::{Coordinated, init_producer_id};
use crate::coordinator_link::{Answered, CoordinatorLink, Letter};
use crate::error::Error;
use crate::recorder::Recorder;

/// Later versions are among brokers.
const ADD_VERSION_MAX: i16 = 3;

/// Later ones begin the next epoch, which is another kind of transactions.
const END_VERSION_MAX: i16 = 4;

/// What a transactional producer has besides.
#[derive(Debug)]
pub(super) struct Transacting {
    id: String,
    identity: (i64, i16),
    pub(super) transactions: Transactions,
    link: CoordinatorLink<Question>,
}

/// The id of a producer's transactions: that of its topic, and so one of ours.
pub fn transactional_id(topic: &str, index: u32) -> String {
    format!("{topic}-producer-{index}")
}

impl Transacting {
    /// Finds the coordinator and gets an identity from it; `None` where there are no transactions.
    pub(super) fn open(
        index: u32,
        settings: &ProducerSettings,
        registry: &Registry,
        token: usize,
    ) -> Result<Option<Self>, Error> {
        let Some(transactions) = settings.workload.transactions else { return Ok(None) };
        let id = transactional_id(&settings.topic.name, index);
        let subject = Coordinated::Transactions(id.clone());
        let link = CoordinatorLink::open(subject, &settings.topic, registry, Token(token))?;
        let identity = init_producer_id(link.address(), Some(&id))?;
        let transactions = Transactions::new(transactions, settings.workload.seed, index);
        Ok(Some(Self { id, identity, transactions, link }))
    }

    pub(super) fn identity(&self) -> (i64, i16) {
        self.identity
    }

    fn letter(&self, question: &Question, settings: &ProducerSettings) -> Result<Letter, Error> {
        let versions = &settings.topic.versions;
        let (transactional_id, (producer_id, producer_epoch)) = (self.id.as_str(), self.identity);
        Ok(match question {
            Question::Add(partitions) => {
                let version = versions.choose(ApiKey::AddPartitionsToTxn, ADD_VERSION_MAX)?;
                let partitions = partitions.iter().map(|&partition| partition as i32).collect();
                let topics = vec![AddPartitionsToTxnTopic { name: &settings.topic.name, partitions }];
                let request = AddPartitionsToTxnRequest { transactional_id, producer_id, producer_epoch, topics };
                Letter::new(&request, version)
            }
            &Question::End { commits } => {
                let version = versions.choose(ApiKey::EndTxn, END_VERSION_MAX)?;
                let request = EndTxnRequest { transactional_id, producer_id, producer_epoch, committed: commits };
                Letter::new(&request, version)
            }
        })
    }
}

impl Producer {
    /// Asks what the transaction needs. Call it after `fill`, which finds that out.
    pub fn tend(&mut self, now_ns: u64, registry: &Registry) -> Result<(), Error> {
        let is_flushed = self.is_flushed();
        let is_stopping = self.closing || self.records_left == 0;
        let Self { transacting: Some(transacting), settings, .. } = self else { return Ok(()) };
        if settings.workload.survives_losses() {
            transacting.link.recover(&settings.topic, registry, now_ns)?;
        }
        let mut outcome = transacting.link.tend(&settings.topic, now_ns);
        if outcome.is_ok() && transacting.link.is_free() {
            let question = transacting.transactions.tend(now_ns, is_flushed, is_stopping)?;
            if let Some(question) = question {
                let letter = transacting.letter(&question, settings)?;
                outcome = transacting.link.ask(question, letter, now_ns);
            }
        }
        self.endure_coordinator(now_ns, outcome)
    }

    /// The socket of the coordinator became readable or writable.
    pub fn on_coordinator_ready(
        &mut self,
        now_ns: u64,
        registry: &Registry,
        recorder: &mut Recorder,
    ) -> Result<(), Error> {
        let Self { transacting: Some(transacting), report, .. } = self else { return Ok(()) };
        let Transacting { transactions, link, .. } = transacting;
        let answered = match link.exchange(registry, now_ns) {
            Ok(Some(answered)) => answered,
            Ok(None) => return Ok(()),
            Err(error) => return self.endure_coordinator(now_ns, Err(error)),
        };
        let Answered { question, sent_ns, .. } = &answered;
        let (api, address) = (question.api(), link.address().to_owned());
        let code = code_of(&answered).map_err(|source| Error::Decode { api, address, source })?;
        let measured = recorder.timeline().measures(*sent_ns);
        match transactions.take(question, code, *sent_ns, now_ns, measured)? {
            Outcome::None => {}
            Outcome::Seek => link.seek(now_ns),
            Outcome::Ended { commits } => {
                let records = report.decide(commits);
                recorder.roll(now_ns);
                if let Some(counts) = recorder.counts(now_ns).filter(|_| !commits) {
                    counts.aborted_records += records;
                }
            }
        }
        self.tend(now_ns, registry)
    }

    /// Which socket is the coordinator's, counted from the producer's first.
    pub fn is_coordinator(&self, socket: usize) -> bool {
        socket == self.links.len()
    }

    /// Whether a record that is due may be written to the present partition.
    pub(super) fn may_write(&mut self, now_ns: u64) -> bool {
        let partition = self.partition as u32;
        let transacting = self.transacting.as_mut();
        transacting.is_none_or(|transacting| transacting.transactions.may_write([partition], now_ns))
    }

    /// Whether a record that is due may be written to any partition.
    pub(super) fn may_write_anywhere(&mut self, now_ns: u64) -> bool {
        if self.transacting.is_none() || self.closing || !self.is_due(now_ns) {
            return true;
        }
        let all = 0..self.settings.topic.leaders.len() as u32;
        let transacting = self.transacting.as_mut();
        transacting.is_none_or(|transacting| transacting.transactions.may_write(all, now_ns))
    }

    /// So many records were written.
    pub(super) fn note_written(&mut self, records: u64) {
        if let Some(transacting) = &mut self.transacting {
            transacting.transactions.note_written(records);
        }
    }

    /// Records that the transaction takes.
    pub(super) fn transaction_room(&self) -> u64 {
        self.transacting.as_ref().map_or(u64::MAX, |transacting| transacting.transactions.room())
    }

    /// Nothing may be written until the coordinator has answered.
    pub(super) fn is_held(&self) -> bool {
        self.transacting.as_ref().is_some_and(|transacting| transacting.transactions.is_held())
    }

    /// What is written goes out without waiting for company.
    pub(super) fn hurries(&self) -> bool {
        self.closing || self.transacting.as_ref().is_some_and(|transacting| transacting.transactions.is_ending())
    }

    /// A lost connection ends the run, unless losses are planned.
    fn endure_coordinator(&mut self, now_ns: u64, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(Error::Io { .. } | Error::Connect { .. }) if self.settings.workload.survives_losses() => {
                self.lose_coordinator(now_ns);
                Ok(())
            }
            other => other,
        }
    }

    /// The coordinator's connection is gone; the open question is asked again.
    pub(super) fn lose_coordinator(&mut self, now_ns: u64) {
        if let Some(transacting) = &mut self.transacting {
            self.settings.signals.note_trouble(now_ns);
            transacting.link.lose(now_ns);
        }
    }
}

/// The first error code of an answer.
fn code_of(answered: &Answered<Question>) -> Result<i16, DecodeError> {
    let (bytes, version, api) = (answered.bytes.as_slice(), answered.version, answered.question.api());
    if answered.question == (Question::End { commits: true }) || answered.question == (Question::End { commits: false })
    {
        return frame::decode_response::<EndTxnResponse>(bytes, api, version).map(|(_, response)| response.error_code);
    }
    let (_, response) = frame::decode_response::<AddPartitionsToTxnResponse<'_>>(bytes, api, version)?;
    let mut codes = response.topics.iter().flat_map(|topic| &topic.partitions).map(|result| result.error_code);
    // Of a refused request, all other partitions say only that they were not looked at.
    let not_attempted = protocol::error_code::ErrorCode::OperationNotAttempted.code();
    let mut refused: Vec<i16> = codes.by_ref().filter(|&code| code != 0).collect();
    refused.sort_by_key(|&code| code == not_attempted);
    Ok(refused.first().copied().unwrap_or(0))
}
