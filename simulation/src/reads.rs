//! Consumers: reads at the tail and behind it, by offset and by time, and the ends of epochs.

use engine::error::ReadError;
use engine::journal::reader::Goal;
use engine::offset::{LogId, Offset};
use engine::partition::transactions::Isolation;
use engine::shard::reads::{ReadId, ReadRequest, ReadStart};

use crate::world::World;

/// A read that waits for the disk.
pub struct PendingRead {
    shard: usize,
    id: ReadId,
    request: ReadRequest,
    /// The end for it when it was asked for.
    end: i64,
}

impl World {
    pub(crate) fn read(&mut self) {
        let logs: Vec<LogId> = self.model.logs.keys().copied().collect();
        let Some(log) = self.dice.pick(&logs) else { return };
        self.coverage.operation("read");
        let shard = self.machine().shard_of(log);
        let view = self.machine().shards[shard].view(log).expect("the log is there");
        let (start, end) = (view.start.0, view.high_watermark.0);
        let goal = match self.dice.below(10) {
            0 => Goal::Offset(Offset(start - 1 - self.dice.below(5) as i64)),
            1 => Goal::Offset(Offset(end + self.dice.below(5) as i64)),
            2 | 3 => Goal::Timestamp(self.now_ms() - self.dice.below(30_000) as i64),
            4 | 5 => Goal::Offset(Offset(end - 1 - self.dice.below(8).min((end - start).max(1) as u64 - 1) as i64)),
            _ => Goal::Offset(Offset(start + self.dice.below((end - start) as u64) as i64)),
        };
        let (bytes_max, first_whole) = (1 + self.dice.below(20_000) as usize, self.dice.chance(900));
        // A time is asked for one batch, as ListOffsets does.
        let is_time = matches!(goal, Goal::Timestamp(_));
        let (bytes_max, first_whole) = if is_time { (1, true) } else { (bytes_max, first_whole) };
        let is_decided = !is_time && self.dice.chance(400);
        let isolation = if is_decided { Isolation::Committed } else { Isolation::Uncommitted };
        let asked_end = view.end_for(isolation).0;
        let one_step = !is_time && bytes_max.is_multiple_of(2);
        let request = ReadRequest { log, goal, bytes_max, first_whole, one_step, isolation };
        let outcome = self.machine().shards[shard].read(request);
        let is_outside = matches!(goal, Goal::Offset(offset) if offset.0 < start || offset.0 > end);
        assert!(!is_outside || outcome.is_err(), "{request:?} is outside of {start}..={end} and is answered");
        match outcome {
            Ok(ReadStart::Pending(id)) => self.reads.push(PendingRead { shard, id, request, end: asked_end }),
            Ok(ReadStart::Done(batches)) => {
                self.coverage.operation("reads from the tail");
                let sight = (self.machine().shards[shard].ends(), self.now_ms());
                let known = self.model.log(log);
                // The view moves at turns only, and was shown after the last one.
                let told = known.check_read(&request, asked_end, &batches, sight);
                self.tell_decided(isolation, told);
                self.note(("read", log.0, batches.bytes));
            }
            Err(ReadError::OutOfRange { offset, .. }) => {
                assert!(offset.0 < start || offset.0 > end, "offset {offset} is within {start}..={end}");
            }
            // What the disk gave for another reader is found wrong by this one.
            Err(ReadError::Damaged(_)) if self.plan.faults.read_flip > 0 => {
                self.coverage.operation("reads that the disk failed");
            }
            Err(error) => panic!("{request:?} fails: {error}"),
        }
    }

    pub(crate) fn finish_reads(&mut self, shard: usize) {
        let finished = self.machine().shards[shard].take_finished_reads();
        let sight = (self.machine().shards[shard].ends(), self.now_ms());
        for (id, outcome) in finished {
            let at = self.reads.iter().position(|read| read.shard == shard && read.id == id);
            let PendingRead { request, end, .. } =
                self.reads.remove(at.expect("every read was asked for, and ends once"));
            self.note(("read later", request.log.0, outcome.as_ref().map_or(0, |batches| batches.bytes)));
            let disk_fails = self.plan.faults.read_error > 0 || self.plan.faults.read_flip > 0;
            match outcome {
                Ok(batches) => {
                    self.coverage.operation("reads from the disk");
                    if let Some(known) = self.model.logs.get_mut(&request.log) {
                        let told = known.check_read(&request, end, &batches, sight);
                        self.tell_decided(request.isolation, told);
                    }
                }
                Err(ReadError::OutOfRange { offset, .. }) => {
                    // The log start passed it while the read waited.
                    let view = self.machine().shards[shard].view(request.log).expect("the log is there");
                    assert!(offset < view.start, "{offset} is in range");
                }
                Err(ReadError::UnknownLog(log)) => assert!(!self.model.logs.contains_key(&log), "{log} is there"),
                Err(ReadError::Damaged(_) | ReadError::Failed(_)) if disk_fails => {
                    self.coverage.operation("reads that the disk failed");
                }
                Err(ReadError::Damaged(reason)) => {
                    // Space below the log start is given back at any time, except while a read leases it.
                    panic!("{request:?} fails on a sound disk: {reason}");
                }
                Err(error) => panic!("{request:?} fails: {error}"),
            }
        }
    }

    fn tell_decided(&mut self, isolation: Isolation, told: u64) {
        if isolation == Isolation::Committed {
            self.coverage.operation("reads of what is decided");
            self.coverage.operations_of("aborted batches told", told);
        }
    }

    /// `OffsetForLeaderEpoch`: where an epoch ends, by what was stored under it.
    pub(crate) fn ask_epoch(&mut self) {
        let logs: Vec<LogId> = self.model.logs.keys().copied().collect();
        let Some(log) = self.dice.pick(&logs) else { return };
        self.coverage.operation("epoch end");
        let shard = self.machine().shard_of(log);
        let view = self.machine().shards[shard].view(log).expect("the log is there");
        let epoch = self.dice.below(view.leader_epoch as u64 + 1) as i32;
        let Some((found, end)) = self.machine().shards[shard].epoch_end(log, epoch) else { return };
        assert!(found <= epoch, "epoch {found} answers for {epoch}");
        let known = self.model.log(log);
        // What lies below the log start is gone, and no epoch ends there.
        let stored = known.sent.values().map(|sent| sent.batch);
        for batch in stored.filter(|batch| batch.end <= known.shown.1 && batch.base >= view.start.0) {
            let fits = if batch.epoch <= found { batch.end <= end.0 } else { batch.base >= end.0 };
            assert!(fits, "epoch {found} ends at {end}, but {batch:?}");
        }
    }
}
