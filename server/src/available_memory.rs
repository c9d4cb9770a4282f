//! `AvailableMemory`: how much memory this process could have at most: what the machine has, or what a control group above it grants.

use std::fs;
use std::path::{Path, PathBuf};

use procfs::process::Process;
use procfs::{Current, Meminfo};

/// Where systems mount the control groups of version 2, and the memory controller of version 1 (man 7 cgroups).
const GROUPS: [(&str, &str); 3] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/unified", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// A bound and who sets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AvailableMemory {
    /// Bytes.
    pub bytes: u64,
    /// The machine, or the file that says so.
    pub set_by: String,
}

impl AvailableMemory {
    /// Looks at the machine and at every control group from this process's own upwards.
    pub fn of_this_process() -> AvailableMemory {
        let machine = AvailableMemory {
            // Without /proc there is no io_uring either; then nothing is known, and an explicit limit must do.
            bytes: Meminfo::current().map_or(u64::MAX, |memory| memory.mem_total),
            set_by: "the machine".into(),
        };
        let own = Process::myself().and_then(|process| process.cgroups()).map(|groups| groups.0).unwrap_or_default();
        // Inside a container the path may be one of the host: then only the mounted root is there, and it is the container's own.
        let paths: Vec<PathBuf> = own.into_iter().map(|group| PathBuf::from(group.pathname)).collect();
        let limits = GROUPS.iter().flat_map(|(root, file)| limits(Path::new(root), file, &paths));
        limits.fold(machine, |least, limit| if limit.bytes < least.bytes { limit } else { least })
    }
}

/// The limits in the groups of `paths` under `root`, each with all groups above it.
fn limits(root: &Path, file: &str, paths: &[PathBuf]) -> Vec<AvailableMemory> {
    let groups = paths.iter().flat_map(|path| path.ancestors());
    let files = groups.map(|group| root.join(group.strip_prefix("/").unwrap_or(group)).join(file));
    let limit = |file: PathBuf| {
        // "max" is no number, and no limit.
        let bytes = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
        Some(AvailableMemory { bytes, set_by: file.display().to_string() })
    };
    files.filter_map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_any_group_above_counts_and_max_is_none() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a.slice/b.service");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.path().join("a.slice/memory.max"), "3000\n").unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        let found = limits(root.path(), "memory.max", &["/a.slice/b.service".into(), "/elsewhere".into()]);
        assert_eq!(found.iter().map(|limit| limit.bytes).collect::<Vec<_>>(), [3000]);
        assert!(found[0].set_by.ends_with("a.slice/memory.max"));
        fs::write(root.path().join("memory.max"), "2000").unwrap();
        let found = limits(root.path(), "memory.max", &["/docker/of-the-host".into()]);
        assert_eq!(found.iter().map(|limit| limit.bytes).collect::<Vec<_>>(), [2000]);
    }

    #[test]
    fn this_machine_has_memory() {
        let available = AvailableMemory::of_this_process();
        assert!((1 << 20..1 << 50).contains(&available.bytes), "{available:?}");
    }
}
