//! The machine that peers and load share: its cores, its free space.

use std::path::Path;

use serde::Deserialize;

use super::plan::Cell;
use crate::cores::{CoreList, Pinned};
use crate::error::Error;

/// Data of a run never takes more than this share of the space that is free, so that no disk comes near its end.
const FREE_SHARE_MAX: f64 = 0.5;

/// Which cores belong to whom; without them all share all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Of the peers.
    pub broker_cores: Option<CoreList>,
    /// Of this program.
    pub loadgen_cores: Option<CoreList>,
}

impl Split {
    /// Keeps this program to its cores as long as the guard lives; what it starts meanwhile inherits that, unless it is told otherwise.
    pub fn settle(&self) -> Result<Option<Pinned>, Error> {
        self.loadgen_cores.as_ref().map(Pinned::to).transpose()
    }
}

/// Why a run of this cell would fill disk or memory; `None` when there is room for it.
pub(super) fn lacks_room(cell: &Cell, data: &Path, in_memory: bool) -> Option<String> {
    let needed = cell.bytes_max();
    let disk = rustix::fs::statvfs(data).map_or(0, |space| space.f_bavail.saturating_mul(space.f_frsize));
    let memory = || procfs::Current::current().ok().and_then(|told: procfs::Meminfo| told.mem_available).unwrap_or(0);
    let look = |what: &str, free: u64| {
        let fits = needed as f64 <= free as f64 * FREE_SHARE_MAX;
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        (!fits).then(|| {
            format!(
                "it may leave {:.1} GB, more than half of the {:.1} GB of {what} that are free",
                gigabytes(needed),
                gigabytes(free)
            )
        })
    };
    look("disk", disk).or_else(|| in_memory.then(memory).and_then(|free| look("memory", free)))
}
