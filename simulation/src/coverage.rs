//! `Coverage`: what happened in a run, so that nobody believes in a test of what never happened.

use std::collections::BTreeMap;
use std::fmt;

use engine::io::sim::{Fault, FaultCounts};
use engine::recovery::cases::Case;

/// Counts of everything that a simulation is made of.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// Seeds that ran.
    pub seeds: u64,
    /// Operations of clients and administrators.
    pub asked: u64,
    /// Operations by name, and what came of them.
    pub operations: BTreeMap<&'static str, u64>,
    /// How lives ended and began.
    pub lives: BTreeMap<&'static str, u64>,
    /// Faults that struck by odds.
    pub faults: FaultCounts,
    /// Damage at rest, by kind.
    pub damage: BTreeMap<&'static str, u64>,
    /// Rows of recovery's table that applied.
    pub cases: BTreeMap<Case, u64>,
}

impl Coverage {
    /// One more operation.
    pub fn operation(&mut self, name: &'static str) {
        self.operations_of(name, 1);
    }

    /// So many more operations.
    pub fn operations_of(&mut self, name: &'static str, count: u64) {
        *self.operations.entry(name).or_default() += count;
    }

    /// One more turn in the lives of the process.
    pub fn life(&mut self, name: &'static str) {
        *self.lives.entry(name).or_default() += 1;
    }

    /// One more row.
    pub fn case(&mut self, case: Case) {
        *self.cases.entry(case).or_default() += 1;
    }

    /// Adds what struck in a life.
    pub fn add_faults(&mut self, faults: &FaultCounts) {
        for (&fault, &count) in faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }

    /// Adds another run.
    pub fn merge(&mut self, other: &Coverage) {
        fn add<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (&key, &count) in from {
                *into.entry(key).or_default() += count;
            }
        }
        self.seeds += other.seeds;
        self.asked += other.asked;
        add(&mut self.operations, &other.operations);
        add(&mut self.lives, &other.lives);
        add(&mut self.faults, &other.faults);
        add(&mut self.damage, &other.damage);
        add(&mut self.cases, &other.cases);
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, title: &str, counts: &BTreeMap<&'static str, u64>| {
            write!(f, "{title}:")?;
            counts.iter().try_for_each(|(name, count)| write!(f, " {name} {count},"))?;
            writeln!(f)
        };
        writeln!(f, "{} seeds, {} operations", self.seeds, self.asked)?;
        list(f, "operations", &self.operations)?;
        list(f, "lives", &self.lives)?;
        write!(f, "faults:")?;
        for fault in Fault::ALL {
            write!(f, " {fault:?} {},", self.faults.get(&fault).unwrap_or(&0))?;
        }
        writeln!(f)?;
        list(f, "damage at rest", &self.damage)?;
        let (reached, missing): (Vec<Case>, Vec<Case>) =
            Case::ALL.iter().partition(|case| self.cases.contains_key(case));
        write!(f, "recovery rows reached ({} of {}):", reached.len(), Case::ALL.len())?;
        reached.iter().try_for_each(|case| write!(f, " {case} {},", self.cases[case]))?;
        write!(f, "\nrecovery rows left to recovery/tests:")?;
        missing.iter().try_for_each(|case| write!(f, " {case},"))?;
        writeln!(f)
    }
}
