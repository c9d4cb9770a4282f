//! A log that keeps what it gets, except for the one fault that a test plants.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use loadgen::local_broker::Log;
use protocol::error_code::ErrorCode;
use protocol::record_batch::{BASE_OFFSET_AT, BatchHeader};

/// What the log does wrong, once, with the batch of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Acknowledged, never stored.
    Lose(u64),
    /// Stored twice.
    Double(u64),
    /// Stored behind the next one of its partition.
    Swap(u64),
    /// Stored well, and said to be at the start of its partition.
    Misplace(u64),
    /// A bit of its last record flips.
    Harm(u64),
    /// Refused.
    Refuse(u64),
    /// The connection closes on it, unanswered.
    HangUp(u64),
    /// From this one on, so many are refused: the leader is away.
    Leaderless(u64, u64),
    /// Takes this long for it, and everybody waits.
    Stall(u64, Duration),
    /// Takes this long for each.
    Slow(Duration),
}

/// Batches in memory.
#[derive(Debug)]
pub struct FaultyLog {
    fault: Fault,
    taken: u64,
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    batches: Vec<Vec<u8>>,
    end: i64,
    held_back: Option<Vec<u8>>,
    /// For each producer that numbers its batches, the number that it must send next.
    next_sequence: BTreeMap<i64, i32>,
}

impl FaultyLog {
    pub fn new(fault: Fault) -> Self {
        Self { fault, taken: 0, partitions: BTreeMap::new() }
    }
}

impl Partition {
    /// Kafka's rule for numbered batches: the next one is taken, an old one is known, a later one is refused.
    fn admit(&mut self, batch: &[u8]) -> Result<Option<i64>, ErrorCode> {
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::CorruptMessage)?;
        if header.producer_id < 0 {
            return Ok(None);
        }
        let next = self.next_sequence.entry(header.producer_id).or_default();
        match header.base_sequence.cmp(next) {
            Ordering::Less => Ok(Some(-1)),
            Ordering::Greater => Err(ErrorCode::OutOfOrderSequenceNumber),
            Ordering::Equal => {
                *next += header.record_count;
                Ok(None)
            }
        }
    }

    fn store(&mut self, batch: &[u8]) -> Result<i64, ErrorCode> {
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::CorruptMessage)?;
        let base_offset = self.end;
        let mut batch = batch.to_vec();
        batch[BASE_OFFSET_AT..BASE_OFFSET_AT + 8].copy_from_slice(&base_offset.to_be_bytes());
        self.end += i64::from(header.record_count);
        self.batches.push(batch);
        Ok(base_offset)
    }
}

impl Log for FaultyLog {
    fn append(&mut self, partition: i32, batch: &[u8]) -> Result<i64, ErrorCode> {
        let number = self.taken;
        self.taken += 1;
        let partition = self.partitions.entry(partition).or_default();
        match self.fault {
            Fault::Lose(at) if at == number => return Ok(partition.end),
            // The broker gives each connection a thread, which ends with it.
            Fault::HangUp(at) if at == number => panic!("planted: the broker hangs up"),
            Fault::Leaderless(at, count) if (at..at + count).contains(&number) => {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
            Fault::Refuse(at) if at == number => return Err(ErrorCode::NotEnoughReplicas),
            Fault::Double(at) if at == number => drop(partition.store(batch)?),
            Fault::Swap(at) if at == number => {
                partition.held_back = Some(batch.to_vec());
                return Ok(partition.end);
            }
            Fault::Harm(at) if at == number => {
                let mut harmed = batch.to_vec();
                // The last byte is the count of headers; the one before it is payload.
                let payload = harmed.len() - 2;
                harmed[payload] ^= 0x10;
                return partition.store(&harmed);
            }
            Fault::Stall(at, pause) if at == number => thread::sleep(pause),
            Fault::Slow(pause) => thread::sleep(pause),
            _ => {}
        }
        if let Some(known) = partition.admit(batch)? {
            return Ok(known);
        }
        let offset = partition.store(batch)?;
        if self.fault == Fault::Misplace(number) {
            return Ok(0);
        }
        if let Some(held_back) = partition.held_back.take() {
            partition.store(&held_back)?;
        }
        Ok(offset)
    }

    fn read(&mut self, partition: i32, offset: i64, max_bytes: usize) -> Vec<u8> {
        let Some(partition) = self.partitions.get(&partition) else { return Vec::new() };
        let behind = |batch: &Vec<u8>| BatchHeader::parse(batch).is_ok_and(|header| header.last_offset() < offset);
        let first = partition.batches.partition_point(behind);
        let mut read = Vec::new();
        for batch in &partition.batches[first..] {
            if !read.is_empty() && read.len() + batch.len() > max_bytes {
                break;
            }
            read.extend_from_slice(batch);
        }
        read
    }

    fn end(&self, partition: i32) -> i64 {
        self.partitions.get(&partition).map_or(0, |partition| partition.end)
    }
}
