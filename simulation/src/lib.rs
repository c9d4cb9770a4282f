//! A deterministic simulation of the engine, of groups' offsets and of the catalog, with a plain model that knows what was promised.
//!
//! One seed is one world: a process with several shards on a simulated disk (`engine::io::sim`), clients that append, read, delete,
//! configure and commit, and lives that end in clean stops, kills, power cuts and failed disks. What runs is production code: the shard's
//! state machine, recovery, the server's coordinator and its catalog's `apply`; only the edges that are tasks in production are thin loops here
//! (`state_log`, `catalog`, `groups`). Nothing depends on time or threads, so a seed does the same every time, which [`Report::trace`] shows.
//!
//! ```text
//! cargo test -p simulation                                          fixed seeds and fresh ones, about a minute
//! cargo run -p simulation --release -- --seed 7                     one seed; --steps N ends it after N operations
//! cargo run -p simulation --release -- --seeds 0..100000 --jobs 2   many, then the coverage
//! ```
//! A violation is a panic that says what was promised and what was found, followed by the command that replays it.
//!
//! | promise | where it is checked |
//! |---|---|
//! | acked batches are there, byte for byte, in order; others whole or not at all; offsets are not reused | `model/audit.rs`, after every start |
//! | reads see only what may be seen | `model/reader.rs`, at every answer |
//! | readers of what is decided see what counts: nothing undecided, and every aborted batch is told | `model/transactions.rs`, at every answer, turn and start |
//! | retention takes what is too old or too much, and nothing else | `model/start.rs`, `upkeep.rs` |
//! | compaction takes what is superseded or a tombstone past its time, and changes nothing else | `model/compaction.rs`, at every answer and start |
//! | high watermark, log start and leader epoch never go back | `model/log.rs`, after every turn and start |
//! | retries are stored once and answered with the original's place and commit | `clients.rs`, `model/log.rs` |
//! | committed offsets never go back, the catalog is what was said, producer ids are given once | `groups.rs`, `catalog.rs` |
//! | a start refuses only for damage, by name; damage below what is proven is never silent | `lives.rs`, `damage.rs` |
//! | what was asked for comes to its end on a healthy disk; what is held is bounded | `lives.rs`, `world.rs` |
//!
//! To add an operation: a method of [`world::World`] that keeps the model's books, and a row in [`WEIGHTS`].

mod batches;
mod catalog;
mod clients;
pub mod coverage;
mod damage;
mod dice;
mod groups;
mod lives;
mod machine;
mod model;
mod plan;
mod reads;
mod records;
mod state_log;
mod transactors;
mod upkeep;
mod world;

use std::cell::{Cell, RefCell};

use crate::coverage::Coverage;
use crate::model::End;
use crate::world::World;

type Operation = fn(&mut World);

/// What clients do, and how often beside the rest.
const WEIGHTS: &[(u64, Operation)] = &[
    (24, World::produce_plain),
    (24, World::produce_idempotent),
    (20, World::transact),
    (24, World::read),
    (2, World::ask_epoch),
    (2, World::delete_records),
    (2, World::create_topic),
    (1, World::alter_topic),
    (1, World::delete_topic),
    (8, World::commit_offsets),
    (4, World::fetch_offsets),
    (1, World::delete_group),
    (1, World::shorten_groups),
    (1, World::shorten_catalog),
    (1, World::change_space),
    (3, World::check_retention),
    (1, World::raise_epoch),
    (4, World::rest),
];

thread_local! {
    /// The seed under way and its operations so far, for whoever reports a panic.
    static UNDER_WAY: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    /// What is going on beside.
    static CONTEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What one seed did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The same for the same seed.
    pub trace: u64,
    /// What happened.
    pub coverage: Coverage,
}

/// Runs one seed to its end. A broken promise is a panic.
pub fn run(seed: u64, operations: Option<u64>, lying_flush: bool) -> Report {
    UNDER_WAY.set((seed, 0));
    let mut world = World::new(seed, operations, lying_flush);
    world.run();
    Report { trace: world.trace(), coverage: world.coverage().clone() }
}

/// What this thread runs, and the command that replays it.
pub fn replay_command() -> String {
    let (seed, operations) = UNDER_WAY.get();
    let context =
        CONTEXT.with_borrow(|context| if context.is_empty() { String::new() } else { format!(" ({context})") });
    format!("cargo run -p simulation --release -- --seed {seed} --steps {}{context}", operations + 1)
}

fn tell_context(context: String) {
    CONTEXT.set(context);
}

impl World {
    fn run(&mut self) {
        self.start(End::Killed);
        let total = WEIGHTS.iter().map(|(weight, _)| weight).sum();
        for number in 0..self.operations() {
            UNDER_WAY.set((UNDER_WAY.get().0, number));
            let mut draw = self.draw(total);
            let chosen = WEIGHTS.iter().find(|(weight, _)| {
                let is_chosen = draw < *weight;
                draw = draw.saturating_sub(*weight);
                is_chosen
            });
            chosen.expect("a draw is below the sum of the weights").1(self);
            self.pass_on();
        }
        self.finish();
    }
}
