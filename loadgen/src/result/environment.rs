//! The machine that a run was made on, as far as it can change the figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Facts of one host. A fact that the system does not tell is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Where the broker's data lay; absent when the broker is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// What ran on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Load generator and broker share the machine, and therefore its cores.
    Colocated,
    /// Load generator only.
    Loadgen,
    /// Broker only.
    Broker,
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
