//! The commands that make several runs, as a script sees them: exit codes, files, the answer on standard output.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use loadgen::result::{Kind, Machine, RunResult, Verdict};

/// A load that is over in a second and hardly loads anything.
const SMALL: [&str; 8] = ["--duration", "1s", "--warmup", "200ms", "--ceiling", "off", "--partitions", "2"];

fn directory() -> tempfile::TempDir {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    tempfile::Builder::new().prefix("commands-").tempdir_in(target).expect("a directory")
}

/// One load at a time: two at once would be each other's noise, and runs of a second are easily saturated.
static ALONE: Mutex<()> = Mutex::new(());

fn loadgen(words: &[&str], out: &Path) -> Output {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(words).arg("--out").arg(out).env("TMPDIR", out).env("XDG_CACHE_HOME", out);
    command.output().expect("the program starts")
}

fn small(words: &[&str], out: &Path) -> Output {
    loadgen(&[&words[..1], &SMALL, &words[1..]].concat(), out)
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The results of a campaign by file name, which begins with the time.
fn results(folder: &Path) -> Vec<RunResult> {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file| serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("a result");
    files.iter().map(read).collect()
}

#[test]
fn a_missed_goal_is_exit_1_and_a_met_one_exit_0() {
    let out = directory();
    let missed = small(&["run", "--rate", "1000", "--slo", "max<1us"], out.path());
    assert_eq!(missed.status.code(), Some(1), "{}", told(&missed));
    assert!(told(&missed).contains("GOAL MISSED"), "{}", told(&missed));
    let met = small(&["run", "--rate", "1000", "--slo", "max<100s", "--slo", "errors<1"], out.path());
    assert_eq!(met.status.code(), Some(0), "{}", told(&met));
    assert!(told(&met).contains("GOAL MET"));
}

#[test]
fn options_that_cannot_be_meant_are_exit_2_and_name_what_is_wrong() {
    let out = directory();
    let workload = out.path().join("load.toml");
    std::fs::write(&workload, "partitons = 4\n").expect("written");
    let file = workload.display().to_string();
    for (words, says) in [
        (vec!["run", "--slo", "p99"], "p99<10ms"),
        (vec!["run", "--workload", &file], "partitons"),
        (vec!["find-max"], "--slo"),
        (vec!["sweep", "--over", "partitons=1,2"], "partitons"),
        (vec!["sweep", "--over", "partitions=0"], "partitions"),
        (vec!["curve", "--points", "0%"], "above 0"),
        (vec!["drain", "--producing", "sometimes"], "sometimes"),
    ] {
        let output = loadgen(&words, out.path());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", told(&output));
        assert!(told(&output).contains(says), "{words:?}: {}", told(&output));
    }
}

#[test]
fn a_search_tells_the_highest_rate_and_keeps_every_probe() {
    let out = directory();
    let words = ["find-max", "--slo", "max<100s", "--from", "500", "--to", "1000", "--confirmations", "1"];
    let output = small(&words, out.path());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(
        told(&output).contains("maximum  1.00 MB/s (1,000 records/s) under max<100s, confirmed 1 times"),
        "{}",
        told(&output)
    );
    let probes = results(&out.path().join("find-max"));
    assert_eq!(probes.len(), 3, "500, 1000, and 1000 again");
    assert!(probes.iter().all(|probe| probe.kind == Kind::Search && probe.slo.iter().all(|goal| goal.pass)));
    let short = small(&["find-max", "--slo", "p99.99<1s", "--from", "500", "--to", "500"], out.path());
    assert_eq!(short.status.code(), Some(2), "{}", told(&short));
    assert!(told(&short).contains("longer --duration"), "{}", told(&short));
    let none = small(&["find-max", "--slo", "max<1us", "--from", "500", "--to", "500"], out.path());
    assert_eq!(none.status.code(), Some(1), "{}", told(&none));
    assert!(told(&none).contains("no rate holds"));
}

#[test]
fn a_curve_is_a_run_for_each_share() {
    let out = directory();
    let output = small(&["curve", "--max", "2000", "--points", "25%,50%", "--repeats", "2"], out.path());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let points = results(&out.path().join("curve"));
    let offered = |point: &RunResult| point.workload.arrival.records_per_s.expect("open loop") as u64;
    assert_eq!(points.iter().map(offered).collect::<Vec<_>>(), [500, 1_000, 500, 1_000]);
    assert_eq!(points.iter().map(|point| point.repeat.expect("repeated").index).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

#[test]
fn a_sweep_is_a_run_for_each_combination() {
    let out = directory();
    let words =
        ["sweep", "--rate", "500", "--over", "partitions=1,3", "--over", "record_bytes=100,200", "--repeats", "1"];
    // `--partitions` of the small load is what the sweep overrides.
    let output = small(&words, out.path());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let points = results(&out.path().join("sweep"));
    let mut shapes: Vec<_> =
        points.iter().map(|point| (point.workload.partitions, point.workload.record_bytes)).collect();
    shapes.sort_unstable();
    assert_eq!(shapes, [(1, 100), (1, 200), (3, 100), (3, 200)]);
    assert!(points.iter().all(|point| point.integrity.verdict == Verdict::Pass));
}

#[test]
fn a_backlog_is_drained_with_producers_off_and_on_and_every_record_is_accounted_for() {
    let out = directory();
    let output = small(&["drain", "--prefill", "2MB", "--rate", "500"], out.path());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let mut drains = results(&out.path().join("drain"));
    // Both may begin in one second, and then the names of their files say nothing of their order.
    drains.sort_by(|one, other| one.label.cmp(&other.label));
    assert_eq!(drains.len(), 2);
    for drain in &drains {
        let backlog = drain.summary.backlog.expect("a backlog");
        assert_eq!((backlog.records, backlog.bytes), (2_000, 2_000_000));
        assert!(backlog.drained_secs.is_some() && backlog.read.records_per_s > 0.0);
        assert_eq!((drain.integrity.verdict, drain.integrity.consumed), (Verdict::Pass, drain.integrity.acked));
    }
    assert_eq!(drains[0].integrity.acked, 2_000, "producers off");
    assert!(drains[1].integrity.acked >= 2_400, "producers on: {}", drains[1].integrity.acked);
}

#[test]
fn a_broker_of_the_users_is_started_measured_and_stopped_by_his_commands() {
    let out = directory();
    // The port is free now and nobody else on this machine is told of it.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let (program, data) = (env!("CARGO_BIN_EXE_loadgen"), out.path().join("data"));
    let start =
        format!("exec {program} embedded-broker --listen 127.0.0.1:{port} --data {} 2>/dev/null", data.display());
    let bootstrap = format!("127.0.0.1:{port}");
    let json = out.path().join("run.json").display().to_string();
    let words =
        ["run", "--rate", "500", "--bootstrap", &bootstrap, "--start", &start, "--product", "mine", "--json", &json];
    let output = small(&words, out.path());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let result: RunResult = serde_json::from_slice(&std::fs::read(&json).expect("written")).expect("a result");
    assert_eq!((result.target.product.as_str(), result.integrity.verdict), ("mine", Verdict::Pass));
    assert!(result.resources.broker.is_some(), "its process was found by its port");
    assert!(std::net::TcpStream::connect(&bootstrap).is_err(), "it was stopped");
    let refused = small(&["run", "--bootstrap", &bootstrap, "--start", "exit 3"], out.path());
    assert_eq!(refused.status.code(), Some(3), "{}", told(&refused));
    assert!(told(&refused).contains("exit status: 3"), "{}", told(&refused));
}

#[test]
fn a_side_that_is_worse_is_exit_1_and_too_few_runs_exit_2() {
    let out = directory();
    let slow = out.path().join("slow.toml");
    std::fs::write(&slow, "name = \"patient\"\n[load]\nlinger = \"500ms\"\n").expect("written");
    let slow = slow.display().to_string();
    // Hundreds of milliseconds against a few: no load on the machine turns that round.
    let common =
        ["--rate", "300", "--producers", "30", "--metric", "response-p50", "--reruns", "0", "--duration", "1500ms"];
    let worse = small(&[&["ab", "now=embedded", slow.as_str()], &common[..]].concat(), out.path());
    assert_eq!(worse.status.code(), Some(1), "{}", told(&worse));
    assert!(told(&worse).contains("WORSE") && told(&worse).contains("patient"), "{}", told(&worse));
    let runs = results(&out.path().join("ab"));
    let order: Vec<_> = runs.iter().map(|run| run.label.as_deref().unwrap_or_default()).collect();
    assert_eq!(order[..4], ["now", "patient", "patient", "now"], "turn about");
    let folder = out.path().join("ab").display().to_string();
    let better = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["compare", &folder, "--metric", "response-p50", "--base", "patient"])
        .output()
        .expect("the program starts");
    assert_eq!(better.status.code(), Some(0), "{}", told(&better));
    assert!(told(&better).contains("BETTER"), "{}", told(&better));
    let few = small(&[&["ab", "embedded", "embedded", "--repeats", "2"], &common[..]].concat(), out.path());
    assert_eq!(few.status.code(), Some(2), "{}", told(&few));
    assert!(told(&few).contains("too few"), "{}", told(&few));
}

#[test]
fn a_machine_is_certified_by_its_own_noise() {
    let out = directory();
    let machines = out.path().join("machines");
    let words = ["certify", "--rate", "300", "--repeats", "4", "--machines", &machines.display().to_string()];
    let output = small(&words, out.path());
    // One machine in twenty differs from itself by chance, and a busy one more often; that is its verdict and no failure.
    assert!(matches!(output.status.code(), Some(0..=2)), "{}", told(&output));
    let file = std::fs::read_dir(&machines).expect("a folder").flatten().next().expect("one file").path();
    let machine: Machine = serde_json::from_slice(&std::fs::read(&file).expect("readable")).expect("a machine");
    assert_eq!(file.file_stem().map(|stem| stem.to_string_lossy().into_owned()), Some(machine.id.clone()));
    assert!(machine.noise_floor.get("response_p50").is_some_and(|floor| floor.n == 8 && floor.median > 0.0));
}
