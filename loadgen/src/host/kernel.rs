//! How the kernel was started, and what surrounds this process.

use std::path::Path;

use super::fact;
use crate::result::fnv1a;

/// Options of the command line that change how fast things go. A name stands for itself and for `name=value`.
const SPEED_OPTIONS: [&str; 31] = [
    "amd_pstate",
    "clocksource",
    "default_hugepagesz",
    "elevator",
    "hugepages",
    "hugepagesz",
    "idle",
    "intel_idle.max_cstate",
    "intel_pstate",
    "irqaffinity",
    "isolcpus",
    "kpti",
    "maxcpus",
    "mem",
    "mitigations",
    "noautogroup",
    "nohz",
    "nohz_full",
    "nosmt",
    "nospectre_v1",
    "nospectre_v2",
    "nr_cpus",
    "numa_balancing",
    "preempt",
    "processor.max_cstate",
    "pti",
    "rcu_nocbs",
    "skew_tick",
    "spectre_v2",
    "transparent_hugepage",
    "tsc",
];

/// Programs that keep the clock right, by the name of their process.
const CLOCK_KEEPERS: [&str; 5] = ["chronyd", "ntpd", "openntpd", "ptp4l", "phc2sys"];

/// What container runtimes call their control groups.
const CONTAINER_GROUPS: [(&str, &str); 5] = [
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
];

/// Those options of a kernel command line that change its speed; what follows `--` is for the first process.
pub(super) fn speed_options(command_line: &str) -> Option<String> {
    let words = command_line.split_whitespace().take_while(|word| *word != "--");
    let matters = |word: &&str| SPEED_OPTIONS.contains(&word.split('=').next().unwrap_or(word));
    let options: Vec<&str> = words.filter(matters).collect();
    (!options.is_empty()).then(|| options.join(" "))
}

/// A text that two machines or boots can be told apart by, without telling it.
pub(super) fn hash(text: &str) -> String {
    format!("{:016x}", fnv1a(text.as_bytes()))
}

/// The container runtime around this process.
pub(super) fn container() -> Option<String> {
    let mark = |path: &str, name: &str| Path::new(path).exists().then(|| name.to_owned());
    let orchestrated = std::env::var_os("KUBERNETES_SERVICE_HOST").map(|_| "kubernetes".to_owned());
    orchestrated
        .or_else(|| mark("/run/.containerenv", "podman"))
        .or_else(|| mark("/.dockerenv", "docker"))
        .or_else(|| fact("/run/systemd/container"))
        .or_else(|| fact("/proc/self/cgroup").and_then(|groups| container_of_groups(&groups)))
}

fn container_of_groups(groups: &str) -> Option<String> {
    let named = |text: &&(&str, &str)| groups.contains(text.0);
    CONTAINER_GROUPS.iter().find(named).map(|(_, name)| (*name).to_owned())
}

/// Who keeps the clock, and whether that is known to have succeeded.
pub(super) fn time_synchronisation() -> Option<String> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some("systemd-timesyncd, synchronised".into());
    }
    let processes = procfs::process::all_processes().ok()?;
    let mut names = processes.flatten().filter_map(|process| process.stat().ok()).map(|stat| stat.comm);
    names.find(|name| CLOCK_KEEPERS.contains(&name.as_str())).map(|name| format!("{name} runs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_first_process_and_those_without_weight_are_left_out() {
        let line = "BOOT_IMAGE=/vmlinuz quiet isolcpus=2,3 mitigations=off nosmt memtest -- --tsc mem=1";
        assert_eq!(speed_options(line).as_deref(), Some("isolcpus=2,3 mitigations=off nosmt"));
        assert_eq!(speed_options("quiet splash"), None);
        assert!(SPEED_OPTIONS.is_sorted());
    }

    #[test]
    fn containers_are_known_by_their_control_group() {
        assert_eq!(container_of_groups("0::/system.slice/docker-01ab.scope").as_deref(), Some("docker"));
        assert_eq!(container_of_groups("0::/kubepods.slice/cri-containerd-01.scope").as_deref(), Some("kubernetes"));
        assert_eq!(container_of_groups("0::/user.slice/session-1.scope"), None);
    }

    #[test]
    fn a_hash_is_the_same_for_the_same_text_only() {
        assert_eq!(hash("a"), hash("a"));
        assert_ne!(hash("a"), hash("b"));
        assert_eq!(hash("a").len(), 16);
    }
}
