//! Counters of processes and of the system, read once a second; differences of readings are the figures.

use std::time::{Duration, Instant};

use procfs::process::Process;
use procfs::{Current, CurrentSI};
use serde::{Deserialize, Serialize};

use crate::result::HostPressure;

/// Reads the counters of one process, by its id.
#[derive(Debug)]
pub struct ProcessSampler {
    process: Process,
}

/// What a process has used since it started, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessReading {
    /// Processor time in user mode, in steps of a kernel tick (10 ms).
    pub cpu_user: Duration,
    /// Processor time in the kernel.
    pub cpu_system: Duration,
    /// Resident memory.
    pub rss_bytes: u64,
    /// What it had the disk do; absent where the kernel does not tell us of a process of somebody else's.
    #[serde(default)]
    pub disk: Option<DiskBytes>,
}

/// Bytes that a process caused to go to and from the disk; what a cache answered is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskBytes {
    /// From the disk.
    pub read: u64,
    /// To the disk, or dirty in the page cache and on the way there.
    pub written: u64,
}

/// Counters of the whole system. What the kernel does not count (no PSI) is absent.
#[derive(Clone, Copy, Debug)]
pub struct SystemReading {
    at: Instant,
    ticks_total: Option<u64>,
    ticks_stolen: Option<u64>,
    cpu_stalled: Option<Duration>,
    io_stalled: Option<Duration>,
}

impl ProcessSampler {
    /// A sampler of the process with this id; absent when there is none.
    pub fn of_pid(pid: u32) -> Option<Self> {
        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        Some(Self { process })
    }

    /// A sampler of this process.
    pub fn of_self() -> Option<Self> {
        Process::myself().ok().map(|process| Self { process })
    }

    /// The counters now; absent when the process has ended.
    pub fn read(&self) -> Option<ProcessReading> {
        let stat = self.process.stat().ok()?;
        Some(ProcessReading {
            cpu_user: duration_of_ticks(stat.utime),
            cpu_system: duration_of_ticks(stat.stime),
            rss_bytes: stat.rss.saturating_mul(procfs::page_size()),
            disk: self.process.io().ok().map(|io| DiskBytes { read: io.read_bytes, written: io.write_bytes }),
        })
    }
}

impl ProcessReading {
    /// Processor time, user and kernel.
    pub fn cpu(&self) -> Duration {
        self.cpu_user + self.cpu_system
    }

    /// This and another process together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            cpu_user: self.cpu_user.saturating_add(other.cpu_user),
            cpu_system: self.cpu_system.saturating_add(other.cpu_system),
            rss_bytes: self.rss_bytes.saturating_add(other.rss_bytes),
            disk: self.disk.map(|disk| disk.plus(&other.disk.unwrap_or_default())),
        }
    }

    /// What was used since an earlier reading; the memory is that of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu_user: self.cpu_user.saturating_sub(earlier.cpu_user),
            cpu_system: self.cpu_system.saturating_sub(earlier.cpu_system),
            rss_bytes: self.rss_bytes,
            disk: self.disk.zip(earlier.disk).map(|(now, earlier)| now.since(&earlier)),
        }
    }
}

impl DiskBytes {
    /// Of two processes.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { read: self.read.saturating_add(other.read), written: self.written.saturating_add(other.written) }
    }

    /// What was moved since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self { read: self.read.saturating_sub(earlier.read), written: self.written.saturating_sub(earlier.written) }
    }
}

impl SystemReading {
    /// The counters now.
    pub fn now() -> Self {
        let ticks = procfs::KernelStats::current().ok().map(|stats| stats.total);
        let stalled = |total_us| Duration::from_micros(total_us);
        Self {
            at: Instant::now(),
            ticks_total: ticks.as_ref().map(|cpu| {
                let optional = [cpu.iowait, cpu.irq, cpu.softirq, cpu.steal];
                // Guest time is already part of user time.
                cpu.user + cpu.nice + cpu.system + cpu.idle + optional.into_iter().flatten().sum::<u64>()
            }),
            ticks_stolen: ticks.as_ref().and_then(|cpu| cpu.steal),
            cpu_stalled: procfs::CpuPressure::current().ok().map(|psi| stalled(psi.some.total)),
            io_stalled: procfs::IoPressure::current().ok().map(|psi| stalled(psi.some.total)),
        }
    }

