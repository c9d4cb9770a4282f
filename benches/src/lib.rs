//! CONTRACT: criterion benchmarks of the hot functions, short enough to run before every commit that claims speed.

use std::io;
use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use engine::io::ring::{CompletionSignal, RingIo};
use engine::io::runtime::{RingSettings, file_system_report, run_on_core};
use engine::io::{Completion, FileId, Io, Op, Outcome, Token};
use tempfile::TempDir;

/// Settings of all benchmarks: the whole set ends in about two minutes.
pub fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

/// A temporary directory on a disk: the system's own if it takes direct I/O, else one beside the build.
pub fn disk_directory() -> io::Result<TempDir> {
    let directory = tempfile::tempdir()?;
    let report = file_system_report(directory.path())?;
    if report.direct_alignment_bytes.is_some() && report.file_system != "tmpfs" {
        return Ok(directory);
    }
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::fs::create_dir_all(&build)?;
    tempfile::tempdir_in(build)
}

/// A core's io with one written file open.
pub struct Seam {
    /// The ring.
    pub io: RingIo,
    signal: CompletionSignal,
    /// The file.
    pub file: FileId,
    completions: Vec<Completion>,
    under_way: usize,
}

impl Seam {
    /// Opens a file.
    pub fn open(path: &Path) -> Seam {
        Seam::with(|io| io.open_file(path).expect("the benchmark's file").0)
    }

    /// Makes a file with so much room.
    pub fn create(path: &Path, bytes: u64) -> Seam {
        Seam::with(|io| io.create_file(path, bytes).expect("room"))
    }

    fn with(file: impl FnOnce(&mut RingIo) -> FileId) -> Seam {
        let (mut io, signal) = RingIo::new().expect("a ring");
        let file = file(&mut io);
        Seam { io, signal, file, completions: Vec::new(), under_way: 0 }
    }

    /// Begins an operation.
    pub fn submit(&mut self, op: Op) {
        self.io.submit(Token(0), op);
        self.io.start();
        self.under_way += 1;
    }

    /// Waits until at most `left` operations are under way.
    pub async fn wait_until(&mut self, left: usize) {
        self.take_until(left, |_| {}).await;
    }

    /// The same, with a look at what comes back.
    pub async fn take_until(&mut self, left: usize, mut look: impl FnMut(Outcome)) {
        while self.under_way > left {
            self.signal.wait().await;
            self.io.completions(&mut self.completions);
            for completion in self.completions.drain(..) {
                look(completion.result.expect("a healthy disk"));
                self.under_way -= 1;
            }
        }
    }
}

/// Makes a file with zeros written in all of it, on stable storage: what is written next overwrites, as in a recycled segment.
pub fn make_written(path: &Path, bytes: u64) {
    on_core(async || {
        let mut seam = Seam::create(path, bytes);
        let file = seam.file;
        seam.submit(Op::WriteZeroes { file, position: 0, length: bytes });
        seam.wait_until(0).await;
        seam.io.sync_data(file).expect("a healthy disk");
    });
}

/// Runs on a core with a ring, to its end.
pub fn on_core<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    run_on_core(None, RingSettings::default(), make).expect("a ring")
}
