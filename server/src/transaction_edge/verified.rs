//! `Verified`: the partitions of open transactions whose coordinators were asked by this shard. A batch of a transaction that its coordinator
//! does not know of would hold up every reader of decided records for ever: no marker would end it.
//!
//! What is remembered is forgotten before the marker is written in any partition, and what was let in by then is in its log, or waits there for room,
//! where the marker is seen. An answer that comes after that counts no more.

use std::collections::BTreeMap;

use engine::offset::{LogId, ShardId};
use engine::shard::core::LogRef;

use crate::limits::VERIFIED_PARTITIONS_MAX;
use crate::transaction::ProducerIdentity;

/// Names one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question(u64);

#[derive(Debug, Clone, Copy)]
struct Partition {
    question: Question,
    is_verified: bool,
}

/// A producer's id, a partition, and the producer's epoch.
type Key = (i64, LogRef, i16);

/// What was asked, and what is known. A batch of another epoch does not disturb what is known of the right one.
#[derive(Debug, Default)]
pub(super) struct Verified {
    partitions: BTreeMap<Key, Partition>,
    last_question: u64,
}

impl Verified {
    /// Whether the partition is part of the producer's open transaction.
    pub(super) fn has(&self, producer: ProducerIdentity, log: LogRef) -> bool {
        self.partitions.get(&key(producer, log)).is_some_and(|known| known.is_verified)
    }

    /// Notes that the coordinator is asked. With too many partitions all are forgotten: they are asked for again.
    pub(super) fn ask(&mut self, producer: ProducerIdentity, log: LogRef) -> Question {
        if self.partitions.len() >= VERIFIED_PARTITIONS_MAX {
            self.partitions.clear();
        }
        self.last_question += 1;
        let question = Question(self.last_question);
        self.partitions.insert(key(producer, log), Partition { question, is_verified: false });
        question
    }

    /// Takes the coordinator's answer. False if nobody waits for it any more: the transaction may have ended since.
    pub(super) fn answered(
        &mut self,
        producer: ProducerIdentity,
        log: LogRef,
        question: Question,
        is_part: bool,
    ) -> bool {
        let asked = self.partitions.get_mut(&key(producer, log)).filter(|asked| asked.question == question);
        let Some(asked) = asked else {
            return false;
        };
        asked.is_verified = is_part;
        if !is_part {
            self.partitions.remove(&key(producer, log));
        }
        true
    }

    /// The producer's transaction ends.
    pub(super) fn forget(&mut self, producer_id: i64) {
        let first = LogRef { shard: ShardId(0), log: LogId(0) };
        let forgotten = self.partitions.range((producer_id, first, i16::MIN)..);
        let forgotten: Vec<Key> = forgotten.map(|(key, _)| *key).take_while(|key| key.0 == producer_id).collect();
        for key in forgotten {
            self.partitions.remove(&key);
        }
    }
}

fn key(producer: ProducerIdentity, log: LogRef) -> Key {
    (producer.id, log, producer.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: ProducerIdentity = ProducerIdentity { id: 7, epoch: 2 };

    fn log(id: u64) -> LogRef {
        LogRef { shard: ShardId(0), log: LogId(id) }
    }

    #[test]
    fn a_partition_is_asked_for_once_until_the_transaction_ends() {
        let mut verified = Verified::default();
        assert!(!verified.has(PRODUCER, log(1)));
        let question = verified.ask(PRODUCER, log(1));
        assert!(!verified.has(PRODUCER, log(1)), "the answer is not there");
        assert!(verified.answered(PRODUCER, log(1), question, true));
        assert!(verified.has(PRODUCER, log(1)) && !verified.has(PRODUCER, log(2)));
        let later = ProducerIdentity { epoch: 3, ..PRODUCER };
        assert!(!verified.has(later, log(1)));
        let question = verified.ask(later, log(1));
        assert!(verified.answered(later, log(1), question, false) && verified.has(PRODUCER, log(1)));
        for id in [PRODUCER.id - 1, PRODUCER.id + 1] {
            verified.forget(id);
        }
        assert!(verified.has(PRODUCER, log(1)), "those are others");
        verified.forget(PRODUCER.id);
        assert!(verified.partitions.is_empty());
    }

    #[test]
    fn an_answer_that_comes_after_the_end_counts_no_more() {
        let mut verified = Verified::default();
        let late = verified.ask(PRODUCER, log(1));
        verified.forget(PRODUCER.id);
        assert!(!verified.answered(PRODUCER, log(1), late, true));
        let next = verified.ask(PRODUCER, log(1));
        assert!(!verified.answered(PRODUCER, log(1), late, true), "that of the next transaction is another");
        assert!(!verified.has(PRODUCER, log(1)));
        assert!(verified.answered(PRODUCER, log(1), next, true) && verified.has(PRODUCER, log(1)));
    }

    #[test]
    fn what_is_no_part_leaves_nothing_and_more_than_fit_are_forgotten() {
        let mut verified = Verified::default();
        let question = verified.ask(PRODUCER, log(0));
        assert!(verified.answered(PRODUCER, log(0), question, false));
        assert!(verified.partitions.is_empty());
        for id in 0..=VERIFIED_PARTITIONS_MAX as u64 {
            let question = verified.ask(PRODUCER, log(id));
            assert!(verified.answered(PRODUCER, log(id), question, true));
        }
        assert_eq!(verified.partitions.len(), 1);
    }
}
