//! What a read may see: whole batches as they were sent, one after another, nothing that is not visible.

use engine::journal::reader::Goal;
use engine::offset::{CommitSequence, Ends};
use engine::partition::transactions::Isolation;
use engine::shard::reads::{ReadBatches, ReadRequest};

use super::LogModel;
use super::compaction::Sight;
use crate::batches::opened;

impl LogModel {
    /// Checks an answer that was given now; `asked_end` was the end for it when it was asked for. Gives how many
    /// batches it tells to leave out.
    pub fn check_read(
        &mut self,
        request: &ReadRequest,
        asked_end: i64,
        answer: &ReadBatches,
        (ends, now_ms): (Ends<CommitSequence>, i64),
    ) -> u64 {
        let bytes = answer.slices.concat();
        assert_eq!(bytes.len(), answer.bytes, "the length of a read is wrong");
        let sight = Sight { end: self.shown.1, durable: ends.durable, now_ms };
        let batches = opened(&bytes);
        for (at, found) in batches.iter().enumerate() {
            self.check_batch(request.log, found, &sight);
            if let Some(horizon_ms) = found.horizon_ms {
                self.keys.show_horizon(found.seen.base, horizon_ms);
            }
            let batch = &found.seen;
            let sent = self.sent.get(&batch.base);
            assert!(
                batch.end <= self.shown.1,
                "{:?}: {batch:?} is above the high watermark {}",
                request.log,
                self.shown.1
            );
            let is_durable = sent.is_some_and(|sent| sent.promised || sent.commit <= ends.durable);
            assert!(
                is_durable || self.config.written_is_enough,
                "{:?}: {batch:?} is shown and not durable",
                request.log
            );
            if at > 0 {
                let before = batches[at - 1].seen.end;
                assert!(before <= batch.base, "{:?} goes back before {batch:?}", request.log);
                self.check_gap(request.log, (before, batch.base), &sight);
            }
        }
        // The log start may have moved since it was last shown.
        let start = self.shown.0.max(answer.view.start.0);
        let Some(first) = batches.first().map(|first| &first.seen) else {
            self.check_nothing(request, (start, asked_end), &sight);
            return 0;
        };
        let fits = bytes.len() <= request.bytes_max || (batches.len() == 1 && request.first_whole);
        assert!(fits, "{} bytes instead of {}", bytes.len(), request.bytes_max);
        match request.goal {
            Goal::Offset(offset) => {
                assert!(first.end > offset.0, "a read at {offset} begins with {first:?}");
                self.check_gap(request.log, (offset.0.max(start), first.base), &sight);
            }
            Goal::Timestamp(time) => {
                assert!(first.max_timestamp >= time, "{first:?} does not reach {time}");
                let missed = self
                    .sent
                    .range(start.min(first.base)..first.base)
                    .find(|(_, sent)| self.youngest_ms(sent, &sight).is_some_and(|youngest_ms| youngest_ms >= time));
                assert!(missed.is_none(), "{missed:?} is the first at {time}, not {first:?}");
            }
        }
        match request.isolation {
            Isolation::Committed => self.check_decided(request.log, &batches, &answer.aborted, &answer.view),
            Isolation::Uncommitted => 0,
        }
    }

    fn check_nothing(&self, request: &ReadRequest, (start, asked_end): (i64, i64), sight: &Sight) {
        match request.goal {
            Goal::Offset(offset) => {
                assert!(
                    offset.0 >= asked_end || !request.first_whole,
                    "{:?}: nothing is read at {offset} below {asked_end}",
                    request.log
                );
            }
            Goal::Timestamp(time) => {
                let missed = self
                    .sent
                    .range(start.min(asked_end)..asked_end)
                    .find(|(_, sent)| self.youngest_ms(sent, sight).is_some_and(|youngest_ms| youngest_ms >= time));
                assert!(missed.is_none(), "{:?}: {missed:?} reaches {time} and was not found", request.log);
            }
        }
    }
}
