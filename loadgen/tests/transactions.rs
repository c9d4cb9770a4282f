//! Transactional producers and readers of what is committed, against a broker in this process that keeps its word or does not.

mod transactional_broker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::report::{Colour, html_page, terminal_table};
use loadgen::result::{RunResult, Verdict, decode_histogram, histogram_name};
use loadgen::run::{execute, execute_as_part};
use loadgen::verification::Verification;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use transactional_broker::{Lie, TransactionalBroker};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

const LOAD: &str = "--rate 3000 --record-bytes 100 --warmup 100ms --duration 1500ms --partitions 3 --producers 2";

fn options(broker: &TransactionalBroker, options: &str) -> RunOptions {
    let line = format!("loadgen {LOAD} {options} --bootstrap {}", broker.address);
    Line::parse_from(line.split_whitespace()).run
}

fn run(broker: &TransactionalBroker, line: &str) -> RunResult {
    let run = options(broker, line);
    let interrupted = Arc::new(AtomicBool::new(false));
    execute(&run.load, &run.target, &mut Progress::new(true), interrupted).expect("valid options")
}

const COMMITTED: &str = "--isolation read-committed";

#[test]
fn committed_records_all_come_and_aborted_ones_never() {
    for how in [
        "--transaction-records 40",
        "--transaction-duration 30ms",
        "--transaction-records 40 --linger 0ms --in-flight 1",
        "--transaction-records 100 --keys uniform --key-space 50 --compression lz4",
        "--transaction-records 40 --mode produce",
    ] {
        let broker = TransactionalBroker::start(Lie::Nothing, &[]);
        let result = run(&broker, &format!("{COMMITTED} {how} --transaction-abort-share 0.3"));
        let integrity = &result.integrity;
        assert_eq!((result.error.as_deref(), integrity.verdict), (None, Verdict::Pass), "{how}: {integrity:?}");
        let transactions = result.summary.transactions.as_ref().expect("there were some");
        assert!(transactions.committed > 10 && transactions.aborted > 3, "{how}: {transactions:?}");
        assert_eq!(integrity.acked + transactions.aborted_records, integrity.produced, "{how}: all are decided");
        assert_eq!((integrity.consumed, integrity.unacked_seen), (integrity.acked, 0), "{how}");
        assert_eq!((broker.open(), broker.ids()), (0, 2), "{how}");
        let commits = decode_histogram(&result.histograms[histogram_name::TRANSACTION_COMMIT]).expect("ours");
        assert!(commits.len() == transactions.commit.n && commits.len() <= transactions.committed, "{how}");
        assert!(result.workload.idempotence && result.workload.isolation.as_deref() == Some("read-committed"));
    }
}

#[test]
fn a_run_of_transactions_tells_of_them() {
    let broker = TransactionalBroker::start(Lie::Nothing, &[]);
    let result = run(&broker, &format!("{COMMITTED} --transaction-records 40 --transaction-abort-share 0.3"));
    let (table, page) = (terminal_table(&result, Colour::Plain), html_page(&result));
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in ["none of which a reader saw", "with 40 records or at the age of 30.0 s", "30.0 % of them to abort"] {
        assert!(words.contains(told) && page.contains(told), "{told}: {table}");
    }
    assert!(page.contains("<h2>Transactions</h2>"));
}

#[test]
fn who_reads_everything_sees_aborted_records_and_that_is_no_fault() {
    let broker = TransactionalBroker::start(Lie::Nothing, &[]);
    let result = run(&broker, "--transaction-records 40 --transaction-abort-share 0.5");
    let integrity = &result.integrity;
    assert_eq!((result.error.as_deref(), integrity.verdict), (None, Verdict::Pass), "{integrity:?}");
    assert_eq!((integrity.consumed, integrity.aborted_seen), (integrity.produced, 0));
    let aborted = result.summary.transactions.expect("there were some").aborted_records;
    assert!(aborted > 0 && integrity.unacked_seen == aborted, "{integrity:?}");
}

#[test]
fn a_broker_that_shows_aborted_records_or_drops_committed_ones_is_found_out() {
    let broker = TransactionalBroker::start(Lie::HidesAborts, &[]);
    let shows = run(&broker, &format!("{COMMITTED} --transaction-records 40 --transaction-abort-share 0.3"));
    assert_eq!((shows.error.as_deref(), shows.integrity.verdict), (None, Verdict::Fail));
    assert!(shows.integrity.aborted_seen > 0 && shows.integrity.missing == 0, "{:?}", shows.integrity);
    let named = shows.integrity.examples.join("; ");
    assert!(named.contains("although their transaction was aborted"), "{named}");
    assert!(terminal_table(&shows, Colour::Plain).starts_with("INTEGRITY FAILED"));

    let broker = TransactionalBroker::start(Lie::AbortsACommit, &[]);
    let drops = run(&broker, &format!("{COMMITTED} --transaction-records 40"));
    assert_eq!((drops.error.as_deref(), drops.integrity.verdict), (None, Verdict::Fail));
    assert_eq!((drops.integrity.missing, drops.integrity.aborted_seen), (40, 0), "{:?}", drops.integrity);
}

#[test]
fn refusals_that_pass_are_asked_again_and_what_is_fenced_ends_the_run() {
    let errors = [
        (ApiKey::AddPartitionsToTxn, ErrorCode::ConcurrentTransactions),
        (ApiKey::AddPartitionsToTxn, ErrorCode::CoordinatorLoadInProgress),
        (ApiKey::EndTxn, ErrorCode::NotCoordinator),
        (ApiKey::FindCoordinator, ErrorCode::CoordinatorNotAvailable),
        (ApiKey::EndTxn, ErrorCode::ConcurrentTransactions),
    ];
    let broker = TransactionalBroker::start(Lie::Nothing, &errors);
    let result = run(&broker, &format!("{COMMITTED} --transaction-records 40"));
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
    assert_eq!(broker.errors_left(), []);
    let retries = result.summary.transactions.expect("there were some").retries;
    assert_eq!((retries["ConcurrentTransactions"], retries["NotCoordinator"]), (2, 1), "{retries:?}");

    let broker = TransactionalBroker::start(Lie::Nothing, &[(ApiKey::EndTxn, ErrorCode::InvalidProducerEpoch)]);
    let fenced = run(&broker, &format!("{COMMITTED} --transaction-records 40"));
    assert_eq!(fenced.error.as_deref(), Some("EndTxn failed: InvalidProducerEpoch (47)"));
    assert_eq!(fenced.integrity.verdict, Verdict::Incomplete);
}

#[test]
fn a_verification_has_no_transactions() {
    let broker = TransactionalBroker::start(Lie::Nothing, &[]);
    let run = options(&broker, "--transaction-records 40");
    let verification = Some(Verification::new(std::path::Path::new("/nowhere/ledger")));
    let interrupted = Arc::new(AtomicBool::new(false));
    let refused = execute_as_part(&run.load, &run.target, verification, &mut Progress::new(true), interrupted);
    assert!(refused.expect_err("refused").to_string().contains("not of transactions: use run"));
}
