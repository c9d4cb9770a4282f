//! A shard on a simulated disk, as the claims beside this folder use it.
#![allow(dead_code, reason = "each file of claims uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use engine::batch::walk;
use engine::data_directory::{DataDirectory, DirectorySettings};
use engine::error::{AppendError, ReadError};
use engine::io::sim::{Crash, Faults, SimDisk, SimIo};
use engine::journal::reader::Goal;
use engine::memory::ShardMemory;
use engine::offset::{CommitSequence, LogId, Offset, ShardId};
use engine::partition::config::LogConfig;
use engine::partition::marker::{MarkerKind, TransactionMarker};
use engine::partition::transactions::Isolation;
use engine::recovery::recover;
use engine::shard::engine::open_shard;
use engine::shard::reads::{ReadBatches, ReadRequest, ReadStart};
use engine::shard::state::{Receipt, Refusal, Shard};

/// (id, epoch, first sequence) of a batch without an idempotent producer.
pub const NOBODY: (i64, i16, i32) = (-1, -1, -1);

/// A batch of `records` records with `body_bytes` bytes behind its header, filled from `stamp`, with a right CRC.
pub fn batch_of(records: i32, body_bytes: usize, stamp: u64, producer: (i64, i16, i32), timestamp: i64) -> Vec<u8> {
    let mut raw = vec![0_u8; 61];
    raw.extend(stamp.to_be_bytes().into_iter().cycle().take(body_bytes));
    let length = (raw.len() - 12) as i32;
    raw[8..12].copy_from_slice(&length.to_be_bytes());
    raw[16] = 2;
    raw[23..27].copy_from_slice(&(records - 1).to_be_bytes());
    raw[27..35].copy_from_slice(&timestamp.to_be_bytes());
    raw[35..43].copy_from_slice(&timestamp.to_be_bytes());
    raw[43..51].copy_from_slice(&producer.0.to_be_bytes());
    raw[51..53].copy_from_slice(&producer.1.to_be_bytes());
    raw[53..57].copy_from_slice(&producer.2.to_be_bytes());
    raw[57..61].copy_from_slice(&records.to_be_bytes());
    let crc = checksum::crc32c(&raw[21..]);
    raw[17..21].copy_from_slice(&crc.to_be_bytes());
    raw
}

/// A plain batch of `body_bytes`.
pub fn batch(records: i32, body_bytes: usize, stamp: u64) -> Vec<u8> {
    batch_of(records, body_bytes, stamp, NOBODY, 0)
}

