//! How lives end and begin: stops, kills, power cuts, failed disks, starts that fail or die, and damage at rest.

use engine::data_directory::OpenError;
use engine::io::sim::{Crash, Fault, Faults, SimDisk};
use engine::shard::state::Shard;

use crate::damage;
use crate::machine::{Machine, Start};
use crate::model::audit::{Damage, audit, audit_decided};
use crate::model::{End, Sight};
use crate::world::World;

/// Bytes of a disk that is not full.
const CAPACITY_BYTES: u64 = 1 << 40;
/// A thousand steps of a healthy disk after the last operation must be enough for all that is under way; with room for stalls.
const PATIENCE_STEPS: u64 = 100_000;

impl World {
    /// The life ends in some way, and another one begins.
    pub(crate) fn end_life(&mut self) {
        match self.dice.below(10) {
            0 | 1 => self.stop(),
            2..=5 => self.crash(Crash::Kill, End::Killed),
            _ => self.crash(Crash::PowerCut, End::PowerLost),
        }
    }

    /// The process stopped itself because its journal failed. The device may have dropped what the failed flush covered.
    pub(crate) fn fail(&mut self) {
        let crash = if self.dice.chance(500) { Crash::Kill } else { Crash::PowerCut };
        self.crash(crash, End::PowerLost);
    }

    fn crash(&mut self, crash: Crash, end: End) {
        self.coverage.life(if crash == Crash::Kill { "kills" } else { "power cuts" });
        let machine = self.last_words();
        // A flush may have failed without the process having seen it yet.
        let device_forgets = machine.io.fault_counts().contains_key(&Fault::SyncError);
        let end = if device_forgets { End::PowerLost } else { end };
        self.disk = machine.crash(crash);
        self.between_lives(end);
    }

    fn stop(&mut self) {
        // What a failing disk was given before may fail yet, and ends the life otherwise.
        self.machine().io.set_faults(Faults::default());
        self.machine().io.run_until_idle();
        for shard in 0..self.plan.shards as usize {
            if !self.turn(shard) {
                return;
            }
        }
        self.coverage.life("clean stops");
        let machine = self.last_words();
        machine.io.with_disk(|disk| disk.set_capacity_bytes(CAPACITY_BYTES));
        self.is_squeezed = false;
        let stopped = machine.stop();
        for (log, view) in stopped.views {
            if let Some(known) = self.model.logs.get_mut(&log) {
                let expired = known.show(&view, stopped.ends[known.shard], stopped.clock.1);
                self.coverage.operations_of("batches expired by time", expired);
            }
        }
        (self.disk, self.model.ends, self.clock_ns) = (stopped.disk, stopped.ends, stopped.clock.0);
        for (proof, ends) in self.model.proofs.iter_mut().zip(&self.model.ends) {
            // The last commit proves all the others.
            proof.observe(*ends);
        }
        self.between_lives(End::Stopped);
    }

    fn last_words(&mut self) -> Machine {
        let now_ms = self.now_ms();
        let machine = self.machine.take().expect("the process lives");
        for (&log, known) in &mut self.model.logs {
            // Retention moves a start whenever it finds room, also just now.
            let view = machine.shards[known.shard].view(log).expect("the log is there");
            let durable = machine.shards[known.shard].ends().durable;
            known.show_start(view.start.0, &Sight { end: view.high_watermark.0, durable, now_ms });
        }
        for stats in machine.shards.iter().map(Shard::cleaner_stats) {
            self.coverage.operations_of("cleaner swaps", stats.swaps);
            self.coverage.operations_of("compaction passes", stats.passes);
            self.coverage.operations_of("records compacted away", stats.records_removed);
        }
        self.coverage.add_faults(&machine.io.fault_counts());
        self.clock_ns = engine::io::Io::monotonic_ns(&machine.io);
        self.note(machine.io.trace());
        machine
    }

    fn between_lives(&mut self, end: End) {
        self.waiting.iter_mut().for_each(Vec::clear);
        self.reads.clear();
        self.tasks.clear();
        if self.dice.chance(300) {
            self.probe(end);
        }
        self.start(end);
    }

    /// Starts, after some starts that fail or die perhaps.
    pub(crate) fn start(&mut self, mut end: End) {
        let mut first = true;
        let machine = loop {
            let start = self.a_start(first);
            first = false;
            let disk = std::mem::take(&mut self.disk);
            let is_sound = start.dies_after.is_none() && start.faults.is_none();
            let io = match Machine::start(disk, &self.plan, start) {
                Ok(machine) if is_sound => break machine,
                Ok(machine) => machine.io.clone(),
                Err((_, error)) if is_sound => panic!("the start is refused for no reason after {end:?}: {error}"),
                Err((io, error)) => {
                    self.note(format!("{error}"));
                    io
                }
            };
            self.coverage.life("starts that fail or die");
            self.coverage.add_faults(&io.fault_counts());
            let crash = if self.dice.chance(500) { Crash::Kill } else { Crash::PowerCut };
            let device_forgets = start.faults.is_some();
            if end == End::Killed && (crash == Crash::PowerCut || device_forgets) {
                end = End::PowerLost;
            }
            self.disk = io.crash(crash);
        };
        self.started(machine, end);
    }

    fn a_start(&mut self, first: bool) -> Start {
        let dies_after = (first && self.dice.chance(150)).then(|| self.dice.below(80));
        let faults = Faults { read_error: 10, write_error: 20, sync_error: 20, ..Faults::default() };
        let faults = (first && dies_after.is_none() && self.dice.chance(100)).then_some(faults);
        Start { seed: self.dice.any(), clock_ns: self.clock_ns, dies_after, faults }
    }

