//! Brokers that cannot be worked with, a disk that is full and a user who has seen enough: each ends in one clear line, the right
//! exit code, and with all that was found out.

mod real_broker;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use loadgen::client::Client;
use loadgen::cluster::{create_topic, find_topic};
use loadgen::host::listener;
use loadgen::local_broker;
use loadgen::result::{RunResult, Verdict};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::frame;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsResponse};
use real_broker::RealBroker;
use rustix::process::{Pid, Signal, kill_process};

/// How a broker of a few lines answers everything behind `ApiVersions`, or even that.
#[derive(Clone, Copy)]
enum Manner {
    HangsUp,
    HangsUpAtOnce,
    SpeaksTls,
    SaysNothing,
    RefusesTopics(ErrorCode),
}

fn start(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(&stream, manner));
        }
    });
    address
}

fn serve(mut stream: &TcpStream, manner: Manner) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
        stream.read_exact(&mut request).ok()?;
        let [key, version] = [0, 2].map(|at| i16::from_be_bytes([request[at], request[at + 1]]));
        let correlation_id = i32::from_be_bytes([request[4], request[5], request[6], request[7]]);
        let answer = match (ApiKey::from_i16(key)?, manner) {
            (_, Manner::SpeaksTls) => vec![21, 3, 3, 0, 2, 2, 70],
            (_, Manner::HangsUpAtOnce) => return None,
            (ApiKey::ApiVersions, _) => {
                let keys = [ApiKey::ApiVersions, ApiKey::CreateTopics, ApiKey::Metadata].map(ApiVersion::advertised);
                let response = ApiVersionsResponse { api_keys: keys.into(), ..Default::default() };
                frame::encode_response(correlation_id, ApiKey::ApiVersions, version, &response).concat()
            }
            (_, Manner::SaysNothing) => Vec::new(),
            (_, Manner::RefusesTopics(code)) => {
                let topic = CreatableTopicResult { name: "any", error_code: code.code(), ..Default::default() };
                let response = CreateTopicsResponse { topics: vec![topic], ..Default::default() };
                frame::encode_response(correlation_id, ApiKey::CreateTopics, version, &response).concat()
            }
            (_, Manner::HangsUp) => return None,
        };
        stream.write_all(&answer).ok()?;
    }
}

fn loadgen(directory: &Path, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["run", "--ceiling", "off", "--rate", "1000", "--warmup", "100ms"]);
    command.args(options.split_whitespace()).arg("--out").arg(directory.join("out")).stdin(Stdio::null());
    command
}

