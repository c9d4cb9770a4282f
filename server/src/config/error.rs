//! `ConfigError`: why a configuration is refused.

use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {error}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// No such key.
    #[error("unknown setting {name}{suggestion}")]
    Unknown {
        /// The key.
        name: String,
        /// A hint, or nothing.
        suggestion: String,
    },
    /// A value that the key does not take.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// The key.
        name: String,
        /// The value.
        value: String,
        /// Why not.
        reason: String,
    },
    /// `--set` without an equals sign.
    #[error("--set {0}: expected key=value")]
    Pair(String),
    /// A listener or advertised address.
    #[error("address {address}: {reason}")]
    Address {
        /// As written.
        address: String,
        /// Why not.
        reason: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}
