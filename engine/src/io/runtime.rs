//! CONTRACT: starts a core (a thread with its `io_uring` runtime) and says what this machine grants: ring, file system, disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use io_uring::{IoUring, Probe, opcode};
use rustix::fs::OFlags;

use super::buffer::Pool;
use crate::limits::{BLOCK_BYTES, RING_COMPLETIONS_PER_ENTRY, RING_ENTRIES};

/// Sizes of the ring that a core's sockets use.
#[derive(Clone, Copy, Debug)]
pub struct RingSettings {
    /// Entries of the submission queue.
    pub entries: u32,
}

impl Default for RingSettings {
    fn default() -> Self {
        Self { entries: RING_ENTRIES }
    }
}

/// What the kernel grants.
#[derive(Clone, Debug)]
pub struct RingReport {
    /// Release of the kernel.
    pub kernel: String,
    /// Setup flags obtained, best first.
    pub flags: &'static str,
}

/// Why there is no ring here, and the one command that changes it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("io_uring is refused: {cause}; fix: {fix}")]
pub struct RingRefused {
    /// What refuses it.
    pub cause: String,
    /// The command.
    pub fix: &'static str,
}

/// What lies under a directory.
#[derive(Clone, Debug)]
pub struct FileSystemReport {
    /// Name of the file system, as mounted.
    pub file_system: String,
    /// Smallest of 512 and 4096 bytes at which `O_DIRECT` works; None where it is refused.
    pub direct_alignment_bytes: Option<usize>,
    /// The device's write cache as the kernel sees it ("write back", "write through"), if it has a device.
    pub write_cache: Option<String>,
    /// What makes a commit durable here.
    pub durability: &'static str,
}

/// Flags from best to none: `COOP_TASKRUN` is 5.19, `SINGLE_ISSUER` 6.0. (`DEFER_TASKRUN` would stall the runtime, which never asks
/// for events when it enters the kernel.)
const FLAG_STEPS: [&str; 3] = ["COOP_TASKRUN + SINGLE_ISSUER", "COOP_TASKRUN", "none"];

/// Runs `make`'s future to its end on a runtime of the calling thread, pinned to `core` if one is given.
pub fn run_on_core<F: Future>(
    core: Option<usize>,
    settings: RingSettings,
    make: impl FnOnce() -> F,
) -> io::Result<F::Output> {
    if let Some(id) = core {
        let core = core_affinity::CoreId { id };
        let ours = core_affinity::get_core_ids().is_some_and(|cores| cores.contains(&core));
        if !ours || !core_affinity::set_for_current(core) {
            return Err(io::Error::other(format!("cannot run on core {id}")));
        }
    }
    let mut refusal = None;
    for step in 0..FLAG_STEPS.len() {
        let mut builder = tokio_uring::builder();
        builder.entries(settings.entries).uring_builder(&ring_builder(step, settings.entries));
        match tokio_uring::Runtime::new(&builder) {
            Ok(runtime) => return Ok(runtime.block_on(async { make().await })),
            Err(error) => refusal = Some(error),
        }
    }
    Err(refusal.expect("there is at least one step"))
}

/// Tries a ring and the operations that the engine needs.
pub fn probe() -> Result<RingReport, RingRefused> {
    let kernel = kernel_release();
    let mut refusal = None;
    for (step, flags) in FLAG_STEPS.into_iter().enumerate() {
        match ring_builder(step, 8).build(8) {
            Ok(ring) => {
                return operations_supported(&ring).map(|()| RingReport { kernel, flags }).map_err(|operation| {
                    RingRefused { cause: format!("the kernel lacks the operation {operation}"), fix: FIX_KERNEL }
                });
            }
            Err(error) => refusal = Some(error),
        }
    }
    Err(explain(&refusal.expect("there is at least one step"), &kernel, sysctl_disabled(), seccomp_filtered()))
}

