//! A suite: peers on this machine under the same loads, turn about, one result file a repeat. What is there is not measured again.
//!
//! A peer is started when its first run comes, warmed up with load, and stays until the suite ends, since a warm-up for every
//! run would take longer than the runs. In each block every cell meets all its peers one after the other, in the order of the
//! file and against it in turn, so that whatever drifts on the machine drifts for all.

mod conduct;
mod figure;
mod file;
mod machine;
mod overview;
mod peer;
mod place;
mod plan;
mod running;
mod seek;
mod summary;

pub use conduct::{Conduct, Conducted, Surroundings};
pub use file::Suite;
pub use machine::Split;
pub use peer::Peer;
pub use place::Place;
pub use plan::{Cell, RateOf, Step};
pub use summary::write_summary;

use std::time::Duration;

/// What a `--quick` suite has instead of its own times and sizes: it shows that everything runs, and measures nothing.
pub mod quick {
    use super::Duration;

    /// Runs of each peer in a cell.
    pub const REPEATS_MAX: u32 = 2;
    /// Load on a peer after its start.
    pub const WARMUP_MAX: Duration = Duration::from_secs(2);
    /// Load before each measured window.
    pub const RUN_WARMUP_MAX: Duration = Duration::from_millis(300);
    /// The measured window.
    pub const DURATION_MAX: Duration = Duration::from_secs(1);
    /// What is written before it is read.
    pub const PREFILL_BYTES_MAX: u64 = 50_000_000;
}
