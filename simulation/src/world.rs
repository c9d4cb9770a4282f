//! `World`: one seed: a process that lives, dies and starts again, its clients, and the model that watches.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use engine::error::AppendError;
use engine::io::sim::SimDisk;
use engine::offset::{CommitSequence, LogId, Offset};
use engine::partition::config::LogConfig;
use engine::shard::state::Refusal;
use server::group::ContinuationId;

use crate::batches::Seen;
use crate::catalog::CatalogEdge;
use crate::clients::Client;
use crate::coverage::Coverage;
use crate::dice::Dice;
use crate::groups::GroupEdge;
use crate::machine::Machine;
use crate::model::{LogModel, Model};
use crate::plan::Plan;
use crate::reads::PendingRead;
use crate::state_log::Keeper;
use crate::transactors::Transactor;

/// Bytes that a shard may hold outside of its pool beside the tail: far more than small clients need, far less than a leak takes.
const HELD_BYTES_MOST: usize = 16 << 20;
/// Operations that may be under way at once for one shard.
const IN_FLIGHT_MOST: usize = 200;

/// What is answered when an end reaches a commit.
#[derive(Clone, Copy, Debug)]
pub enum Owed {
    /// A producer's ack. `durable` is what its acks and the log's durability ask for.
    Batch { log: LogId, base: i64, durable: bool, client: Option<(i64, i32)> },
    /// A log start.
    Start { log: LogId, start: i64 },
    /// A leader epoch.
    Epoch { log: LogId, epoch: i32 },
    /// A new log.
    Made { log: LogId },
    /// A deletion.
    Deleted { log: LogId },
    /// The catalog's change.
    Catalog,
    /// A group's append.
    Group(ContinuationId),
    /// A batch of a snapshot.
    Snapshot(Keeper),
}

/// Something owed, and the commit that it waits for.
pub struct Waiting {
    /// The commit.
    pub commit: CommitSequence,
    /// The write is enough.
    pub at_write: bool,
    /// What happens then.
    pub owed: Owed,
}

/// A change that is tried again until the shard has room for it.
#[derive(Clone, Debug)]
pub enum Task {
    /// Makes a log, or sets its configuration.
    Configure(LogId, LogConfig),
    /// Deletes a log.
    Delete(LogId),
    /// Raises a log start.
    Raise(LogId, Offset),
    /// Raises a leader epoch.
    RaiseEpoch(LogId),
}

/// One seed.
pub struct World {
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) coverage: Coverage,
    pub(crate) trace: DefaultHasher,
    pub(crate) machine: Option<Machine>,
    pub(crate) disk: SimDisk,
    pub(crate) clock_ns: u64,
    pub(crate) model: Model,
    /// By shard.
    pub(crate) waiting: Vec<Vec<Waiting>>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) reads: Vec<PendingRead>,
    pub(crate) catalog: CatalogEdge,
    pub(crate) groups: GroupEdge,
    pub(crate) clients: BTreeMap<i64, Client>,
    pub(crate) transactors: BTreeMap<i64, Transactor>,
    /// The disk was made too small.
    pub(crate) is_squeezed: bool,
    /// The disk may say that it is full.
    pub(crate) may_be_full: bool,
    pub(crate) stamp: u64,
}

impl World {
    /// The world of a seed, not started.
    pub fn new(seed: u64, operations: Option<u64>, lying_flush: bool) -> World {
        let mut dice = Dice::new(seed);
        let plan = Plan::of(&mut dice, operations, lying_flush);
        let shards = plan.shards as usize;
        let mut model = Model::default();
        model.proofs.resize_with(shards, Default::default);
        model.ends.resize_with(shards, Default::default);
        model.incarnations.resize(shards, 0);
        World {
            dice,
            coverage: Coverage { seeds: 1, ..Coverage::default() },
            trace: DefaultHasher::new(),
            machine: None,
            disk: SimDisk::default(),
            clock_ns: 0,
            model,
            waiting: (0..shards).map(|_| Vec::new()).collect(),
            tasks: Vec::new(),
            reads: Vec::new(),
            catalog: CatalogEdge::new(plan.shards),
            groups: GroupEdge::new(),
            clients: BTreeMap::new(),
            transactors: BTreeMap::new(),
            is_squeezed: false,
            may_be_full: false,
            stamp: seed << 32,
            plan,
        }
    }

