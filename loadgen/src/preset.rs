//! Loads with a name, so that two people who say "quick" mean the same.

use clap::ValueEnum;

/// A load with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// 20 seconds: does it work at all?
    Smoke,
    /// 2 minutes: a first figure.
    Quick,
    /// 6 minutes: a figure to show.
    Standard,
    /// An hour: does it last?
    Soak,
}

impl Preset {
    /// Its settings, as keys of a workload file.
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Smoke => &[("warmup", "3s"), ("duration", "17s"), ("rate", "10MB/s")],
            Self::Quick => &[("warmup", "15s"), ("duration", "105s"), ("rate", "20MB/s")],
            Self::Standard => &[("warmup", "60s"), ("duration", "300s"), ("rate", "20MB/s"), ("partitions", "16")],
            Self::Soak => &[("warmup", "60s"), ("duration", "60m"), ("rate", "20MB/s"), ("partitions", "16")],
        }
    }
}
