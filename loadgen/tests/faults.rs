//! Planned faults against the real broker, which the program starts, kills and starts again itself.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use loadgen::result::{RunResult, Verdict};

/// Runs `loadgen run` with an embedded broker; its exit code and result.
fn run(options: &str) -> (Option<i32>, RunResult) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = tempfile::Builder::new().prefix("faults-").tempdir_in(target).expect("a directory");
    let out = directory.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args([
        "run",
        "--quiet",
        "--ceiling",
        "off",
        "--rate",
        "2000",
        "--record-bytes",
        "500",
        "--warmup",
        "300ms",
    ]);
    command.args(options.split_whitespace()).arg("--data-dir").arg(directory.path().join("data"));
    let output = command.arg("--out").arg(&out).stdin(Stdio::null()).output().expect("the program starts");
    (output.status.code(), result(&out))
}

fn result(out: &Path) -> RunResult {
    let files = fs::read_dir(out).expect("a result").map(|entry| entry.expect("an entry").path());
    let mut json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let text = fs::read(json.next().expect("a result")).expect("readable");
    serde_json::from_slice(&text).expect("a result")
}

#[test]
fn numbered_batches_survive_the_death_of_the_broker_and_nothing_is_lost_or_doubled() {
    let (code, result) = run("--duration 5s --idempotent --producers 2 --consumers 2 --fault kill@1s");
    assert_eq!((code, result.error.as_deref(), result.integrity.verdict), (Some(0), None, Verdict::Pass));
    let integrity = &result.integrity;
    assert_eq!(integrity.acked, integrity.produced, "every number was acknowledged in the end");
    assert_eq!(integrity.consumed, integrity.produced);
    let fault = &result.faults[0];
    assert_eq!((result.faults.len(), fault.kind.as_str()), (1, "kill"));
    assert!(fault.duration_secs.is_some_and(|secs| secs > 0.0), "it took some time to start again: {fault:?}");
    assert!(fault.recovery_secs >= fault.duration_secs, "{fault:?}");
    assert!(fault.error_window_secs.is_some() && (fault.t_secs - 1.3).abs() < 0.5, "{fault:?}");
    assert_eq!(result.workload.faults, ["kill@1s"]);
    let broker = result.resources.broker.expect("both processes were measured");
    assert!(broker.cpu_secs() > 0.0);
}

#[test]
fn without_numbers_what_was_in_flight_is_unknown_and_what_was_acknowledged_is_there() {
    for acks in ["1", "all"] {
        let (code, result) = run(&format!("--duration 3s --acks {acks} --linger 0ms --fault kill@1s"));
        assert_eq!((code, result.error.as_deref(), result.integrity.verdict), (Some(0), None, Verdict::Pass), "{acks}");
        let integrity = &result.integrity;
        let lost = result.summary.produce.as_ref().map_or(0, |produce| produce.errors.values().sum::<u64>());
        assert_eq!(integrity.acked + lost, integrity.produced, "all others were acknowledged");
        assert_eq!((integrity.missing, integrity.consumed - integrity.unacked_seen), (0, integrity.acked));
    }
}

#[test]
fn without_acknowledgements_a_death_may_lose_records_and_doubles_none() {
    let (code, result) = run("--duration 5s --acks 0 --fault kill@1s");
    assert_eq!((code, result.integrity.verdict, result.integrity.acked), (Some(0), Verdict::Pass, 0));
    assert!(result.integrity.consumed > 1_000 && result.integrity.consumed <= result.integrity.produced);
    assert!(result.faults[0].recovery_secs.is_some());
}

#[test]
fn a_pause_a_cut_and_a_slow_consumer_are_carried_out_and_told() {
    let faults = "--fault pause@500ms:200ms --fault cut@1200ms --fault slow-consumer@1700ms:600ms";
    let (code, result) = run(&format!("--duration 4s --idempotent {faults}"));
    assert_eq!((code, result.error.as_deref(), result.integrity.verdict), (Some(0), None, Verdict::Pass));
    assert_eq!(result.integrity.acked, result.integrity.produced);
    let [pause, cut, slow] = &result.faults[..] else { panic!("three faults: {:?}", result.faults) };
    let (paused_ns, rested_ns) =
        ((pause.duration_secs.expect("measured") * 1e9) as u64, (slow.duration_secs.expect("measured") * 1e9) as u64);
    assert!(paused_ns >= 200_000_000 && rested_ns >= 600_000_000);
    let produce = result.summary.produce.expect("produced").latency.response.expect("measured");
    assert!(produce.max_ns.is_some_and(|max_ns| max_ns >= paused_ns / 2), "the pause shows in the response");
    let consume = result.summary.consume.expect("consumed").latency.end_to_end.expect("measured");
    assert!(consume.max_ns.is_some_and(|max_ns| max_ns >= rested_ns / 2), "the rest shows end to end");
    assert!(pause.error_window_secs.is_none() && cut.error_window_secs.is_some(), "only a cut loses connections");
    let notes = result.quality.notes.join("\n");
    assert!(notes.contains("Fault cut at") && notes.contains("Fault slow-consumer at"), "{notes}");
}

#[test]
fn a_broker_of_the_users_is_found_by_itself_killed_and_started_again_by_the_users_command() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = tempfile::Builder::new().prefix("started-").tempdir_in(target).expect("a directory");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let (program, data) = (env!("CARGO_BIN_EXE_loadgen"), directory.path().join("data"));
    let start = format!("exec {program} embedded-broker --data {} --listen 127.0.0.1:{port}", data.display());
    let mut command = Command::new(program);
    let options = format!(
        "run --quiet --ceiling off --rate 1000 --warmup 200ms --duration 5s --idempotent --bootstrap 127.0.0.1:{port}"
    );
    command.args(options.split_whitespace()).args(["--start", &start, "--fault", "pause@500ms:100ms, kill@1s"]);
    let output = command.arg("--out").arg(directory.path().join("out")).stdin(Stdio::null()).output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let result = result(&directory.path().join("out"));
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(result.integrity.acked, result.integrity.produced);
    assert_eq!(result.faults.iter().map(|fault| fault.kind.as_str()).collect::<Vec<_>>(), ["pause", "kill"]);
    assert!(result.faults.iter().all(|fault| fault.duration_secs.is_some()), "{:?}", result.faults);
}

#[test]
fn a_fault_that_nobody_could_carry_out_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = loadgen::local_broker::start_null().expect("a port");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["run", "--fault", "pause@1s:100ms", "--bootstrap", &address, "--broker-pid", "1"]);
    let output = command.arg("--out").arg(directory.path()).stdin(Stdio::null()).output().expect("the program starts");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), complained.lines().count()), (Some(3), 1), "{complained}");
    assert!(complained.contains("--fault pause@1s:0.1s: the broker's process is not known"), "{complained}");
}