    /// Everything that happened, as one number.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// What happened, counted.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    pub(crate) fn note(&mut self, event: impl Hash) {
        event.hash(&mut self.trace);
    }

    pub(crate) fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("the process lives")
    }

    pub(crate) fn now_ms(&mut self) -> i64 {
        engine::io::Io::wall_clock_ms(&self.machine().io)
    }

    /// A little of everything goes on: operations complete, time passes, shards turn. Lives end when a turn says so.
    pub(crate) fn go_on(&mut self, steps: u64) {
        for _ in 0..steps {
            let (pause_ns, shard) = (self.dice.below(1_500_000), self.dice.below(u64::from(self.plan.shards)) as usize);
            let (steps, turns) = (self.dice.below(4), self.dice.chance(700));
            let machine = self.machine();
            for _ in 0..steps {
                machine.io.step();
            }
            machine.io.advance_ns(pause_ns);
            if turns && !self.turn(shard) {
                return;
            }
        }
    }

    /// Turns one shard and looks at what came of it. False if the process ended.
    pub(crate) fn turn(&mut self, shard: usize) -> bool {
        if self.machine().shards[shard].turn().is_err() {
            self.coverage.life("journal failures");
            self.fail();
            return false;
        }
        self.observe(shard);
        self.try_tasks();
        self.pump_state_logs();
        true
    }

    fn observe(&mut self, shard: usize) {
        let now_ms = self.now_ms();
        let machine = self.machine.as_mut().expect("the process lives");
        let ends = machine.shards[shard].ends();
        self.model.proofs[shard].observe(ends);
        self.model.ends[shard] = ends;
        let mut expired = 0;
        for (&log, known) in self.model.logs.iter_mut().filter(|(_, known)| known.shard == shard) {
            expired += known.show(&machine.shards[shard].view(log).expect("the log is there"), ends, now_ms);
        }
        self.coverage.operations_of("batches expired by time", expired);
        let held = machine.io.outstanding_bytes();
        let held_most = machine.shards.len() * (self.plan.tail_bytes + HELD_BYTES_MOST);
        assert!(held <= held_most, "{held} bytes are held");
        let in_flight = machine.io.in_flight();
        assert!(in_flight <= IN_FLIGHT_MOST * machine.shards.len(), "{in_flight} operations are under way");
        self.finish_reads(shard);
        let mut reached: Vec<Owed> = Vec::new();
        self.waiting[shard].retain(|waiting| {
            let is_reached = waiting.commit <= if waiting.at_write { ends.written } else { ends.durable };
            if is_reached {
                reached.push(waiting.owed);
            }
            !is_reached
        });
        for owed in reached {
            self.note(("owed", shard, ends.durable.0));
            self.pay(owed);
        }
    }

    fn pay(&mut self, owed: Owed) {
        match owed {
            Owed::Batch { log, base, durable, client } => {
                let Some(known) = self.model.logs.get_mut(&log) else { return };
                if let Some(sent) = known.sent.get_mut(&base) {
                    sent.promised |= durable;
                    sent.written = true;
                }
                if let Some(client) = client.and_then(|(id, number)| Some((self.clients.get_mut(&id)?, number))) {
                    client.0.acked(client.1);
                }
            }
            Owed::Start { log, start } => {
                if let Some(known) = self.model.logs.get_mut(&log) {
                    known.start_promised = known.start_promised.max(start);
                }
            }
            Owed::Epoch { log, epoch } => {
                if let Some(known) = self.model.logs.get_mut(&log) {
                    known.epoch_promised = known.epoch_promised.max(epoch);
                }
            }
            Owed::Made { log } => {
                if let Some(known) = self.model.logs.get_mut(&log) {
                    known.made.1 = true;
                }
            }
            Owed::Deleted { log } => drop(self.model.deleted.insert(log, true)),
            Owed::Catalog => self.catalog_changed(),
            Owed::Group(then) => self.group_event(server::group::Event::Appended(then)),
            Owed::Snapshot(keeper) => self.snapshot_part_is_durable(keeper),
        }
    }

    pub(crate) fn owe(&mut self, shard: usize, commit: CommitSequence, at_write: bool, owed: Owed) {
        if at_write {
            self.machine().shards[shard].await_written(commit);
        }
        self.waiting[shard].push(Waiting { commit, at_write, owed });
    }

    /// Appends a batch and keeps the model's books. `may_repeat` for what was perhaps stored before.
    pub(crate) fn append(
        &mut self,
        log: LogId,
        batch: &[u8],
        may_repeat: bool,
    ) -> Result<(i64, CommitSequence), Refusal> {
        let shard = self.machine().shard_of(log);
        let outcome = self.machine().shards[shard].append(log, batch);
        self.note(("append", log.0, format!("{outcome:?}")));
        let receipt = match outcome {
            Ok(receipt) => receipt,
            Err(refusal) => {
                if refusal == Refusal::Error(AppendError::DiskFull) {
                    assert!(self.may_be_full, "the disk is not full");
                }
                return Err(refusal);
            }
        };
        let header = engine::batch::BatchHeader::parse(batch).expect("a whole batch");
        let base = receipt.appended.base_offset.0;
        let view = self.machine().shards[shard].view(log).expect("the log is there");
        let sent = Seen::of(&header);
        let placed = Seen { base, end: base + sent.end, epoch: view.leader_epoch, ..sent };
        let durable = self.machine().shards[shard].ends().durable;
        let is_new = self.model.log(log).took(placed, receipt.commit, may_repeat, durable);
        if header.is_transactional() && is_new {
            self.model.log(log).transactions.took(base, placed.end, placed.producer.0);
        }
        if let Some(records) = crate::records::parse(batch).filter(|_| is_new) {
            let now_ms = self.now_ms();
            self.model.log(log).keys.took(base, records, now_ms);
        }
        self.coverage.operation(if is_new { "batches stored" } else { "batches known already" });
        Ok((base, receipt.commit))
    }

    pub(crate) fn try_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            if self.try_task(&task).is_none() {
                self.tasks.push(task);
            }
        }
    }

    /// None when it must be tried again.
    fn try_task(&mut self, task: &Task) -> Option<()> {
        match *task {
            Task::Configure(log, config) => {
                let shard = self.machine().shard_of(log);
                let commit = self.taken(|machine| machine.shards[shard].configure_log(log, config))?;
                let known = self.model.logs.entry(log).or_insert_with(|| LogModel::new(shard, config, commit));
                known.configured(config);
                if !known.made.1 {
                    self.owe(shard, commit, false, Owed::Made { log });
                }
            }
            Task::Delete(log) => {
                let shard = self.machine().shard_of(log);
                let commit = self.taken(|machine| machine.shards[shard].delete_log(log))?;
                self.model.logs.remove(&log);
                self.clients.retain(|_, client| client.log != log);
                self.transactors.retain(|_, transactor| transactor.log != log);
                self.model.deleted.insert(log, false);
                self.owe(shard, commit, false, Owed::Deleted { log });
            }
            Task::Raise(log, start) => {
                let shard = self.machine().shard_of(log);
                if !self.model.logs.contains_key(&log) {
                    return Some(());
                }
                let (raised, commit) = self.taken(|machine| machine.shards[shard].raise_log_start(log, start))?;
                let known = self.model.log(log);
                known.start_asked = known.start_asked.max(raised.min(start).0);
                known.start_most = known.start_most.max(raised.0);
                self.owe(shard, commit, false, Owed::Start { log, start: raised.0 });
            }
            Task::RaiseEpoch(log) => {
                let shard = self.machine().shard_of(log);
                let Some(known) = self.model.logs.get(&log) else { return Some(()) };
                let before = known.epoch_least;
                let commit = self.taken(|machine| machine.shards[shard].raise_leader_epoch(log))?;
                let epoch = self.machine().shards[shard].view(log).expect("the log is there").leader_epoch;
                let least = i64::from(epoch) >= self.model.incarnations[shard] as i64;
                assert!(least, "{log:?}: the raised epoch is {epoch}, the start {}", self.model.incarnations[shard]);
                self.coverage.operations_of("epochs raised", u64::from(epoch > before));
                self.owe(shard, commit, false, Owed::Epoch { log, epoch });
            }
        }
        Some(())
    }

    fn taken<T>(&mut self, change: impl FnOnce(&mut Machine) -> Result<T, Refusal>) -> Option<T> {
        match change(self.machine()) {
            Ok(done) => Some(done),
            Err(Refusal::Wait) => None,
            Err(Refusal::Error(AppendError::DiskFull)) if self.may_be_full => {
                self.coverage.operation("changes refused by a full disk");
                None
            }
            Err(Refusal::Error(error)) => panic!("a change is refused: {error}"),
        }
    }
}

/// The clock of a seed's operations.
impl World {
    pub(crate) fn operations(&self) -> u64 {
        self.plan.operations
    }

    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    /// Something happens between two operations, and a life may end.
    pub(crate) fn pass_on(&mut self) {
        self.coverage.asked += 1;
        let steps = self.dice.below(6);
        self.go_on(steps);
        if self.dice.chance(self.plan.end_permille) {
            self.end_life();
        }
    }
}
