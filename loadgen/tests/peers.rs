//! Brokers that do not speak Kafka: their loads and their account, against one that keeps its streams in this process and can be told
//! to lose a record.

mod fake_redis;

use std::path::Path;
use std::process::{Command, Output};

use fake_redis::FakeRedis;
use loadgen::result::{RunResult, Verdict};

fn run(broker: &FakeRedis, words: &[&str]) -> (Output, Option<RunResult>) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let out = tempfile::Builder::new().prefix("peers-").tempdir_in(target).expect("a directory");
    let json = out.path().join("run.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["run", "--bootstrap", &broker.address, "--speaks", "redis", "--fsync", "interval", "--quiet"]);
    command.args(["--duration", "500ms", "--warmup", "100ms", "--rate", "2000", "--ceiling", "off", "--json"]);
    command.arg(&json).arg("--out").arg(out.path()).args(words);
    let output = command.output().expect("the program starts");
    let result = std::fs::read(&json).ok().map(|text| serde_json::from_slice(&text).expect("a result"));
    (output, result)
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_mode_of_a_run_keeps_its_account_over_another_protocol() {
    let broker = FakeRedis::start(None);
    for words in [
        &["--mode", "both", "--partitions", "5", "--producers", "3", "--consumers", "2", "--groups", "2"][..],
        &["--mode", "produce", "--partitions", "2", "--record-bytes", "100"],
        &["--mode", "consume", "--partitions", "3", "--prefill", "200KB"],
        &["--mode", "drain", "--partitions", "2", "--prefill", "100KB"],
        &["--mode", "produce", "--partitions", "1", "--batch-bytes", "1100", "--in-flight", "1", "--linger", "0ms"],
    ] {
        let (output, result) = run(&broker, words);
        let result = result.unwrap_or_else(|| panic!("{words:?}: {}", told(&output)));
        assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass), "{words:?}");
        assert!(result.integrity.acked > 0 && result.integrity.missing == 0, "{words:?}");
        assert_eq!(result.target.product, "redis");
        assert_eq!(result.target.durability.label(), "acks=all, flushed from time to time");
        assert_eq!(result.target.config.get("appendfsync").map(String::as_str), Some("always"));
        assert_eq!(broker.streams(), 0, "{words:?}: the streams of the run go with it");
    }
}

#[test]
fn an_acknowledged_record_that_is_not_delivered_is_found() {
    let (output, result) = run(&FakeRedis::start(Some(10)), &["--mode", "produce", "--partitions", "1"]);
    let result = result.expect("a result");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert_eq!((result.integrity.verdict, result.integrity.missing), (Verdict::Fail, 1));
}

#[test]
fn what_needs_kafkas_protocol_is_refused_before_anything_is_sent() {
    let broker = FakeRedis::start(None);
    for (words, says) in [
        (["--keys", "uniform"], "key"),
        (["--acks", "0"], "acks"),
        (["--compression", "lz4"], "codec"),
        (["--client-mode", "raw"], "client-mode"),
    ] {
        let (output, result) = run(&broker, &words);
        assert!(result.is_none() && output.status.code() != Some(0), "{words:?}");
        assert!(told(&output).contains(says), "{words:?}: {}", told(&output));
        assert_eq!(told(&output).trim().lines().count(), 1, "{}", told(&output));
    }
    assert_eq!(broker.streams(), 0);
}
