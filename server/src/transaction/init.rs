//! `InitProducerId`: a producer takes over a transactional id. Its epoch goes up, so that whoever had the id before is fenced.

use super::coordinator::{Coordinator, Entry, Then};
use super::{InitRequest, Partitions, ProducerIdentity, ReplyToken, Response, Status, Transaction, TransactionError};
use crate::limits::{TRANSACTIONAL_ID_BYTES_MAX, TRANSACTIONAL_IDS_PER_COORDINATOR_MAX};

/// From this epoch on a producer gets a new id: the last one is kept for fencing.
const EPOCH_EXHAUSTED: i16 = i16::MAX - 1;

/// What an `InitProducerId` leads to.
enum Step {
    /// The producer becomes this one, and was that one.
    Become(ProducerIdentity, Option<ProducerIdentity>),
    /// First the open transaction is aborted; the producer asks again.
    Abort,
}

impl Coordinator {
    pub(super) fn init(&mut self, token: ReplyToken, request: &InitRequest, now_ms: i64) {
        let id = &request.transactional_id;
        if let Err(error) = self.check_init(request) {
            return self.reply(token, Response::Init(Err(error)));
        }
        self.entries
            .entry(id.clone())
            .or_insert_with(|| Entry::new(Transaction::new(request.fresh_producer_id, request.timeout_ms, now_ms)));
        match step(&self.entries[id], request) {
            Ok(Step::Become(producer, previous)) => {
                let next = Transaction {
                    producer,
                    timeout_ms: request.timeout_ms,
                    status: Status::Empty,
                    partitions: Partitions::new(),
                    updated_ms: now_ms,
                    started_ms: -1,
                };
                self.change(id, next, previous, Then::Init(token), now_ms);
            }
            Ok(Step::Abort) => self.abort(id, Then::EndForInit(token), now_ms),
            Err(error) => self.reply(token, Response::Init(Err(error))),
        }
    }

    fn check_init(&self, request: &InitRequest) -> Result<(), TransactionError> {
        let id = &request.transactional_id;
        if id.is_empty() || id.len() > TRANSACTIONAL_ID_BYTES_MAX {
            return Err(TransactionError::InvalidRequest);
        }
        if !(1..=self.config.timeout_max_ms).contains(&request.timeout_ms) {
            return Err(TransactionError::InvalidTransactionTimeout);
        }
        let is_full = self.grows_no_more || self.entries.len() >= TRANSACTIONAL_IDS_PER_COORDINATOR_MAX;
        if is_full && !self.entries.contains_key(id) {
            return Err(TransactionError::CoordinatorNotAvailable);
        }
        Ok(())
    }
}

fn step(entry: &Entry, request: &InitRequest) -> Result<Step, TransactionError> {
    let current = &entry.current;
    if entry.pending.is_some() {
        return Err(TransactionError::ConcurrentTransactions);
    }
    let asks_again = current.is_given() && request.expected.is_some() && request.expected == entry.previous;
    if let Some(expected) = request.expected
        && current.is_given()
        && expected != current.producer
        && !asks_again
    {
        return Err(TransactionError::ProducerFenced);
    }
    match current.status {
        Status::PrepareCommit | Status::PrepareAbort | Status::Dead => Err(TransactionError::ConcurrentTransactions),
        Status::Ongoing => Ok(Step::Abort),
        // It has missed the answer, or was too slow; nobody else has taken over, or its old identity would be forgotten.
        _ if asks_again && current.producer.epoch <= EPOCH_EXHAUSTED => {
            Ok(Step::Become(current.producer, entry.previous))
        }
        _ => {
            let producer = if current.producer.epoch >= EPOCH_EXHAUSTED {
                ProducerIdentity { id: request.fresh_producer_id, epoch: 0 }
            } else {
                ProducerIdentity { epoch: current.producer.epoch + 1, ..current.producer }
            };
            let goes_on = request.expected.is_some() && current.is_given();
            let previous = if asks_again { entry.previous } else { goes_on.then_some(current.producer) };
            Ok(Step::Become(producer, previous))
        }
    }
}
