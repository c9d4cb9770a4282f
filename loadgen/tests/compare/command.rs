//! `loadgen compare` reads what people name, answers scripts by its exit code, and refuses the rest in one line.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::sample::{calm_run, failed_run, saturated_run};
use loadgen::result::{ArrivalKind, RunResult};

fn compare(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.current_dir(folder).arg("compare").args(arguments).output().expect("the program starts")
}

/// Five repeats of a side whose latency is `slowness` times that of the sample.
fn write_side(folder: &Path, label: &str, slowness: f64) {
    fs::create_dir_all(folder).expect("a temporary folder");
    for repeat in 1..=5_u32 {
        let mut run = calm_run();
        run.id = format!("{label}-{repeat}");
        run.label = Some(label.into());
        let latency = &mut run.summary.produce.as_mut().expect("the sample produces").latency;
        let response = latency.response.as_mut().expect("the sample has it");
        let factor = slowness * (1.0 + f64::from(repeat) / 1_000.0);
        response.p99_ns = response.p99_ns.map(|ns| (ns as f64 * factor) as u64);
        write(&folder.join(format!("r{repeat:02}.json")), &run);
    }
}

fn write(path: &Path, run: &RunResult) {
    fs::write(path, serde_json::to_vec(run).expect("plain data")).expect("a temporary folder");
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One line on standard error that starts with the program's name, nothing on standard output.
fn refusal(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((error.lines().count(), out(output).as_str()), (1, ""), "{error}");
    assert!(error.starts_with("loadgen: "), "{error}");
    error
}

#[test]
fn exit_code_tells_no_regression_regression_nothing_comparable_and_failure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_side(&folder.path().join("main"), "main", 1.0);
    write_side(&folder.path().join("slow"), "slow", 1.5);
    let code = |arguments: &[&str]| compare(folder.path(), arguments).status.code();
    assert_eq!(code(&["main", "slow"]), Some(1));
    assert_eq!(code(&["slow", "main"]), Some(0), "better is no regression");
    assert_eq!(code(&["main", "slow", "--threshold", "60%"]), Some(0));
    assert_eq!(code(&["main", "slow", "--base", "slow"]), Some(0));
    assert_eq!(code(&["main"]), Some(2), "one side");
    assert_eq!(code(&["main/r01.json", "slow/r01.json"]), Some(2), "too few repeats");
    assert_eq!(code(&["main", "nowhere"]), Some(3));
}

#[test]
fn files_folders_and_patterns_name_the_same_runs_and_a_file_counts_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_side(&folder.path().join("all/main"), "main", 1.0);
    write_side(&folder.path().join("all/slow"), "slow", 1.5);
    let by_folders = out(&compare(folder.path(), &["all"]));
    assert!(by_folders.starts_with("WORSE: slow is worse than main in 1 of"), "{by_folders}");
    assert_eq!(by_folders, out(&compare(folder.path(), &["all/*/r*.json"])));
    assert_eq!(
        by_folders,
        out(&compare(folder.path(), &["all/main/r01.json", "all/main", "all/slow/r0[1-5].json", "all"]))
    );
}

#[test]
fn formats_are_markdown_and_json_of_the_same_grid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_side(&folder.path().join("main"), "main", 1.0);
    write_side(&folder.path().join("slow"), "slow", 1.5);
    let markdown = compare(folder.path(), &["main", "slow", "--format", "markdown"]);
    assert!(out(&markdown).contains("| response p99 |"), "{}", out(&markdown));
    let arguments = ["main", "slow", "--format", "json", "--metric", "response-p99,response-p99.9"];
    let json = compare(folder.path(), &arguments);
    let grid: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON document");
    assert_eq!(grid["outcome"], "regression");
    assert_eq!(grid["rows"][0]["comparisons"][0]["metrics"][1]["metric"], "response-p99.9");
    assert_eq!((markdown.status.code(), json.status.code()), (Some(1), Some(1)));
}

#[test]
fn failed_saturated_and_closed_loop_runs_are_listed_or_marked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_side(&folder.path().join("main"), "main", 1.0);
    write_side(&folder.path().join("side"), "side", 1.0);
    for (index, mut run) in [failed_run(), saturated_run()].into_iter().enumerate() {
        run.label = Some("side".into());
        run.id = format!("odd-{index}");
        write(&folder.path().join(format!("side/x{index}.json")), &run);
    }
    let mut closed = calm_run();
    (closed.label, closed.id, closed.quality.closed_loop) = (Some("side".into()), "closed".into(), true);
    closed.workload.arrival.kind = ArrivalKind::ClosedLoop;
    write(&folder.path().join("side/closed.json"), &closed);
    let page = out(&compare(folder.path(), &["main", "side"]));
    assert!(page.contains("odd-0") && page.contains("saturated (side 1 of 6)"), "{page}");
}

#[test]
fn what_cannot_be_read_is_one_line_that_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    write_side(&path.join("main"), "main", 1.0);
    let whole = fs::read(path.join("main/r01.json")).expect("it was written");
    fs::write(path.join("cut.json"), &whole[..whole.len() / 2]).expect("a temporary folder");
    fs::write(path.join("other.json"), b"{\"schema_version\": 1, \"hello\": []}").expect("a temporary folder");
    fs::write(path.join("later.json"), b"{\"schema_version\": 2, \"workload_id\": \"x\"}").expect("a temporary folder");
    fs::write(path.join("huge.json"), vec![b' '; (8 << 20) + 1]).expect("a temporary folder");
    fs::write(path.join("deep.json"), b"[".repeat(100_000)).expect("a temporary folder");
    for (name, wanted) in [
        ("cut.json", "is not a result of loadgen: EOF"),
        ("other.json", "is not a result of loadgen: missing field"),
        ("later.json", "its schema_version is 2, this program reads 1"),
        ("huge.json", "is larger than 8 MiB"),
        ("deep.json", "is not a result of loadgen"),
        ("absent.json", "No such file"),
        ("none*.json", "no result file matches none*.json"),
        ("/dev/zero", "not a regular file"),
    ] {
        let output = compare(path, &["main", name]);
        let error = refusal(&output);
        assert!(error.contains(name) && error.contains(wanted), "{error}");
        assert_eq!(output.status.code(), Some(3), "{error}");
    }
    assert_eq!(compare(path, &["main", "--row", "workload.nothing"]).status.code(), Some(2));
}

#[test]
fn other_json_in_a_folder_is_passed_over_and_told_but_a_broken_result_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    write_side(&path.join("all/main"), "main", 1.0);
    fs::write(path.join("all/index.json"), b"[{\"id\": \"x\"}]").expect("a temporary folder");
    let output = compare(path, &["all"]);
    assert!(out(&output).contains("1 JSON files in the folders are no results"), "{}", out(&output));
    fs::write(path.join("all/cut.json"), b"{\"schema_version\": 1,").expect("a temporary folder");
    assert!(refusal(&compare(path, &["all"])).contains("cut.json"));
}
