//! Agents and coordinators that die in the middle of a run.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use loadgen::local_broker;
use loadgen::result::{RunResult, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::faulty_broker::{Fault, FaultyLog};
use crate::process::{Agent, PATIENCE, run, run_at, wait_for_clients};

/// What producers do before somebody dies.
const LOAD: Duration = Duration::from_secs(2);

/// A run in the middle of which one of its agents dies.
fn run_with_a_death(fault: Fault, agents: &[&Agent], dies: usize, more: &str) -> RunResult {
    let pid = agents[dies].pid();
    let killer = thread::spawn(move || {
        wait_for_clients(pid);
        thread::sleep(LOAD);
        kill_process(Pid::from_raw(pid as i32).expect("a process"), Signal::KILL).expect("it runs");
    });
    let result = run(fault, agents, &format!("--duration 50s --linger 0ms --rate 500 {more}"));
    killer.join().expect("it was killed");
    let error = result.error.as_deref().expect("a run without an agent has ended early");
    assert!(error.contains(&agents[dies].address) && error.contains("lost"), "{error}");
    result
}

#[test]
fn an_agent_that_is_killed_ends_the_run_and_the_others_are_still_judged() {
    // The first agent has the producer that is judged, the second one that is lost, the third one reads.
    let agents = [Agent::start(&[]), Agent::start(&[]), Agent::start(&[])];
    let result = run_with_a_death(Fault::None, &agents.each_ref(), 1, "--producers 2 --consumers 1");
    let integrity = result.integrity;
    assert_eq!(integrity.verdict, Verdict::Incomplete);
    assert!(integrity.acked > 0 && integrity.consumed >= integrity.acked, "{integrity:?}");
    assert_eq!((integrity.missing, integrity.phantom), (0, 0), "records of the lost producer are nobody's fault");
    assert!(result.quality.notes.iter().any(|note| note.contains("1 producers went away")));
}

#[test]
fn what_the_broker_lost_is_found_although_an_agent_was_lost_too() {
    // One producer goes through the six partitions in turn; the third agent reads 0, 2 and 4, the second one 1, 3 and 5.
    let agents = [Agent::start(&[]), Agent::start(&[]), Agent::start(&[])];
    let result = run_with_a_death(Fault::Lose(30), &agents.each_ref(), 1, "--producers 1 --consumers 2");
    assert_eq!((result.integrity.verdict, result.integrity.missing), (Verdict::Fail, 1), "{:?}", result.integrity);
}

#[test]
fn a_run_that_only_produced_is_read_back_by_the_agents_that_are_left() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let result = run_with_a_death(Fault::None, &agents.each_ref(), 0, "--producers 2 --mode produce");
    let integrity = result.integrity;
    assert_eq!((integrity.verdict, integrity.missing, integrity.phantom), (Verdict::Incomplete, 0, 0));
    assert!(integrity.acked > 0 && integrity.consumed >= integrity.acked, "{integrity:?}");
}

#[test]
fn a_coordinator_that_is_killed_leaves_its_agents_to_the_next() {
    let agents = [Agent::start(&[]), Agent::start(&[])];
    let bootstrap = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    let directory = tempfile::tempdir().expect("a directory");
    let both = format!("{},{}", agents[0].address, agents[1].address);
    let mut coordinator = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["run", "--duration", "60s", "--producers", "2", "--rate", "1000", "--bootstrap", &bootstrap])
        .args(["--agents", &both, "--quiet", "--out"])
        .arg(directory.path())
        .spawn()
        .expect("the program starts");
    wait_for_clients(agents[0].pid());
    let busy =
        || run_at(&bootstrap, &[&agents[0]], "").error.is_some_and(|error| error.contains("another coordinator"));
    assert!(busy(), "one coordinator at a time");
    coordinator.kill().expect("it runs");
    coordinator.wait().expect("it ends");
    let deadline = Instant::now() + PATIENCE;
    while busy() {
        assert!(Instant::now() < deadline, "the agent still works for one that is dead");
    }
    // At another broker: this one keeps the records of the dead coordinator in the same partitions.
    let result = run(Fault::None, &agents.each_ref(), "--producers 2");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
}
