//! `ListenerMode`: whether clients see one node or one a shard.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

/// Who listens on an address of the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum ListenerMode {
    /// One node and one port for all shards; requests for other shards' partitions are forwarded.
    #[default]
    Shared,
    /// Every shard is a node (id node.id + shard) with its own port (port + shard), so that clients go to the shard itself.
    PerCore,
}

impl FromStr for ListenerMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "shared" => Ok(ListenerMode::Shared),
            "per-core" => Ok(ListenerMode::PerCore),
            _ => Err("must be shared or per-core"),
        }
    }
}

impl fmt::Display for ListenerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ListenerMode::Shared => "shared",
            ListenerMode::PerCore => "per-core",
        })
    }
}
