//! Why bytes are not a commit: what decoding rejects.

/// Why bytes are not a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitError {
    /// Fewer bytes than the header or the commit's own length needs.
    #[error("the bytes end inside the commit")]
    Short,
    /// Not the start of a commit.
    #[error("no commit magic")]
    Magic,
    /// A version that this code does not read.
    #[error("unknown commit version")]
    Version,
    /// Flags that do not exist, or a checkpoint's end outside a checkpoint.
    #[error("unknown commit flags")]
    Flags,
    /// Length, table place or entry count contradict each other or the limits.
    #[error("commit bounds contradict each other")]
    Bounds,
    /// Header or table are not what was written.
    #[error("commit header CRC mismatch")]
    HeaderCrc,
    /// An entry kind that does not exist.
    #[error("unknown entry kind")]
    Kind,
    /// An entry that encode cannot make.
    #[error("impossible entry")]
    Entry,
    /// A payload outside its area, out of order, overlapping or after a gap.
    #[error("entry payload out of place")]
    Place,
    /// A batch whose header contradicts its entry.
    #[error("record batch contradicts its entry")]
    BatchHeader,
    /// A payload is not what was written.
    #[error("payload CRC mismatch")]
    PayloadCrc,
    /// The padding is not zero.
    #[error("padding is not zero")]
    Padding,
}
