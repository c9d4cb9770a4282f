//! A start that cannot succeed is one line and an exit code; a stop that was asked for loses nothing and ends with 0.

mod broker;

use std::io::Write;
use std::process::{Command, Stdio};

use broker::{Broker, admin_get, batch, command, directory, refusal};
use rustix::process::Signal;

const CONFIGURATION: Option<i32> = Some(2);
const DATA_DIRECTORY: Option<i32> = Some(4);
const LISTEN: Option<i32> = Some(5);

/// The one line of the broker itself among what the logger wrote.
fn one_line(said: &str) -> &str {
    let mut lines = said.lines().filter(|line| line.starts_with("posthaste: "));
    let line = lines.next().unwrap_or_else(|| panic!("no line in {said}"));
    assert_eq!(lines.next(), None, "one line only");
    line
}

/// Bytes of requests that all shards have taken in.
fn received_bytes(broker: &Broker) -> u64 {
    let page = admin_get(broker, "/metrics").1;
    let shards = page.lines().filter(|line| line.starts_with("posthaste_received_bytes_total{"));
    shards.map(|line| line.rsplit(' ').next().expect("a value").parse::<u64>().expect("a number")).sum()
}

#[test]
fn sigterm_answers_what_is_in_flight_and_exits_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut broker = Broker::start(&["posthaste.admin.listener=127.0.0.1:0"]);
        let mut client = broker.connect();
        assert_eq!(client.create_topic("t", 1, &[]), 0);
        let mut waiting = broker.connect();
        assert_eq!(waiting.create_topic("u", 1, &[]), 0);
        // What has not come in when the signal comes is not in flight.
        let before = received_bytes(&broker);
        waiting.send(broker::FETCH, &broker::fetch_request("t", 0, 0, 250_000));
        while received_bytes(&broker) == before {}
        for at in 0..50 {
            client.send_produce("t", 0, &batch(&[&at.to_string()]), -1);
        }
        assert_eq!(client.receive_produced(), (0, 0));
        broker.signal(signal);
        assert_eq!(broker.wait().code(), Some(0));
        assert!(broker.log().contains("stopped, everything is flushed"));
        assert!(waiting.receive().is_some(), "a long poll is answered with what there is");
    }
}

#[test]
fn an_ended_standard_input_stops_a_broker_that_was_told_to_watch_it() {
    let files = directory();
    let mut command = command(&files.path().join("data"), &[]);
    let ready = files.path().join("ready");
    command.args(["--stop-on-stdin-eof", "--ready-file"]).arg(&ready).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    while !ready.exists() {
        assert_eq!(child.try_wait().expect("our child"), None, "it must not end by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("our child").code(), Some(0));
}

#[test]
fn a_second_process_on_one_directory_refuses_and_harms_nothing() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let (code, said) = refusal(command(broker.data(), &[]));
    assert_eq!(code, DATA_DIRECTORY);
    assert!(one_line(&said).contains("in use by another process"), "{said}");
    assert_eq!(client.produce("t", 0, &batch(&["v"])), (0, 0));
}

#[test]
fn a_directory_that_is_not_ours_is_left_alone() {
    let files = directory();
    std::fs::write(files.path().join("letters.txt"), "private").expect("written");
    let (code, said) = refusal(command(files.path(), &[]));
    assert_eq!(code, DATA_DIRECTORY);
    assert!(one_line(&said).contains("not a posthaste data directory"), "{said}");
    assert_eq!(std::fs::read_to_string(files.path().join("letters.txt")).expect("still there"), "private");
}

#[test]
fn a_directory_that_is_a_file_or_cannot_be_made_is_refused() {
    let files = directory();
    let file = files.path().join("file");
    std::fs::write(&file, "").expect("written");
    for path in [file.clone(), file.join("below")] {
        let (code, said) = refusal(command(&path, &[]));
        assert_eq!(code, DATA_DIRECTORY, "{said}");
        one_line(&said);
    }
}

/// A command in a mount namespace of its own where `data` is a file system of 2 MiB; none where the system forbids that.
fn on_small_disk(options: &str) -> Option<(tempfile::TempDir, Command)> {
    let files = directory();
    let data = files.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let mount = format!("mount -t tmpfs -o size=2m tmpfs '{0}' && mount -o remount,{options} '{0}'", data.display());
    let allowed = Command::new("unshare")
        .args(["-rm", "sh", "-c", &mount])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("skipped: mounts are forbidden here");
        return None;
    }
    let serve = command(&data, &[]);
    let arguments: Vec<String> = serve.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")])
        .arg(serve.get_program())
        .args(arguments);
    Some((files, command))
}

#[test]
fn a_full_disk_is_named() {
    let Some((_files, command)) = on_small_disk("size=2m") else { return };
    let (code, said) = refusal(command);
    assert_eq!(code, DATA_DIRECTORY, "{said}");
    assert!(one_line(&said).contains("no space left"), "{said}");
}

#[test]
fn a_disk_that_is_not_writable_is_named() {
    let Some((_files, command)) = on_small_disk("ro") else { return };
    let (code, said) = refusal(command);
    assert_eq!(code, DATA_DIRECTORY, "{said}");
    assert!(one_line(&said).contains("not writable"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let broker = Broker::start(&[]);
    let files = directory();
    let mut command = command(&files.path().join("data"), &[]);
    command.args(["--set", "node.id=2"]);
    let listen = broker.address.to_string();
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_os_string).collect();
    let mut moved = Command::new(command.get_program());
    moved.args(
        arguments.into_iter().map(|argument| if argument == "127.0.0.1:0" { listen.clone().into() } else { argument }),
    );
    let (code, said) = refusal(moved);
    assert_eq!(code, LISTEN, "{said}");
    assert!(one_line(&said).contains("cannot listen on PLAINTEXT://127.0.0.1"), "{said}");
}

#[test]
fn wrong_settings_are_refused_with_a_hint() {
    let files = directory();
    let (code, said) = refusal(command(&files.path().join("data"), &["num.partition=3"]));
    assert_eq!(code, CONFIGURATION);
    assert_eq!(one_line(&said), "posthaste: unknown setting num.partition; did you mean num.partitions?");
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"log.dirs = \"/somewhere\"\n").expect("written");
    let mut command = command(&files.path().join("data"), &[]);
    command.arg("--config").arg(file.path());
    let (code, said) = refusal(command);
    assert_eq!(code, CONFIGURATION);
    assert!(one_line(&said).contains("use --data"), "{said}");
}
