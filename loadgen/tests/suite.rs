//! `loadgen suite`: peers under the same loads, turn about, one file a repeat, and a report that tells what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use loadgen::result::RunResult;
use loadgen::suite::Suite;

/// Two brokers that come with the runs, in two short cells.
const TWO: &str = r#"
name = "two"
repeats = 2

[load]
warmup = "100ms"
duration = "300ms"
rate = "1MB/s"
partitions = 2

[[peer]]
name = "one"

[[peer]]
name = "other"
load = { acks = "1" }

[[cell]]
name = "produce"
load = { mode = "produce" }

[[cell]]
name = "tail"
repeats = 1
load = { mode = "both" }
"#;

fn directory() -> tempfile::TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::Builder::new().prefix("suite-").tempdir_in(target).expect("a directory")
}

fn suite(text: &str, out: &Path, words: &[&str]) -> Output {
    let file = out.join("suite.toml");
    fs::write(&file, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.arg("suite").arg(&file).args(["--quiet", "--ceiling", "off", "--out"]).arg(out.join("results"));
    command.arg("--data-dir").arg(out.join("data")).args(words);
    command.env("TMPDIR", out).env("XDG_CACHE_HOME", out);
    command.output().expect("the program starts")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// All results below a folder, by their names.
fn results(folder: &Path) -> Vec<(PathBuf, RunResult)> {
    let pattern = folder.join("**/*-r*.json").display().to_string();
    let files = glob::glob(&pattern).expect("a pattern").flatten();
    let read = |file: &PathBuf| serde_json::from_slice(&fs::read(file).expect("readable")).expect("a result");
    files.map(|file| (file.clone(), read(&file))).collect()
}

#[test]
fn every_peer_runs_in_every_cell_and_what_is_there_is_not_measured_again() {
    let out = directory();
    let first = suite(TWO, out.path(), &[]);
    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    assert!(told(&first).contains("6 made, 0 were there"), "{}", told(&first));
    let made = results(&out.path().join("results"));
    let names: Vec<_> = made.iter().map(|(file, _)| file.file_name().expect("a name").to_string_lossy()).collect();
    let each = ["produce-r01.json", "produce-r02.json", "tail-r01.json"];
    assert_eq!(names, [each, each].concat());
    let orders: Vec<_> = made.iter().map(|(_, run)| run.repeat.expect("a repeat").order).collect();
    assert_eq!(orders, [0, 1, 0, 1, 0, 1], "the second block goes the other way round");
    assert!(made.iter().all(|(_, run)| run.suite.as_deref() == Some("two") && run.error.is_none()));
    let labels: Vec<_> = made.iter().filter_map(|(_, run)| run.label.as_deref()).collect();
    assert_eq!(labels, ["one", "one", "one", "other", "other", "other"]);

    let (lost, kept) = (&made[1].0, &made[0].0);
    fs::remove_file(lost).expect("removed");
    let before = fs::read(kept).expect("readable");
    let second = suite(TWO, out.path(), &[]);
    assert!(told(&second).contains("1 made, 5 were there"), "{}", told(&second));
    assert!(lost.exists() && fs::read(kept).expect("readable") == before);
    let summary = fs::read_to_string(out.path().join("results/two/summary.md")).expect("a summary");
    assert!(
        summary.contains("## produce") && summary.contains("| other | acks=1, acknowledged before the flush | 2 |"),
        "{summary}"
    );
    let heads = "| peer | an acknowledgement | produce<br>p50 / p99 | tail<br>p50 / p99 / end-to-end p99 |";
    assert!(summary.contains(heads), "{summary}");
    assert!(out.path().join("results/two/report.html").exists());

    let other = suite(&TWO.replace("300ms", "400ms"), out.path(), &[]);
    assert_eq!(other.status.code(), Some(3), "{}", told(&other));
    assert!(told(&other).contains("another suite file"), "{}", told(&other));
    let quick = suite(TWO, out.path(), &["--quick"]);
    assert!(quick.status.code() == Some(3) && told(&quick).contains("with --quick"), "{}", told(&quick));
    elsewhere(&out.path().join("results/two/plan.json"));
    let moved = suite(TWO, out.path(), &[]);
    assert!(moved.status.code() == Some(3) && told(&moved).contains("was begun on elsewhere"), "{}", told(&moved));
}

/// As if another machine had begun the campaign.
fn elsewhere(plan: &Path) {
    let text = fs::read_to_string(plan).expect("a plan");
    let mut told: serde_json::Value = serde_json::from_str(&text).expect("a plan");
    told["machine"] = "elsewhere".into();
    fs::write(plan, told.to_string()).expect("written");
}

#[test]
fn a_peer_that_cannot_be_had_is_one_line_and_the_others_go_on() {
    let out = directory();
    let missing = "[[peer]]\nname = \"absent\"\ninstall = \"echo fetching >&2; echo no such package >&2; exit 4\"\nstart = \"true\"\n";
    let broken = "[[peer]]\nname = \"broken\"\nstart = \"false\"\n";
    let text = TWO.replacen("[[cell]]", &format!("{missing}{broken}[[cell]]"), 1);
    let output = suite(&text, out.path(), &["--cell", "tail"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("2 made"), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().filter(|line| line.contains("absent")).count(), 1, "{said}");
    let summary = fs::read_to_string(out.path().join("results/two/summary.md")).expect("a summary");
    for note in [
        "- absent is skipped: absent cannot be installed",
        "no such package",
        "- broken is skipped: broken did not start",
    ] {
        assert!(summary.contains(note), "{note} in {summary}");
    }
}

#[test]
fn no_run_begins_that_would_fill_the_disk_or_outlast_the_limit() {
    let out = directory();
    let late = suite(&TWO.replacen("repeats = 2", "repeats = 2\nlimit = \"1ms\"", 1), out.path(), &[]);
    assert!(told(&late).contains("0 made, 0 were there, 6 left"), "{}", told(&late));
    let vast = TWO.replace("load = { mode = \"both\" }", "load = { mode = \"both\" }\ndisk = \"900000GB\"");
    let full = suite(&vast, out.path(), &["--new", "--cell", "tail"]);
    assert_eq!(full.status.code(), Some(3), "{}", told(&full));
    assert!(told(&full).contains("0 made") && told(&full).contains("one, tail: not started"), "{}", told(&full));
    let unknown = suite(&TWO.replacen("partitions", "partitons", 1), out.path(), &["--plan"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", told(&unknown));
    assert!(told(&unknown).contains("partitons"), "{}", told(&unknown));
}

#[test]
fn the_suites_of_the_repository_are_consistent_and_the_core_is_small_enough() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/suites");
    let core = Suite::read(&folder.join("peers.toml")).expect("the core");
    let minutes = core.estimate(&core.steps()).as_secs() / 60;
    assert!(core.cells.len() <= 10 && minutes <= 90, "{} cells, {minutes} minutes", core.cells.len());
    let full = Suite::read(&folder.join("peers-full.toml")).expect("the rest");
    for peer in core.peers.iter().chain(&full.peers) {
        for command in [&peer.install, &peer.start, &peer.settle].into_iter().flatten() {
            let program = command.split_whitespace().next().expect("a command");
            assert!(folder.join(program).exists(), "{}: there is no {program}", peer.name);
        }
    }
}
