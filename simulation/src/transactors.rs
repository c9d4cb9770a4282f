//! Transactional producers, each with the coordinator that ends its transactions: it commits, aborts, and after a stop fences what was.

use engine::batch::BatchHeader;
use engine::error::AppendError;
use engine::offset::{CommitSequence, LogId};
use engine::partition::marker::{MarkerKind, TransactionMarker};
use engine::shard::state::Refusal;

use crate::batches::{Seen, transactional};
use crate::world::{Owed, World};

/// Transactional producers at once.
const TRANSACTORS_MOST: usize = 4;
/// So few transactions fit any checkpoint: none is refused.
const TRANSACTIONS_LEAST: usize = 40;

/// A transactional producer of one log.
pub struct Transactor {
    /// Where it writes.
    pub log: LogId,
    epoch: i16,
    sequence: i32,
    coordinator_epoch: i32,
    /// The process stopped: nobody knows what is open, so the coordinator ends it.
    pub must_fence: bool,
}

impl World {
    /// One step of a transactional producer or of its coordinator.
    pub(crate) fn transact(&mut self) {
        let ids: Vec<i64> = self.transactors.keys().copied().collect();
        let id = match self.dice.pick(&ids) {
            Some(id) if ids.len() >= TRANSACTORS_MOST || self.dice.chance(900) => id,
            _ => {
                let (Some(log), Some(id)) = (self.a_log(), self.catalog.producer_id()) else {
                    return self.take_producer_ids();
                };
                let transactor = Transactor { log, epoch: 0, sequence: 0, coordinator_epoch: 1, must_fence: false };
                self.transactors.insert(id, transactor);
                id
            }
        };
        if self.transactors[&id].must_fence {
            return self.end_transaction(id, MarkerKind::Abort, true);
        }
        match self.dice.below(20) {
            0..13 => self.append_part(id),
            13..16 => self.end_transaction(id, MarkerKind::Commit, false),
            16..18 => self.end_transaction(id, MarkerKind::Abort, false),
            18 => self.end_transaction(id, MarkerKind::Abort, true),
            _ => self.break_a_rule(id),
        }
    }

    fn append_part(&mut self, id: i64) {
        let Transactor { log, epoch, sequence, .. } = self.transactors[&id];
        let (records, stamp, time) = (1 + self.dice.below(4) as i32, self.next_stamp(), self.now_ms());
        let body_bytes = 20 + self.dice.below(2_000) as usize;
        let bytes = transactional(self.a_batch(log, (records, body_bytes), stamp, (id, epoch, sequence), time));
        self.coverage.operation("produce in a transaction");
        match self.append(log, &bytes, false) {
            Ok((base, commit)) => {
                self.transactors.get_mut(&id).expect("just used").sequence += records;
                self.owe_durably(log, base, commit);
            }
            Err(Refusal::Error(AppendError::TooManyTransactions)) => {
                let (shard, mut remembered) = (self.machine().shard_of(log), 0);
                for known in self.model.logs.values().filter(|known| known.shard == shard) {
                    remembered += known.transactions.remembered();
                }
                assert!(remembered >= TRANSACTIONS_LEAST, "{remembered} transactions are too many");
                self.coverage.operation("transactions refused for want of room");
            }
            Err(Refusal::Wait | Refusal::Error(AppendError::DiskFull)) => {
                self.coverage.operation("produce refused for want of room");
            }
            Err(Refusal::Error(error)) => panic!("a part of producer {id}'s transaction is refused: {error}"),
        }
    }

    /// With `fences` the producer's epoch rises, as after a time-out or a new start of it.
    fn end_transaction(&mut self, id: i64, kind: MarkerKind, fences: bool) {
        let Transactor { log, epoch, coordinator_epoch, .. } = self.transactors[&id];
        let producer_epoch = epoch + i16::from(fences);
        let marker = TransactionMarker { producer_id: id, producer_epoch, coordinator_epoch, kind };
        let was_open = self.model.log(log).transactions.is_open(id);
        match self.append_marker(log, &marker) {
            Ok((base, commit)) => {
                self.coverage.operation(match (was_open, kind) {
                    (false, _) => "markers of nothing",
                    (true, MarkerKind::Abort) => "transactions aborted",
                    (true, MarkerKind::Commit) => "transactions committed",
                });
                let transactor = self.transactors.get_mut(&id).expect("just used");
                transactor.must_fence = false;
                if fences {
                    (transactor.epoch, transactor.sequence) = (producer_epoch, 0);
                }
                self.owe_durably(log, base, commit);
            }
            Err(Refusal::Wait | Refusal::Error(AppendError::DiskFull)) => {
                self.coverage.operation("markers refused for want of room");
            }
            Err(Refusal::Error(error)) => panic!("a marker of producer {id} is refused: {error}"),
        }
    }

    /// What must be refused: a batch beside the open transaction, an old epoch of the producer or of its coordinator.
    fn break_a_rule(&mut self, id: i64) {
        let Transactor { log, epoch, sequence, coordinator_epoch, .. } = self.transactors[&id];
        // Only what it wrote in this epoch binds it, and only while that is there.
        if !self.model.log(log).transactions.is_open(id) || sequence == 0 {
            return;
        }
        let stamp = self.next_stamp();
        let time = self.now_ms();
        let beside = self.a_batch(log, (1, 50), stamp, (id, epoch, sequence), time);
        let kind = MarkerKind::Commit;
        let old = TransactionMarker { producer_id: id, producer_epoch: epoch - 1, coordinator_epoch, kind };
        let shard = self.machine().shard_of(log);
        let outcome = self.machine().shards[shard].append_marker(log, &old);
        assert!(outcome.is_err(), "an old epoch's marker is taken: {outcome:?}");
        // Where the log start passed all of it, nothing is open any more.
        if self.machine().shards[shard]
            .producers(log)
            .iter()
            .any(|known| known.producer_id == id && known.transaction_start.is_some())
        {
            let outcome = self.machine().shards[shard].append(log, &beside);
            assert!(outcome.is_err(), "a batch beside the open transaction is taken: {outcome:?}");
        }
        self.coverage.operation("rules of transactions broken");
    }

    fn append_marker(&mut self, log: LogId, marker: &TransactionMarker) -> Result<(i64, CommitSequence), Refusal> {
        let batch = marker.batch(self.now_ms());
        let shard = self.machine().shard_of(log);
        let outcome = self.machine().shards[shard].append_marker(log, marker);
        self.note(("marker", log.0, format!("{outcome:?}")));
        if outcome == Err(Refusal::Error(AppendError::DiskFull)) {
            assert!(self.may_be_full, "the disk is not full");
        }
        let receipt = outcome?;
        let base = receipt.appended.base_offset.0;
        let view = self.machine().shards[shard].view(log).expect("the log is there");
        let header = BatchHeader::parse(&batch).expect("a whole batch");
        let placed = Seen { base, end: base + 1, epoch: view.leader_epoch, ..Seen::of(&header) };
        let durable = self.machine().shards[shard].ends().durable;
        let known = self.model.log(log);
        known.took(placed, receipt.commit, false, durable);
        known.transactions.marked(base, marker.producer_id, marker.kind == MarkerKind::Abort);
        Ok((base, receipt.commit))
    }

    fn owe_durably(&mut self, log: LogId, base: i64, commit: CommitSequence) {
        let (shard, durable) = (self.machine().shard_of(log), !self.model.log(log).config.written_is_enough);
        self.owe(shard, commit, !durable, Owed::Batch { log, base, durable, client: None });
    }
}
