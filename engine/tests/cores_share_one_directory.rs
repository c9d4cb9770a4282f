//! Claims about real cores on the real file system: appends from any core are durable at their ack and in call order, readers
//! wake, and a stopped engine gives everything back after a restart.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use engine::batch::walk;
use engine::error::AppendError;
use engine::limits::SEGMENT_BYTES_MIN;
use engine::memory::ShardMemory;
use engine::offset::{LogId, Offset, ShardId};
use engine::shard::core::{Acks, Core, Isolation, LogConfig, LogRef, MarkerKind, TransactionMarker};
use engine::shard::engine::{Engine, EngineConfig};

/// A batch of one record of `bytes` bytes.
fn batch(bytes: usize) -> Bytes {
    let mut raw = vec![0_u8; 61 + bytes];
    let length = (raw.len() - 12) as i32;
    raw[8..12].copy_from_slice(&length.to_be_bytes());
    raw[16] = 2;
    raw[43..57].fill(0xff);
    raw[57..61].copy_from_slice(&1_i32.to_be_bytes());
    let crc = checksum::crc32c(&raw[21..]);
    raw[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(raw)
}

/// Runs `work` on shard 0 of an engine with two shards, to the clean end.
fn on_an_engine<F: Future<Output = ()> + 'static>(directory: &Path, work: impl Fn(Core) -> F + Send + Sync + 'static) {
    let config = EngineConfig {
        directory: directory.to_owned(),
        shards: Some(2),
        segment_bytes: SEGMENT_BYTES_MIN * 8,
        pin: false,
        record_codec: None,
    };
    let engine = Engine::open(config).expect("opens").start(ShardMemory::LEAST, move |core: Core| {
        let mine = (core.shard() == ShardId(0)).then(|| work(core.clone()));
        async move {
            if let Some(work) = mine {
                work.await;
            }
        }
    });
    engine.expect("starts").join().expect("stops cleanly");
}

const BATCHES: i64 = 400;

fn logs() -> [LogRef; 2] {
    [LogRef { shard: ShardId(0), log: LogId(1) }, LogRef { shard: ShardId(1), log: LogId(2) }]
}

async fn read_all(core: &Core, log: LogRef) -> Vec<i64> {
    let (mut offsets, mut next) = (Vec::new(), Offset(0));
    loop {
        let batches = core.read(log, next, 64 << 10, true, Isolation::Uncommitted).await.expect("in range");
        if batches.bytes == 0 {
            return offsets;
        }
        for (_, header) in walk(&batches.slices.concat()) {
            offsets.push(header.base_offset());
            next = Offset(header.base_offset() + 1);
        }
    }
}