    fn started(&mut self, mut machine: Machine, end: End) {
        self.coverage.life("starts");
        let was_stopped = end == End::Stopped;
        assert!(was_stopped || !machine.marked, "a clean marker outlived the life that it spoke of");
        for (known, started) in self.model.incarnations.iter_mut().zip(&machine.starts) {
            assert!(was_stopped || !started.clean, "an unclean stop counts as clean");
            assert!(started.incarnation.0 > *known, "incarnation {} follows {known}", started.incarnation.0);
            *known = started.incarnation.0;
        }
        for &case in &machine.cases {
            self.coverage.case(case);
        }
        let mut found = audit(&mut machine, &self.model, end, Damage::None);
        for (log, gone) in &mut self.model.deleted {
            *gone |= machine.shards.iter().all(|shard| shard.view(*log).is_none());
        }
        self.model.logs.retain(|log, _| found.contains_key(log));
        for (log, known) in &mut self.model.logs {
            if let Some(found) = found.remove(log) {
                self.coverage.operations_of("records missed by audits", found.gone);
                known.recovered(&found.batches, &found.view, !machine.starts[known.shard].clean);
            }
        }
        for (shard, started) in machine.starts.iter().enumerate() {
            self.model.proofs[shard].begin(started.next_commit);
            self.model.ends[shard] = machine.shards[shard].ends();
        }
        self.coverage.operations_of("aborted batches told", audit_decided(&mut machine, &self.model));
        // Not before: what the audits look at stays as it is.
        machine.shards.iter_mut().for_each(|shard| shard.set_record_codec(server::compaction::CODEC));
        self.machine = Some(machine);
        self.clients.retain(|_, client| self.model.logs.contains_key(&client.log));
        self.transactors.retain(|_, transactor| self.model.logs.contains_key(&transactor.log));
        self.transactors.values_mut().for_each(|transactor| transactor.must_fence = true);
        for client in self.clients.values_mut() {
            let known = &self.model.logs[&client.log];
            client.restarted(|base| known.sent.contains_key(&base));
            client.may_be_behind |= end == End::PowerLost && known.config.written_is_enough;
        }
        self.load_catalog();
        self.load_groups();
        let faults = self.plan.faults;
        self.machine().io.set_faults(faults);
        // A shard that was refused tries again after a while: until it starts anew it may still say so.
        self.may_be_full = self.is_squeezed || faults.disk_full > 0 || faults.create_error > 0;
    }

    /// A start on a damaged copy of the disk: it refuses by name, or what it proved is there, or says that it cannot be read.
    fn probe(&mut self, end: End) {
        let mut disk: SimDisk = self.disk.clone();
        let Some((kind, path)) = damage::strike(&mut disk, &mut self.dice) else { return };
        crate::tell_context(format!("{kind} in {} after {end:?}", path.display()));
        *self.coverage.damage.entry(kind).or_default() += 1;
        let start = Start { seed: self.dice.any(), clock_ns: self.clock_ns, ..Start::default() };
        match Machine::start(disk, &self.plan, start) {
            Ok(mut machine) => {
                for &case in &machine.cases {
                    self.coverage.case(case);
                }
                audit(
                    &mut machine,
                    &self.model,
                    end,
                    if damage::strikes_several_places(kind) { Damage::Several } else { Damage::Place },
                );
            }
            Err((_, OpenError::Damaged { case, .. })) => {
                self.coverage.life("starts refused for damage");
                self.coverage.case(case);
            }
            Err((_, OpenError::NewerFormat { .. })) => self.coverage.life("starts refused for a newer format"),
            Err((_, error)) => panic!("{kind} is called {error}"),
        }
        crate::tell_context(String::new());
    }

    /// The disk runs full, or has space again.
    pub(crate) fn change_space(&mut self) {
        let io = &mut self.machine.as_mut().expect("the process lives").io;
        let lengths = |disk: &mut SimDisk| {
            let files = disk.files();
            files.iter().filter_map(|path| Some(disk.content(path)?.len() as u64)).sum::<u64>()
        };
        let used = io.with_disk(lengths);
        if self.is_squeezed {
            self.is_squeezed = false;
            io.with_disk(|disk| disk.set_capacity_bytes(CAPACITY_BYTES));
            self.coverage.operation("space returns");
        } else {
            let room = self.dice.below(self.plan.segment_bytes * 3);
            io.with_disk(|disk| disk.set_capacity_bytes(used + room));
            (self.is_squeezed, self.may_be_full) = (true, true);
            self.coverage.operation("disk runs full");
        }
    }

    /// The disk is healthy again, and everything that was asked for comes to its end.
    pub(crate) fn heal(&mut self) {
        self.is_squeezed = false;
        let machine = self.machine();
        machine.io.set_faults(Faults::default());
        machine.io.with_disk(|disk| disk.set_capacity_bytes(CAPACITY_BYTES));
        for _ in 0..PATIENCE_STEPS {
            if self.nothing_is_owed() {
                return;
            }
            self.go_on(1);
        }
        panic!("what was asked for does not come to its end");
    }

    fn nothing_is_owed(&self) -> bool {
        self.waiting.iter().all(Vec::is_empty)
            && self.tasks.is_empty()
            && self.reads.is_empty()
            && self.catalog.appends.is_idle()
            && self.groups.appends.is_idle()
    }

    /// The last crash of a seed, and the last audit.
    pub(crate) fn finish(&mut self) {
        self.heal();
        if self.dice.chance(500) {
            self.crash(Crash::PowerCut, End::PowerLost);
        } else {
            self.crash(Crash::Kill, End::Killed);
        }
        self.heal();
        self.outlive_all();
        let machine = self.last_words();
        drop(machine);
    }
}
