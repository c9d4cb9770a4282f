//! A broker as a child process on port 0 with its own directory, and a client that speaks bytes to it.
#![allow(dead_code, reason = "every test file uses a part of it")]

mod admin;
mod client;
pub mod configs;
pub mod requests;
pub mod transactions;

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

#[allow(unused_imports, reason = "every test file uses a part of it")]
pub use admin::{admin_get, memory_held, metric};
#[allow(unused_imports, reason = "every test file uses a part of it")]
pub use client::{Client, FETCH, PRODUCE, batch, fetch_request, fetched, idempotent_batch, values};

/// Longest wait for anything; reaching it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Small enough for a test, real enough to roll segments.
const SETTINGS: &[&str] = &[
    "posthaste.shards=2",
    "posthaste.segment.bytes=16777216",
    "posthaste.tail.bytes=8388608",
    "posthaste.pin=false",
    "group.initial.rebalance.delay.ms=0",
    // The records of tests have times of long ago.
    "log.retention.ms=-1",
];

/// A directory on the file system of the build, which is a real one.
pub fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build has a temporary directory")
}

/// The command that serves `data`, with the settings of tests and more.
pub fn command(data: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthaste"));
    command.arg("serve").arg("--data").arg(data).args(["--log-level", "debug"]);
    if !settings.iter().any(|setting| setting.starts_with("listeners=")) {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    for setting in SETTINGS.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a broker that is expected to refuse; gives its exit code and what it said.
pub fn refusal(mut command: Command) -> (Option<i32>, String) {
    let output = command.stderr(Stdio::piped()).output().expect("the broker runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A running broker. Dropping it kills it.
pub struct Broker {
    child: Child,
    files: TempDir,
    data: PathBuf,
    settings: Vec<String>,
    pub address: SocketAddr,
    /// Where each node listens, by id.
    pub nodes: Vec<(i32, SocketAddr)>,
}

impl Broker {
    /// Starts one in a new directory.
    pub fn start(settings: &[&str]) -> Broker {
        Broker::start_on(|_| {}, settings)
    }

    /// Starts one in a new directory that `prepare` fills.
    pub fn start_on(prepare: impl FnOnce(&Path), settings: &[&str]) -> Broker {
        let files = directory();
        let data = files.path().join("data");
        prepare(&data);
        let (child, nodes) = spawn(files.path(), &data, settings);
        let settings = settings.iter().map(ToString::to_string).collect();
        Broker { child, files, data, settings, address: nodes[0].1, nodes }
    }

    /// SIGKILL, and a new process on the same directory.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
        self.start_again();
    }

    /// SIGTERM, and a new process on the same directory.
    pub fn stop_and_restart(&mut self) {
        assert_eq!(self.terminate().code(), Some(0));
        self.start_again();
    }

    /// SIGTERM, and a new process on the same directory with other settings.
    pub fn restart_with(&mut self, settings: &[&str]) {
        self.settings = settings.iter().map(ToString::to_string).collect();
        self.stop_and_restart();
    }

    /// A new process on the same directory, after one that has ended.
    pub fn start_again(&mut self) {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        (self.child, self.nodes) = spawn(self.files.path(), &self.data, &settings);
        self.address = self.nodes[0].1;
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// How it ended.
    pub fn wait(&mut self) -> ExitStatus {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < give_up, "the broker does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// What it logged in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log holds all of these in one line.
    pub fn wait_for_log(&self, parts: &[&str]) {
        let give_up = Instant::now() + PATIENCE;
        while !self.log().lines().any(|line| parts.iter().all(|part| line.contains(part))) {
            assert!(Instant::now() < give_up, "no line with {parts:?} in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The file that it writes when it listens.
    pub fn ready_file(&self) -> PathBuf {
        self.files.path().join("ready")
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What its files take on the disk.
    pub fn disk_bytes(&self) -> u64 {
        fn below(directory: &Path) -> u64 {
            let entries = std::fs::read_dir(directory).expect("a directory").flatten();
            // A file may be removed between the listing and the look.
            let sizes = entries.filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some(if metadata.is_dir() { below(&entry.path()) } else { metadata.blocks() * 512 })
            });
            sizes.sum()
        }
        below(&self.data)
    }

    /// Does `step` until the files take no more than this.
    pub fn wait_for_disk_bytes(&self, bytes_max: u64, mut step: impl FnMut()) {
        let give_up = Instant::now() + PATIENCE;
        while self.disk_bytes() > bytes_max {
            assert!(Instant::now() < give_up, "still {} bytes on the disk", self.disk_bytes());
            step();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A figure of the kernel's status of the process that it gives in kB.
    pub fn status_bytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kilobytes.expect("a figure in kB") * 1024
    }

    /// Resident memory.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the broker's log:\n{}", self.log());
        }
    }
}

fn spawn(files: &Path, data: &Path, settings: &[&str]) -> (Child, Vec<(i32, SocketAddr)>) {
    let ready = files.join("ready");
    let _ = std::fs::remove_file(&ready);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(files.join("log")).expect("a log file");
    let mut child =
        command(data, settings).arg("--ready-file").arg(&ready).stderr(log).spawn().expect("the broker starts");
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = std::fs::read_to_string(&ready) {
            let ready: serde_json::Value =
                serde_json::from_str(&text).expect("whoever sees the ready file sees all of it");
            assert_eq!(ready["pid"], child.id());
            return (child, nodes_of(&ready));
        }
        let log = || std::fs::read_to_string(files.join("log")).unwrap_or_default();
        if let Some(status) = child.try_wait().expect("it is our child") {
            panic!("the broker ended with {status}:\n{}", log());
        }
        assert!(Instant::now() < give_up, "the broker is not ready:\n{}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn nodes_of(ready: &serde_json::Value) -> Vec<(i32, SocketAddr)> {
    let nodes = ready["nodes"].as_array().expect("a list").iter();
    let nodes: Vec<(i32, SocketAddr)> = nodes
        .map(|node| {
            let id = i32::try_from(node["id"].as_i64().expect("a number")).expect("an id");
            (id, node["address"].as_str().expect("a string").parse().expect("an address"))
        })
        .collect();
    assert_eq!(ready["bootstrap"], nodes[0].1.to_string(), "the bootstrap address is the first node's");
    nodes
}
