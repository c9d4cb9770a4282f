//! The commands of the README's section on testing a broker, each run as it stands there, only shorter.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SECTION: &str = "## Test any Kafka-compatible broker in ten minutes";

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The section's lines that call the program.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(top().join("README.md")).expect("the README");
    let section = readme.split(SECTION).nth(1).expect("the section").split("\n## ").next().expect("its text");
    let lines = section.lines().filter(|line| line.starts_with("target/release/loadgen "));
    lines.map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// A broker to be tested: the embedded one, which ends with its standard input.
struct Broker {
    child: Child,
    address: String,
}

impl Broker {
    fn start(directory: &Path) -> Self {
        let ready = directory.join("ready.json");
        let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(["embedded-broker", "--stop-on-stdin-eof", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut broker = Self { child, address: String::new() };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(&ready).unwrap_or_default();
            if let Ok(ready) = serde_json::from_str::<serde_json::Value>(&text) {
                ready["bootstrap"].as_str().expect("an address").clone_into(&mut broker.address);
                return broker;
            }
            assert!(Instant::now() < deadline, "the broker is ready within a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The same command, shorter: what is measured is not the point here.
fn shortened(command: &str, broker: &str, out: &Path) -> String {
    let words = command
        .replace("target/release/loadgen", env!("CARGO_BIN_EXE_loadgen"))
        .replace("HOST:PORT", broker)
        // The server binary is the other target of this build; the program's own broker is the same thing.
        .replace("target/release/posthaste", "embedded")
        .replace("target/loadgen", &out.display().to_string());
    let makes_runs = ["run", "find-max", "curve", "sweep", "drain", "ab"];
    let verb = command.split_whitespace().nth(1).unwrap_or_default();
    if !makes_runs.contains(&verb) {
        return words;
    }
    let mut words = format!("{words} --warmup 200ms --duration 1s --ceiling off --out {}", out.display());
    match verb {
        // A second has too few samples for a p99.
        "find-max" => words = words.replace("p99<10ms", "max<100s") + " --from 1MB/s --to 2MB/s --confirmations 1",
        "curve" => words.push_str(" --max 2MB/s --points 50%"),
        "sweep" => words.push_str(" --rate 1MB/s"),
        "drain" => words.push_str(" --rate 1MB/s --prefill 5MB"),
        "ab" => words.push_str(" --rate 1MB/s --reruns 0"),
        _ if command.contains("--rate 0") => {}
        _ => words.push_str(" --rate 1MB/s"),
    }
    words
}

#[test]
fn every_command_of_the_section_does_what_it_says() {
    let directory = tempfile::Builder::new().prefix("readme-").tempdir_in(top().join("target")).expect("a directory");
    let broker = Broker::start(directory.path());
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        let short = shortened(&command, &broker.address, directory.path());
        let output = Command::new("sh")
            .args(["-c", &short])
            .current_dir(top())
            .env("TMPDIR", directory.path())
            .output()
            .expect("a shell");
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // A thing held against itself seems worse now and then, by chance: that is an answer, and any other failure is none.
        let compares = command.contains(" ab ") || command.contains(" compare ");
        let fine = output.status.success() || compares && output.status.code() == Some(1) && told.contains("WORSE: ");
        assert!(fine, "{short}\n{:?}: {told}", output.status);
    }
}