/// Looks at the file system and the device under a directory that exists.
pub fn file_system_report(directory: &Path) -> io::Result<FileSystemReport> {
    let device = directory.metadata()?.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let write_cache = queue_attribute(major, minor, "write_cache");
    Ok(FileSystemReport {
        file_system: file_system_name(major, minor).unwrap_or_else(|| "unknown".to_owned()),
        direct_alignment_bytes: direct_alignment_bytes(directory)?,
        durability: match (write_cache.as_deref(), writes_through_well(directory)) {
            (Some("write through"), _) => {
                "write + fdatasync (the device's cache needs no flush), RWF_DSYNC for small commits"
            }
            (_, true) => "write + fdatasync (flushes the device's cache), RWF_DSYNC for small commits",
            (_, false) => "write + fdatasync (flushes the device's cache)",
        },
        write_cache,
    })
}

/// Whether a write that is durable by itself costs no more than a write and a flush under this directory. It may where the kernel sends it past a
/// volatile cache (FUA), which on consumer SSDs takes twice as long; nothing is taken for granted of a device that does not tell.
pub fn writes_through_well(directory: &Path) -> bool {
    let Ok(metadata) = directory.metadata() else { return false };
    let (major, minor) = (rustix::fs::major(metadata.st_dev()), rustix::fs::minor(metadata.st_dev()));
    let attribute = |name| queue_attribute(major, minor, name);
    device_writes_through_well(attribute("write_cache").as_deref(), attribute("fua").as_deref())
}

fn device_writes_through_well(write_cache: Option<&str>, fua: Option<&str>) -> bool {
    match write_cache {
        Some("write through") => true,
        Some("write back") => fua == Some("0"),
        _ => false,
    }
}

const FIX_KERNEL: &str = "run a kernel of 5.19 or newer (uname -r)";
const FIX_SYSCTL: &str = "sudo sysctl -w kernel.io_uring_disabled=0";
const FIX_SECCOMP: &str = "docker run --security-opt seccomp=unconfined (or a profile that allows the io_uring calls)";
const FIX_MEMLOCK: &str = "ulimit -l unlimited (docker run --ulimit memlock=-1)";

fn ring_builder(step: usize, entries: u32) -> io_uring::Builder {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(entries * RING_COMPLETIONS_PER_ENTRY);
    if step <= 1 {
        builder.setup_coop_taskrun();
    }
    if step == 0 {
        builder.setup_single_issuer();
    }
    builder
}

fn operations_supported(ring: &IoUring) -> Result<(), &'static str> {
    let needed = [
        (opcode::Read::CODE, "READ"),
        (opcode::Write::CODE, "WRITE"),
        (opcode::Fsync::CODE, "FSYNC"),
        (opcode::PollAdd::CODE, "POLL_ADD"),
        (opcode::Recv::CODE, "RECV"),
        (opcode::SendMsg::CODE, "SENDMSG"),
    ];
    let mut probe = Probe::new();
    if ring.submitter().register_probe(&mut probe).is_err() {
        return Err("REGISTER_PROBE");
    }
    match needed.iter().find(|(code, _)| !probe.is_supported(*code)) {
        Some((_, name)) => Err(name),
        None => Ok(()),
    }
}

fn explain(error: &io::Error, kernel: &str, sysctl: bool, seccomp: bool) -> RingRefused {
    let refused = |cause: &str, fix| RingRefused { cause: format!("{cause} ({error}, kernel {kernel})"), fix };
    match error.raw_os_error() {
        Some(libc::EPERM) if sysctl => refused("the sysctl kernel.io_uring_disabled forbids it", FIX_SYSCTL),
        Some(libc::EPERM | libc::EACCES) => refused("a seccomp profile or security module forbids it", FIX_SECCOMP),
        Some(libc::ENOSYS) if seccomp => refused("a seccomp profile hides it", FIX_SECCOMP),
        Some(libc::ENOMEM) => refused("the limit of locked memory is too small", FIX_MEMLOCK),
        Some(libc::EMFILE | libc::ENFILE) => refused("no file descriptor is left", "ulimit -n 100000"),
        _ => refused("this kernel does not offer it", FIX_KERNEL),
    }
}

fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn sysctl_disabled() -> bool {
    fs::read_to_string("/proc/sys/kernel/io_uring_disabled").is_ok_and(|value| matches!(value.trim(), "1" | "2"))
}

fn seccomp_filtered() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status.lines().filter_map(|line| line.strip_prefix("Seccomp:")).any(|mode| mode.trim() == "2")
    })
}

/// Lines of mountinfo: id, parent, major:minor, root, mount point, options, optional fields, "-", type, source, options.
fn file_system_name(major: u32, minor: u32) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let device = format!("{major}:{minor}");
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
    let (_, after) = mount.split_once(" - ")?;
    after.split(' ').next().map(str::to_owned)
}

fn queue_attribute(major: u32, minor: u32, name: &str) -> Option<String> {
    let device = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    // A partition has no queue of its own: its parent, the disk, has.
    ["queue", "../queue"]
        .iter()
        .find_map(|queue| fs::read_to_string(device.join(queue).join(name)).ok())
        .map(|value| value.trim().to_owned())
}

/// A trial, because file systems promise less than they do and more than they keep.
fn direct_alignment_bytes(directory: &Path) -> io::Result<Option<usize>> {
    let path = directory.join(format!(".direct-{}", uuid::Uuid::new_v4()));
    File::create_new(&path)?;
    let opened = OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits() as i32).open(&path);
    let buffer = Pool::new().take(2 * BLOCK_BYTES);
    let alignment = opened.ok().and_then(|file| {
        [512, BLOCK_BYTES].into_iter().find(|alignment| {
            let bytes = &buffer[*alignment..2 * *alignment];
            file.write_all_at(bytes, *alignment as u64).is_ok()
        })
    });
    fs::remove_file(&path)?;
    Ok(alignment)
}

/// A temporary directory for direct I/O: the system's own, or one beside the build where that refuses it.
#[cfg(test)]
pub(super) fn disk_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let report = file_system_report(directory.path()).expect("a report");
    if report.direct_alignment_bytes.is_some() {
        return directory;
    }
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    tempfile::tempdir_in(build).expect("a temporary directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_past_a_volatile_cache_is_not_taken_for_a_flush() {
        assert!(device_writes_through_well(Some("write through"), Some("1")));
        assert!(device_writes_through_well(Some("write back"), Some("0")));
        for (write_cache, fua) in [(Some("write back"), Some("1")), (Some("write back"), None), (None, Some("0"))] {
            assert!(!device_writes_through_well(write_cache, fua), "{write_cache:?} {fua:?}");
        }
    }

    #[test]
    fn a_future_runs_on_a_core_and_gives_its_value() {
        let value =
            run_on_core(None, RingSettings::default(), || async { tokio::task::spawn_local(async { 42 }).await.ok() });
        assert_eq!(value.expect("a ring"), Some(42));
    }

    #[test]
    fn a_core_that_does_not_exist_is_refused() {
        let refused = run_on_core(Some(1 << 40), RingSettings::default(), || async {});
        assert!(refused.is_err());
    }

    #[test]
    fn each_refusal_names_its_cause_and_one_fix() {
        let explained =
            |errno, sysctl, seccomp| explain(&io::Error::from_raw_os_error(errno), "6.1", sysctl, seccomp).fix;
        assert_eq!(explained(libc::EPERM, true, true), FIX_SYSCTL);
        assert_eq!(explained(libc::EPERM, false, true), FIX_SECCOMP);
        assert_eq!(explained(libc::ENOSYS, false, true), FIX_SECCOMP);
        assert_eq!(explained(libc::ENOSYS, false, false), FIX_KERNEL);
        assert_eq!(explained(libc::ENOMEM, false, false), FIX_MEMLOCK);
    }

    #[test]
    fn the_probe_of_this_machine_agrees_with_a_core() {
        let started = run_on_core(None, RingSettings::default(), || async {});
        assert_eq!(probe().is_ok(), started.is_ok());
    }

    #[test]
    fn the_file_system_report_leaves_no_file() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let report = file_system_report(directory.path()).expect("a report");
        assert!(!report.file_system.is_empty());
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    }
}
