//! The audit after a start: everything that must be there is there, byte for byte, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use engine::error::ReadError;
use engine::journal::reader::Goal;
use engine::offset::{CommitSequence, LogId, Offset};
use engine::partition::transactions::Isolation;
use engine::shard::reads::ReadRequest;
use engine::shard::state::LogView;

use super::transactions::Fate;
use super::{End, LogModel, Model, Sight};
use crate::batches::{Opened, opened};
use crate::machine::Machine;

/// Bytes of one read of an audit.
const READ_BYTES: usize = 128 << 10;

/// What one log holds.
pub struct Found {
    /// Its ends.
    pub view: LogView,
    /// Its batches, in order.
    pub batches: Vec<Opened>,
    /// Records that compaction took.
    pub gone: u64,
    /// Stretches that could not be read, each with its error.
    pub unreadable: Vec<(i64, i64)>,
}

/// What happened to the disk before the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Nothing.
    None,
    /// One place was damaged: what a commit elsewhere proves is there or refused.
    Place,
    /// Several places were, perhaps a proof with what it proves.
    Several,
}

impl Damage {
    fn may_take(self, commit: CommitSequence, proven: CommitSequence) -> bool {
        match self {
            Damage::None => false,
            Damage::Place => commit > proven,
            Damage::Several => true,
        }
    }
}

/// Compares every log with the model. After damage at rest, reads may fail, and what nothing proved may be gone.
pub fn audit(machine: &mut Machine, model: &Model, end: End, damage: Damage) -> BTreeMap<LogId, Found> {
    let mut all = BTreeMap::new();
    let damaged = damage != Damage::None;
    // Before anything moves: what a client could be shown first.
    for (log, view) in machine.views() {
        let is_gone = model.deleted.get(&log) == Some(&true) && !damaged;
        assert!(!is_gone, "{log:?} was deleted for ever and is there again after {end:?}");
        let Some(known) = model.logs.get(&log) else {
            assert!(model.deleted.contains_key(&log), "{log:?} is there and nobody made it");
            continue;
        };
        // What damage took may have superseded what compaction took before.
        let visible = if damaged { known.next } else { view.high_watermark.0 };
        let now_ms = engine::io::Io::wall_clock_ms(&machine.io);
        let sight = Sight { end: visible, durable: CommitSequence(u64::MAX), now_ms };
        let mut found = read_all(machine, (log, view), known, damage, &sight);
        check(model, log, known, &mut found, (end, damage), &sight);
        if !damaged {
            check_deleted_keys(log, known, &found);
        }
        all.insert(log, found);
    }
    for (log, known) in &model.logs {
        let must = known.made.1 || known.made.0 <= model.ends[known.shard].durable;
        let may_be_lost = damage.may_take(known.made.0, model.proofs[known.shard].proven);
        assert!(
            all.contains_key(log) || !must || may_be_lost,
            "{log:?} is gone after {end:?}; made {:?}, ends {:?}, rows {:?}",
            known.made,
            model.ends[known.shard],
            machine.cases
        );
    }
    all
}

