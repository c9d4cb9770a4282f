//! What lies beside the path of the bytes: a place in an index, a member's heartbeat and commit, a hop between two shards.

use std::hint::black_box;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::short;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::journal::index::{IndexBuilder, SegmentIndex};
use engine::journal::run::Run;
use engine::memory::ShardMemory;
use engine::offset::{CommitSequence, LogId, Offset, SegmentSequence, ShardId};
use engine::shard::core::Core;
use engine::shard::engine::{Engine, EngineConfig};
use server::group::{
    CommitPartition, CommitRequest, Coordinator, Effect, Event, GroupConfig, HeartbeatRequest, JoinProtocol,
    JoinRequest, ReplyToken, Response, SyncRequest, TopicPartitions,
};
use uuid::Uuid;

const RUNS: u64 = 32_768;
const MEMBERS: u128 = 100;
const GROUP: &str = "group";

/// An index of so many logs with [`RUNS`] runs in all, as a sealed segment of small batches has.
fn index(logs: u64) -> SegmentIndex {
    let mut builder = IndexBuilder::default();
    for number in 0..RUNS {
        let (log, round) = (LogId(1 + number % logs), (number / logs) as i64);
        let run = Run {
            base_offset: Offset(round * 10),
            last_offset_delta: 9,
            place: 4096 * (1 + number as u32),
            length: 1_000,
            leader_epoch: 0,
            max_timestamp: round,
            crc_sum: 0,
        };
        builder.add(log, run);
    }
    builder.build(SegmentSequence(1), CommitSequence(1), 4096 * (2 + RUNS as u32))
}

fn index_lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("index lookup");
    group.throughput(Throughput::Elements(1));
    for logs in [1, 128, 2_000] {
        let index = index(logs);
        let (log, offset) = (LogId(1 + logs / 2), Offset((RUNS / logs) as i64 * 5));
        group.bench_function(BenchmarkId::new("logs", logs), |bencher| {
            bencher.iter(|| black_box(&index).find(black_box(log), black_box(offset)).expect("it is there"));
        });
    }
    group.finish();
}

/// A coordinator whose appends are durable at once.
struct Group {
    coordinator: Coordinator,
    now_ms: i64,
    answers: Vec<Response>,
}

impl Group {
    fn send(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.coordinator.handle(event, self.now_ms) {
                match effect {
                    Effect::Reply(_, response) => self.answers.push(response),
                    Effect::Append { then, .. } | Effect::AppendMarker { then, .. } => {
                        events.push(Event::Appended(then));
                    }
                }
            }
        }
    }

    fn join(&mut self, number: u128) {
        self.send(Event::Join(
            ReplyToken(0),
            JoinRequest {
                group_id: GROUP.to_owned(),
                member_id: String::new(),
                instance_id: None,
                client_id: "client".to_owned(),
                client_host: "/127.0.0.1".to_owned(),
                session_timeout_ms: 45_000,
                rebalance_timeout_ms: 300_000,
                protocol_type: "consumer".to_owned(),
                protocols: vec![JoinProtocol { name: "range".to_owned(), metadata: Bytes::from_static(&[7; 64]) }],
                requires_known_member_id: false,
                supports_skip_assignment: false,
                new_member_uuid: Uuid::from_u128(number),
            },
        ));
    }

    /// A stable group; gives its members and the generation.
    fn stable() -> (Group, Vec<String>, i32) {
        let mut coordinator = Coordinator::new(GroupConfig::default());
        coordinator.loaded(0);
        let mut group = Group { coordinator, now_ms: 0, answers: Vec::new() };
        (1..=MEMBERS).for_each(|number| group.join(number));
        while let Some(at_ms) = group.coordinator.next_deadline_ms().filter(|_| group.answers.is_empty()) {
            group.now_ms = at_ms;
            group.send(Event::Tick);
        }
        let joined = std::mem::take(&mut group.answers).into_iter().map(|answer| match answer {
            Response::Join(joined) => (joined.member_id, joined.generation_id),
            other => panic!("no join answer: {other:?}"),
        });
        let (members, generations): (Vec<_>, Vec<_>) = joined.unzip();
        let assignments: Vec<_> = members.iter().map(|member| (member.clone(), Bytes::from_static(&[7; 64]))).collect();
        for member_id in &members {
            group.send(Event::Sync(
                ReplyToken(0),
                SyncRequest {
                    group_id: GROUP.to_owned(),
                    generation_id: generations[0],
                    member_id: member_id.clone(),
                    instance_id: None,
                    protocol_type: None,
                    protocol_name: None,
                    assignments: assignments.clone(),
                },
            ));
        }
        assert_eq!(group.answers.len(), members.len(), "everybody has its assignment");
        group.answers.clear();
        (group, members, generations[0])
    }
}

