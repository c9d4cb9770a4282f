//! The end of a transaction on real shards: what was let in before is in its log before the marker.

use std::sync::{Barrier, mpsc};

use bytes::Bytes;
use engine::error::AppendError;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::offset::{LogId, Offset};
use engine::shard::core::{Acks, Appended, LogConfig, MarkerKind, TransactionMarker};
use engine::shard::engine::{Engine, EngineConfig};
use protocol::record_batch::{BatchBuilder, ProducerFields};
use tokio::sync::watch;

use super::*;
use crate::available_memory::AvailableMemory;
use crate::connection_caps::{ConnectionCaps, ConnectionLimits};
use crate::memory_plan::MemoryPlan;

const SHARDS: u32 = 3;
/// Of the coordinator. A shard takes the messages of the lowest sender first.
const COORDINATOR: ShardId = ShardId(0);
/// Of the partition.
const OWNER: ShardId = ShardId(1);
/// Of the producer's connection.
const CONNECTION: ShardId = ShardId(2);
const PRODUCER: ProducerIdentity = ProducerIdentity { id: 7, epoch: 0 };
const LOG: LogRef = LogRef { shard: OWNER, log: LogId(1) };

type Outcome = Result<Appended, AppendError>;

fn batch() -> Bytes {
    let fields = ProducerFields { producer_id: PRODUCER.id, producer_epoch: PRODUCER.epoch, base_sequence: 0 };
    let mut builder = BatchBuilder::new(Vec::new(), 1, fields).transactional();
    builder.append_payload(1, None, b"v");
    Bytes::from(builder.finish())
}

async fn end_transaction(core: Core) -> Outcome {
    let asks = broker::local().effective_settings().transaction_partition_verification;
    let (verified_on, written) = (asks.then_some(CONNECTION).into_iter().collect(), Arc::new(BTreeSet::from([OWNER])));
    TransactionEdge::forget_verified(&core, PRODUCER.id, &verified_on, &written).await;
    let marker = TransactionMarker {
        producer_id: PRODUCER.id,
        producer_epoch: PRODUCER.epoch,
        coordinator_epoch: 0,
        kind: MarkerKind::Commit,
    };
    core.append_marker(core.new_source(), LOG, marker, Acks::Durable).await
}

/// What became of the batch and of the marker.
async fn end_while_a_batch_is_on_its_way(core: Core) -> [Outcome; 2] {
    let made = core.configure_log(LOG, LogConfig::default()).await;
    // Nothing that comes for the partition is taken until then.
    let (go_on, released) = mpsc::channel::<()>();
    let held = core.on(OWNER, move |_| {
        let _ = released.recv();
        async {}
    });
    let written = core.append(core.new_source(), LOG, batch(), Acks::Durable);
    let ended = core.on(COORDINATOR, end_transaction);
    // A marker that waits for nothing is sent meanwhile.
    for _ in 0..200 {
        let _ = core.on(COORDINATOR, |_| async {}).await;
    }
    let _ = go_on.send(());
    let _ = held.await;
    let ended = ended.await.unwrap_or(Err(AppendError::Stopping));
    [made.and(written.await), ended]
}

/// Story: the coordinator's shard wrote a marker as soon as every shard had forgotten the transaction. A batch that had been let in lay in the
/// mailbox of its partition's shard still, came after the marker, and opened a transaction that nobody ended.
#[test]
fn a_batch_that_was_let_in_is_in_its_log_before_the_marker() {
    assert_eq!(places(Settings::default()), [Ok(Offset(0)), Ok(Offset(1))], "the batch and then the marker");
}

/// Without the questions no shard was told, and the marker waited for none.
#[test]
fn the_same_holds_where_batches_are_let_in_without_asking() {
    let settings = Settings { transaction_partition_verification: false, ..Settings::default() };
    assert_eq!(places(settings), [Ok(Offset(0)), Ok(Offset(1))], "the batch and then the marker");
}

/// Offsets of the batch and of the marker.
fn places(settings: Settings) -> [Result<Offset, AppendError>; 2] {
    let directory = tempfile::tempdir().unwrap();
    let config = EngineConfig {
        directory: directory.path().to_owned(),
        shards: Some(SHARDS),
        segment_bytes: SEGMENT_BYTES_MIN * 8,
        pin: false,
        record_codec: None,
    };
    let settings = Arc::new(settings);
    let memory = MemoryPlan::new(&settings, &AvailableMemory::of_this_process(), 1, SHARDS).unwrap().shard;
    let caps = Arc::new(ConnectionCaps::new(ConnectionLimits::of(&settings), 1));
    let (installed, draining) = (Barrier::new(SHARDS as usize), watch::Sender::new(false));
    let (tell, told) = mpsc::channel();
    let service = move |core: Core| {
        let (settings, caps) = (Arc::clone(&settings), Arc::clone(&caps));
        Broker::install(core.clone(), settings, memory, caps, Arc::default(), draining.subscribe());
        installed.wait();
        let tell = tell.clone();
        async move {
            if core.shard() == CONNECTION {
                let _ = tell.send(end_while_a_batch_is_on_its_way(core).await);
            }
        }
    };
    Engine::open(config).unwrap().start(memory.engine, service).unwrap().join().unwrap();
    told.recv().unwrap().map(|outcome| outcome.map(|appended| appended.base_offset))
}
