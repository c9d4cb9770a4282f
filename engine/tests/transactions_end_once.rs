//! Claim: readers of what is decided never see a record of an open transaction, learn of every aborted one that reaches into what they get, and
//! their end never goes back, through every kind of stop.

mod simulated_shard;

use engine::batch::walk;
use engine::error::AppendError;
use engine::io::sim::{Crash, SimDisk};
use engine::limits::{OPEN_TRANSACTIONS_PER_LOG_MAX, SEGMENT_BYTES_MIN};
use engine::offset::{LogId, Offset};
use engine::partition::config::LogConfig;
use engine::partition::marker::{MarkerKind, TransactionMarker};
use engine::partition::transactions::AbortedTransaction;
use engine::shard::reads::ReadBatches;
use engine::shard::transactions::ProducerView;
use engine::shard::waiters::Acks;
use simulated_shard::{Machine, batch, batch_of, transactional};

const LOG: LogId = LogId(1);
const BYTES: usize = 1 << 20;

fn machine(seed: u64) -> Machine {
    let mut machine = Machine::start(SimDisk::default(), seed, SEGMENT_BYTES_MIN, 64 << 10);
    let commit = machine.configure(1, LogConfig::default());
    machine.until_durable(commit);
    machine
}

/// Two records of a producer's transaction; `number` counts its batches of this epoch.
fn part(id: i64, epoch: i16, number: i32) -> Vec<u8> {
    transactional(batch_of(2, 300, id as u64, (id, epoch, number * 2), 5))
}

/// The producers, without the time of those that have no batch in their epoch: after a start that is the start's.
fn producers(machine: &Machine) -> Vec<ProducerView> {
    let producers = machine.shard.producers(LOG).into_iter();
    producers
        .map(|view| ProducerView {
            last_timestamp_ms: view.last_timestamp_ms * i64::from(view.last_sequence >= 0),
            ..view
        })
        .collect()
}

fn stable(machine: &Machine) -> i64 {
    machine.shard.view(LOG).expect("is there").last_stable_offset.0
}

fn end(machine: &Machine) -> i64 {
    machine.shard.view(LOG).expect("is there").high_watermark.0
}

fn aborted(producer_id: i64, first: i64, last: i64) -> AbortedTransaction {
    AbortedTransaction { producer_id, first_offset: Offset(first), last_offset: Offset(last) }
}

fn bases(read: &ReadBatches) -> Vec<i64> {
    walk(&read.slices.concat()).map(|(_, header)| header.base_offset()).collect()
}

#[test]
fn what_is_decided_ends_where_the_earliest_open_transaction_begins() {
    let mut machine = machine(1);
    assert_eq!(machine.append_durably(1, &batch(1, 50, 1)), Offset(0));
    assert_eq!(machine.append_durably(1, &part(7, 0, 0)), Offset(1));
    assert_eq!(machine.append_durably(1, &part(8, 0, 0)), Offset(3));
    assert_eq!(machine.append_durably(1, &part(7, 0, 1)), Offset(5));
    assert_eq!((stable(&machine), end(&machine)), (1, 7));
    assert_eq!(bases(&machine.read_committed(1, 0, BYTES)), [0]);
    assert_eq!(machine.read_committed(1, 1, BYTES).bytes, 0, "nothing is decided there");
    assert_eq!(machine.read_committed(1, 6, BYTES).bytes, 0, "between the two ends");
    machine.mark_durably(1, (8, 0), MarkerKind::Commit);
    assert_eq!(stable(&machine), 1, "an earlier one is open");
    machine.mark_durably(1, (7, 0), MarkerKind::Abort);
    assert_eq!((stable(&machine), end(&machine)), (9, 9));
    let read = machine.read_committed(1, 0, BYTES);
    assert_eq!(bases(&read), [0, 1, 3, 5, 7, 8]);
    assert_eq!(read.aborted, [aborted(7, 1, 8)]);
}

#[test]
fn a_marker_counts_when_it_is_visible_and_not_before() {
    let mut machine = machine(2);
    machine.append_durably(1, &part(7, 0, 0));
    let marker = machine.mark(1, (7, 0), MarkerKind::Commit).expect("ends");
    assert!(marker.commit > machine.shard.ends().durable, "the test wants a marker on its way");
    assert_eq!((stable(&machine), end(&machine)), (0, 2));
    let started = machine.shard.producers(LOG)[0].transaction_start;
    assert_eq!(started, None, "the producer may begin another one");
    // What comes behind it is visible with it at the earliest.
    machine.append(1, &part(7, 0, 1)).expect("begins another one");
    machine.until(|shard| {
        let view = shard.view(LOG).expect("is there");
        assert!(view.last_stable_offset.0 == 0 || view.high_watermark.0 >= 3, "{view:?}");
        (view.high_watermark.0 == 5).then_some(())
    });
    assert_eq!(stable(&machine), 3);
    // A marker that a power cut takes away has ended nothing.
    let lost = machine.mark(1, (7, 0), MarkerKind::Abort).expect("ends");
    assert!(lost.commit > machine.shard.ends().durable);
    let mut machine = machine.crash(Crash::PowerCut);
    if end(&machine) == 5 {
        assert_eq!(stable(&machine), 3, "it is open as before");
        machine.mark_durably(1, (7, 0), MarkerKind::Abort);
    }
    assert_eq!((stable(&machine), machine.read_committed(1, 0, BYTES).aborted), (6, vec![aborted(7, 3, 5)]));
}

