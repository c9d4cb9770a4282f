//! What about a machine makes its figures worse or less certain, and what to do about it.

use serde::Serialize;

use crate::probe::{CPU_DRIFT_MAX, STEAL_SHARE_MAX};
use crate::result::{HostEnvironment, HostPressure, LoadgenBuild, NoiseProbe};

/// Two looks at the flush within a second should agree better than those before and after a run.
const FLUSH_DRIFT_NOTED: f64 = 0.5;

/// More than this share of the time in which some task waited for a processor: others work here.
const CPU_PRESSURE_SHARE_MAX: f64 = 0.10;

/// A thousand clients on both sides, log files, and room.
const OPEN_FILES_MIN: u64 = 4_096;

/// Below this share of free space, disks and file systems become slower.
const FREE_SHARE_MIN: f64 = 0.10;

/// Clock sources that are read without a system call.
const CHEAP_CLOCKS: [&str; 4] = ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"];

/// File systems in memory.
const MEMORY_FILE_SYSTEMS: [&str; 2] = ["tmpfs", "ramfs"];

/// Something to know before believing a figure of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What is so, and what it does to figures.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// What was measured while looking at the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Noise {
    /// A fixed piece of arithmetic, twice.
    pub cpu_probe: NoiseProbe,
    /// A small write and its fdatasync, twice; absent where nothing can be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdatasync_probe: Option<NoiseProbe>,
    /// How much others disturbed between the two.
    pub pressure: HostPressure,
}

/// Advice for measuring on this machine, the weightiest first; empty when there is nothing to say.
pub fn advice(host: &HostEnvironment, noise: &Noise, build: &LoadgenBuild) -> Vec<Advice> {
    let mut list = Vec::new();
    if build.build_profile == "debug" {
        list.push(new("this program was built without optimisation, so it measures itself", "build it with --release"));
    }
    list.extend(of_disk(host));
    list.extend(of_limits(host));
    list.extend(of_frequency(host));
    list.extend(of_kernel(host));
    list.extend(of_noise(noise));
    list
}

fn of_disk(host: &HostEnvironment) -> Vec<Advice> {
    let Some(storage) = &host.storage else { return Vec::new() };
    let mut list = Vec::new();
    if MEMORY_FILE_SYSTEMS.contains(&storage.file_system.as_str()) {
        let what = format!("the data directory is on {}, where a flush costs nothing", storage.file_system);
        list.push(new(&what, "give --data-dir on a real disk"));
    }
    if let (Some(free), Some(size)) = (storage.free_bytes, storage.size_bytes)
        && (free as f64) < size as f64 * FREE_SHARE_MIN
    {
        let what = format!("{:.0} % of the disk are free: full disks are slower", free as f64 / size as f64 * 100.0);
        list.push(new(&what, "make room, or give --data-dir on another disk"));
    }
    if storage.rotational == Some(true) {
        let what = "the kernel takes the disk for a spinning one (virtual disks often say so wrongly)";
        list.push(new(what, "compare the fdatasync probe with what the disk should do"));
    }
    list
}

fn of_limits(host: &HostEnvironment) -> Vec<Advice> {
    let mut list = Vec::new();
    let cgroup = host.cgroup.clone().unwrap_or_default();
    if let Some(cores) = cgroup.cpu_cores_max {
        let what = format!("the control group allows {cores:.2} cores: beyond that everything stops for milliseconds");
        list.push(new(&what, "lift the limit of the container (cpu.max), or pin it to whole cores (cpuset)"));
    }
    if let Some(files) = host.open_files_max.filter(|&files| files < OPEN_FILES_MIN) {
        let what = format!("this process may open {files} files: many clients or log files will fail");
        list.push(new(&what, "ulimit -n 65536"));
    }
    if host.threads_per_core.is_some_and(|threads| threads > 1) && host.smt.as_deref() != Some("off") {
        let what = "processors are hardware threads of shared cores: neighbours slow each other down";
        list.push(new(
            what,
            "give broker and load generator cores of their own (taskset), or write off to \
                             /sys/devices/system/cpu/smt/control",
        ));
    }
    if host.io_uring_disabled.is_some_and(|level| level > 0) {
        let what = "io_uring is forbidden: the embedded broker cannot start";
        list.push(new(what, "sysctl kernel.io_uring_disabled=0, or measure a broker elsewhere with --bootstrap"));
    }
    list
}

fn of_frequency(host: &HostEnvironment) -> Vec<Advice> {
    let mut list = Vec::new();
    if let Some(governor) = host.cpu_governor.as_deref().filter(|governor| *governor != "performance") {
        let what = format!("the frequency governor is {governor}: light loads run on a slow processor");
        list.push(new(&what, "cpupower frequency-set -g performance"));
    }
    if host.cpu_boost == Some(true) {
        let what = "boost is on: the first seconds after a pause are faster than the rest";
        list.push(new(
            what,
            "warm up for longer, or write 0 to /sys/devices/system/cpu/cpufreq/boost (with intel_pstate \
                             1 to intel_pstate/no_turbo)",
        ));
    }
    list
}

