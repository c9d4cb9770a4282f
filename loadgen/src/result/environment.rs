//! The machine that a run was made on, as far as it can change the figures.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Facts of one host. A fact that the system does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostEnvironment {
    /// What ran there.
    pub role: HostRole,
    /// Kernel release.
    pub kernel: String,
    /// Instruction set, as Rust names it.
    pub architecture: String,
    /// Processor name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Hardware threads a physical core; 2 means that neighbours share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads_per_core: Option<usize>,
    /// Main memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Frequency governor of the first processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_governor: Option<String>,
    /// Transparent huge pages: the chosen mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparent_hugepages: Option<String>,
    /// Hypervisor or container runtime, as far as it shows itself; absent on bare metal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtualisation: Option<String>,
    /// The kernel's clock source; anything but tsc makes time stamps dear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocksource: Option<String>,
    /// `kernel.io_uring_disabled`: 0 allowed, 1 privileged only, 2 forbidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_uring_disabled: Option<u32>,
    /// Limits of the control group, if it sets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<CgroupLimits>,
    /// Physical processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<usize>,
    /// Whether neighbours on a core are in use: `on`, `off`, `notsupported`, as the kernel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smt: Option<String>,
    /// Memory nodes; more than 1 means that some memory is farther away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa_nodes: Option<usize>,
    /// Version of the processor's microcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// Whether processors may run faster than their nominal frequency while they are cool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_boost: Option<bool>,
    /// Processors that the scheduler leaves alone, as a kernel list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus_isolated: Option<String>,
    /// Vulnerabilities of the processor that the kernel does something about, and what; those that do not concern it are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mitigations: BTreeMap<String, String>,
    /// Options of the kernel's command line that change its speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_options: Option<String>,
    /// Hash of the whole command line: equal for kernels that were started alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_command_line_hash: Option<String>,
    /// Swap space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_bytes: Option<u64>,
    /// Files and sockets that this process may have open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files_max: Option<u64>,
    /// The container that this process is in, as far as it shows itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What keeps the clock right, as far as it shows itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_synchronisation: Option<String>,
    /// Hash of the kernel's boot id: equal for runs without a restart between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id_hash: Option<String>,
    /// Who may use which processors; absent where both may use all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_split: Option<CoreSplit>,
    /// The interface towards the broker; absent for a broker on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkInterface>,
    /// Where the broker's data lay; absent when the broker is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// What ran on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Load generator and broker share the machine, and therefore its cores.
    #[default]
    Colocated,
    /// Load generator only.
    Loadgen,
    /// Broker only.
    Broker,
}

/// The processors of each, as kernel lists (`0-3,8`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoreSplit {
    /// Of the load generator.
    pub loadgen: String,
    /// Of the broker; absent when its process is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
}

/// Limits of a control group (version 2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CgroupLimits {
    /// Processor time, in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores_max: Option<f64>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes_max: Option<u64>,
}

/// An interface to the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkInterface {
    /// Its name on this host.
    pub name: String,
    /// Speed of the link, as the driver tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbit_per_s: Option<u64>,
    /// Largest packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu_bytes: Option<u64>,
    /// Name of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// The file system and the disk under a directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Storage {
    /// File system type: ext4, xfs, overlay.
    pub file_system: String,
    /// Mount options.
    pub mount_options: String,
    /// Block device name, without its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Model as the device tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The chosen block scheduler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// `write back`: a volatile cache that a flush must empty; `write through`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_cache: Option<String>,
    /// A spinning disk, as far as the kernel knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// Size of the file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Free space at the start of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}