#[test]
fn a_marker_is_answered_at_its_flush_also_where_the_write_is_enough_for_batches() {
    let mut machine = machine(8);
    let commit = machine.configure(1, LogConfig { written_is_enough: true, ..LogConfig::default() });
    machine.until_durable(commit);
    let batch = machine.append(1, &part(7, 0, 0)).expect("appends");
    assert_eq!(Acks::Durable.of_log(batch.written_is_enough), Acks::Written);
    machine.until_durable(batch.commit);
    let marker = machine.mark(1, (7, 0), MarkerKind::Commit).expect("ends");
    assert_eq!(Acks::Durable.of_log(marker.written_is_enough), Acks::Durable);
    machine.until_durable(marker.commit);
    let machine = machine.crash(Crash::PowerCut);
    assert_eq!((stable(&machine), end(&machine)), (3, 3), "it has ended for good");
}

#[test]
fn aborted_transactions_are_told_for_what_is_read_by_first_offset_from_tail_and_disk() {
    let mut machine = machine(3);
    // 7: 0..=1 and marker 6, aborted. 8: 2..=3 and marker 5, aborted. 9: 4 alone, committed by marker 7. Then 7 again: 8..=9, marker 10.
    machine.append_durably(1, &part(7, 0, 0));
    machine.append_durably(1, &part(8, 0, 0));
    machine.append_durably(1, &transactional(batch_of(1, 300, 9, (9, 0, 0), 5)));
    machine.mark_durably(1, (8, 0), MarkerKind::Abort);
    machine.mark_durably(1, (7, 0), MarkerKind::Abort);
    machine.mark_durably(1, (9, 0), MarkerKind::Commit);
    machine.append_durably(1, &part(7, 0, 1));
    machine.mark_durably(1, (7, 0), MarkerKind::Abort);
    let all = [aborted(7, 0, 6), aborted(8, 2, 5), aborted(7, 8, 10)];
    let check = |machine: &mut Machine, what: &str| {
        for (from, bytes_max, expected) in [
            (0, BYTES, &all[..]),
            (0, 1, &all[..1]),
            (2, 1, &all[..2]),
            (6, 1, &all[..1]),
            (7, 1, &[][..]),
            (7, BYTES, &all[2..]),
        ] {
            assert_eq!(machine.read_committed(1, from, bytes_max).aborted, expected, "{what}: {bytes_max} from {from}");
        }
        let uncommitted = machine.read(1, engine::journal::reader::Goal::Offset(Offset(0)), BYTES).expect("readable");
        assert!(uncommitted.aborted.is_empty() && uncommitted.bytes > 0);
    };
    check(&mut machine, "tail");
    for stamp in 0..30 {
        machine.append_durably(1, &batch(1, 20_000, stamp));
    }
    check(&mut machine, "disk");
    let over_segments = machine.read_committed(1, 0, BYTES);
    assert_eq!((over_segments.aborted.as_slice(), over_segments.bytes > 300_000), (&all[..], true));
}

