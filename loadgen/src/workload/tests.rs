//! Loads that are refused, and what the others mean.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: crate::options::RunOptions,
}

pub(crate) fn parse(line: &str) -> Result<Workload, String> {
    let line = Line::try_parse_from(format!("loadgen {line}").split_whitespace()).map_err(|e| e.to_string())?;
    Workload::from_options(&line.run.load).map_err(|error| error.to_string())
}

#[test]
fn the_default_run_is_an_open_loop_that_ends_within_a_minute() {
    let workload = parse("").expect("defaults are consistent");
    assert!((workload.arrivals.records_per_s - 20_000.0).abs() < 1e-6);
    assert!(!workload.is_closed_loop());
    assert!(workload.warmup + workload.duration < Duration::from_secs(45));
}

#[test]
fn rate_zero_is_a_closed_loop_and_says_so() {
    let workload = parse("--rate 0").expect("valid");
    assert_eq!(workload.describe().arrival.kind, result::ArrivalKind::ClosedLoop);
    assert_eq!(workload.describe().arrival.records_per_s, None);
}

#[test]
fn unknown_options_and_values_fail() {
    for line in [
        "--rat 5",
        "--acks 2",
        "--mode produse",
        "--rate 5parsecs",
        "--linger 5x",
        "--partitions 0",
        "--bootstrap foo",
        "--bootstrap :1",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn contradictions_are_named() {
    assert!(parse("--idempotent --acks 1").is_err_and(|error| error.contains("--acks all")));
    assert!(parse("--idempotent --in-flight 6").is_err());
    assert!(parse("--record-bytes 31").is_err_and(|error| error.contains("32")));
    assert!(parse("--record-bytes 16KiB --batch-bytes 16KiB").is_err());
    assert!(parse("--mode consume --consumers 0").is_err());
    assert!(parse("--consumers 50 --groups 21").is_err_and(|error| error.contains("--groups 21")));
    assert!(parse("--duration 1ms").is_err());
    for option in ["--keys uniform", "--sizes 100:1,200:1", "--entropy 4", "--compression lz4"] {
        let error = parse(&format!("--client-mode raw {option}")).expect_err(option);
        assert!(error.contains(option.split(' ').next().expect("a word")), "{error}");
    }
    assert!(parse("--client-mode raw").is_ok());
}

#[test]
fn faults_are_ordered_and_must_fit_the_run() {
    let planned = |line: &str| parse(&format!("--duration 10s {line}")).map(|workload| workload.faults);
    let faults = planned("--fault cut@8s --fault pause@1s:200ms,kill@3s").expect("valid");
    assert_eq!(faults.iter().map(|fault| fault.kind.name()).collect::<Vec<_>>(), ["pause", "kill", "cut"]);
    for (line, word) in [
        ("--fault kill@10s", "window"),
        ("--fault pause@1s:2s --fault cut@2s", "next"),
        ("--fault slow-consumer@1s:1s --mode produce", "consumers"),
        ("--fault cut@1s --mode consume", "producers"),
        ("--fault explode@1s", "kill@15s"),
    ] {
        assert!(planned(line).is_err_and(|error| error.contains(word)), "{line}");
    }
}

#[test]
fn no_consumers_means_produce_only() {
    assert_eq!(parse("--consumers 0").map(|workload| workload.mode), Ok(Mode::Produce));
}

#[test]
fn members_of_groups_that_could_not_do_as_they_are_told_are_refused() {
    let classic = parse("--group-protocol classic --group-churn 5s --group-churn-by die").expect("valid");
    let told = classic.describe().group_membership.expect("told");
    assert_eq!((told.protocol.as_str(), told.assignor.as_str()), ("classic", "range"));
    assert!(told.churn.is_some_and(|churn| churn.departure == "die" && (churn.interval_ms - 5_000.0).abs() < 1e-9));
    assert_eq!(parse("").expect("valid").describe().group_membership, None);
    for (line, word) in [
        ("--group-churn 5s", "--group-protocol classic"),
        ("--group-protocol classic --mode produce", "needs consumers"),
        ("--group-protocol classic --consumers 0", "needs consumers"),
        ("--group-protocol classic --commit-interval 1ms", "at least 10 ms"),
        ("--group-protocol classic --session-timeout 31m", "at most 30 minutes"),
        ("--group-protocol classic --session-timeout 3s", "below --session-timeout"),
        ("--group-protocol classic --group-churn 500ms", "at least 1 s"),
    ] {
        assert!(parse(line).is_err_and(|error| error.contains(word)), "{line}");
    }
}

#[test]
fn transactions_that_nobody_could_carry_out_are_refused() {
    let workload =
        parse("--transaction-records 100 --transaction-abort-share 0.1 --isolation read_committed").expect("valid");
    assert!(workload.idempotent, "its batches are numbered");
    let told = workload.describe();
    assert_eq!((told.isolation.as_deref(), told.idempotence), (Some("read-committed"), true));
    assert_eq!(told.transactions.expect("told").records_max, Some(100));
    let by_age = parse("--transaction-duration 200ms").expect("valid").describe().transactions.expect("told");
    assert_eq!((by_age.records_max, by_age.duration_max_ms as u32), (None, 200));
    assert_eq!(parse("").expect("valid").describe().transactions, None);
    for (line, word) in [
        ("--transaction-abort-share 0.1", "needs --transaction-records"),
        ("--transaction-records 10 --acks 1", "--acks all"),
        ("--transaction-records 10 --in-flight 6", "at most 5"),
        ("--transaction-records 10 --client-mode raw", "use modelled"),
        ("--transaction-records 0", "at least 1"),
        ("--transaction-duration 31s", "1 ms to 30 s"),
        ("--transaction-records 10 --transaction-abort-share 1.1", "from 0 to 1"),
        ("--transaction-records 10 --transaction-abort-share 0.1 --mode drain", "unknown size"),
    ] {
        assert!(parse(line).is_err_and(|error| error.contains(word)), "{line}");
    }
}
