//! The states of a transactional id, with Kafka's names and numbers.

/// Where a transactional id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has a producer, and no transaction yet.
    Empty,
    /// Its transaction is open.
    Ongoing,
    /// Its transaction is committed; the partitions are being told.
    PrepareCommit,
    /// Its transaction is aborted; the partitions are being told.
    PrepareAbort,
    /// All partitions have the marker of the commit.
    CompleteCommit,
    /// All partitions have the marker of the abort.
    CompleteAbort,
    /// It is being forgotten.
    Dead,
}

impl Status {
    /// All of them, by Kafka's number.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
    ];

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
        }
    }

    /// Kafka's number, as records hold it.
    pub fn number(self) -> i8 {
        self as i8
    }

    /// The status of a number.
    pub fn from_number(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }
}
