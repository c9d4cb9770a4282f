//! `posthaste check`: reads a stopped data directory whole and prints what a start would do and what is damaged.

use std::path::Path;
use std::process::ExitCode;

use engine::data_directory::{DataDirectory, DirectoryLock, OpenError};
use engine::io::ring::RingIo;
use engine::offset::ShardId;
use engine::recovery::verify::{ShardReport, check};

use crate::cli::CheckArguments;
use crate::exit;

/// Runs the command.
pub fn run(arguments: &CheckArguments) -> ExitCode {
    match check_directory(&arguments.data) {
        Ok(true) => ExitCode::from(exit::OK),
        Ok(false) => ExitCode::from(exit::DAMAGED),
        Err(Stopped { code, line }) => {
            eprintln!("posthaste: {line}");
            ExitCode::from(code)
        }
    }
}

/// Why nothing was checked.
struct Stopped {
    code: u8,
    line: String,
}

impl From<OpenError> for Stopped {
    fn from(error: OpenError) -> Stopped {
        Stopped { code: exit::DATA_DIRECTORY, line: error.to_string() }
    }
}

/// Whether everything in the directory is what was written.
fn check_directory(path: &Path) -> Result<bool, Stopped> {
    let nothing_there =
        || Stopped { code: exit::DATA_DIRECTORY, line: format!("{} is no posthaste data directory", path.display()) };
    let new_io = || RingIo::new().map_err(|error| Stopped { code: exit::IO_URING, line: error.to_string() });
    // Before the lock is taken: that would leave its file in a directory that is not ours.
    DataDirectory::open(&mut new_io()?.0, path)?.ok_or_else(nothing_there)?;
    // A broker that uses the directory changes it meanwhile: there is nothing to wait for.
    let _lock = DirectoryLock::acquire(path, std::time::Duration::ZERO)?;
    let directory = DataDirectory::open(&mut new_io()?.0, path)?.ok_or_else(nothing_there)?;
    println!(
        "{}: directory {}, {} shards, segments of {} bytes",
        path.display(),
        directory.id,
        directory.shards,
        directory.geometry.segment_bytes()
    );
    let mut whole = true;
    for shard in (0..directory.shards).map(ShardId) {
        match check(new_io()?.0, &directory, shard) {
            Ok(report) => {
                print_report(shard, &report);
                whole &= report.damage.is_empty();
            }
            Err(OpenError::Damaged { case, place, detail }) => {
                println!("shard {shard}: a start is refused: {case} at {place}: {detail}");
                whole = false;
            }
            Err(error) => return Err(error.into()),
        }
    }
    println!("{}", if whole { "everything is what was written" } else { "damaged" });
    Ok(whole)
}

fn print_report(shard: ShardId, report: &ShardReport) {
    let ShardReport { logs, segments, commits, batches, batch_bytes, .. } = report;
    println!(
        "shard {shard}: {logs} logs in {segments} segments, {commits} commits, {batches} batches of {batch_bytes} bytes"
    );
    for case in &report.cases {
        println!("shard {shard}: a start finds: {case} ({})", case.action());
    }
    for damage in &report.damage {
        println!("shard {shard}: damaged: {} byte {}: {}", damage.path.display(), damage.place, damage.what);
    }
}
