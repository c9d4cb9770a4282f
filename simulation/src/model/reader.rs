//! What a read may see: whole batches as they were sent, one after another, nothing that is not visible.

use engine::journal::reader::Goal;
use engine::offset::{CommitSequence, Ends};
use engine::shard::reads::{ReadBatches, ReadRequest};

use super::LogModel;
use crate::batches::{Seen, seen};

impl LogModel {
    /// Checks an answer that was given now; `asked_end` was the high watermark when it was asked for.
    pub fn check_read(
        &self,
        request: &ReadRequest,
        asked_end: i64,
        answer: &ReadBatches,
        ends: Ends<CommitSequence>,
    ) -> Vec<Seen> {
        let bytes = answer.slices.concat();
        assert_eq!(bytes.len(), answer.bytes, "the length of a read is wrong");
        let batches = seen(&bytes);
        for (at, batch) in batches.iter().enumerate() {
            let sent = self.sent.get(&batch.base);
            assert_eq!(sent.map(|sent| &sent.batch), Some(batch), "{:?} shows what nobody sent", request.log);
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
            let follows = at == 0 || batches[at - 1].end == batch.base;
            assert!(follows, "{:?} has a gap before {batch:?}", request.log);
        }
        // The log start may have moved since it was last shown.
        let start = self.shown.0.max(answer.view.start.0);
        let Some(first) = batches.first() else {
            self.check_nothing(request, start, asked_end);
            return batches;
        };
        let fits = bytes.len() <= request.bytes_max || (batches.len() == 1 && request.first_whole);
        assert!(fits, "{} bytes instead of {}", bytes.len(), request.bytes_max);
        match request.goal {
            Goal::Offset(offset) => {
                assert!((first.base..first.end).contains(&offset.0), "a read at {offset} begins with {first:?}");
            }
            Goal::Timestamp(time) => {
                assert!(first.max_timestamp >= time, "{first:?} does not reach {time}");
                let missed = self
                    .sent
                    .range(start.min(first.base)..first.base)
                    .find(|(_, sent)| sent.batch.max_timestamp >= time);
                assert!(missed.is_none(), "{missed:?} is the first at {time}, not {first:?}");
            }
        }
        batches
    }

    fn check_nothing(&self, request: &ReadRequest, start: i64, asked_end: i64) {
        match request.goal {
            Goal::Offset(offset) => {
                assert!(
                    offset.0 >= asked_end || !request.first_whole,
                    "{:?}: nothing is read at {offset} below {asked_end}",
                    request.log
                );
            }
            Goal::Timestamp(time) => {
                let missed =
                    self.sent.range(start.min(asked_end)..asked_end).find(|(_, sent)| sent.batch.max_timestamp >= time);
                assert!(missed.is_none(), "{:?}: {missed:?} reaches {time} and was not found", request.log);
            }
        }
    }
}
