//! `Verified`: the partitions of open transactions whose coordinators were asked by this shard. A batch of a transaction that its coordinator
//! does not know of would hold up every reader of decided records for ever: no marker would end it.
//!
//! What is remembered is forgotten before the marker is written in any partition. An answer that comes after that counts no more.

use std::collections::HashMap;

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

/// What was asked, and what is known, by producer id. A batch of another epoch does not disturb what is known of the right one.
#[derive(Debug, Default)]
pub(super) struct Verified {
    producers: HashMap<i64, HashMap<(LogRef, i16), Partition>>,
    partition_count: usize,
    last_question: u64,
}

impl Verified {
    /// Whether the partition is part of the producer's open transaction.
    pub(super) fn has(&self, producer: ProducerIdentity, log: LogRef) -> bool {
        let known = self.producers.get(&producer.id).and_then(|partitions| partitions.get(&(log, producer.epoch)));
        known.is_some_and(|known| known.is_verified)
    }

    /// Notes that the coordinator is asked. With too many partitions all are forgotten: they are asked for again.
    pub(super) fn ask(&mut self, producer: ProducerIdentity, log: LogRef) -> Question {
        if self.partition_count >= VERIFIED_PARTITIONS_MAX {
            (self.producers, self.partition_count) = (HashMap::new(), 0);
        }
        self.last_question += 1;
        let question = Question(self.last_question);
        let asked = Partition { question, is_verified: false };
        let replaced = self.producers.entry(producer.id).or_default().insert((log, producer.epoch), asked);
        self.partition_count += usize::from(replaced.is_none());
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
        let Some(partitions) = self.producers.get_mut(&producer.id) else {
            return false;
        };
        let Some(asked) = partitions.get_mut(&(log, producer.epoch)).filter(|asked| asked.question == question) else {
            return false;
        };
        asked.is_verified = is_part;
        if !is_part {
            partitions.remove(&(log, producer.epoch));
            self.partition_count -= 1;
            if partitions.is_empty() {
                self.producers.remove(&producer.id);
            }
        }
        true
    }

    /// The producer's transaction ends.
    pub(super) fn forget(&mut self, producer_id: i64) {
        let forgotten = self.producers.remove(&producer_id);
        self.partition_count -= forgotten.map_or(0, |partitions| partitions.len());
    }
}

#[cfg(test)]
mod tests {
    use engine::offset::{LogId, ShardId};

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
        verified.forget(PRODUCER.id);
        assert!(!verified.has(PRODUCER, log(1)));
        assert_eq!(verified.partition_count, 0);
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
        assert_eq!((verified.partition_count, verified.producers.len()), (0, 0));
        for id in 0..=VERIFIED_PARTITIONS_MAX as u64 {
            let question = verified.ask(PRODUCER, log(id));
            assert!(verified.answered(PRODUCER, log(id), question, true));
        }
        assert_eq!(verified.partition_count, 1);
    }
}
