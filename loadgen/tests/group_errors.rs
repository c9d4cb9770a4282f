//! A member of a group whose coordinator refuses, moves and forgets: the run goes on, and the account of its records stays exact.

mod coordinator;
#[allow(dead_code, reason = "each test of a whole run uses a part of the faults")]
mod faulty_broker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use coordinator::{Coordinator, Script};
use faulty_broker::{Fault, FaultyLog};
use loadgen::local_broker;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::result::{RunResult, Verdict};
use loadgen::run::execute;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

const LOAD: &str = "--rate 2000 --record-bytes 100 --warmup 100ms --partitions 3 --group-protocol classic \
                    --heartbeat-interval 20ms --session-timeout 10s";

fn run(fault: Fault, script: Script, options: &str) -> (RunResult, Coordinator) {
    let broker = local_broker::start(FaultyLog::new(fault)).expect("a port");
    let coordinator = Coordinator::start(&broker, script);
    let line = format!("loadgen {LOAD} {options} --bootstrap {}", coordinator.address);
    let run = Line::parse_from(line.split_whitespace()).run;
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&run.load, &run.target, &mut Progress::new(true), interrupted).expect("valid options");
    (result, coordinator)
}

#[test]
fn every_refusal_that_passes_is_lived_through_and_nothing_is_lost_or_doubled() {
    use ApiKey::{FindCoordinator, Heartbeat, JoinGroup, OffsetCommit, OffsetFetch, SyncGroup};
    let errors = [
        (JoinGroup, ErrorCode::CoordinatorLoadInProgress),
        (Heartbeat, ErrorCode::RebalanceInProgress),
        (OffsetCommit, ErrorCode::RebalanceInProgress),
        (JoinGroup, ErrorCode::UnknownMemberId),
        (SyncGroup, ErrorCode::RebalanceInProgress),
        (OffsetFetch, ErrorCode::UnstableOffsetCommit),
        (Heartbeat, ErrorCode::UnknownMemberId),
        (SyncGroup, ErrorCode::IllegalGeneration),
        (Heartbeat, ErrorCode::IllegalGeneration),
        (Heartbeat, ErrorCode::NotCoordinator),
        (FindCoordinator, ErrorCode::CoordinatorNotAvailable),
        (OffsetCommit, ErrorCode::CoordinatorLoadInProgress),
        (OffsetCommit, ErrorCode::NotCoordinator),
        (OffsetCommit, ErrorCode::UnknownMemberId),
        (JoinGroup, ErrorCode::NotCoordinator),
    ];
    let script = Script { errors: errors.into(), ..Script::default() };
    let (result, coordinator) = run(Fault::None, script, "--duration 12s --commit-interval 50ms");
    assert_eq!(coordinator.errors_left(), [], "all were met");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(result.integrity.consumed, result.integrity.produced, "what was read again is counted apart");
    let groups = result.summary.groups.as_ref().expect("there was a group");
    assert_eq!(groups.rebalances as usize, result.rebalances.len());
    assert!(groups.rebalances >= 4, "{:?}", result.rebalances);
    assert!(result.rebalances.iter().any(|rebalance| rebalance.causes == ["expelled"]), "{:?}", result.rebalances);
    assert!(groups.commit.n > 0 && groups.refused_commits["NotCoordinator"] == 1, "{groups:?}");
    assert_eq!((coordinator.asked(ApiKey::LeaveGroup), coordinator.asked(ApiKey::DeleteGroups)), (1, 1));
}

#[test]
fn a_broker_s_faults_are_told_from_what_a_rebalance_brings_again() {
    let errors = || -> std::collections::VecDeque<(ApiKey, ErrorCode)> {
        (0..4).map(|_| (ApiKey::Heartbeat, ErrorCode::UnknownMemberId)).collect()
    };
    // Without commits each rebalance reads everything again.
    let options = "--duration 4s --commit-interval 20s";
    for (fault, missing, duplicate) in
        [(Fault::None, false, false), (Fault::Lose(20), true, false), (Fault::Double(20), false, true)]
    {
        // The member has read something before it is taken out: of three answers it has taken at least the first.
        let script = Script { errors: errors(), fetches_between: 3, ..Script::default() };
        let (result, _) = run(fault, script, options);
        let found = &result.integrity;
        assert_eq!((found.missing > 0, found.duplicate > 0), (missing, duplicate), "{fault:?}: {found:?}");
        assert!(found.redelivered > 0 && found.lost_commits == 0, "{fault:?}: {found:?}");
        let verdict = if fault == Fault::None { Verdict::Pass } else { Verdict::Fail };
        assert_eq!((result.error.as_deref(), found.verdict), (None, verdict), "{fault:?}");
    }
}

#[test]
fn a_coordinator_that_forgets_a_commit_fails_the_run() {
    let errors =
        [(ApiKey::OffsetCommit, ErrorCode::CoordinatorLoadInProgress), (ApiKey::Heartbeat, ErrorCode::UnknownMemberId)];
    let (result, _) = run(
        Fault::None,
        Script { errors: errors.into(), forgets: 1, ..Script::default() },
        "--duration 1s --commit-interval 50ms",
    );
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Fail));
    assert!(result.integrity.lost_commits > 0);
    let named = result.integrity.examples.join("; ");
    assert!(named.contains("although a later one had been committed"), "{named}");
}

#[test]
fn a_refusal_that_does_not_pass_ends_the_run_with_what_to_do() {
    let errors = [(ApiKey::JoinGroup, ErrorCode::InvalidSessionTimeout)];
    let (result, _) =
        run(Fault::None, Script { errors: errors.into(), ..Script::default() }, "--duration 1s --commit-interval 50ms");
    let error = result.error.expect("it could not join");
    assert!(error.contains("--session-timeout of 10 s") && error.contains("group.min.session.timeout.ms"), "{error}");
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
}
