//! Agents in processes of their own, and runs that are spread over them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use loadgen::local_broker;
use loadgen::options::RunOptions;
use loadgen::progress::Progress;
use loadgen::result::RunResult;
use loadgen::run::execute;

use crate::faulty_broker::{Fault, FaultyLog};

const SHORT: &str = "--duration 1500ms --warmup 500ms --linger 2ms --rate 2000 --partitions 6 --record-bytes 200";

/// Long enough for everything that ends at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunOptions,
}

/// An agent in a process of its own, which ends with the test.
pub struct Agent {
    process: Child,
    pub address: String,
}

impl Agent {
    pub fn start(options: &[&str]) -> Self {
        let mut words = vec![env!("CARGO_BIN_EXE_loadgen"), "agent", "--listen", "127.0.0.1:0"];
        words.extend(options);
        Self::start_line(&words)
    }

    /// The same by a whole command line.
    pub fn start_line(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_remove("LOADGEN_TOKEN").stdin(Stdio::null()).stderr(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let mut said = BufReader::new(process.stdout.take().expect("piped"));
        said.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().expect("the address is last").to_owned();
        Self { process, address }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Bytes as somebody who is no coordinator sends them; what the agent answers until it hangs up.
    pub fn tell(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(bytes).expect("sent");
        let mut answer = Vec::new();
        // It may hang up on bytes that it does not want, which resets the connection.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until clients work in the process.
pub fn wait_for_clients(pid: u32) {
    let is_client = |name: &str| name.starts_with("producer-") || name.starts_with("consumer-");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it lives").flatten();
        let mut names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
        if names.any(|name| is_client(&name)) {
            return;
        }
        assert!(Instant::now() < deadline, "no client ever worked in process {pid}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn options(bootstrap: &str, agents: &[&Agent], more: &str) -> RunOptions {
    let agents: Vec<&str> = agents.iter().map(|agent| agent.address.as_str()).collect();
    let line = format!("{SHORT} {more} --bootstrap {bootstrap} --agents {}", agents.join(","));
    let mut words: Vec<&str> = Vec::new();
    // What is said last counts.
    for pair in line.split_whitespace().collect::<Vec<_>>().chunks(2) {
        if let Some(at) = words.iter().position(|word| *word == pair[0]) {
            words.drain(at..at + 2);
        }
        words.extend(pair);
    }
    Line::parse_from(std::iter::once("loadgen").chain(words)).run
}

pub fn run(fault: Fault, agents: &[&Agent], more: &str) -> RunResult {
    let bootstrap = local_broker::start(FaultyLog::new(fault)).expect("a port");
    run_at(&bootstrap, agents, more)
}

pub fn run_at(bootstrap: &str, agents: &[&Agent], more: &str) -> RunResult {
    let options = options(bootstrap, agents, more);
    let interrupted = Arc::new(AtomicBool::new(false));
    execute(&options.load, &options.target, &mut Progress::new(true), interrupted).expect("valid options")
}
