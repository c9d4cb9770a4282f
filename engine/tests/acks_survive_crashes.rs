//! Claim: what was durable survives a power cut, and what was written survives a kill, byte for byte, at its offset, in order;
//! nothing else than what was appended is ever read; over many rounds of one directory, on the simulated disk.

mod simulated_shard;

use std::collections::BTreeMap;
use std::path::Path;

use engine::batch::walk;
use engine::data_directory::{DataDirectory, DirectorySettings};
use engine::io::sim::{Crash, Faults, SimDisk, SimIo};
use engine::journal::reader::Goal;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::memory::ShardMemory;
use engine::offset::{CommitSequence, LogId, Offset, ShardId};
use engine::partition::config::LogConfig;
use engine::partition::transactions::Isolation;
use engine::recovery::recover;
use engine::shard::engine::open_shard;
use engine::shard::reads::{ReadRequest, ReadStart};
use engine::shard::state::{Refusal, Shard};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const LOGS: u64 = 4;

/// A batch whose size and content follow from `stamp`.
fn batch(records: i32, stamp: u64) -> Vec<u8> {
    simulated_shard::batch(records, records as usize * 8 * (1 + (stamp % 90) as usize), stamp)
}

/// One appended batch of the model.
#[derive(Clone)]
struct Sent {
    body: Vec<u8>,
    commit: CommitSequence,
}

/// What may be in a log: by base offset, what was sent there in this life, and what must be there from earlier ones.
#[derive(Default)]
struct Model {
    must: BTreeMap<i64, Vec<u8>>,
    sent: BTreeMap<i64, Sent>,
}

fn start(disk: SimDisk, seed: u64) -> (SimIo, Shard<SimIo>) {
    let mut io = SimIo::new(seed, disk);
    let settings = DirectorySettings { shards: 1, segment_bytes: SEGMENT_BYTES_MIN };
    let directory = DataDirectory::open_or_create(&mut io, Path::new("/data"), settings).expect("opens");
    let recovered = recover(&mut io, &directory, ShardId(0)).expect("recovers");
    let shard = open_shard(io.clone(), &directory, ShardId(0), recovered, ShardMemory::MOST.with_tail(64 << 10));
    (io, shard)
}

fn until<T>(io: &SimIo, shard: &mut Shard<SimIo>, mut attempt: impl FnMut(&mut Shard<SimIo>) -> Option<T>) -> T {
    for _ in 0..100_000 {
        if let Some(value) = attempt(shard) {
            return value;
        }
        io.step();
        io.advance_ns(1_000_000);
        shard.turn().expect("no faults here");
    }
    panic!("nothing happens");
}

