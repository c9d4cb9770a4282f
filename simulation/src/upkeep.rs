//! What the owner of a shard does beside clients: it looks at retention, lets another node lead a log, and lets time pass.

use crate::world::{Task, World};

/// Time may leap so far while nobody asks for anything.
const LEAP_MS: u64 = 30_000;
/// Steps of a rest.
const REST_STEPS: u64 = 150;
/// No topic of a simulation that limits age allows so much.
const AGE_MS: u64 = 3_600_000;
/// Steps within which retention must have come to its end.
const PATIENCE_STEPS: u64 = 20_000;
const NS_PER_MS: u64 = 1_000_000;

impl World {
    /// Every shard looks for what is too old or too much.
    pub(crate) fn check_retention(&mut self) {
        self.coverage.operation("check retention");
        self.machine().shards.iter_mut().for_each(engine::shard::state::Shard::check_retention);
    }

    /// Another node leads a log from now on.
    pub(crate) fn raise_epoch(&mut self) {
        let logs = self.usable_logs();
        let Some(log) = self.dice.pick(&logs) else { return };
        self.coverage.operation("raise epoch");
        self.tasks.push(Task::RaiseEpoch(log));
    }

    /// Nobody asks for anything, and the shards do what they do then.
    pub(crate) fn rest(&mut self) {
        self.coverage.operation("rest");
        let (leap_ms, steps) = (self.dice.below(LEAP_MS), self.dice.below(REST_STEPS));
        self.machine().io.advance_ns(leap_ms * NS_PER_MS);
        self.go_on(steps);
    }

    /// Time passes until all records of logs that limit their age are too old: they go.
    pub(crate) fn outlive_all(&mut self) {
        self.machine().io.advance_ns(AGE_MS * NS_PER_MS);
        self.machine().shards.iter_mut().for_each(engine::shard::state::Shard::check_retention);
        for _ in 0..PATIENCE_STEPS {
            self.go_on(1);
            if self.has_nothing_old() {
                return;
            }
        }
        let now_ms = self.now_ms();
        let stuck = self.model.logs.iter().find(|(_, known)| known.is_stuck(now_ms));
        let stuck = stuck.map(|(&log, known)| {
            let view = self.machine.as_ref().and_then(|machine| machine.shards[known.shard].view(log));
            (log, view, known.config, known.sent.values().next_back())
        });
        panic!("records that are too old stay at {now_ms}: {stuck:?}");
    }

    fn has_nothing_old(&mut self) -> bool {
        let now_ms = self.now_ms();
        !self.model.logs.values().any(|known| known.is_stuck(now_ms))
    }
}
