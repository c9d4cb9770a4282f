//! CONTRACT: criterion benchmarks of the hot functions, short enough to run before every commit that claims speed.

use std::io;
use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use engine::io::runtime::file_system_report;
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
