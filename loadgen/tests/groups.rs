//! Members of real groups at the real broker: they join, come, go and die, and every record is accounted for.

mod real_broker;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use loadgen::client::Client;
use loadgen::cluster::{CALL_TIMEOUT, TOPIC_PREFIX};
use loadgen::report::{Colour, html_page, terminal_table};
use loadgen::result::{RunResult, Verdict, decode_histogram, histogram_name};
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use real_broker::RealBroker;
use rustix::process::{Pid, Signal, kill_process};

/// Members look often whether they are to rebalance.
const LOAD: &str = "run --quiet --ceiling off --rate 1000 --record-bytes 200 --warmup 200ms --partitions 5 --consumers 3 \
                    --group-protocol classic --heartbeat-interval 100ms";

/// A broker whose groups begin at once and miss a dead member as soon as a busy machine allows without taking out living ones.
const SWIFT: &str = "--broker-set group.min.session.timeout.ms=500 --broker-set group.initial.rebalance.delay.ms=300";

/// One run at a time: two at once would keep each other's members from their heartbeats.
static ALONE: Mutex<()> = Mutex::new(());

fn run(options: &str) -> RunResult {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = tempfile::Builder::new().prefix("groups-").tempdir_in(target).expect("a directory");
    let out = directory.path().join("result.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(LOAD.split_whitespace()).args(options.split_whitespace()).arg("--json").arg(&out);
    if !options.contains("--bootstrap") {
        command.arg("--data-dir").arg(directory.path().join("data"));
    }
    let output = command.arg("--out").arg(directory.path()).stdin(Stdio::null()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(&out).expect("a result")).expect("a result")
}

fn assert_whole(result: &RunResult) {
    let integrity = &result.integrity;
    assert_eq!((result.error.as_deref(), integrity.verdict), (None, Verdict::Pass), "{integrity:?}");
    assert_eq!((integrity.acked, integrity.lost_commits), (integrity.produced, 0));
    let groups = u64::from(result.workload.groups.unwrap_or(1));
    assert_eq!(integrity.consumed, integrity.produced * groups, "every group read everything");
}

fn causes(result: &RunResult) -> Vec<&str> {
    // A machine that stops for longer than a session adds expulsions, which are no fault.
    let told = result.rebalances.iter().flat_map(|rebalance| &rebalance.causes).map(String::as_str);
    told.filter(|&cause| cause != "expelled").collect()
}

#[test]
fn members_that_leave_and_return_are_told_rebalance_by_rebalance() {
    let result = run(&format!(
        "--duration 14s --groups 2 --commit-interval 300ms --group-churn 4s --session-timeout 6s {SWIFT}"
    ));
    assert_whole(&result);
    let groups = result.summary.groups.as_ref().expect("groups");
    assert!(groups.rebalances >= 4 && groups.rebalances as usize == result.rebalances.len(), "{groups:?}");
    for group in 0..2 {
        let of_group: Vec<_> = result.rebalances.iter().filter(|rebalance| rebalance.group == group).collect();
        assert!(of_group.iter().any(|one| one.members < 3 && one.causes.contains(&"leave".into())), "{of_group:?}");
        assert!(of_group.iter().any(|one| one.causes.contains(&"return".into())), "{of_group:?}");
    }
    let commits = decode_histogram(&result.histograms[histogram_name::GROUP_COMMIT]).expect("ours");
    assert!(commits.len() == groups.commit.n && groups.commit.n > 0, "{groups:?}");
    let (table, page) = (terminal_table(&result, Colour::Plain), html_page(&result));
    for told in ["classic protocol, range assignor", "a member leaves every 4.00 s and returns"] {
        let words: Vec<&str> = table.split_whitespace().collect();
        assert!(words.join(" ").contains(told) && page.contains(told), "{table}");
    }
    assert!(page.contains("<h2>Consumer groups</h2>") && page.contains("rebalance at"));
}

#[test]
fn a_dead_member_is_missed_and_what_it_had_not_committed_is_read_again_and_no_duplicate() {
    let options = "--duration 14s --commit-interval 20s --group-churn 8s --group-churn-by die --session-timeout 3s";
    let result = run(&format!("{options} {SWIFT}"));
    assert_whole(&result);
    assert!(result.integrity.redelivered > 0, "{:?}", result.integrity);
    assert!(causes(&result).starts_with(&["death", "return"]), "{:?}", result.rebalances);
    let told = terminal_table(&result, Colour::Plain);
    assert!(told.contains("or again after a rebalance"), "{told}");
}

#[test]
fn groups_outlive_their_broker_and_cut_connections() {
    let options =
        "--duration 6s --idempotent --commit-interval 300ms --session-timeout 3s --fault kill@1s --fault cut@4s";
    let result = run(&format!("{options} {SWIFT}"));
    assert_whole(&result);
    assert_eq!(result.faults.len(), 2);
}

#[test]
fn a_filled_topic_is_read_by_a_group_which_is_removed_behind_it() {
    let broker = RealBroker::start();
    let options = "--mode consume --prefill 2MB --duration 2s";
    let result = run(&format!("{options} --bootstrap {}", broker.address));
    assert_whole(&result);
    assert!(result.summary.backlog.is_some_and(|backlog| backlog.drained_secs.is_some()));
    assert_eq!(groups_of_ours(&broker), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_takes_its_members_and_groups_along() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let broker = RealBroker::start();
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(LOAD.split_whitespace()).args(["--groups", "2", "--duration", "10m", "--bootstrap", &broker.address]);
    let mut run = command.arg("--out").arg(directory.path()).stdin(Stdio::null()).spawn().expect("the program starts");
    wait_until("both groups have members", || groups_of_ours(&broker) == ["Stable", "Stable"]);
    kill_process(Pid::from_child(&run), Signal::INT).expect("interrupted");
    let status = run.wait().expect("it ends");
    assert_eq!((status.code(), groups_of_ours(&broker)), (Some(3), Vec::new()));
}

/// States of the groups that loadgen has there.
fn groups_of_ours(broker: &RealBroker) -> Vec<String> {
    let mut client = Client::open(&broker.address, CALL_TIMEOUT).expect("it answers");
    let there: ListGroupsResponse<'_> = client.call(&ListGroupsRequest::default()).expect("a list");
    let ours = there.groups.iter().filter(|group| group.group_id.starts_with(TOPIC_PREFIX));
    ours.map(|group| group.group_state.to_owned()).collect()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        thread::sleep(Duration::from_millis(50));
    }
}
