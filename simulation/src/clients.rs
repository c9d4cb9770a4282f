//! Producers: plain ones, and idempotent ones that send again what was not acknowledged, as Kafka's clients do.

use std::collections::BTreeMap;

use engine::error::AppendError;
use engine::limits::PRODUCER_BATCHES_MAX;
use engine::offset::LogId;
use engine::shard::state::Refusal;

use crate::batches::{NOBODY, batch};
use crate::records::keyed_batch;
use crate::world::{Owed, World};

/// Records of an idempotent producer's batch.
const RECORDS: i32 = 2;
/// Bytes of records that fit any segment.
const BODY_BYTES: u64 = 100_000;

/// An idempotent producer: up to five batches on their way, any of them sent again until it is acknowledged.
pub struct Client {
    /// Where it writes.
    pub log: LogId,
    id: i64,
    epoch: i16,
    /// Batches of this epoch below are acknowledged.
    first: i32,
    window: BTreeMap<i32, Unacked>,
    /// Acknowledged batches may be gone: the log's durability is `written` and the power failed.
    pub may_be_behind: bool,
}

struct Unacked {
    bytes: Vec<u8>,
    base: Option<i64>,
    acked: bool,
}

impl Client {
    /// A new producer.
    pub fn new(log: LogId, id: i64) -> Client {
        Client { log, id, epoch: 0, first: 0, window: BTreeMap::new(), may_be_behind: false }
    }

    /// A batch was acknowledged.
    pub fn acked(&mut self, number: i32) {
        if let Some(unacked) = self.window.get_mut(&number) {
            unacked.acked = true;
        }
        while self.window.get(&self.first).is_some_and(|unacked| unacked.acked) {
            self.window.remove(&self.first);
            self.first += 1;
        }
    }

    /// After a start: what is not there any more may be stored again.
    pub fn restarted(&mut self, is_there: impl Fn(i64) -> bool) {
        for unacked in self.window.values_mut() {
            unacked.base = unacked.base.filter(|&base| is_there(base));
            unacked.acked = false;
        }
    }

    fn begin_anew(&mut self) {
        self.epoch += 1;
        self.first = 0;
        self.window.clear();
        self.may_be_behind = false;
    }
}

impl World {
    /// Logs that clients may use.
    pub(crate) fn usable_logs(&self) -> Vec<LogId> {
        let topics = self.catalog.view().topics().filter(|topic| !topic.internal);
        let logs = topics.flat_map(|topic| topic.logs().map(|log| log.log).collect::<Vec<_>>());
        logs.filter(|log| self.model.logs.get(log).is_some_and(|known| known.made.1)).collect()
    }

    pub(crate) fn produce_plain(&mut self) {
        let Some(log) = self.a_log() else { return self.create_topic() };
        let (records, stamp) = (1 + self.dice.below(5) as i32, self.next_stamp());
        let body_bytes = if self.dice.chance(self.plan.large_permille) {
            20_000 + self.dice.below(50_000) as usize
        } else {
            10 + self.dice.below(3_000) as usize
        };
        let time = self.now_ms() - self.dice.below(6_000) as i64 + 1_000;
        let bytes = self.a_batch(log, (records, body_bytes), stamp, NOBODY, time);
        self.coverage.operation("produce");
        match self.append(log, &bytes, false) {
            Ok((base, commit)) => {
                let acks = self.dice.below(3);
                let shard = self.machine().shard_of(log);
                let durable = acks == 2 && !self.model.log(log).config.written_is_enough;
                if acks > 0 {
                    self.owe(shard, commit, !durable, Owed::Batch { log, base, durable, client: None });
                }
            }
            Err(Refusal::Wait | Refusal::Error(AppendError::DiskFull)) => {
                self.coverage.operation("produce refused for want of room");
            }
            Err(Refusal::Error(error)) => panic!("a batch of {} bytes is refused: {error}", bytes.len()),
        }
    }

