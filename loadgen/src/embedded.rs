//! The broker that a run brings along: this program again, as a child process, on a directory that goes with it.
//!
//! A process of its own, so that its CPU and memory are measured apart and its fail-stop cannot take the report along.
//! It watches its standard input: when this process ends, however it ends, the pipe closes and the child stops.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::cores::{CoreList, started_on};
use crate::error::{Error, local};
use crate::options::TargetOptions;

/// The hidden subcommand that makes this program the broker.
pub const SUBCOMMAND: &str = "embedded-broker";

/// It has nothing to recover, so it is up in well under a second.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A clean stop flushes; after that it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

const POLL_PAUSE: Duration = Duration::from_millis(5);

/// Where the broker writes its address, in its directory.
const READY_FILE: &str = "ready.json";

/// Lines of the broker's log that an error shows.
const LOG_LINES_SHOWN: usize = 5;

/// File systems that lose nothing by a flush, because they keep nothing.
const IN_MEMORY: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// A running broker. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct EmbeddedBroker {
    child: Child,
    bootstrap: String,
    pid: u32,
    directory: TempDir,
    launch: Launch,
}

/// How it is started, also once more.
#[derive(Debug)]
struct Launch {
    program: PathBuf,
    subcommand: &'static str,
    settings: Vec<String>,
    /// All of the starter's where nothing is said.
    cores: Option<CoreList>,
}

/// What the broker writes when it listens.
#[derive(Debug, Deserialize)]
struct Ready {
    bootstrap: String,
    pid: u32,
}

impl EmbeddedBroker {
    /// Starts this program as a broker, or the server binary that `target` names, with its data in a new directory, on these cores.
    pub fn start(target: &TargetOptions, cores: Option<&CoreList>) -> Result<Self, Error> {
        let here = || std::env::current_exe().map_err(local("cannot find this program"));
        let (program, subcommand) = match &target.broker {
            Some(program) => (program.clone(), "serve"),
            None => (here()?, SUBCOMMAND),
        };
        let (settings, cores) = (target.broker_settings.clone(), cores.cloned());
        Self::launch(Launch { program, subcommand, settings, cores }, target.data_dir.as_deref())
    }

    fn launch(launch: Launch, parent: Option<&Path>) -> Result<Self, Error> {
        let parent = choose_parent(parent)?;
        // Looked at before anything is made, so that a refusal leaves nothing behind.
        refuse_memory(existing_ancestor(&parent))?;
        fs::create_dir_all(&parent).map_err(local(format!("cannot create {}", parent.display())))?;
        let made = tempfile::Builder::new().prefix("loadgen-broker-").tempdir_in(&parent);
        let directory = made.map_err(local(format!("cannot make a directory in {}", parent.display())))?;
        let child = launch.spawn(directory.path(), "127.0.0.1:0")?;
        let pid = child.id();
        let mut broker = Self { child, bootstrap: String::new(), pid, directory, launch };
        broker.wait_until_ready()?;
        Ok(broker)
    }

    /// Starts it again on its directory and port after its process was killed; [`EmbeddedBroker::is_ready`] tells when it is up.
    pub fn restart(&mut self) -> Result<(), Error> {
        // What was killed may have been started by what we started.
        let _ = self.child.kill();
        self.child.wait().map_err(local("cannot wait for the killed broker"))?;
        fs::remove_file(self.ready_file()).map_err(local("cannot remove the killed broker's ready file"))?;
        self.child = self.launch.spawn(self.directory.path(), &self.bootstrap)?;
        Ok(())
    }

    /// Whether it listens; an error when it has ended instead.
    pub fn is_ready(&mut self) -> Result<bool, Error> {
        // The file may be seen before it is whole; then the next look finds it whole.
        let text = fs::read_to_string(self.ready_file()).unwrap_or_default();
        if let Ok(ready) = serde_json::from_str::<Ready>(&text) {
            (self.bootstrap, self.pid) = (ready.bootstrap, ready.pid);
            return Ok(true);
        }
        self.failure().map_or(Ok(false), Err)
    }

    fn ready_file(&self) -> PathBuf {
        self.directory.path().join(READY_FILE)
    }

