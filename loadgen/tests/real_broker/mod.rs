//! The broker that the program brings along, as a process of its own with its data on the build directory's disk.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running broker; dropping it kills it and removes its data.
pub struct RealBroker {
    child: Child,
    directory: TempDir,
    pub address: String,
}

impl RealBroker {
    pub fn start() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::Builder::new().prefix("broker-").tempdir_in(target).expect("a directory");
        let ready_file = directory.path().join("ready.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.args(["embedded-broker", "--stop-on-stdin-eof", "--listen", "127.0.0.1:0", "--ready-file"]);
        command.arg(&ready_file).arg("--data").arg(directory.path().join("data"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut broker = Self { child: child.expect("the program starts"), directory, address: String::new() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while broker.address.is_empty() {
            assert!(Instant::now() < deadline, "the broker in {} never listened", broker.directory.path().display());
            thread::sleep(Duration::from_millis(5));
            let text = fs::read_to_string(&ready_file).unwrap_or_default();
            let ready: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            ready["bootstrap"].as_str().unwrap_or_default().clone_into(&mut broker.address);
        }
        broker
    }
}

impl Drop for RealBroker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
