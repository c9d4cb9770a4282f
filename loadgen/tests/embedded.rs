//! The program as people start it: broker included, files written, nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use loadgen::cores::CoreList;
use loadgen::result::{ClientMode, Kind, RunResult, Verdict};

/// A directory of this test's own below the build directory: the broker refuses a temporary directory in memory.
fn own_directory() -> tempfile::TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::Builder::new().prefix("embedded-").tempdir_in(target).expect("a directory")
}

fn loadgen(options: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(options).arg("--out").arg(directory.join("out"));
    // What is remembered of this machine is not a test's to change.
    command.env("XDG_CACHE_HOME", directory.join("cache"));
    command.stdin(Stdio::null()).output().expect("the program starts")
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("out")).expect("written");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Processes whose command line names the directory.
fn processes_of(directory: &Path) -> Vec<i32> {
    let needle = directory.to_str().expect("a plain path");
    let processes = procfs::process::all_processes().expect("/proc").flatten();
    let words = processes.filter_map(|process| Some((process.pid, process.cmdline().ok()?)));
    words.filter(|(_, words)| words.iter().any(|word| word.contains(needle))).map(|(pid, _)| pid).collect()
}

#[test]
fn one_command_shows_the_product_and_leaves_nothing_behind() {
    let directory = own_directory();
    let data = directory.path().join("data");
    let options = "run --duration 2s --warmup 500ms --rate 2MB/s --producers 2 --idempotent --data-dir";
    let options: Vec<&str> = options.split(' ').chain([data.to_str().expect("a plain path")]).collect();
    let output = loadgen(&options, directory.path());
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}{complained}");
    assert!(said.starts_with("INTEGRITY PASS"), "{said}");

    let json = files(directory.path(), "json");
    let result: RunResult = serde_json::from_slice(&fs::read(&json[0]).expect("readable")).expect("a result");
    assert_eq!((result.integrity.verdict, result.error), (Verdict::Pass, None));
    assert!(result.target.embedded && result.target.product == "posthaste");
    let config = &result.target.config;
    assert!(config.contains_key("posthaste.shards") && config.contains_key("topic.retention.ms"), "{config:?}");
    assert!(!config.keys().any(|name| name.contains("log.dir") || name.contains("listeners")), "{config:?}");
    assert!(result.target.api_versions.contains_key("Produce"), "{:?}", result.target.api_versions);
    assert!(result.integrity.acked > 0 && result.integrity.consumed == result.integrity.acked);
    assert!(result.resources.broker.is_some(), "the broker's process was measured apart");
    let html = fs::read_to_string(&files(directory.path(), "html")[0]).expect("readable");
    assert!(html.contains("INTEGRITY PASS") && html.trim_end().ends_with("</html>"));

    assert_eq!(fs::read_dir(&data).expect("the parent stays").count(), 0, "the broker's directory is gone");
    assert_eq!(processes_of(directory.path()), Vec::<i32>::new(), "the broker's process is gone");
}

#[test]
fn a_real_broker_takes_batches_that_were_encoded_ahead() {
    let directory = own_directory();
    let data = directory.path().join("data");
    let options = "run --client-mode raw --rate 0 --record-bytes 100 --batch-bytes 64KiB --producers 2 --idempotent \
                   --duration 1s --warmup 200ms --ceiling off --data-dir";
    let options: Vec<&str> = options.split_whitespace().chain([data.to_str().expect("a plain path")]).collect();
    let output = loadgen(&options, directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json = files(directory.path(), "json");
    let result: RunResult = serde_json::from_slice(&fs::read(&json[0]).expect("readable")).expect("a result");
    assert_eq!((result.integrity.verdict, result.workload.client_mode), (Verdict::Pass, ClientMode::Raw));
    assert!(result.integrity.acked > 1_000 && result.integrity.consumed == result.integrity.acked);
}

#[test]
fn broker_and_generator_keep_to_their_cores_and_the_result_says_so() {
    let directory = own_directory();
    let data = directory.path().join("data");
    let one = CoreList::of_this_thread().expect("this thread has cores").to_string();
    let one = one.split([',', '-']).next().expect("one at least");
    let cores = ["--broker-cores", one, "--loadgen-cores", one];
    let options = "run --rate 1MB/s --duration 1s --warmup 200ms --ceiling off --data-dir";
    let options = options.split_whitespace().chain([data.to_str().expect("a plain path")]).chain(cores);
    let output = loadgen(&options.collect::<Vec<_>>(), directory.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("broker on {one}, load generator on {one}")), "{said}");
    let json = files(directory.path(), "json");
    let result: RunResult = serde_json::from_slice(&fs::read(&json[0]).expect("readable")).expect("a result");
    let split = result.env[0].core_split.as_ref().expect("it was asked for");
    assert_eq!((split.loadgen.as_str(), split.broker.as_deref()), (one, Some(one)));
}

#[test]
fn cores_that_cannot_be_had_are_refused_before_anything_starts() {
    let directory = own_directory();
    for (options, why) in [
        (&["run", "--loadgen-cores", "1023"][..], "core 1023 of 1023 is not there"),
        (&["run", "--bootstrap", "127.0.0.1:1", "--broker-cores", "0"], "a broker that this run starts"),
        (&["run", "--broker-cores", "4-"], "no list of cores"),
    ] {
        let output = loadgen(options, directory.path());
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?} {complained}");
        assert!(complained.contains(why), "{complained}");
    }
}

#[test]
fn a_selftest_uses_every_core_and_tells_what_integrity_costs() {
    let directory = own_directory();
    let output = loadgen(&["selftest", "--duration", "500ms", "--warmup", "100ms"], directory.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("cost    of integrity: producing "), "{said}");
    let json = files(directory.path(), "json");
    let result: RunResult = serde_json::from_slice(&fs::read(&json[0]).expect("readable")).expect("a result");
    assert_eq!(result.kind, Kind::Selftest);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(result.workload.producers as usize >= cores && result.quality.closed_loop);
    assert!(result.calibration.integrity_cost.is_some_and(|cost| cost.produce.on_ns > 0.0));
}

#[test]
fn a_broker_out_of_reach_is_one_clear_line_and_an_exit_code() {
    let directory = own_directory();
    let output = loadgen(&["run", "--bootstrap", "127.0.0.1:1"], directory.path());
    assert_eq!(output.status.code(), Some(3));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(complained.starts_with("loadgen: cannot connect to 127.0.0.1:1"), "{complained}");
    assert_eq!(complained.lines().count(), 1, "{complained}");
    assert_eq!(files(directory.path(), "json").len(), 1, "a failed run has a result too");
}

#[test]
fn a_wrong_option_is_refused_before_anything_starts() {
    let directory = own_directory();
    let output = loadgen(&["run", "--idempotent", "--acks", "1"], directory.path());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--idempotent needs --acks all"));
    assert!(!directory.path().join("out").exists());
}