    /// How much others disturbed between an earlier reading and this one.
    pub fn pressure_since(&self, earlier: &Self) -> HostPressure {
        let elapsed = self.at.saturating_duration_since(earlier.at);
        let stalled = |now: Option<Duration>, before: Option<Duration>| {
            share(now?.saturating_sub(before?).as_secs_f64(), elapsed.as_secs_f64())
        };
        let ticks = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?) as f64);
        HostPressure {
            steal_share: ticks(self.ticks_stolen, earlier.ticks_stolen)
                .zip(ticks(self.ticks_total, earlier.ticks_total))
                .and_then(|(stolen, total)| share(stolen, total)),
            cpu_pressure_share: stalled(self.cpu_stalled, earlier.cpu_stalled),
            io_pressure_share: stalled(self.io_stalled, earlier.io_stalled),
        }
    }
}

fn duration_of_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second().max(1) as f64)
}

/// A part of a whole, 0 to 1; absent without a whole.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_its_processor_time_grows() {
        let sampler = ProcessSampler::of_self().expect("procfs is mounted");
        let before = sampler.read().expect("this process lives");
        assert!(before.rss_bytes > 64 * 1024);
        let mut sum = 0_u64;
        let after = loop {
            sum = (0..1_000_000_u64).fold(sum, |sum, value| sum.wrapping_mul(31).wrapping_add(value));
            let now = sampler.read().expect("this process lives");
            if now.cpu() > before.cpu() {
                break now;
            }
        };
        assert!(after.cpu() >= Duration::from_millis(1), "{sum}");
    }

    #[test]
    fn what_this_process_writes_is_counted() {
        let sampler = ProcessSampler::of_self().expect("procfs is mounted");
        // A kernel without task accounting, or a foreign process, has no figures, and then nothing is claimed.
        let Some(before) = sampler.read().expect("this process lives").disk else { return };
        // The build directory is a disk most of the time, where the temporary directory may be memory, which counts nothing.
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        std::fs::create_dir_all(&directory).expect("a directory");
        let storage = crate::host::storage::of_directory(&directory);
        if storage.is_none_or(|storage| ["tmpfs", "ramfs"].contains(&storage.file_system.as_str())) {
            return;
        }
        let mut file = tempfile::tempfile_in(directory).expect("a file");
        std::io::Write::write_all(&mut file, &vec![7; 1 << 20]).expect("written");
        file.sync_all().expect("flushed");
        let after = sampler.read().and_then(|reading| reading.disk).expect("as before");
        assert!(after.since(&before).written >= 1 << 20, "{before:?} {after:?}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_sampler() {
        assert!(ProcessSampler::of_pid(u32::MAX).is_none());
        assert!(ProcessSampler::of_pid(i32::MAX as u32).is_none());
    }

    #[test]
    fn pressure_is_a_share_of_the_time_between_two_readings() {
        let at = Instant::now();
        let reading = |secs, total, stolen, stalled_ms| SystemReading {
            at: at + Duration::from_secs(secs),
            ticks_total: Some(total),
            ticks_stolen: Some(stolen),
            cpu_stalled: Some(Duration::from_millis(stalled_ms)),
            io_stalled: None,
        };
        let pressure = reading(2, 1_400, 60, 1_500).pressure_since(&reading(0, 1_000, 40, 500));
        assert_eq!(pressure.steal_share, Some(0.05));
        assert_eq!(pressure.cpu_pressure_share, Some(0.5));
        assert_eq!(pressure.io_pressure_share, None, "not counted is absent, not zero");
        let same = reading(0, 1_000, 40, 500);
        assert_eq!(same.pressure_since(&same).steal_share, None, "no time has no share");
    }
}
