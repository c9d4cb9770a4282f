//! The same small piece of work before and after a run: when the two disagree, the machine changed and not the broker.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// A processor whose speed changes by more than this is another processor.
pub const CPU_DRIFT_MAX: f64 = 0.05;

/// A flush is noisier than arithmetic on every disk: on a quiet virtual one two looks differ by up to a half. Twice is another disk.
pub const FLUSH_DRIFT_MAX: f64 = 1.0;

/// More than this share of the time taken by the hypervisor is time that nobody measured.
pub const STEAL_SHARE_MAX: f64 = 0.02;

/// An odd number, so that the median is one of them; together a few hundredths of a second.
const TRIES: usize = 15;

/// About half a millisecond of arithmetic without memory.
const SPINS: u64 = 250_000;

/// What a small commit writes.
const WRITE_BYTES: usize = 4_096;

/// One look at the machine, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probe {
    /// A fixed piece of arithmetic.
    pub cpu_ns: u64,
    /// A write of 4 KiB and its fdatasync; absent without a directory to write to.
    pub fdatasync_ns: Option<u64>,
}

impl Probe {
    /// Looks now; `data_directory` lies where the broker's data lies.
    pub fn take(data_directory: Option<&Path>) -> Self {
        Self { cpu_ns: median_ns(spin), fdatasync_ns: data_directory.and_then(flush_ns) }
    }
}

fn spin() {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..SPINS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// A disk that refuses has no speed; the run itself will say what is wrong with it.
fn flush_ns(directory: &Path) -> Option<u64> {
    let mut file: File = tempfile::tempfile_in(directory).ok()?;
    let block = [0x5a; WRITE_BYTES];
    let mut failed = false;
    let ns = median_ns(|| failed |= file.write_all(&block).and_then(|()| file.sync_data()).is_err());
    (!failed).then_some(ns)
}

fn median_ns(mut work: impl FnMut()) -> u64 {
    let mut times_ns: Vec<u64> = (0..TRIES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_nanos() as u64
        })
        .collect();
    times_ns.sort_unstable();
    times_ns[TRIES / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_measures_what_is_there_and_nothing_else() {
        assert!(Probe::take(None).cpu_ns > 0);
        assert_eq!(Probe::take(None).fdatasync_ns, None);
        assert_eq!(Probe::take(Some(Path::new("/nowhere"))).fdatasync_ns, None);
        let directory = tempfile::tempdir().expect("a directory");
        assert!(Probe::take(Some(directory.path())).fdatasync_ns.is_some());
        assert_eq!(std::fs::read_dir(directory.path()).expect("still there").count(), 0, "nothing is left behind");
    }
}