    /// Where it listens.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its data lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Why it is gone, if it is.
    pub fn failure(&mut self) -> Option<Error> {
        let status = self.child.try_wait().ok()??;
        Some(Error::Embedded(format!("ended early ({status}){}", self.log_tail())))
    }

    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if self.is_ready()? {
                return Ok(());
            }
            thread::sleep(POLL_PAUSE);
        }
        Err(Error::Embedded(format!("was not ready after {} s{}", START_TIMEOUT.as_secs(), self.log_tail())))
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("broker.log")).unwrap_or_default();
        let said = last_words(&log);
        if said.is_empty() { said } else { format!("; it said: {said}") }
    }
}

impl Launch {
    fn spawn(&self, directory: &Path, listen: &str) -> Result<Child, Error> {
        let log = OpenOptions::new().create(true).append(true).open(directory.join("broker.log"));
        let mut command = Command::new(&self.program);
        command
            .arg(self.subcommand)
            .arg("--data")
            .arg(directory.join("data"))
            .args(["--stop-on-stdin-eof", "--listen", listen, "--ready-file"])
            .arg(directory.join(READY_FILE))
            .args(self.settings.iter().flat_map(|setting| ["--set", setting]))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.map_err(local("cannot create the broker's log"))?)
            // Ctrl-C is for us: the broker stops when we let go of it, after the result is written.
            .process_group(0);
        started_on(self.cores.as_ref(), || command.spawn())?
            .map_err(local(format!("cannot start the broker {}", self.program.display())))
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            thread::sleep(POLL_PAUSE);
        }
    }
}

/// The end of a log; what stands before the last line of mere information explains nothing.
fn last_words(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().rev().take_while(|line| !line.contains(" INFO ")).collect();
    lines.retain(|line| !line.trim().is_empty());
    lines.truncate(LOG_LINES_SHOWN);
    lines.reverse();
    lines.join(" | ")
}

/// Where the data of an embedded broker will lie, as far as that exists already.
pub fn data_parent(target: &TargetOptions) -> Option<PathBuf> {
    let parent = choose_parent(target.data_dir.as_deref()).ok()?;
    Some(existing_ancestor(&parent).to_path_buf())
}

/// `--data-dir`, or the temporary directory if that is a disk, or the build directory.
fn choose_parent(given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(given) = given {
        return Ok(given.to_path_buf());
    }
    if let Some(temporary) = std::env::var_os("TMPDIR").map(PathBuf::from)
        && refuse_memory(&temporary).is_ok()
    {
        return Ok(temporary);
    }
    let here = std::env::current_dir().map_err(local("no current directory"))?;
    Ok(here.join("target"))
}

fn existing_ancestor(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."))
}

fn refuse_memory(path: &Path) -> Result<(), Error> {
    let status = rustix::fs::statfs(path).map_err(|error| local(format!("{}", path.display()))(error.into()))?;
    let found = IN_MEMORY.iter().find(|(magic, _)| *magic == status.f_type as u64 & 0xffff_ffff);
    match found {
        Some(&(_, file_system)) => Err(Error::NotADisk { path: path.display().to_string(), file_system }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_refused_as_a_disk() {
        // Every Linux mounts a tmpfs here; a container without one has nothing to refuse.
        let shared_memory = Path::new("/dev/shm");
        if shared_memory.exists() {
            assert_eq!(existing_ancestor(&shared_memory.join("not/there")), shared_memory);
            assert!(matches!(refuse_memory(shared_memory), Err(Error::NotADisk { file_system: "tmpfs", .. })));
        }
        assert!(refuse_memory(Path::new(env!("CARGO_MANIFEST_DIR"))).is_ok());
    }

    #[test]
    fn an_error_shows_the_last_words_and_no_chatter() {
        let start = "port 9092\n\n2026 INFO server: ready\n";
        assert_eq!(last_words(start), "");
        assert_eq!(
            last_words(&format!("{start}2026 ERROR engine: disk failed\n\nstopping\n")),
            "2026 ERROR engine: disk failed | stopping"
        );
        assert_eq!(last_words("1\n2\n3\n4\n5\n6\n"), "2 | 3 | 4 | 5 | 6");
    }

    #[test]
    fn a_broker_that_dies_at_once_is_one_clear_error() {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let launch = Launch { program: "/bin/false".into(), subcommand: SUBCOMMAND, settings: Vec::new(), cores: None };
        let error = EmbeddedBroker::launch(launch, Some(&target)).map(|_| ());
        assert!(error.is_err_and(|error| error.to_string().contains("ended early")));
    }
}
