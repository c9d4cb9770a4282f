//! The rules of the house that a machine can check, as pure functions over the text of a file.
//!
//! Each rule gives [`Finding`]s; `tests/tidy.rs` runs all of them over the tree. Each rule's own test shows it failing
//! on a small bad example. Lengths and misplaced limits are ratcheted: `ratchet.toml` holds today's exceptions.

#![forbid(unsafe_code)]

pub mod bounds;
pub mod imports;
pub mod masked;
pub mod names;
pub mod ratchet;
pub mod readme;
pub mod safety;
pub mod size;
pub mod tree;
pub mod words;

/// One breach of a rule, or one measured length over its soft limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule: a section of `ratchet.toml` for those that are ratcheted.
    pub rule: &'static str,
    /// File, or file and function.
    pub subject: String,
    /// What the ratchet compares; 0 for rules without exceptions.
    pub measure: usize,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Finding {
    /// A breach that no exception excuses.
    pub fn breach(rule: &'static str, subject: &str, message: impl Into<String>) -> Self {
        Self { rule, subject: subject.to_owned(), measure: 0, message: message.into() }
    }
}
