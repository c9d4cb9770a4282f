//! Records without keys: one partition at a time until its batch is full or has lingered, as Kafka's sticky partitioner has it.

use crate::error::Error;
use crate::payload::{PayloadWriter, Stamp};
use crate::producer::Producer;
use crate::recorder::Recorder;
use crate::schedule::Schedule;

impl Producer {
    /// Makes sure that a batch of the current partition is open; false when nothing may be built now.
    pub(super) fn prepare_batch(&mut self, now_ns: u64, recorder: &mut Recorder) -> Result<bool, Error> {
        let partition = self.partition as u32;
        let broker = self.settings.topic.leaders[self.partition];
        if let Some(open) = &self.links[broker].open {
            if open.open_partition() == Some(partition) {
                return Ok(true);
            }
            if !open.takes_batch(partition, &self.template) {
                if !self.links[broker].has_room(self.settings.workload.in_flight) {
                    return Ok(false);
                }
                self.dispatch(broker, recorder)?;
            }
        }
        let link = &mut self.links[broker];
        if link.open.is_none() {
            let mut request = link.take_spare();
            request.begin(&self.template);
            link.open = Some(request);
        }
        let open = link.open.as_mut().expect("it was opened above");
        let sequence = self.report.ledgers[self.partition].produced;
        let timestamp_ms = self.settings.clock.unix_ms(now_ns);
        if let Some(layout) = self.template.raw() {
            let (run, producer) = (self.settings.run, self.index);
            let first = Stamp { run, producer, partition, sequence, intended_ns: now_ns };
            open.open_raw_batch(layout, first, timestamp_ms, self.identity);
        } else {
            open.open_batch(partition, sequence, timestamp_ms, self.identity);
        }
        Ok(true)
    }

    /// Appends what is due and fits.
    pub(super) fn append_due(&mut self, now_ns: u64, payload: &mut PayloadWriter) {
        let transaction_room = self.transaction_room();
        let ledger = &mut self.report.ledgers[self.partition];
        let link = &mut self.links[self.settings.topic.leaders[self.partition]];
        let open = link.open.as_mut().expect("prepare_batch opened it");
        // One look at the clock a batch; in a closed loop a record is due when its batch is begun.
        let now_ns = if self.schedule.is_none() { self.settings.clock.now_ns() } else { now_ns };
        let room = open.room(self.settings.workload.value_bytes_max(), &self.template) as u64;
        let mut left = room.min(self.records_left).min(transaction_room).min(u64::from(u32::MAX));
        let mut stamp = Stamp {
            run: self.settings.run,
            producer: self.index,
            partition: self.partition as u32,
            sequence: ledger.produced,
            intended_ns: now_ns,
        };
        while left > 0 {
            let count = match &mut self.schedule {
                Some(schedule) if schedule.peek_ns() > now_ns => break,
                Some(schedule) => {
                    stamp.intended_ns = schedule.advance();
                    1
                }
                None => left,
            };
            open.append_run(stamp, count as u32, payload);
            stamp.sequence += count;
            left -= count;
        }
        let written = stamp.sequence - ledger.produced;
        self.records_left -= written;
        ledger.produced = stamp.sequence;
        self.note_written(written);
    }

    /// Moves on to the next partition when the batch takes no more, and sends when it may.
    pub(super) fn close_if_full(&mut self, recorder: &mut Recorder) -> Result<(), Error> {
        let broker = self.settings.topic.leaders[self.partition];
        let Some(open) = &mut self.links[broker].open else { return Ok(()) };
        if open.room(self.settings.workload.value_bytes_max(), &self.template) > 0 && self.records_left > 0 {
            return Ok(());
        }
        open.close_batch(true);
        self.partition = (self.partition + 1) % self.settings.topic.leaders.len();
        if self.links[broker].has_room(self.settings.workload.in_flight) {
            self.dispatch(broker, recorder)?;
        }
        Ok(())
    }

    /// The first record of a batch has the whole linger to wait, unless the batch is full before.
    pub(super) fn wake_for_new_batch_ns(&self, schedule: &Schedule) -> u64 {
        let workload = &self.settings.workload;
        let records = (workload.batch_bytes / workload.value_bytes_max()).max(1);
        let linger_end_ns = schedule.peek_ns().saturating_add(workload.linger.as_nanos() as u64);
        linger_end_ns.min(schedule.estimate_ns(records))
    }
}
