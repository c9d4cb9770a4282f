//! What limits the trust in a run, as a letter beside every figure that it has a part in.

use serde::Serialize;

use crate::result::{RunResult, Verdict};

/// A reason to doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Less than the offered load was achieved.
    Saturated,
    /// The generator may have set the figures.
    ClientLimited,
    /// The first and the last third disagree.
    Unsteady,
    /// The machine changed.
    Noisy,
    /// No record was checked.
    Unverified,
    /// Runs of this side ended early or lost records, and are no samples.
    LeftOut,
}

/// How many runs have a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MarkCount {
    /// Which.
    pub mark: Mark,
    /// Runs.
    pub runs: usize,
}

impl Mark {
    /// All of them in the order of their letters.
    pub const ALL: [Self; 6] =
        [Self::Saturated, Self::ClientLimited, Self::Unsteady, Self::Noisy, Self::Unverified, Self::LeftOut];

    /// The letter, the same in every comparison.
    pub fn letter(self) -> char {
        match self {
            Self::Saturated => 'a',
            Self::ClientLimited => 'b',
            Self::Unsteady => 'c',
            Self::Noisy => 'd',
            Self::Unverified => 'e',
            Self::LeftOut => 'f',
        }
    }

    /// What the letter says.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Saturated => "saturated: less than 99 % of the offered load was achieved",
            Self::ClientLimited => "client-limited: the load generator, not the broker, may have set the figure",
            Self::Unsteady => "unsteady: the first and the last third of a run disagree",
            Self::Noisy => "noisy: the machine changed while a run went on",
            Self::Unverified => "unverified: no record was checked",
            Self::LeftOut => "runs that ended early or lost records are left out",
        }
    }

    /// Whether a run that is a sample has it.
    pub(super) fn is_on(self, run: &RunResult) -> bool {
        match self {
            Self::Saturated => run.quality.saturated,
            Self::ClientLimited => run.quality.client_limited,
            Self::Unsteady => run.quality.steady == Some(false),
            Self::Noisy => run.quality.noisy,
            Self::Unverified => run.integrity.verdict == Verdict::NotChecked,
            Self::LeftOut => false,
        }
    }
}