fn read_all(
    machine: &mut Machine,
    (log, view): (LogId, LogView),
    known: &LogModel,
    damage: Damage,
    sight: &Sight,
) -> Found {
    let mut found = Found { view, batches: Vec::new(), gone: 0, unreadable: Vec::new() };
    let mut offset = view.start.0;
    let damaged = damage != Damage::None;
    while offset < view.high_watermark.0 {
        let request = ReadRequest {
            log,
            goal: Goal::Offset(Offset(offset)),
            bytes_max: READ_BYTES,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        match machine.read_now(request) {
            Ok(answer) => {
                let batches = opened(&answer.slices.concat());
                let first = batches.first().unwrap_or_else(|| {
                    panic!("{log:?}: below the high watermark there is something, but not at {offset}: {view:?}")
                });
                assert!(first.seen.end > offset, "{log:?}: a read at {offset} begins with {first:?}");
                for batch in batches {
                    let base = batch.seen.base;
                    let is_behind = base >= offset || found.batches.is_empty() || base <= view.start.0;
                    assert!(is_behind || !found.unreadable.is_empty(), "{log:?}: {batch:?} does not follow {offset}");
                    if found.unreadable.is_empty() {
                        found.gone += known.check_gap(log, (offset, base), sight);
                    }
                    offset = batch.seen.end;
                    found.batches.push(batch);
                }
            }
            Err(ReadError::Damaged(_) | ReadError::Failed(_)) if damaged => {
                let after = known.sent.range(offset + 1..).next().map_or(view.high_watermark.0, |(&base, _)| base);
                let after = after.min(view.high_watermark.0);
                found.unreadable.push((offset, after));
                offset = after;
            }
            Err(error) => panic!("{log:?} cannot be read at {offset}: {error}"),
        }
    }
    found
}

/// Reads everything that is decided, as consumers do that start anew. Gives how many batches they are told to leave out.
pub fn audit_decided(machine: &mut Machine, model: &Model) -> u64 {
    let mut told = 0;
    for (log, view) in machine.views() {
        let Some(known) = model.logs.get(&log) else { continue };
        let producers = machine.shards[known.shard].producers(log).into_iter();
        let open: BTreeSet<i64> =
            producers.filter(|known| known.transaction_start.is_some()).map(|known| known.producer_id).collect();
        let (all, held) = (known.transactions.open_from(-1), known.transactions.open_from(view.start.0));
        assert!(open.is_superset(&held) && open.is_subset(&all), "{log:?}: {open:?} is open, not {held:?} of {all:?}");
        let (mut offset, end) = (view.start.0, view.last_stable_offset.0);
        while offset < end {
            let (goal, isolation) = (Goal::Offset(Offset(offset)), Isolation::Committed);
            let request =
                ReadRequest { log, goal, bytes_max: READ_BYTES, first_whole: true, one_step: false, isolation };
            let answer = machine.read_now(request).expect("what was audited is readable");
            let batches = opened(&answer.slices.concat());
            told += known.check_decided(log, &batches, &answer.aborted, &view);
            offset =
                batches.last().map(|batch| batch.seen.end).expect("below the last stable offset there is something");
        }
    }
    told
}

fn check(model: &Model, log: LogId, known: &LogModel, found: &mut Found, (end, damage): (End, Damage), sight: &Sight) {
    let (ends, proven) = (model.ends[known.shard], model.proofs[known.shard].proven);
    let view = &found.view;
    let damaged = damage != Damage::None;
    // Damage may take back a log start that nothing proved, and show what the model forgot.
    let forgotten = |batch: &&Opened| damaged && batch.seen.end <= known.start_promised;
    for batch in found.batches.iter().filter(|batch| !forgotten(batch)) {
        found.gone += known.check_batch(log, batch, sight);
    }
    let rises = found.batches.windows(2).all(|pair| pair[0].seen.epoch <= pair[1].seen.epoch);
    assert!(rises, "{log:?}: epochs go back");
    let epoch_is_kept = view.leader_epoch >= known.epoch_promised || damaged;
    assert!(epoch_is_kept, "{log:?}: the epoch fell from {} to {}", known.epoch_promised, view.leader_epoch);
    let start_is_kept = view.start.0 >= known.start_promised || damaged;
    assert!(start_is_kept, "{log:?}: the log start went back from {} to {}", known.start_promised, view.start);
    let was_asked_for = view.start.0 <= known.start_most;
    assert!(was_asked_for, "{log:?}: the log start {} was never asked for", view.start);
    let must = known.sent.values().filter(|sent| sent.must_be_kept(end, ends));
    for sent in must.filter(|sent| sent.batch.end > view.start.0) {
        let batch = &sent.batch;
        let is_there = found.batches.binary_search_by_key(&batch.base, |found| found.seen.base).is_ok();
        let is_refused = found.unreadable.iter().any(|(from, to)| *from < batch.end && batch.base < *to);
        let may_be_lost = damage.may_take(sent.commit, proven);
        assert!(
            is_there || is_refused || may_be_lost || known.batch_may_be_gone(sent, sight),
            "{log:?} lost {sent:?} after {end:?}; ends {ends:?}, proven {proven:?}, found up to {}, from {}",
            view.high_watermark,
            view.start
        );
        assert!(batch.epoch <= view.leader_epoch || may_be_lost, "{log:?}: the epoch fell to {}", view.leader_epoch);
    }
    let vanishing = end == End::PowerLost && known.config.written_is_enough;
    let end_is_kept = view.high_watermark.0 >= known.shown.1 || vanishing || damaged;
    assert!(end_is_kept, "{log:?}: the high watermark went back from {} to {}", known.shown.1, view.high_watermark);
    // A log start that was shown before it was durable takes back what it moved.
    let start_fell = view.start.0 < known.shown.0;
    let stable_is_kept = view.last_stable_offset.0 >= known.stable_shown || start_fell || vanishing || damaged;
    let (shown, stable) = (known.stable_shown, view.last_stable_offset);
    assert!(stable_is_kept, "{log:?}: the last stable offset went back from {shown} to {stable}");
}

/// A key whose newest record is a tombstone that went stays deleted: no older value is back.
fn check_deleted_keys(log: LogId, known: &LogModel, found: &Found) {
    if !known.was_compacted {
        return;
    }
    let offsets = found.batches.iter().flat_map(|batch| {
        let records = batch.records.iter().flatten();
        records.map(|record| (record.key.as_deref(), batch.seen.base + i64::from(record.delta)))
    });
    let offsets: BTreeSet<(Option<&[u8]>, i64)> = offsets.collect();
    let start = found.view.start.0;
    let end = found.view.high_watermark.0;
    // What was aborted, or is not decided, deletes nothing.
    let newest = known
        .keys
        .newest(end, |batch| known.transactions.fate(batch, end) == Fate::Counts)
        .filter(|(_, newest)| *newest >= start);
    for (key, newest) in newest.filter(|(key, newest)| !offsets.contains(&(Some(*key), *newest))) {
        let older = offsets.range((Some(key), start)..(Some(key), newest)).next();
        assert_eq!(older, None, "{log:?}: record {newest} deleted a key, and is gone before it");
    }
}