#[test]
fn what_is_open_and_what_was_aborted_is_known_after_every_kind_of_stop() {
    for rolls in [false, true] {
        for stop in 0..3 {
            let mut machine = machine(10 + stop);
            machine.append_durably(1, &part(5, 2, 0));
            machine.mark_durably(1, (5, 2), MarkerKind::Abort);
            machine.append_durably(1, &part(6, 0, 0));
            machine.append_durably(1, &part(6, 0, 1));
            let later =
                TransactionMarker { producer_id: 5, producer_epoch: 3, coordinator_epoch: 4, kind: MarkerKind::Commit };
            let receipt =
                machine.change(|shard| shard.append_marker(LOG, &later)).expect("nothing is open, and it is written");
            machine.until_durable(receipt.commit);
            assert_eq!(stable(&machine), 3);
            // The tables are in the checkpoints of later segments.
            for stamp in 0..if rolls { 60 } else { 1 } {
                machine.append_durably(1, &batch(1, 20_000, stamp));
            }
            let before = (machine.shard.view(LOG).map(|view| view.last_stable_offset), producers(&machine));
            let mut machine = match stop {
                0 => machine.restart(),
                1 => machine.crash(Crash::PowerCut),
                _ => machine.crash(Crash::Kill),
            };
            let what = format!("rolls {rolls} stop {stop}");
            assert_eq!(machine.shard.view(LOG).map(|view| view.last_stable_offset), before.0, "{what}");
            assert_eq!(producers(&machine), before.1, "{what}");
            let read = machine.read_committed(1, 0, BYTES);
            assert_eq!((bases(&read), read.aborted), (vec![0, 2], vec![aborted(5, 0, 2)]), "{what}");
            let older = TransactionMarker { coordinator_epoch: 3, ..later };
            let fenced = machine.change(|shard| shard.append_marker(LOG, &older));
            assert_eq!(fenced, Err(AppendError::TransactionCoordinatorFenced { current: 4, got: 3 }), "{what}");
            assert_eq!(
                machine.append(1, &part(5, 2, 1)),
                Err(AppendError::InvalidProducerEpoch { current: 3, got: 2 }),
                "{what}"
            );
            let marker = machine.mark_durably(1, (6, 0), MarkerKind::Abort).0;
            assert_eq!(stable(&machine), marker + 1);
            let read = machine.read_committed(1, 0, BYTES);
            assert_eq!(read.aborted, [aborted(5, 0, 2), aborted(6, 3, marker)], "{what}");
        }
    }
}

#[test]
fn a_producer_with_an_open_transaction_writes_nothing_beside_it_and_markers_fence() {
    let mut machine = machine(4);
    machine.append_durably(1, &part(7, 1, 0));
    let beside = machine.append(1, &batch_of(2, 300, 7, (7, 1, 2), 5));
    assert!(matches!(beside, Err(AppendError::InvalidTxnState(_))), "{beside:?}");
    let beside = machine.append(1, &batch_of(2, 300, 7, (7, 2, 0), 5));
    assert!(matches!(beside, Err(AppendError::InvalidTxnState(_))), "also with a later epoch: {beside:?}");
    let later = machine.append(1, &part(7, 2, 0));
    assert!(matches!(later, Err(AppendError::InvalidTxnState(_))), "the earlier epoch's must end first: {later:?}");
    let duplicate = machine.append(1, &part(7, 1, 0)).expect("is known");
    assert_eq!(duplicate.appended.base_offset, Offset(0));
    let control = machine.append(1, &{
        let marker =
            TransactionMarker { producer_id: 7, producer_epoch: 1, coordinator_epoch: 0, kind: MarkerKind::Commit };
        marker.batch(5).to_vec()
    });
    assert!(matches!(control, Err(AppendError::Invalid(_))), "a client writes no marker: {control:?}");
    let nobody = machine.append(1, &transactional(batch(1, 50, 1)));
    assert!(matches!(nobody, Err(AppendError::Invalid(_))), "{nobody:?}");
    let older = machine.mark(1, (7, 0), MarkerKind::Abort);
    assert_eq!(older, Err(AppendError::InvalidProducerEpoch { current: 1, got: 0 }));
    machine.mark_durably(1, (7, 2), MarkerKind::Abort);
    let zombie = machine.append(1, &part(7, 1, 1));
    assert_eq!(zombie, Err(AppendError::InvalidProducerEpoch { current: 2, got: 1 }));
    machine.append_durably(1, &part(7, 2, 0));
    machine.mark_durably(1, (7, 2), MarkerKind::Commit);
    machine.append(1, &part(7, 2, 1)).expect("the sequence goes on in the same epoch");
    // Nothing is open, and yet the epoch is raised.
    machine.mark_durably(1, (99, 5), MarkerKind::Abort);
    let fenced = machine.append(1, &part(99, 4, 0));
    assert_eq!(fenced, Err(AppendError::InvalidProducerEpoch { current: 5, got: 4 }));
    let unknown = machine.mark(2, (7, 2), MarkerKind::Abort);
    assert_eq!(unknown, Err(AppendError::UnknownLog(LogId(2))));
}

#[test]
fn a_producer_with_an_open_transaction_is_not_forgotten() {
    let mut machine = machine(5);
    machine.append_durably(1, &part(7, 0, 0));
    machine.append_durably(1, &batch_of(1, 50, 8, (8, 0, 0), 5));
    machine.io.advance_ns(2 * 24 * 60 * 60 * 1_000_000_000);
    for stamp in 0..60 {
        machine.append_durably(1, &batch(1, 20_000, stamp));
    }
    let ids: Vec<i64> = machine.shard.producers(LOG).iter().map(|producer| producer.producer_id).collect();
    assert_eq!(ids, [7], "after two days");
    // More producers than a checkpoint of so small a segment holds.
    for id in 100..600 {
        machine.append(1, &batch_of(1, 10, 1, (id, 0, 0), 5)).expect("appends");
    }
    for stamp in 0..60 {
        machine.append_durably(1, &batch(1, 20_000, stamp));
    }
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!((stable(&machine), machine.shard.producers(LOG)[0].producer_id), (0, 7));
    assert_eq!(machine.append(1, &part(7, 0, 0)).expect("is known").appended.base_offset, Offset(0));
}

