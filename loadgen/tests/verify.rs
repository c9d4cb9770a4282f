//! A verification outlives its program: what was acknowledged before a kill -9 is judged by the next one.

#[expect(dead_code, reason = "two of its many faults are enough here")]
mod faulty_broker;
mod real_broker;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use faulty_broker::{Fault, FaultyLog};
use loadgen::ledger::LedgerFile;
use loadgen::local_broker;
use loadgen::result::{Kind, RunResult, Verdict};
use real_broker::RealBroker;

const LOAD: &str =
    "--rate 2000 --record-bytes 200 --linger 2ms --warmup 100ms --partitions 3 --producers 2 --ceiling off";

fn verify(directory: &Path, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.arg("verify").args(LOAD.split_whitespace()).args(options.split_whitespace());
    command.arg("--out").arg(directory.join("out")).stdin(Stdio::null());
    command
}

fn result(directory: &Path) -> RunResult {
    let files = fs::read_dir(directory.join("out")).expect("written").map(|entry| entry.expect("an entry").path());
    let mut results = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let text = fs::read(results.next().expect("a result")).expect("readable");
    serde_json::from_slice(&text).expect("a result")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Starts a long verification, kills it without a word when the ledger tells of some seconds, and gives the ledger's path.
fn break_off(directory: &Path, options: &str) -> String {
    let ledger = directory.join("broken-off.ledger");
    let path = ledger.to_str().expect("a plain path").to_owned();
    let mut command = verify(directory, &format!("{options} --duration 10m --quiet --ledger {path}"));
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::read_to_string(&ledger).unwrap_or_default().lines().count() < 5 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
        assert!(Instant::now() < deadline, "nothing was written");
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    path
}

fn acked(ledger: &str) -> u64 {
    let opened = LedgerFile::open(Path::new(ledger)).expect("whole");
    opened.ledger().runs.iter().flat_map(|run| run.acked.values()).map(loadgen::integrity::RangeSet::count).sum()
}

#[test]
fn a_faithful_broker_passes_over_the_death_of_the_program_and_the_check_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = RealBroker::start();
    let ledger = break_off(directory.path(), &format!("--bootstrap {}", broker.address));
    let before = acked(&ledger);
    assert!(before > 0);
    let output = verify(directory.path(), &format!("--duration 1s --resume {ledger}")).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let result = result(directory.path());
    assert_eq!((result.kind, result.integrity.verdict, result.error), (Kind::Verify, Verdict::Pass, None));
    assert!(result.integrity.acked > before + 1_000, "both parts are in the account");
    assert!(result.workload.idempotence, "numbered by default");
    let notes = result.quality.notes.join("\n");
    assert!(
        notes.contains(&format!("of {before} records that were acknowledged to 1 earlier runs, 0 are missing")),
        "{notes}"
    );

    let again = verify(directory.path(), &format!("--resume {ledger}")).output().expect("it starts");
    assert_eq!(again.status.code(), Some(3));
    assert!(said(&again).contains("ended as planned"), "{}", said(&again));
}

#[test]
fn a_record_lost_before_the_death_of_the_program_is_found_and_named_after_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = local_broker::start(FaultyLog::new(Fault::Lose(20))).expect("a port");
    let ledger = break_off(directory.path(), &format!("--idempotent=false --bootstrap {address}"));
    let before = acked(&ledger);
    let options = format!("--idempotent=false --duration 10m --resume {ledger}");
    let output = verify(directory.path(), &options).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("INTEGRITY FAILED"), "{}", said(&output));
    let result = result(directory.path());
    assert_eq!((result.integrity.verdict, result.integrity.acked), (Verdict::Fail, before));
    assert!(result.integrity.missing > 0 && result.summary.produce.is_none(), "it did not go on");
    let named = result.integrity.examples.join("; ");
    assert!(named.contains("of those before: run 1, partition ") && named.contains("records "), "{named}");

    // The topic stays to be looked into, and judges the same once more.
    let again = verify(directory.path(), &options).output().expect("it starts");
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
}

#[test]
fn a_verification_that_ends_leaves_a_ledger_that_says_so_and_no_topic() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    let output =
        verify(directory.path(), &format!("--duration 500ms --bootstrap {address}")).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let files =
        fs::read_dir(directory.path().join("out")).expect("written").map(|entry| entry.expect("an entry").path());
    let ledger = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "ledger"));
    let opened = LedgerFile::open(&ledger.expect("a ledger")).expect("whole");
    assert!(opened.ledger().ended);
    assert_eq!(acked(opened.path().to_str().expect("a plain path")), result(directory.path()).integrity.acked);
}

#[test]
fn a_ledger_that_cannot_grow_ends_the_run_at_once_and_is_the_reason_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    let command = verify(directory.path(), &format!("--duration 10m --quiet --bootstrap {address}"));
    let words: Vec<&str> = command.get_args().map(|word| word.to_str().expect("plain")).collect();
    // No file may grow beyond a kilobyte, which a program that ignores the signal for it takes for a full disk.
    let limited = format!("trap '' XFSZ; ulimit -f 1; exec {} {}", env!("CARGO_BIN_EXE_loadgen"), words.join(" "));
    let output = Command::new("/bin/sh").args(["-c", &limited]).stdin(Stdio::null()).output().expect("a shell");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let result: RunResult = serde_json::from_slice(&output.stdout).expect("the result on standard output");
    assert!(result.error.as_ref().is_some_and(|error| error.contains("cannot write the ledger")), "{:?}", result.error);
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
}

#[test]
fn a_ledger_that_is_none_or_that_cannot_be_written_is_one_clear_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let foreign = directory.path().join("foreign.ledger");
    fs::write(&foreign, "{\"hello\": 1}\n").expect("written");
    let address = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    for (options, words) in [
        (format!("--resume {}", foreign.display()), "line 1: it is not a line of a ledger"),
        ("--resume /nowhere/at.all".into(), "/nowhere/at.all"),
        (format!("--ledger {} --bootstrap {address}", foreign.display()), "cannot create the ledger"),
    ] {
        let output = verify(directory.path(), &options).stdout(Stdio::null()).output().expect("it starts");
        assert_eq!(output.status.code(), Some(3), "{options}");
        assert!(said(&output).contains(words), "{}", said(&output));
        assert_eq!(said(&output).lines().filter(|line| line.starts_with("loadgen:")).count(), 1, "{}", said(&output));
    }
    assert_eq!(fs::read_to_string(&foreign).expect("still there"), "{\"hello\": 1}\n");
}
