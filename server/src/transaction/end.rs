//! The end of a transaction: the decision is written first, then every partition is told by a marker, then the id is free for the next.
//!
//! Whoever commits is answered when all markers are durable: what it wrote can be seen, and its next transaction need not wait. A partition
//! that cannot take its marker holds up the id, not the answer.

use std::collections::BTreeSet;

use engine::offset::ShardId;

use super::coordinator::{Coordinator, Effect, Then};
use super::{
    EndRequest, Partitions, ProducerIdentity, ReplyToken, Response, Status, Transaction, TransactionError,
    TransactionRecord, VerifyRequest,
};

/// How a transaction ended, and who must be told, until all have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markers {
    /// For [`super::Event::MarkersWritten`].
    pub transactional_id: String,
    /// The producer whose transaction ends, with the epoch that counts from now on.
    pub producer: ProducerIdentity,
    /// Committed, or aborted.
    pub commits: bool,
    /// Who must be told.
    pub partitions: Partitions,
    /// The shards that must forget what they know of the transaction before that.
    pub verified_on: BTreeSet<ShardId>,
}

impl Coordinator {
    pub(super) fn end(&mut self, token: ReplyToken, request: &EndRequest, now_ms: i64) {
        match self.check_end(request) {
            Ok(true) => self.reply(token, Response::Done(Ok(()))),
            Ok(false) => {
                let entry = &self.entries[&request.transactional_id];
                let status = if request.commits { Status::PrepareCommit } else { Status::PrepareAbort };
                let next = Transaction { status, ..entry.current.clone() };
                self.change(&request.transactional_id, next, entry.previous, Then::End(token), now_ms);
            }
            Err(error) => self.reply(token, Response::Done(Err(error))),
        }
    }

    /// Whether the transaction has already ended in this way.
    fn check_end(&self, request: &EndRequest) -> Result<bool, TransactionError> {
        let entry = self.owned_entry(&request.transactional_id, request.producer)?;
        match (entry.current.status, request.commits) {
            (Status::Ongoing, _) => Ok(false),
            (Status::CompleteCommit, true) | (Status::CompleteAbort, false) => Ok(true),
            (Status::PrepareCommit, true) | (Status::PrepareAbort, false) => {
                Err(TransactionError::ConcurrentTransactions)
            }
            _ => Err(TransactionError::InvalidTxnState),
        }
    }

    /// Aborts an open transaction against its producer's will: the higher epoch fences it in every partition that gets the marker.
    pub(super) fn abort(&mut self, transactional_id: &str, then: Then, now_ms: i64) {
        let current = &self.entries[transactional_id].current;
        // Nobody has taken over from a producer that was only slow: it comes back as what it was.
        let previous = (then == Then::EndForTimeout).then_some(current.producer);
        let mut next = current.clone();
        next.status = Status::PrepareAbort;
        next.producer.epoch = next.producer.epoch.saturating_add(1);
        self.change(transactional_id, next, previous, then, now_ms);
    }

    /// Whether a producer may write to a partition in its transaction. More partitions may be on their way to it.
    pub(super) fn verify(&mut self, request: &VerifyRequest) -> Result<(), TransactionError> {
        let entry = self.entries.get_mut(&request.transactional_id);
        let entry = entry.filter(|entry| entry.current.producer.id == request.producer.id);
        let entry = entry.ok_or(TransactionError::InvalidProducerIdMapping)?;
        if entry.current.producer.epoch != request.producer.epoch {
            return Err(TransactionError::ProducerFenced);
        }
        let is_ending = |status| matches!(status, Status::PrepareCommit | Status::PrepareAbort);
        let begins_to_end = entry.pending.as_ref().is_some_and(|pending| is_ending(pending.next.status));
        if is_ending(entry.current.status) || begins_to_end {
            return Err(TransactionError::ConcurrentTransactions);
        }
        let partitions = entry.current.partitions.get(&request.topic);
        let is_part = partitions.is_some_and(|partitions| partitions.contains(&request.partition));
        if entry.current.status != Status::Ongoing || !is_part {
            return Err(TransactionError::InvalidTxnState);
        }
        entry.verified_on.extend(request.remembered_on);
        Ok(())
    }

    pub(super) fn write_markers(&mut self, transactional_id: &str) {
        let entry = self.entries.get_mut(transactional_id).expect("an id whose transaction ends stays");
        let current = &entry.current;
        self.effects.push(Effect::WriteMarkers(Markers {
            transactional_id: transactional_id.to_owned(),
            producer: current.producer,
            commits: current.status == Status::PrepareCommit,
            partitions: current.partitions.clone(),
            verified_on: std::mem::take(&mut entry.verified_on),
        }));
    }

    pub(super) fn markers_delayed(&mut self, transactional_id: &str) {
        let entry = self.entries.get_mut(transactional_id);
        if let Some(token) = entry.and_then(|entry| entry.waits_for_end.take()) {
            // The decision is durable and stands.
            self.reply(token, Response::Done(Ok(())));
        }
    }

    /// The id is free at once. Its record follows: should it be lost, the markers are written again, which changes nothing, since whatever
    /// the id does next lies behind that record in the log.
    pub(super) fn markers_written(&mut self, transactional_id: &str, now_ms: i64) {
        let entry = self.entries.get_mut(transactional_id).expect("an id whose markers are written stays");
        entry.current.status = match entry.current.status {
            Status::PrepareCommit => Status::CompleteCommit,
            Status::PrepareAbort => Status::CompleteAbort,
            status => panic!("markers are written in a prepared state, not in {status:?}"),
        };
        entry.current.partitions = Partitions::new();
        entry.current.updated_ms = now_ms;
        let waits_for_end = entry.waits_for_end.take();
        let value = Some(entry.current.clone());
        self.append(
            &TransactionRecord { transactional_id: transactional_id.to_owned(), value },
            Then::Complete,
            now_ms,
        );
        if let Some(token) = waits_for_end {
            self.reply(token, Response::Done(Ok(())));
        }
        self.reschedule(transactional_id);
    }
}
