//! Who may give orders to an agent, and what becomes of those who may not.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loadgen::local_broker;
use loadgen::progress::Progress;
use loadgen::result::Verdict;
use loadgen::run::execute;

use crate::faulty_broker::{Fault, FaultyLog};
use crate::process::{Agent, options, run};

fn frame(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn strangers_are_turned_away_and_the_agent_stays() {
    let agent = Agent::start(&[]);
    let wrong_version = agent.tell(&frame(r#"{"version": 99, "proof": null, "bootstrap": "a:1"}"#));
    assert!(wrong_version.contains("speaks version 1, the coordinator 99"), "{wrong_version}");
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &frame("[]"), &[0, 0, 15, 255, b'{']] {
        let answer = agent.tell(nonsense);
        assert!(answer.contains("loadgen-agent") && !answer.contains("Welcome"), "{answer}");
    }
    // A coordinator that is greeted as it should, and then lies about a length.
    let lie = [frame(r#"{"version": 1, "proof": null, "bootstrap": "a:1"}"#), vec![0x7f, 0xff, 0xff, 0xff]].concat();
    assert!(agent.tell(&lie).contains("Welcome"));
    let result = run(Fault::None, &[&agent], "");
    assert_eq!((result.error.as_deref(), result.integrity.verdict), (None, Verdict::Pass));
}

#[test]
fn only_who_knows_the_token_gives_orders() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a plain path").to_owned()
    };
    let (right, wrong) =
        (write("right", "correct horse battery staple\n"), write("wrong", "incorrect horse, no battery\n"));
    let agent = Agent::start(&["--token-file", &right]);
    let error = |more: &str| run(Fault::None, &[&agent], more).error.unwrap_or_default();
    assert!(error("").contains("wants a token"));
    assert!(error(&format!("--token-file {wrong}")).contains("the token is wrong"));
    assert_eq!(error(&format!("--token-file {right}")), "");
}

#[test]
fn an_agent_that_everybody_reaches_wants_a_token() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let output =
        command.args(["agent", "--listen", "0.0.0.0:0"]).env_remove("LOADGEN_TOKEN").output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--token-file") && said.lines().count() == 1, "{said}");
}

#[test]
fn agents_without_work_and_agents_that_are_not_there_are_named() {
    let agents = [Agent::start(&[]), Agent::start(&[]), Agent::start(&[])];
    let idle = run(Fault::None, &agents.each_ref(), "--producers 1 --consumers 1").error.expect("too few clients");
    assert!(idle.contains("3 agents") && idle.contains("2 producers and consumers"), "{idle}");
    let [gone, ..] = agents;
    let address = gone.address.clone();
    let bootstrap = local_broker::start(FaultyLog::new(Fault::None)).expect("a port");
    let options = options(&bootstrap, &[&gone], "");
    drop(gone);
    let interrupted = Arc::new(AtomicBool::new(false));
    let result = execute(&options.load, &options.target, &mut Progress::new(true), interrupted).expect("valid options");
    let error = result.error.expect("nobody there");
    assert!(error.contains(&address) && error.contains("cannot connect"), "{error}");
}
