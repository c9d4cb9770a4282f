//! The machine that peers and load share: its processors, its free space.

use std::path::Path;

use rustix::thread::{CpuSet, sched_setaffinity};
use serde::Deserialize;

use super::plan::Cell;
use crate::error::{Error, local};

/// Data of a run never takes more than this share of the space that is free, so that no disk comes near its end.
const FREE_SHARE_MAX: f64 = 0.5;

/// Which processors belong to whom, as lists for `taskset`; without them all share all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Of the peers.
    pub broker_cpus: Option<String>,
    /// Of this program.
    pub load_cpus: Option<String>,
}

impl Split {
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, list) in [("broker_cpus", &self.broker_cpus), ("load_cpus", &self.load_cpus)] {
            if let Some(list) = list {
                cpus(list).ok_or_else(|| format!("machine.{key} {list:?} is no list of processors, as in 0,2-3"))?;
            }
        }
        Ok(())
    }

    /// Keeps this program to its processors; what it starts afterwards inherits that, unless it is told otherwise.
    pub fn settle(&self) -> Result<(), Error> {
        let Some(list) = self.load_cpus.as_deref().and_then(cpus) else { return Ok(()) };
        let mut set = CpuSet::new();
        for cpu in list {
            set.set(cpu);
        }
        sched_setaffinity(None, &set).map_err(|error| local("cannot keep to machine.load_cpus")(error.into()))
    }
}

/// `0,2-3` as numbers.
fn cpus(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= CpuSet::MAX_CPU {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_lists_and_ranges_and_nothing_else() {
        assert_eq!(cpus("0,2-3"), Some(vec![0, 2, 3]));
        for wrong in ["", "a", "3-2", "0;1", "1-", "99999"] {
            assert_eq!(cpus(wrong), None, "{wrong}");
        }
    }
}
