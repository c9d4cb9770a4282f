//! What the machine is and what a run costs it, read from procfs and sysfs. Nothing here fails a run: a fact that
//! the system does not tell is absent.

pub mod advice;
mod kernel;
pub mod listener;
pub mod network;
mod page_cache;
mod processor;
mod sampler;
mod storage;

pub use page_cache::drop_page_cache;
pub use sampler::{DiskBytes, ProcessReading, ProcessSampler, SystemReading};

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use procfs::Current;

use crate::result::{CgroupLimits, HostEnvironment, HostRole};

/// The mount point of the version 2 control groups, alone or beside version 1.
const CGROUP_ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Longer than every file of facts: the list of control groups of a container in a container takes a tenth of it.
const FACT_BYTES_MAX: u64 = 64 * 1024;

/// The facts of this host. `data_directory` is where the broker keeps its data, if that is on this host.
pub fn environment(role: HostRole, data_directory: Option<&Path>) -> HostEnvironment {
    let processors = procfs::CpuInfo::current().ok();
    HostEnvironment {
        role,
        kernel: fact("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
        architecture: std::env::consts::ARCH.into(),
        cpu_model: processors.as_ref().and_then(|cpus| cpus.model_name(0).map(str::to_owned)),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads_per_core: fact("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
            .map(|list| processors_in_list(&list)),
        memory_bytes: procfs::Meminfo::current().ok().map(|memory| memory.mem_total),
        cpu_governor: fact("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        transparent_hugepages: fact("/sys/kernel/mm/transparent_hugepage/enabled").map(|choices| chosen(&choices)),
        virtualisation: virtualisation(processors.as_ref()),
        clocksource: fact("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        io_uring_disabled: fact("/proc/sys/kernel/io_uring_disabled").and_then(|value| value.parse().ok()),
        cgroup: cgroup_limits(),
        sockets: processors.as_ref().and_then(processor::sockets),
        smt: fact("/sys/devices/system/cpu/smt/control"),
        numa_nodes: fact("/sys/devices/system/node/online").map(|list| processors_in_list(&list)),
        microcode: processors.as_ref().and_then(processor::microcode),
        cpu_boost: processor::boost(),
        cpus_isolated: fact("/sys/devices/system/cpu/isolated"),
        mitigations: processor::mitigations(Path::new("/sys/devices/system/cpu/vulnerabilities")),
        kernel_options: fact("/proc/cmdline").and_then(|line| kernel::speed_options(&line)),
        kernel_command_line_hash: fact("/proc/cmdline").map(|line| kernel::hash(&line)),
        swap_bytes: procfs::Meminfo::current().ok().map(|memory| memory.swap_total),
        open_files_max: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        container: kernel::container(),
        time_synchronisation: kernel::time_synchronisation(),
        boot_id_hash: fact("/proc/sys/kernel/random/boot_id").map(|id| kernel::hash(&id)),
        core_split: None,
        network: None,
        storage: data_directory.and_then(storage::of_directory),
    }
}

/// A one-line file of the kernel, trimmed; absent when it cannot be read or is empty.
fn fact(path: impl AsRef<Path>) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(FACT_BYTES_MAX).read_to_string(&mut text).ok()?;
    let text = text.trim().trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// The bracketed one of `none [mq-deadline] kyber`, or the whole text when none is.
fn chosen(choices: &str) -> String {
    choices.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(choices, |(choice, _)| choice).to_owned()
}

/// How many processors a kernel list such as `0,2-3` names.
fn processors_in_list(list: &str) -> usize {
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((first, last)) => match (first.parse::<usize>(), last.parse::<usize>()) {
                (Ok(first), Ok(last)) if last >= first => last - first + 1,
                _ => 1,
            },
            None => 1,
        })
        .sum()
}

/// The hypervisor or container runtime, as far as it shows itself.
fn virtualisation(processors: Option<&procfs::CpuInfo>) -> Option<String> {
    let is_guest = processors.and_then(|cpus| cpus.flags(0)).is_some_and(|flags| flags.contains(&"hypervisor"));
    let machine = is_guest.then(|| {
        let maker = fact("/sys/class/dmi/id/sys_vendor");
        let product = fact("/sys/class/dmi/id/product_name");
        let named: Vec<String> = [maker, product].into_iter().flatten().collect();
        if named.is_empty() { "virtual machine".into() } else { named.join(" ") }
    });
    let container = [("/.dockerenv", "docker container"), ("/run/.containerenv", "container")]
        .into_iter()
        .find(|(mark, _)| Path::new(mark).exists())
        .map(|(_, name)| name.to_owned());
    match (machine, container) {
        (Some(machine), Some(container)) => Some(format!("{container} on {machine}")),
        (machine, container) => machine.or(container),
    }
}

/// The tightest limits of this process's version 2 control group and its parents.
fn cgroup_limits() -> Option<CgroupLimits> {
    let groups = fact("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut limits = CgroupLimits::default();
    for root in CGROUP_ROOTS {
        let mut directory = PathBuf::from(root).join(own.trim_start_matches('/'));
        while directory.starts_with(root) {
            let cpu = fact(directory.join("cpu.max")).and_then(|text| cores_of_cpu_max(&text));
            let memory = fact(directory.join("memory.max")).and_then(|text| text.parse().ok());
            limits.cpu_cores_max = tighter(limits.cpu_cores_max, cpu);
            limits.memory_bytes_max = tighter(limits.memory_bytes_max, memory);
            if !directory.pop() {
                break;
            }
        }
    }
    (limits != CgroupLimits::default()).then_some(limits)
}

/// Cores of `cpu.max`, which is quota and period in microseconds, or `max` without a limit.
fn cores_of_cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then_some(quota / period)
}

fn tighter<T: PartialOrd>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other < one { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_of_several_is_the_bracketed_one() {
        assert_eq!(chosen("none [mq-deadline] kyber bfq"), "mq-deadline");
        assert_eq!(chosen("none"), "none");
    }

    #[test]
    fn processor_lists_count_ranges_and_survive_nonsense() {
        assert_eq!(processors_in_list("0"), 1);
        assert_eq!(processors_in_list("0,64"), 2);
        assert_eq!(processors_in_list("0-1,8-9"), 4);
        assert_eq!(processors_in_list("9-1"), 1);
    }

    #[test]
    fn unlimited_processor_time_is_no_limit() {
        assert_eq!(cores_of_cpu_max("max 100000"), None);
        assert_eq!(cores_of_cpu_max("150000 100000"), Some(1.5));
        assert_eq!(cores_of_cpu_max("1 0"), None);
        assert_eq!(tighter(Some(4.0), Some(1.5)), Some(1.5));
        assert_eq!(tighter(None, Some(2.0)), Some(2.0));
    }

    #[test]
    fn this_host_names_its_kernel_memory_and_disk() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let host = environment(HostRole::Colocated, Some(directory.path()));
        assert_ne!(host.kernel, "unknown");
        assert!(host.cores >= 1);
        assert!(host.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        let storage = host.storage.expect("every directory is on some file system");
        assert!(!storage.file_system.is_empty());
        assert!(storage.size_bytes >= storage.free_bytes);
    }
}
