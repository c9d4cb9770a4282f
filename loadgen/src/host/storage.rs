//! The file system and the disk under a directory.

use std::fs;
use std::path::{Path, PathBuf};

use procfs::process::{MountInfo, Process};

use super::{chosen, fact};
use crate::result::Storage;

/// The file system and disk that hold `directory`, which must exist.
pub(super) fn of_directory(directory: &Path) -> Option<Storage> {
    let directory = fs::canonicalize(directory).ok()?;
    let mount = mount_of(&directory)?;
    let space = rustix::fs::statvfs(&directory).ok();
    let disk = disk_of(&mount.majmin);
    let queue = disk.as_ref().map(|disk| disk.join("queue"));
    let queue_fact = |name: &str| queue.as_ref().and_then(|queue| fact(queue.join(name)));
    Some(Storage {
        file_system: mount.fs_type.clone(),
        mount_options: options_of(&mount),
        device: disk.as_ref().and_then(|disk| disk.file_name()).map(|name| name.to_string_lossy().into_owned()),
        model: disk.as_ref().and_then(|disk| fact(disk.join("device/model"))),
        scheduler: queue_fact("scheduler").map(|choices| chosen(&choices)),
        write_cache: queue_fact("write_cache"),
        rotational: queue_fact("rotational").map(|flag| flag == "1"),
        size_bytes: space.as_ref().map(|space| space.f_blocks.saturating_mul(space.f_frsize)),
        free_bytes: space.as_ref().map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
    })
}

/// The mount with the longest mount point above `directory`; of several on one point the last is on top.
fn mount_of(directory: &Path) -> Option<MountInfo> {
    Process::myself()
        .ok()?
        .mountinfo()
        .ok()?
        .0
        .into_iter()
        .filter(|mount| directory.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())
}

/// Options of the mount and of its file system, sorted, each once.
fn options_of(mount: &MountInfo) -> String {
    let mut options: Vec<String> = mount
        .mount_options
        .iter()
        .chain(&mount.super_options)
        .map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        })
        .collect();
    options.sort_unstable();
    options.dedup();
    options.join(",")
}

/// The sysfs directory of the whole disk behind a device number; the queue is not with the partition.
fn disk_of(device_number: &str) -> Option<PathBuf> {
    let device = fs::canonicalize(Path::new("/sys/dev/block").join(device_number)).ok()?;
    if device.join("partition").exists() { device.parent().map(Path::to_owned) } else { Some(device) }
}