fn read_all(io: &SimIo, shard: &mut Shard<SimIo>, log: LogId) -> BTreeMap<i64, Vec<u8>> {
    let view = shard.view(log).expect("the log is there");
    let (mut offset, mut found) = (view.start, BTreeMap::new());
    while offset < view.high_watermark {
        let request = ReadRequest {
            log,
            goal: Goal::Offset(offset),
            bytes_max: 20_000,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let batches = match shard.read(request).expect("in range") {
            ReadStart::Done(batches) => batches,
            ReadStart::Pending(id) => {
                until(io, shard, |shard| shard.take_finished_reads().into_iter().find(|(found, _)| *found == id))
                    .1
                    .expect("readable")
            }
        };
        assert!(batches.bytes > 0, "log {log} is stuck at {offset} of {}", view.high_watermark);
        let bytes = batches.slices.concat();
        for (at, header) in walk(&bytes) {
            assert_eq!(header.base_offset(), offset.0, "log {log} has no gaps");
            found.insert(offset.0, bytes[at + 16..at + header.total_bytes().expect("whole")].to_vec());
            offset = offset.plus(i64::from(header.last_offset_delta()) + 1);
        }
    }
    found
}

fn one_directory(seed: u64, rounds: usize) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut models: BTreeMap<LogId, Model> = (1..=LOGS).map(|log| (LogId(log), Model::default())).collect();
    let mut disk = SimDisk::default();
    for round in 0..rounds {
        let (io, mut shard) = start(disk, seed * 1_000 + round as u64);
        for (&log, model) in &mut models {
            until(&io, &mut shard, |shard| match shard.configure_log(log, LogConfig::default()) {
                Err(Refusal::Wait) => None,
                other => Some(other.expect("configures")),
            });
            let found = read_all(&io, &mut shard, log);
            for (offset, body) in &model.must {
                assert_eq!(
                    found.get(offset),
                    Some(body),
                    "seed {seed} round {round}: log {log} lost or changed offset {offset}"
                );
            }
            for (offset, body) in &found {
                let known = model.must.get(offset).or_else(|| model.sent.get(offset).map(|sent| &sent.body));
                assert_eq!(
                    known,
                    Some(body),
                    "seed {seed} round {round}: log {log} shows what nobody sent at {offset}"
                );
            }
            // Everything that recovery shows is durable from now on.
            *model = Model { must: found, sent: BTreeMap::new() };
        }
        io.set_faults(Faults { delay: 30, ..Faults::default() });
        for _ in 0..random.next_u64() % 400 {
            match random.next_u64() % 4 {
                0 | 1 => send(&mut shard, &mut models, &mut random),
                2 => drop(io.step()),
                _ => shard.turn().expect("no faults"),
            }
            io.advance_ns(random.next_u64() % 2_000_000);
        }
        let ends = shard.ends();
        let crash = if random.next_u64().is_multiple_of(2) { Crash::PowerCut } else { Crash::Kill };
        let survives = if crash == Crash::PowerCut { ends.durable } else { ends.written };
        for model in models.values_mut() {
            let kept = model
                .sent
                .iter()
                .filter(|(_, sent)| sent.commit <= survives)
                .map(|(&offset, sent)| (offset, sent.body.clone()));
            model.must.extend(kept.collect::<Vec<_>>());
        }
        drop(shard);
        disk = io.crash(crash);
    }
}

fn send(shard: &mut Shard<SimIo>, models: &mut BTreeMap<LogId, Model>, random: &mut Xoshiro256PlusPlus) {
    let log = LogId(1 + random.next_u64() % LOGS);
    let bytes = batch(1 + (random.next_u64() % 20) as i32, random.next_u64());
    match shard.append(log, &bytes) {
        Ok(receipt) => {
            let Offset(offset) = receipt.appended.base_offset;
            let sent = Sent { body: bytes[16..].to_vec(), commit: receipt.commit };
            models.get_mut(&log).expect("a known log").sent.insert(offset, sent);
            // Every other commit is written and flushed apart, as where somebody waits for its write alone.
            if receipt.commit.0.is_multiple_of(2) {
                shard.await_written(receipt.commit);
            }
        }
        Err(Refusal::Wait) => {}
        Err(Refusal::Error(error)) => panic!("refused: {error}"),
    }
}

#[test]
fn acked_batches_survive_crashes() {
    for seed in 1..=60 {
        one_directory(seed, 8);
    }
}

#[test]
fn a_segment_file_that_a_kill_left_half_made_is_not_lost_with_what_is_written_to_it() {
    // Story: a kill while a segment file was made left its name in memory only. The next start took the file for a spare, wrote and
    // flushed commits to it and acked them; nobody flushed the directory, and a power cut took the file away with all of them.
    for seed in 0..60 {
        let (io, mut shard) = start(SimDisk::default(), seed);
        // The first turn asks for a segment; the process ends while it is made.
        shard.turn().expect("no faults");
        drop(shard);
        let (io, mut shard) = start(io.crash(Crash::Kill), seed + 1_000);
        until(&io, &mut shard, |shard| shard.configure_log(LogId(1), LogConfig::default()).ok());
        let receipt = until(&io, &mut shard, |shard| shard.append(LogId(1), &batch(1, seed)).ok());
        until(&io, &mut shard, |shard| (shard.ends().durable >= receipt.commit).then_some(()));
        drop(shard);
        let (io, mut shard) = start(io.crash(Crash::PowerCut), seed + 2_000);
        assert_eq!(read_all(&io, &mut shard, LogId(1)).len(), 1, "seed {seed}");
    }
}
