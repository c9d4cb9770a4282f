//! `StateAppends`: the edge between a keeper of state and its log, as `server::state_log` is with tasks: appends in the order of their
//! asking, and a snapshot at the head of the log before its start moves up.

use std::collections::VecDeque;

use bytes::Bytes;
use engine::error::AppendError;
use engine::journal::reader::Goal;
use engine::offset::{LogId, Offset};
use engine::partition::transactions::Isolation;
use engine::shard::reads::ReadRequest;
use engine::shard::state::Refusal;
use server::group::{ContinuationId, Event};

use crate::machine::Machine;
use crate::world::{Owed, Task, World};

/// Whose log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// The catalog's.
    Catalog,
    /// The groups'.
    Groups,
}

/// What an append is for.
#[derive(Clone, Copy, Debug)]
pub enum For {
    /// The catalog's change.
    Change,
    /// A group's continuation.
    Group(ContinuationId),
    /// Part of a snapshot.
    Snapshot,
}

/// Appends on their way to one log.
#[derive(Default)]
pub struct StateAppends {
    queue: VecDeque<(Bytes, For)>,
    snapshot: Option<Snapshot>,
}

struct Snapshot {
    first: Option<Offset>,
    left: usize,
    refused: bool,
}

impl StateAppends {
    /// One more append.
    pub fn push(&mut self, batch: Bytes, purpose: For) {
        self.queue.push_back((batch, purpose));
    }

    /// Appends the live state, unless that is being done.
    pub fn push_snapshot(&mut self, batches: Vec<Bytes>) {
        if self.snapshot.is_none() && !batches.is_empty() {
            self.snapshot = Some(Snapshot { first: None, left: batches.len(), refused: false });
            for batch in batches {
                self.push(batch, For::Snapshot);
            }
        }
    }

    /// Nothing is on its way to the journal.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// A snapshot is on its way.
    pub fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// A part was refused or is durable; the place where the log may begin, once all parts are durable.
    fn part_ended(&mut self, refused: bool) -> Option<Offset> {
        let snapshot = self.snapshot.as_mut()?;
        snapshot.left -= 1;
        snapshot.refused |= refused;
        if snapshot.left > 0 {
            return None;
        }
        self.snapshot.take().filter(|snapshot| !snapshot.refused)?.first
    }
}

/// All batches of a log, at a start.
pub fn read_log(machine: &mut Machine, log: LogId) -> Vec<Vec<u8>> {
    let shard = machine.shard_of(log);
    let view = machine.shards[shard].view(log).expect("the log is there");
    let (mut offset, mut parts) = (view.start, Vec::new());
    while offset < view.high_watermark {
        let request = ReadRequest {
            log,
            goal: Goal::Offset(offset),
            bytes_max: 64 << 10,
            first_whole: true,
            one_step: false,
            isolation: Isolation::Uncommitted,
        };
        let bytes = machine.read_now(request).expect("a log that was audited is readable").slices.concat();
        offset = Offset(
            crate::batches::opened(&bytes).last().expect("below the high watermark there is something").seen.end,
        );
        parts.push(bytes);
    }
    parts
}

impl World {
    fn appends(&mut self, keeper: Keeper) -> &mut StateAppends {
        match keeper {
            Keeper::Catalog => &mut self.catalog.appends,
            Keeper::Groups => &mut self.groups.appends,
        }
    }

    fn log_of(&self, keeper: Keeper) -> Option<LogId> {
        match keeper {
            Keeper::Catalog => Some(engine::offset::CATALOG_LOG),
            Keeper::Groups => self.groups.log,
        }
    }

    /// Appends what is queued, as far as there is room.
    pub(crate) fn pump_state_logs(&mut self) {
        for keeper in [Keeper::Catalog, Keeper::Groups] {
            let Some(log) = self.log_of(keeper).filter(|log| self.model.logs.contains_key(log)) else { continue };
            while let Some((batch, purpose)) = self.appends(keeper).queue.front().cloned() {
                match self.append(log, &batch, false) {
                    Err(Refusal::Wait) => break,
                    Ok((base, commit)) => {
                        self.appends(keeper).queue.pop_front();
                        let owed = match purpose {
                            For::Change => Owed::Catalog,
                            For::Group(then) => Owed::Group(then),
                            For::Snapshot => {
                                let snapshot = self.appends(keeper).snapshot.as_mut();
                                snapshot.expect("a part has its snapshot").first.get_or_insert(Offset(base));
                                Owed::Snapshot(keeper)
                            }
                        };
                        // A reader may see it, and so may whoever loads the log.
                        let shard = self.machine().shard_of(log);
                        self.owe(shard, commit, false, Owed::Batch { log, base, durable: true, client: None });
                        self.owe(shard, commit, false, owed);
                    }
                    Err(Refusal::Error(AppendError::DiskFull)) => {
                        self.appends(keeper).queue.pop_front();
                        self.coverage.operation("state appends refused by a full disk");
                        match purpose {
                            For::Change => self.catalog_refused(),
                            For::Group(then) => self.group_event(Event::AppendFailed(then)),
                            For::Snapshot => drop(self.appends(keeper).part_ended(true)),
                        }
                    }
                    Err(Refusal::Error(error)) => panic!("{keeper:?}: {error}"),
                }
            }
        }
    }

    pub(crate) fn snapshot_part_is_durable(&mut self, keeper: Keeper) {
        if let Some(start) = self.appends(keeper).part_ended(false)
            && let Some(log) = self.log_of(keeper)
        {
            self.tasks.push(Task::Raise(log, start));
        }
    }
}
