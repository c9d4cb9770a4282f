//! A broker that asks who we are: let in with the right password, one clear line with anything else.
//!
//! The broker here takes PLAIN and hands the connection on to one that forgets everything; SCRAM has two sides that calculate, and is
//! tested against Apache Kafka (clients/README.md).

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use loadgen::local_broker;
use loadgen::result::RunResult;

/// A request of the plain versions: its key, its correlation id, and its body behind the client's name.
fn request(stream: &mut TcpStream) -> Option<(i16, [u8; 4], Vec<u8>)> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
    stream.read_exact(&mut frame).ok()?;
    let client = usize::try_from(i16::from_be_bytes([frame[8], frame[9]])).ok()?;
    let correlation = frame[4..8].try_into().ok()?;
    Some((i16::from_be_bytes([frame[0], frame[1]]), correlation, frame.split_off(10 + client)))
}

fn answer(stream: &mut TcpStream, correlation: [u8; 4], body: &[u8]) -> Option<()> {
    let length = (4 + body.len() as i32).to_be_bytes();
    stream.write_all(&[&length[..], &correlation, body].concat()).ok()
}

/// Lets in who says `alice` and `rose`.
fn guard(stream: &mut TcpStream) -> Option<()> {
    let (key, correlation, body) = request(stream)?;
    if key != 17 {
        return None;
    }
    if body.get(2..)? != b"PLAIN" {
        answer(stream, correlation, &[0, 33, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'])?;
        return None;
    }
    answer(stream, correlation, &[0, 0, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'])?;
    let (key, correlation, body) = request(stream)?;
    if key != 36 || body.get(4..)? != b"\0alice\0rose" {
        answer(
            stream,
            correlation,
            &[0, 58, 0, 6, b'w', b'h', b'o', b' ', b'?', b'!', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )?;
        return None;
    }
    answer(stream, correlation, &[0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// Passes on what the broker says, its own port in its metadata exchanged for the guard's, so that nobody goes around.
fn pass_on(from: &mut TcpStream, to: &mut TcpStream, ports: [u16; 2]) -> Option<()> {
    let [own, guarded] = ports.map(|port| [&b"127.0.0.1"[..], &i32::from(port).to_be_bytes()].concat());
    let mut buffer = [0; 4_096];
    loop {
        let read = from.read(&mut buffer).ok().filter(|&read| read > 0)?;
        let said = &mut buffer[..read];
        if let Some(at) = said.windows(own.len()).position(|window| window == own) {
            said[at..at + guarded.len()].copy_from_slice(&guarded);
        }
        to.write_all(said).ok()?;
    }
}

/// The address of a broker that is only spoken to after the guard.
fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let broker = local_broker::start_null().expect("a port");
    let port = broker.rsplit(':').next().and_then(|port| port.parse().ok()).expect("host and port");
    let ports = [port, address.port()];
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let broker = broker.clone();
            thread::spawn(move || {
                guard(&mut stream)?;
                let inner = TcpStream::connect(broker).ok()?;
                let (mut from, mut to) = (stream.try_clone().ok()?, inner.try_clone().ok()?);
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (mut from, mut to) = (inner, stream);
                let _ = pass_on(&mut from, &mut to, ports);
                to.shutdown(Shutdown::Both).ok()
            });
        }
    });
    address.to_string()
}

fn run(address: &str, directory: &Path, options: &str, password: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args([
        "run",
        "--bootstrap",
        address,
        "--ceiling",
        "off",
        "--rate",
        "1000",
        "--duration",
        "1s",
        "--warmup",
        "100ms",
    ]);
    command.args(["--mode", "produce", "--verify", "off", "--idempotent"]).args(options.split_whitespace());
    command.arg("--out").arg(directory.join("out")).stdin(Stdio::null()).env_remove("LOADGEN_SASL_PASSWORD");
    if let Some(password) = password {
        command.env("LOADGEN_SASL_PASSWORD", password);
    }
    command.output().expect("it starts")
}

#[test]
fn the_right_password_opens_every_connection_of_a_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = start();
    let file = directory.path().join("password");
    fs::write(&file, "rose\n").expect("written");
    let json = directory.path().join("result.json");
    let options = format!(
        "--sasl-mechanism PLAIN --sasl-username alice --sasl-password-file {} --json {}",
        file.display(),
        json.display()
    );
    let output = run(&address, directory.path(), &options, None);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&json).expect("written");
    let result: RunResult = serde_json::from_str(&text).expect("a result");
    assert!(result.integrity.acked > 0, "{}", result.integrity.acked);
    assert!(!text.contains("rose"), "the password is nobody's business");
    let output = run(&address, directory.path(), "--sasl-mechanism PLAIN --sasl-username alice", Some("rose"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn who_is_not_let_in_is_told_why_in_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = start();
    for (options, password, status, why) in [
        ("--sasl-mechanism PLAIN --sasl-username alice", Some("tulip"), 3, "does not let us in: who ?!"),
        (
            "--sasl-mechanism SCRAM-SHA-512 --sasl-username alice",
            Some("rose"),
            3,
            "does not take SCRAM-SHA-512 but PLAIN",
        ),
        ("--sasl-mechanism PLAIN --sasl-username alice", None, 2, "is missing: give --sasl-password-file"),
        (
            "--sasl-mechanism PLAIN --sasl-username alice --sasl-password-file /nowhere",
            None,
            2,
            "cannot be read from /nowhere",
        ),
        ("--sasl-mechanism PLAIN --sasl-username alice --fault cut@500ms", Some("rose"), 2, "without authentication"),
        (
            "--sasl-mechanism PLAIN --sasl-username alice --mode both --consumers 2 --group-protocol classic --group-churn 2s",
            Some("rose"),
            2,
            "without authentication",
        ),
        ("", None, 3, "give --sasl-mechanism"),
    ] {
        let output = run(&address, directory.path(), options, password);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), complained.lines().count()), (Some(status), 1), "{options}: {complained}");
        assert!(complained.contains(why), "{options}: {complained}");
        assert!(!complained.contains("rose") && !complained.contains("tulip"), "{complained}");
    }
}