#[test]
fn appends_of_any_core_are_ordered_durable_and_there_after_a_restart() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    on_an_engine(directory.path(), |core| async move {
        for log in logs() {
            core.configure_log(log, LogConfig::default()).await.expect("makes the log");
            let source = core.new_source();
            let pending: Vec<_> =
                (0..BATCHES).map(|_| core.append(source, log, batch(10_000), Acks::Durable)).collect();
            for (expected, append) in (0..).zip(pending) {
                assert_eq!(append.await.expect("appends").base_offset, Offset(expected));
            }
            let view = core.view(log).await.expect("the log is there");
            assert_eq!(view.high_watermark, Offset(BATCHES), "an ack means durable, and durable is visible");
            assert_eq!(read_all(&core, log).await, (0..BATCHES).collect::<Vec<_>>());
        }
    });
    on_an_engine(directory.path(), |core| async move {
        for log in logs() {
            assert_eq!(read_all(&core, log).await, (0..BATCHES).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_waiting_reader_wakes_when_records_become_visible_on_another_core() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let woken = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&woken);
    on_an_engine(directory.path(), move |core| {
        let woken = Arc::clone(&woken);
        async move {
            let [_, log] = logs();
            core.configure_log(log, LogConfig::default()).await.expect("makes the log");
            let waiting = core.wait_for_records(
                log.shard,
                vec![(log.log, Offset(0))],
                1,
                Duration::from_secs(60),
                Isolation::Uncommitted,
            );
            let appended = core.append(core.new_source(), log, batch(10), Acks::Durable);
            waiting.await;
            appended.await.expect("appends");
            *woken.lock().expect("no panic holds it") = true;
        }
    });
    assert!(*seen.lock().expect("no panic holds it"));
}

/// A batch of one record that is part of producer 7's transaction.
fn transactional(sequence: i32) -> Bytes {
    let mut raw = batch(1_000).to_vec();
    raw[22] |= 0x10;
    raw[43..51].copy_from_slice(&7_i64.to_be_bytes());
    raw[51..53].copy_from_slice(&0_i16.to_be_bytes());
    raw[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = checksum::crc32c(&raw[21..]);
    raw[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(raw)
}

/// Far less than the patience of a reader: one that nobody wakes fails.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("wakes")
}

async fn is_waiting(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[test]
fn a_reader_of_what_is_decided_wakes_at_the_marker_and_not_before_on_every_core() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let ended = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&ended);
    on_an_engine(directory.path(), move |core| {
        let ended = Arc::clone(&ended);
        async move {
            for log in logs() {
                core.configure_log(log, LogConfig::default()).await.expect("makes the log");
                let source = core.new_source();
                core.append(source, log, transactional(0), Acks::Durable).await.expect("appends");
                let wait = |isolation| {
                    let (logs, patience) = (vec![(log.log, Offset(0))], Duration::from_secs(3_600));
                    core.wait_for_records(log.shard, logs, 1_500, patience, isolation)
                };
                let mut decided = std::pin::pin!(wait(Isolation::Committed));
                let uncommitted = wait(Isolation::Uncommitted);
                assert!(is_waiting(decided.as_mut()).await, "nothing is decided");
                core.append(source, log, transactional(1), Acks::Durable).await.expect("appends");
                soon(uncommitted).await;
                // What woke that one had passed the other by.
                assert!(is_waiting(decided.as_mut()).await, "nothing is decided");
                let open = core.producers(log).await;
                assert_eq!((open.len(), open[0].transaction_start), (1, Some(Offset(0))));
                let kind = MarkerKind::Abort;
                let marker = TransactionMarker { producer_id: 7, producer_epoch: 1, coordinator_epoch: 2, kind };
                let appended = core.append_marker(source, log, marker, Acks::Durable).await.expect("ends");
                assert_eq!(appended.base_offset, Offset(2));
                soon(decided).await;
                let read = core.read(log, Offset(0), 1 << 20, true, Isolation::Committed).await.expect("in range");
                assert_eq!((read.view.last_stable_offset, read.aborted.len()), (Offset(3), 1));
                let fenced = core.append(source, log, transactional(2), Acks::Durable).await;
                assert!(matches!(fenced, Err(AppendError::InvalidProducerEpoch { current: 1, got: 0 })));
                let closed = core.producers(log).await;
                assert_eq!((closed[0].transaction_start, closed[0].coordinator_epoch), (None, 2));
                *ended.lock().expect("no panic holds it") += 1;
            }
        }
    });
    assert_eq!(*seen.lock().expect("no panic holds it"), 2);
}

#[test]
fn a_deleted_log_gives_its_segments_back() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = directory.path().join("shard-0000");
    on_an_engine(directory.path(), |core| async move {
        for round in 0..6 {
            let log = LogRef { shard: ShardId(0), log: LogId(10 + round) };
            core.configure_log(log, LogConfig::default()).await.expect("makes the log");
            let source = core.new_source();
            let pending: Vec<_> = (0..300).map(|_| core.append(source, log, batch(20_000), Acks::Durable)).collect();
            for append in pending {
                append.await.expect("appends");
            }
            core.delete_log(log).await.expect("deletes");
        }
    });
    let files = std::fs::read_dir(path).expect("is there").filter_map(Result::ok);
    let segments = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "segment")).count();
    // 36 MB went through segments of 2 MiB; a deleted round's come back for the next.
    assert!(segments <= 14, "{segments} segments are left");
}

/// A quiet producer beside one that had more on its way than there is room: it used to wait behind everything of the other.
#[test]
fn a_quiet_source_passes_what_a_flood_has_waiting() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    on_an_engine(directory.path(), |core| async move {
        let [log, _] = logs();
        core.configure_log(log, LogConfig::default()).await.expect("makes the log");
        let (flooding, quiet) = (core.new_source(), core.new_source());
        // More than there are segments, all in this call: the later ones wait for room.
        let flood: Vec<_> = (0..400).map(|_| core.append(flooding, log, batch(20_000), Acks::Durable)).collect();
        let passed = core.append(quiet, log, batch(10), Acks::Durable).await.expect("appends").base_offset.0;
        let mut offsets = Vec::new();
        for append in flood {
            offsets.push(append.await.expect("appends").base_offset.0);
        }
        assert!(offsets.is_sorted(), "one source keeps its order");
        assert!(passed < offsets[399], "the quiet append is at {passed}, behind all of the flood");
    });
}

/// It came too late for the transaction that its producer gave up: taken, it would open one that nobody ends.
#[test]
fn a_batch_that_waits_for_room_while_its_transaction_ends_is_refused() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    on_an_engine(directory.path(), |core| async move {
        let [log, _] = logs();
        core.configure_log(log, LogConfig::default()).await.expect("makes the log");
        let (flooding, coordinator) = (core.new_source(), core.new_source());
        core.append(flooding, log, transactional(0), Acks::Durable).await.expect("begins one");
        let flood: Vec<_> = (0..400).map(|_| core.append(flooding, log, batch(20_000), Acks::Durable)).collect();
        let late = core.append(flooding, log, transactional(1), Acks::Durable);
        let kind = MarkerKind::Abort;
        let marker = TransactionMarker { producer_id: 7, producer_epoch: 0, coordinator_epoch: 2, kind };
        core.append_marker(coordinator, log, marker, Acks::Durable).await.expect("ends it");
        let late = late.await;
        assert!(matches!(late, Err(AppendError::InvalidTxnState(_))), "{late:?}");
        for append in flood {
            append.await.expect("appends");
        }
        assert_eq!(core.producers(log).await[0].transaction_start, None);
        core.append(flooding, log, transactional(1), Acks::Durable).await.expect("the next one begins");
    });
}