/// The same batch as part of its producer's transaction.
pub fn transactional(mut batch: Vec<u8>) -> Vec<u8> {
    batch[22] |= 0x10;
    let crc = checksum::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// What a batch keeps for ever: all but the 12 bytes that the broker rewrites and the length field between them.
pub fn body(batch: &[u8]) -> Vec<u8> {
    batch[16..].to_vec()
}

/// One start of a shard. Logs are made as they are first used.
pub struct Machine {
    pub io: SimIo,
    pub shard: Shard<SimIo>,
    directory: DataDirectory,
    segment_bytes: u64,
    tail_bytes: usize,
    seed: u64,
}

impl Machine {
    /// Starts on a disk.
    pub fn start(disk: SimDisk, seed: u64, segment_bytes: u64, tail_bytes: usize) -> Machine {
        let mut io = SimIo::new(seed, disk);
        let settings = DirectorySettings { shards: 1, segment_bytes };
        let directory = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings).expect("opens");
        let recovered = recover(&mut io, &directory, ShardId(0)).expect("recovers");
        directory.remove_clean_marker(&mut io).expect("removes");
        let shard = open_shard(io.clone(), &directory, ShardId(0), recovered, ShardMemory::MOST.with_tail(tail_bytes));
        Machine { io, shard, directory, segment_bytes, tail_bytes, seed }
    }

    /// A start that dies after so many blocking calls, in which the power goes too. None if it gets through.
    pub fn die_starting(disk: SimDisk, seed: u64, segment_bytes: u64, calls: u64) -> Option<SimDisk> {
        let mut io = SimIo::new(seed, disk);
        io.die_after(calls);
        let settings = DirectorySettings { shards: 1, segment_bytes };
        let start = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings)
            .and_then(|directory| recover(&mut io, &directory, ShardId(0)).map(drop));
        start.is_err().then(|| io.crash(Crash::PowerCut))
    }

    /// The process or the machine ends here; gives the next start.
    pub fn crash(self, crash: Crash) -> Machine {
        let Machine { io, shard, segment_bytes, tail_bytes, seed, .. } = self;
        drop(shard);
        Machine::start(io.crash(crash), seed + 1, segment_bytes, tail_bytes)
    }

    /// A clean stop and the next start.
    pub fn restart(mut self) -> Machine {
        while !self.shard.try_settle() {
            self.tick();
        }
        if let Some(end) = self.shard.clean_end() {
            self.directory.write_clean_marker(&mut self.io, &[end]).expect("writes");
        }
        self.crash(Crash::PowerCut)
    }

    /// A little time passes.
    pub fn tick(&mut self) {
        self.io.step();
        self.io.advance_ns(1_000_000);
        self.shard.turn().expect("the journal is healthy");
    }

    /// Ticks until `attempt` gives something.
    pub fn until<T>(&mut self, mut attempt: impl FnMut(&mut Shard<SimIo>) -> Option<T>) -> T {
        for _ in 0..200_000 {
            if let Some(value) = attempt(&mut self.shard) {
                return value;
            }
            self.tick();
        }
        panic!("nothing happens");
    }

    /// A change, again while the shard says that it must wait.
    pub fn change<T>(
        &mut self,
        mut change: impl FnMut(&mut Shard<SimIo>) -> Result<T, Refusal>,
    ) -> Result<T, AppendError> {
        self.until(|shard| match change(shard) {
            Ok(done) => Some(Ok(done)),
            Err(Refusal::Wait) => None,
            Err(Refusal::Error(error)) => Some(Err(error)),
        })
    }

    pub fn configure(&mut self, log: u64, config: LogConfig) -> CommitSequence {
        self.change(|shard| shard.configure_log(LogId(log), config)).expect("configures")
    }

    /// Every other commit is written and flushed apart, as where somebody waits for its write alone.
    pub fn append(&mut self, log: u64, batch: &[u8]) -> Result<Receipt, AppendError> {
        let receipt = self.change(|shard| shard.append(LogId(log), batch))?;
        if receipt.commit.0.is_multiple_of(2) {
            self.shard.await_written(receipt.commit);
        }
        Ok(receipt)
    }

    /// Appends and waits for the flush.
    pub fn append_durably(&mut self, log: u64, batch: &[u8]) -> Offset {
        let receipt = self.append(log, batch).expect("appends");
        self.until_durable(receipt.commit);
        receipt.appended.base_offset
    }

    /// Ends a transaction, of coordinator epoch 0.
    pub fn mark(&mut self, log: u64, (id, epoch): (i64, i16), kind: MarkerKind) -> Result<Receipt, AppendError> {
        let marker = TransactionMarker { producer_id: id, producer_epoch: epoch, coordinator_epoch: 0, kind };
        self.change(|shard| shard.append_marker(LogId(log), &marker))
    }

    /// Ends a transaction and waits for the flush.
    pub fn mark_durably(&mut self, log: u64, producer: (i64, i16), kind: MarkerKind) -> Offset {
        let receipt = self.mark(log, producer, kind).expect("ends");
        self.until_durable(receipt.commit);
        receipt.appended.base_offset
    }

    pub fn until_durable(&mut self, commit: CommitSequence) {
        self.until(|shard| (shard.ends().durable >= commit).then_some(()));
    }

    /// Everything is durable and proven, segments that are dead are given back, a spare is ready.
    pub fn settle(&mut self) {
        self.until(|shard| shard.try_settle().then_some(()));
        for _ in 0..200 {
            self.tick();
        }
    }

    pub fn read(&mut self, log: u64, goal: Goal, bytes_max: usize) -> Result<ReadBatches, ReadError> {
        let isolation = Isolation::Uncommitted;
        self.ask(ReadRequest { log: LogId(log), goal, bytes_max, first_whole: true, one_step: false, isolation })
    }

    /// What is decided from an offset on, with what was aborted.
    pub fn read_committed(&mut self, log: u64, offset: i64, bytes_max: usize) -> ReadBatches {
        let (goal, isolation) = (Goal::Offset(Offset(offset)), Isolation::Committed);
        let request = ReadRequest { log: LogId(log), goal, bytes_max, first_whole: true, one_step: false, isolation };
        self.ask(request).expect("readable")
    }

    fn ask(&mut self, request: ReadRequest) -> Result<ReadBatches, ReadError> {
        match self.shard.read(request)? {
            ReadStart::Done(batches) => Ok(batches),
            ReadStart::Pending(id) => {
                self.until(|shard| shard.take_finished_reads().into_iter().find(|(found, _)| *found == id)).1
            }
        }
    }

    /// Everything that a log shows, by base offset, without gaps.
    pub fn read_all(&mut self, log: u64) -> BTreeMap<i64, Vec<u8>> {
        let view = self.shard.view(LogId(log)).expect("the log is there");
        let (mut offset, mut found) = (view.start, BTreeMap::new());
        while offset < view.high_watermark {
            let batches = self.read(log, Goal::Offset(offset), 20_000).expect("readable");
            assert!(batches.bytes > 0, "log {log} is stuck at {offset} of {}", view.high_watermark);
            let bytes = batches.slices.concat();
            for (at, header) in walk(&bytes) {
                let is_first = offset == view.start;
                assert!(is_first || header.base_offset() == offset.0, "log {log} has a gap at {offset}");
                found.insert(header.base_offset(), body(&bytes[at..at + header.total_bytes().expect("whole")]));
                offset = Offset(header.base_offset() + i64::from(header.last_offset_delta()) + 1);
            }
        }
        found
    }

    /// Bytes of all segment files on the disk.
    pub fn disk_bytes(&self) -> u64 {
        self.io.with_disk(|disk| {
            let files = disk.files();
            let of_segments = files.iter().filter(|path| is_segment(path) || is_clustered(path));
            of_segments.map(|path| disk.content(path).map_or(0, |content| content.len() as u64)).sum()
        })
    }

    /// Segments that logs have data in, and the newest one.
    pub fn live_segments(&self) -> usize {
        self.shard.segment_count()
    }

    /// Files of clustered segments.
    pub fn clustered_files(&self) -> usize {
        self.io.with_disk(|disk| disk.files().iter().filter(|path| is_clustered(path)).count())
    }

    /// Number of segment files on the disk.
    pub fn segment_files(&self) -> usize {
        self.io.with_disk(|disk| disk.files().iter().filter(|path| is_segment(path)).count())
    }

    pub fn set_faults(&self, faults: Faults) {
        self.io.set_faults(faults);
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "segment")
}

fn is_clustered(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "clustered")
}