fn result(directory: &Path) -> RunResult {
    let files = fs::read_dir(directory).expect("written").map(|entry| entry.expect("an entry").path());
    let mut results = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let text = fs::read(results.next().expect("a result")).expect("readable");
    serde_json::from_slice(&text).expect("a result")
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_broker_that_wants_what_we_have_not_or_refuses_us_is_told_in_one_line() {
    for (manner, words) in [
        (Manner::HangsUp, "instead of answering CreateTopics: it ended, or wants TLS or authentication"),
        (Manner::HangsUpAtOnce, "instead of answering ApiVersions: it ended, or wants TLS or authentication"),
        (Manner::SpeaksTls, "speaks TLS, which loadgen does not"),
        (
            Manner::RefusesTopics(ErrorCode::ClusterAuthorizationFailed),
            "CreateTopics failed: ClusterAuthorizationFailed",
        ),
        (Manner::RefusesTopics(ErrorCode::TopicAlreadyExists), "is there already and was not made by this run"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let address = start(manner);
        let output = loadgen(directory.path(), &format!("--bootstrap {address}")).output().expect("it starts");
        let complained = complaint(&output);
        assert_eq!((output.status.code(), complained.lines().count()), (Some(3), 1), "{complained}");
        assert!(complained.starts_with("loadgen: ") && complained.contains(words), "{complained}");
        assert_eq!(result(&directory.path().join("out")).integrity.verdict, Verdict::Incomplete);
    }
}

#[test]
fn a_call_without_an_answer_has_a_deadline_and_says_what_was_asked() {
    let address = start(Manner::SaysNothing);
    let mut client = Client::open(&address, Duration::from_millis(100)).expect("versions are answered");
    let request = protocol::messages::metadata::MetadataRequest::default();
    let error = client.call::<_, protocol::messages::metadata::MetadataResponse<'_>>(&request).expect_err("silence");
    assert_eq!(error.to_string(), format!("{address} did not answer Metadata within 0.1 s"));
}

#[test]
fn a_topic_of_another_shape_is_refused() {
    let address = local_broker::start_null().expect("a port");
    create_topic(&address, None, "loadgen-shape", 3, 1).expect("made");
    let error = find_topic(&address, None, "loadgen-shape", 2).expect_err("another shape").to_string();
    assert!(error.contains("loadgen-shape has 3 partitions where 2 are expected"), "{error}");
}

#[test]
fn a_broker_that_dies_in_the_middle_leaves_what_was_found_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = RealBroker::start();
    let address = broker.address.clone();
    let pid = listener::local_pid(&address).and_then(|pid| Pid::from_raw(pid as i32)).expect("it listens");
    let mut command = loadgen(directory.path(), &format!("--duration 10m --bootstrap {address}"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    thread::sleep(Duration::from_secs(3));
    kill_process(pid, Signal::KILL).expect("killed");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", complaint(&output));
    let result = result(&directory.path().join("out"));
    assert!(result.error.as_ref().is_some_and(|error| error.contains(&address)), "{:?}", result.error);
    assert_eq!(result.integrity.verdict, Verdict::Incomplete);
    assert!(result.integrity.acked > 0 && result.summary.produce.is_some(), "the seconds before are kept");
}

/// Whether a topic of so many partitions is there.
fn exists(address: &str, topic: &str, partitions: u32) -> bool {
    let mut client = Client::open(address, Duration::from_secs(10)).expect("it answers");
    let asked = protocol::messages::metadata::MetadataRequestTopic { name: Some(topic), ..Default::default() };
    let request = protocol::messages::metadata::MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    let response: protocol::messages::metadata::MetadataResponse<'_> = client.call(&request).expect("metadata");
    response.topics.iter().any(|found| found.error_code == 0 && found.partitions.len() == partitions as usize)
}

#[test]
fn an_interruption_at_any_moment_keeps_the_result_and_removes_our_topic_only() {
    let address = local_broker::start_null().expect("a port");
    create_topic(&address, None, "loadgen-of-somebody-else", 1, 1).expect("made");
    for after_ms in [150, 400, 900, 2_000] {
        let directory = tempfile::tempdir().expect("a directory");
        let options = format!("--mode produce --verify off --duration 10m --quiet --bootstrap {address}");
        let mut child = loadgen(directory.path(), &options).stdout(Stdio::null()).spawn().expect("it starts");
        thread::sleep(Duration::from_millis(after_ms));
        let pid = Pid::from_raw(child.id() as i32).expect("a process");
        kill_process(pid, Signal::INT).expect("interrupted");
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
            thread::sleep(Duration::from_millis(10));
        };
        if status.code().is_none() {
            // The signal came before the program could take it: nothing had begun, so nothing is there to keep or remove.
            assert!(!directory.path().join("out").exists(), "after {after_ms} ms");
            continue;
        }
        assert_eq!(status.code(), Some(3), "after {after_ms} ms");
        let result = result(&directory.path().join("out"));
        assert_eq!((result.error.as_deref(), result.integrity.verdict), (Some("interrupted"), Verdict::Incomplete));
        let run = result.id.rsplit('-').next().expect("the run's tag");
        assert!(!exists(&address, &format!("loadgen-{run}"), 4), "after {after_ms} ms our topic is still there");
    }
    assert!(exists(&address, "loadgen-of-somebody-else", 1));
}

#[test]
fn a_full_disk_under_the_result_is_said_and_the_result_is_kept_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = local_broker::start_null().expect("a port");
    let options = format!("--mode produce --verify off --duration 300ms --quiet --bootstrap {address}");
    let output = loadgen(directory.path(), &options).args(["--json", "/dev/full"]).output().expect("it starts");
    let complained = complaint(&output);
    assert_eq!((output.status.code(), complained.lines().count()), (Some(3), 1), "{complained}");
    assert!(complained.contains("cannot write /dev/full: No space left on device"), "{complained}");
    assert!(result(&directory.path().join("out")).error.is_none(), "it is whole in --out");

    // No file may grow beyond some kilobytes, which a program that ignores the signal for it takes for a full disk.
    let line: Vec<String> =
        loadgen(directory.path(), &options).get_args().map(|word| word.to_str().expect("plain").to_owned()).collect();
    let limited = format!("trap '' XFSZ; ulimit -f 1; exec {} {}", env!("CARGO_BIN_EXE_loadgen"), line.join(" "));
    fs::remove_dir_all(directory.path().join("out")).expect("removed");
    let mut shell = Command::new("/bin/sh");
    let output = shell.args(["-c", &limited]).stdin(Stdio::null()).output().expect("a shell");
    let complained = complaint(&output);
    assert_eq!((output.status.code(), complained.lines().count()), (Some(3), 1), "{complained}");
    assert!(
        complained.contains("cannot write the result to") && complained.contains("standard output"),
        "{complained}"
    );
    let kept: RunResult = serde_json::from_slice(&output.stdout).expect("the result on standard output");
    assert!(kept.integrity.produced > 0);
    assert_eq!(fs::read_dir(directory.path().join("out")).expect("there").count(), 0, "no half file stays");
}
