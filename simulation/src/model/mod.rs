//! CONTRACT: what must be true of every log, whatever happens. Knows promises (DESIGN section 2), not how they are kept.

pub mod audit;
mod compaction;
mod keys;
mod log;
mod reader;
mod start;
mod transactions;

use std::collections::BTreeMap;

use engine::offset::{CommitSequence, Ends, LogId};

pub use self::compaction::Sight;
pub use self::log::LogModel;

/// How a process ended, as far as promises depend on it. Worse ends are larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    /// Everything was flushed.
    Stopped,
    /// What was written is there.
    Killed,
    /// What was flushed is there.
    PowerLost,
}

/// What the journal of one shard has proved so far: the commits that damage cannot take away unnoticed.
#[derive(Clone, Default, Debug)]
pub struct Proof {
    /// Whoever holds the commit on the left as durable knows that the one on the right was, before it.
    claims: Vec<(CommitSequence, CommitSequence)>,
    seen: Ends<CommitSequence>,
    /// The newest proven commit.
    pub proven: CommitSequence,
}

impl Proof {
    /// A life begins whose first commit names everything before it as durable.
    pub fn begin(&mut self, next: CommitSequence) {
        let last = CommitSequence(next.0 - 1);
        self.claims = vec![(next, last)];
        self.seen = Ends::at(last);
        // What recovery cut was not proven.
        self.proven = self.proven.min(last);
    }

    /// The ends as they are after a turn: a commit that was not there before names at least what was durable then.
    pub fn observe(&mut self, ends: Ends<CommitSequence>) {
        if ends.appended > self.seen.appended {
            self.claims.push((ends.appended, self.seen.durable));
        }
        self.seen = ends;
        let claims = self.claims.iter().take_while(|(commit, _)| *commit <= ends.durable);
        let (reached, proven) = claims.fold((0, self.proven), |(count, most), claim| (count + 1, most.max(claim.1)));
        self.claims.drain(..reached);
        self.proven = proven;
    }
}

/// All logs.
#[derive(Default, Debug)]
pub struct Model {
    /// Those that are there, or may be.
    pub logs: BTreeMap<LogId, LogModel>,
    /// Deleted ones, and whether that is durable.
    pub deleted: BTreeMap<LogId, bool>,
    /// One a shard.
    pub proofs: Vec<Proof>,
    /// The ends of each shard as last seen.
    pub ends: Vec<Ends<CommitSequence>>,
    /// The newest start of each shard.
    pub incarnations: Vec<u64>,
}

impl Model {
    /// A log that must be known.
    pub fn log(&mut self, log: LogId) -> &mut LogModel {
        self.logs.get_mut(&log).expect("a log of the model")
    }
}