fn group_state_machine(criterion: &mut Criterion) {
    let (mut group, members, generation_id) = Group::stable();
    let mut turn = (0..members.len()).cycle();
    let mut measured = criterion.benchmark_group("group of 100");
    measured.throughput(Throughput::Elements(1));
    measured.bench_function("heartbeat", |bencher| {
        bencher.iter(|| {
            let member_id = members[turn.next().expect("endless")].clone();
            let request = HeartbeatRequest { group_id: GROUP.to_owned(), generation_id, member_id, instance_id: None };
            group.send(Event::Heartbeat(ReplyToken(0), request));
            assert!(matches!(group.answers.pop(), Some(Response::Heartbeat(Ok(())))));
        });
    });
    let mut offset = 0;
    measured.bench_function("commit of 8 partitions", |bencher| {
        bencher.iter(|| {
            offset += 1;
            let partition = |partition| CommitPartition { partition, offset, leader_epoch: 0, metadata: String::new() };
            let topic = TopicPartitions { topic: "orders".to_owned(), partitions: (0..8).map(partition).collect() };
            let request = CommitRequest {
                group_id: GROUP.to_owned(),
                generation_id,
                member_id: members[0].clone(),
                instance_id: None,
                topics: vec![topic],
                knows_member_epochs: true,
            };
            group.send(Event::Commit(ReplyToken(0), request));
            assert!(matches!(group.answers.pop(), Some(Response::Commit(_))));
        });
    });
    measured.finish();
}

/// Asks the other shard so often, with so many questions unanswered at a time.
async fn ask(core: Core, times: u64, at_a_time: u64) -> Duration {
    let begun = Instant::now();
    let mut asked = 0;
    let mut waiting = std::collections::VecDeque::new();
    while asked < times || !waiting.is_empty() {
        while asked < times && (waiting.len() as u64) < at_a_time {
            waiting.push_back(core.on(ShardId(1), |there| async move { there.shard() }));
            asked += 1;
        }
        let answer = waiting.pop_front().expect("one is awaited").await;
        assert_eq!(answer.ok(), Some(ShardId(1)));
    }
    begun.elapsed()
}

/// From one shard to another and back, each on its own thread.
fn mailbox_hop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox round trip");
    group.throughput(Throughput::Elements(1));
    for at_a_time in [1, 64] {
        group.bench_function(BenchmarkId::new("at a time", at_a_time), |bencher| {
            bencher.iter_custom(|times| {
                let directory = tempfile::tempdir().expect("a directory");
                let config = EngineConfig {
                    directory: directory.path().to_owned(),
                    shards: Some(2),
                    segment_bytes: engine::limits::SEGMENT_BYTES_MIN,
                    pin: false,
                    record_codec: None,
                };
                let (sender, result) = mpsc::channel();
                let engine = Engine::open(config).expect("opens").start(ShardMemory::MOST, move |core| {
                    let sender = sender.clone();
                    async move {
                        if core.shard() == ShardId(0) {
                            sender.send(ask(core, times, at_a_time).await).expect("somebody waits");
                        }
                    }
                });
                let took = result.recv().expect("the work ends");
                engine.expect("starts").join().expect("stops cleanly");
                took
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = index_lookup, group_state_machine, mailbox_hop }
criterion_main!(benches);