fn of_kernel(host: &HostEnvironment) -> Vec<Advice> {
    let mut list = Vec::new();
    if let Some(clock) = host.clocksource.as_deref().filter(|clock| !CHEAP_CLOCKS.contains(clock)) {
        let what = format!("the clock source is {clock}: every time stamp is a system call");
        list.push(new(&what, "boot with clocksource=tsc, if the processor's counter is stable"));
    }
    if host.transparent_hugepages.as_deref() == Some("always") {
        let what = "transparent huge pages are on for all memory: making them stops threads at random";
        list.push(new(what, "write madvise to /sys/kernel/mm/transparent_hugepage/enabled"));
    }
    list
}

fn of_noise(noise: &Noise) -> Vec<Advice> {
    let mut list = Vec::new();
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    if let Some(steal) = noise.pressure.steal_share.filter(|&share| share > STEAL_SHARE_MAX) {
        let what = format!("the hypervisor took {} of the processor time", percent(steal));
        list.push(new(&what, "use a machine with processors of its own, and more repeats"));
    }
    if let Some(pressure) = noise.pressure.cpu_pressure_share.filter(|&share| share > CPU_PRESSURE_SHARE_MAX) {
        let what = format!("tasks waited for a processor during {} of the last second", percent(pressure));
        list.push(new(&what, "stop what else runs here"));
    }
    let flush = noise.fdatasync_probe.filter(|probe| probe.drift() > FLUSH_DRIFT_NOTED);
    let cpu = Some(noise.cpu_probe).filter(|probe| probe.drift() > CPU_DRIFT_MAX);
    for (name, probe) in [("arithmetic", cpu), ("flush of 4 KiB", flush)] {
        if let Some(probe) = probe {
            let what = format!("the same {name} took {} more a second later", percent(probe.drift()));
            list.push(new(&what, "stop what else runs here; where nothing does, take more repeats"));
        }
    }
    list
}

fn new(what: &str, remedy: &str) -> Advice {
    Advice { what: what.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{CgroupLimits, Storage};

    fn release() -> LoadgenBuild {
        LoadgenBuild { build_profile: "release".into(), ..LoadgenBuild::default() }
    }

    fn calm() -> Noise {
        let probe = NoiseProbe { before_ns: 100, after_ns: 101 };
        Noise { cpu_probe: probe, fdatasync_probe: Some(probe), ..Noise::default() }
    }

    #[test]
    fn a_machine_that_tells_nothing_bad_gets_no_advice() {
        let fine = HostEnvironment {
            cpu_governor: Some("performance".into()),
            clocksource: Some("tsc".into()),
            transparent_hugepages: Some("madvise".into()),
            threads_per_core: Some(1),
            io_uring_disabled: Some(0),
            open_files_max: Some(1 << 20),
            cpu_boost: Some(false),
            ..HostEnvironment::default()
        };
        assert_eq!(advice(&fine, &calm(), &release()), []);
        assert_eq!(advice(&HostEnvironment::default(), &calm(), &release()), []);
    }

    #[test]
    fn everything_that_spoils_figures_is_named_with_a_remedy() {
        let bad = HostEnvironment {
            cpu_governor: Some("powersave".into()),
            clocksource: Some("hpet".into()),
            transparent_hugepages: Some("always".into()),
            threads_per_core: Some(2),
            smt: Some("on".into()),
            io_uring_disabled: Some(2),
            open_files_max: Some(256),
            cpu_boost: Some(true),
            cgroup: Some(CgroupLimits { cpu_cores_max: Some(1.5), memory_bytes_max: None }),
            storage: Some(Storage {
                file_system: "tmpfs".into(),
                rotational: Some(true),
                size_bytes: Some(100),
                free_bytes: Some(9),
                ..Storage::default()
            }),
            ..HostEnvironment::default()
        };
        let noise = Noise {
            cpu_probe: NoiseProbe { before_ns: 100, after_ns: 120 },
            fdatasync_probe: Some(NoiseProbe { before_ns: 100, after_ns: 300 }),
            pressure: HostPressure { steal_share: Some(0.2), cpu_pressure_share: Some(0.5), io_pressure_share: None },
        };
        let debug = LoadgenBuild { build_profile: "debug".into(), ..LoadgenBuild::default() };
        let list = advice(&bad, &noise, &debug);
        let words = [
            "without optimisation",
            "tmpfs",
            "9 % of the disk",
            "spinning",
            "1.50 cores",
            "256 files",
            "hardware threads",
            "io_uring",
            "powersave",
            "boost",
            "hpet",
            "huge pages",
            "hypervisor took 20 %",
            "waited for a processor",
            "arithmetic took 20 %",
            "flush of 4 KiB took 200 %",
        ];
        assert_eq!(list.len(), words.len(), "{list:?}");
        for (advice, word) in list.iter().zip(words) {
            assert!(advice.what.contains(word) && !advice.remedy.is_empty(), "{word}: {advice:?}");
        }
    }

    #[test]
    fn siblings_that_are_switched_off_disturb_nobody() {
        let off = HostEnvironment { threads_per_core: Some(2), smt: Some("off".into()), ..HostEnvironment::default() };
        assert_eq!(advice(&off, &calm(), &release()), []);
    }
}