#[test]
fn where_no_more_transactions_fit_none_begins_and_none_is_forgotten() {
    let mut machine = machine(6);
    let mut opened = 0;
    let refusal = loop {
        match machine.append(1, &part(opened, 0, 0)) {
            Ok(_) => opened += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, AppendError::TooManyTransactions);
    assert!(
        (12..OPEN_TRANSACTIONS_PER_LOG_MAX as i64).contains(&opened),
        "{opened} fit the checkpoint of a small segment"
    );
    machine.append(1, &part(3, 0, 1)).expect("one that is open goes on");
    machine.append(1, &batch(1, 50, 1)).expect("a batch without one is no matter");
    for id in 0..opened {
        machine.mark(1, (id, 0), MarkerKind::Abort).expect("an open one ends");
    }
    // Those that were aborted take less, but are there for ever.
    let mut count = opened;
    while machine.append(1, &part(count, 0, 0)).is_ok() {
        machine.mark(1, (count, 0), MarkerKind::Abort).expect("an open one ends");
        machine.tick();
        count += 1;
    }
    assert!((100..5_000).contains(&count), "{count} in all");
    let commit = machine.append(1, &batch(1, 50, 2)).expect("appends").commit;
    machine.until_durable(commit);
    for stamp in 0..40 {
        machine.append_durably(1, &batch(1, 20_000, stamp));
    }
    let mut machine = machine.crash(Crash::PowerCut);
    let mut told = Vec::new();
    let mut offset = 0;
    while offset < end(&machine) {
        let read = machine.read_committed(1, offset, 50_000);
        told.extend(read.aborted.iter().map(|aborted| aborted.producer_id));
        offset = walk(&read.slices.concat())
            .last()
            .map(|(_, last)| last.base_offset() + i64::from(last.last_offset_delta()) + 1)
            .expect("goes on");
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (0..count).collect::<Vec<_>>());
    // Where the records went, so do they.
    let (_, commit) = machine.change(|shard| shard.raise_log_start(LOG, Offset(offset))).expect("raises");
    machine.until_durable(commit);
    machine.append(1, &part(count, 0, 0)).expect("there is room again");
}

#[test]
fn one_log_takes_its_part_of_the_transactions_of_a_shard() {
    let mut machine = machine(9);
    let mut opened = Vec::new();
    for log in 1..=6 {
        let commit = machine.configure(log, LogConfig::default());
        machine.until_durable(commit);
        let id = (0..100).find(|&id| machine.append(log, &part(id, 0, 0)).is_err());
        opened.push(id.expect("a log is full before that"));
    }
    assert!(opened[0] >= 12 && opened[1..4].iter().all(|others| *others == opened[0]), "{opened:?}");
    assert!(opened[5] == 0, "the shard is full: {opened:?}");
    assert_eq!(machine.shard.stats().transactions_refused, 6);
    // What a shard has room for is counted once a turn.
    machine.mark(1, (0, 0), MarkerKind::Commit).expect("an open one ends");
    machine.mark(2, (0, 0), MarkerKind::Commit).expect("an open one ends");
    assert_eq!(machine.append(6, &part(0, 0, 0)), Err(AppendError::TooManyTransactions));
    machine.tick();
    machine.append(6, &part(0, 0, 0)).expect("there is room again");
}

#[test]
fn what_was_deleted_holds_nothing_back() {
    let mut machine = machine(7);
    machine.append_durably(1, &part(7, 0, 0));
    machine.append_durably(1, &batch(1, 50, 1));
    machine.append_durably(1, &part(8, 0, 0));
    let raise = |machine: &mut Machine, start| {
        let (_, commit) = machine.change(|shard| shard.raise_log_start(LOG, Offset(start))).expect("raises");
        machine.until_durable(commit);
    };
    raise(&mut machine, 1);
    assert_eq!(stable(&machine), 1, "one record of it is left, and no end lies below the log start");
    raise(&mut machine, 2);
    assert_eq!(stable(&machine), 3, "the second is open");
    let mut machine = machine.crash(Crash::PowerCut);
    assert_eq!(stable(&machine), 3);
    machine.mark_durably(1, (7, 0), MarkerKind::Abort);
    machine.mark_durably(1, (8, 0), MarkerKind::Abort);
    assert_eq!(
        machine.read_committed(1, 2, BYTES).aborted,
        [aborted(8, 3, 6)],
        "nothing of the first is left to abort"
    );
}