    pub(crate) fn produce_idempotent(&mut self) {
        let ids: Vec<i64> = self.clients.keys().copied().collect();
        let id = match self.dice.pick(&ids) {
            Some(id) if ids.len() >= 4 || self.dice.chance(900) => id,
            _ => {
                let (Some(log), Some(id)) = (self.a_log(), self.catalog.producer_id()) else {
                    return self.take_producer_ids();
                };
                self.clients.insert(id, Client::new(log, id));
                id
            }
        };
        self.coverage.operation("produce idempotently");
        let number = self.choose_batch(id);
        let client = &self.clients[&id];
        let (log, unacked) = (client.log, &client.window[&number]);
        let (bytes, base) = (unacked.bytes.clone(), unacked.base);
        match self.append(log, &bytes, true) {
            Ok((stored, commit)) => {
                assert!(
                    base.is_none_or(|base| base == stored),
                    "batch {number} of producer {id} is stored at {base:?} and {stored}"
                );
                let client = self.clients.get_mut(&id).expect("just used");
                client.window.get_mut(&number).expect("just used").base = Some(stored);
                let durable = !self.model.log(log).config.written_is_enough;
                let shard = self.machine().shard_of(log);
                self.owe(
                    shard,
                    commit,
                    !durable,
                    Owed::Batch { log, base: stored, durable, client: Some((id, number)) },
                );
            }
            Err(Refusal::Wait | Refusal::Error(AppendError::DiskFull)) => {
                self.coverage.operation("produce refused for want of room");
            }
            Err(Refusal::Error(AppendError::OutOfOrderSequence { .. })) if client_may_be_behind(self, id) => {
                self.coverage.operation("producers that begin anew");
                self.clients.get_mut(&id).expect("just used").begin_anew();
            }
            Err(Refusal::Error(error)) => panic!("batch {number} of producer {id} is refused: {error}"),
        }
    }

    /// Any batch of the window, or the next one while there is room: but nothing before all earlier ones were sent in this life.
    fn choose_batch(&mut self, id: i64) -> i32 {
        let (time, stamp) = (self.now_ms(), self.next_stamp());
        let bytes_of_body = 20 + self.dice.below(400) as usize;
        let draw = self.dice.below(PRODUCER_BATCHES_MAX as u64 + 3) as i32;
        let client = &self.clients[&id];
        let sent = client.window.values().take_while(|unacked| unacked.base.is_some()).count() as i32;
        // Most draws send the next one.
        let number = client.first + draw.min(sent).min(PRODUCER_BATCHES_MAX as i32 - 1);
        if !client.window.contains_key(&number) {
            let (log, producer) = (client.log, (client.id, client.epoch, number * RECORDS));
            let bytes = self.a_batch(log, (RECORDS, bytes_of_body), stamp, producer, time);
            let client = self.clients.get_mut(&id).expect("a client");
            client.window.insert(number, Unacked { bytes, base: None, acked: false });
        }
        number
    }

    /// Records with keys for a compacted log, anything for another one.
    pub(crate) fn a_batch(
        &mut self,
        log: LogId,
        (records, body_bytes): (i32, usize),
        stamp: u64,
        producer: (i64, i16, i32),
        time: i64,
    ) -> Vec<u8> {
        if !self.model.log(log).config.compact {
            return batch(records, body_bytes, stamp, producer, time);
        }
        let value_bytes = (2 * body_bytes as u64).min(BODY_BYTES) / records as u64;
        keyed_batch(&mut self.dice, (records, self.plan.keys, value_bytes), stamp, producer, time)
    }

    pub(crate) fn a_log(&mut self) -> Option<LogId> {
        let logs = self.usable_logs();
        self.dice.pick(&logs)
    }

    pub(crate) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }
}

fn client_may_be_behind(world: &World, id: i64) -> bool {
    world.clients[&id].may_be_behind
}
