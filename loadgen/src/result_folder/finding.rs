//! What is wrong with a file of the folder: which rule, which file, which key, and what to do.

use std::fmt;

use serde::Deserialize;

/// The rules of the folder, by the names that `exceptions.toml` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The file fits the schema, has no key beyond it, and no null but for gaps in series.
    Format,
    /// A `.json` file is a result file.
    NoResult,
    /// A file is small.
    Size,
    /// The id is the start time and eight digits, and nobody else's.
    Id,
    /// Times are in order, not in the future, and those of the folder.
    Dates,
    /// The machine is described.
    Environment,
    /// Figures that depend on one another agree, so that no unit is mistaken.
    Units,
    /// Every record arrived, or the run is tagged as failed.
    Integrity,
    /// Tags are known, and what a tag promises is there.
    Tags,
    /// The id of the load is the hash of the load.
    WorkloadId,
    /// Repeats have a series key, the same for all.
    SeriesKey,
    /// What is published has enough repeats.
    Repeats,
    /// Files lie where the README says.
    Layout,
    /// An exception excuses something.
    Exception,
}

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// Path below the folder, with forward slashes.
    pub file: String,
    /// Path of the key within the file; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Finding {
    pub(super) fn new(rule: Rule, file: &str, key: &str, what: impl Into<String>) -> Self {
        Self { rule, file: file.into(), key: key.into(), what: what.into().replace(['\r', '\n'], " ") }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let rule = self.rule.name();
        if self.key.is_empty() {
            write!(out, "{}: {} [{rule}]", self.file, self.what)
        } else {
            write!(out, "{}: {}: {} [{rule}]", self.file, self.key, self.what)
        }
    }
}

impl Rule {
    /// As `exceptions.toml` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::NoResult => "no-result",
            Self::Size => "size",
            Self::Id => "id",
            Self::Dates => "dates",
            Self::Environment => "environment",
            Self::Units => "units",
            Self::Integrity => "integrity",
            Self::Tags => "tags",
            Self::WorkloadId => "workload-id",
            Self::SeriesKey => "series-key",
            Self::Repeats => "repeats",
            Self::Layout => "layout",
            Self::Exception => "exception",
        }
    }
}
