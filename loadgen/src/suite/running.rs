//! A peer at work: installed, started on a port and a directory of its own, warmed up, stopped and removed.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::file::Suite;
use super::peer::Peer;
use crate::error::{Error, local};
use crate::options::{LoadOptions, TargetOptions};
use crate::peer::Dialect;
use crate::progress::Progress;
use crate::quantity::Rate;
use crate::run;
use crate::started::StartedBroker;
use crate::workload::{Mode, Verify};

/// A compiler on a small machine needs some of it.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(1_200);

const POLL_PAUSE: Duration = Duration::from_millis(50);

/// Below the ports that the kernel gives to connections, so that none of them takes a listener's.
const PORT_FIRST: u16 = 21_000;
const PORT_END: u16 = 31_000;

/// Ports of one peer: a listener a core, a controller.
const PORTS: u16 = 32;

/// Largest record of any suite with its frame, for peers that must be told.
const RECORD_BYTES_MAX: u64 = 8 << 20;

/// The warm-up is made of loads of this length, so that what it leaves stays small.
const WARMUP_PIECE: Duration = Duration::from_secs(5);

/// Words of a peer's log that an error shows.
const LOG_LETTERS_SHOWN: usize = 300;

/// Where things lie that peers need.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Data of peers: on the disk that is measured.
    pub data: PathBuf,
    /// What installing puts somewhere.
    pub peers: PathBuf,
    /// Our own server.
    pub posthaste: PathBuf,
}

/// A running peer. Dropping it stops it and removes its data.
pub(super) struct Running {
    broker: StartedBroker,
    bootstrap: String,
    environment: String,
    /// Goes last.
    _directory: TempDir,
}

/// Installs a peer; what is there stays as it is. Why it cannot be had, in one line.
pub(super) fn install(
    peer: &Peer,
    suite: &Suite,
    around: &Surroundings,
    interrupted: &AtomicBool,
) -> Result<(), Error> {
    let Some(command) = &peer.install else { return Ok(()) };
    let log = around.data.join(format!("{}-install.log", peer.name));
    let failed = |what: String| Error::Suite(format!("{} cannot be installed: {what}", peer.name));
    let out = File::create(&log).map_err(local(format!("cannot write {}", log.display())))?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{}\n{command}", environment(around, 0, Path::new("/nowhere"), suite))]);
    let child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out).spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let deadline = Instant::now() + INSTALL_TIMEOUT;
    loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("{command} ended with {status}: {}", last_words(&log)))),
            None if interrupted.load(Ordering::Relaxed) || Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                let was_asked = interrupted.load(Ordering::Relaxed);
                return Err(if was_asked { Error::Interrupted } else { failed(format!("{command} does not end")) });
            }
            None => thread::sleep(POLL_PAUSE),
        }
    }
}

impl Running {
    pub(super) fn start(
        peer: &Peer,
        start: &str,
        speaks: Dialect,
        (suite, around): (&Suite, &Surroundings),
        interrupted: &AtomicBool,
    ) -> Result<Self, Error> {
        let made = tempfile::Builder::new().prefix(&format!("{}-", peer.name)).tempdir_in(&around.data);
        let directory = made.map_err(local(format!("cannot make a directory in {}", around.data.display())))?;
        let port =
            free_ports().ok_or_else(|| Error::Suite(format!("no {PORTS} free ports in a row from {PORT_FIRST} on")))?;
        let environment = environment(around, port, directory.path(), suite);
        let log = around.data.join(format!("{}.log", peer.name));
        // In the place of the shell, so that its end is the peer's.
        let command = format!("exec >{} 2>&1\n{environment}\nexec {start}", quoted(&log.display().to_string()));
        let stop = peer.stop.as_ref().map(|stop| format!("{environment}\n{stop}"));
        let bootstrap = format!("127.0.0.1:{port}");
        let cores = suite.split.broker_cores.as_ref();
        let broker = StartedBroker::start(&command, stop.as_deref(), (speaks, &bootstrap), cores, interrupted);
        let broker = broker.map_err(|error| match error {
            Error::Started(what) => Error::Suite(format!("{} did not start: {what}; {}", peer.name, last_words(&log))),
            other => other,
        })?;
        Ok(Self { broker, bootstrap, environment, _directory: directory })
    }

    pub(super) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Whether it still answers.
    pub(super) fn is_well(&self) -> bool {
        self.broker.answers(&self.bootstrap)
    }

    /// Lets it put away what a run left behind, and the kernel write what it holds back.
    pub(super) fn settle(&self, peer: &Peer) -> Result<(), Error> {
        if let Some(settle) = &peer.settle {
            let status = Command::new("/bin/sh")
                .args(["-c", &format!("{}\n{settle}", self.environment)])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            let status = status.map_err(local(format!("cannot run the settle of {}", peer.name)))?;
            if !status.success() {
                return Err(Error::Suite(format!("the settle of {} ended with {status}: {settle}", peer.name)));
            }
        }
        rustix::fs::sync();
        Ok(())
    }
}

/// Load until the time is over, in pieces whose topics go at once; nothing of it is kept.
pub(super) fn warm_up(
    target: &TargetOptions,
    load: &LoadOptions,
    time: Duration,
    progress: &mut Progress,
    interrupted: &Arc<AtomicBool>,
) -> Result<(), Error> {
    let deadline = Instant::now() + time;
    let mut piece = load.clone();
    (piece.mode, piece.rate, piece.verify) = (Mode::Both, Rate::Unlimited, Verify::Off);
    (piece.consumers, piece.groups, piece.partitions, piece.record_bytes) = (1, 1, 8, 1_000);
    (piece.batch_bytes, piece.linger) = (16 * 1024, Duration::from_millis(5));
    piece.warmup = Duration::ZERO;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(100) {
            return Ok(());
        }
        piece.duration = left.min(WARMUP_PIECE);
        let result = run::execute(&piece, target, progress, interrupted.clone())?;
        if interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if let Some(error) = result.error {
            return Err(Error::Probe(error));
        }
    }
}

/// What the commands of a peer find set, and where they run.
fn environment(around: &Surroundings, port: u16, directory: &Path, suite: &Suite) -> String {
    let told = |path: &Path| quoted(&path.display().to_string());
    format!(
        "cd {} || exit 1\nexport PEERS={} POSTHASTE={} DATA={} PORT={port} SECOND_PORT={} RECORD_BYTES_MAX={RECORD_BYTES_MAX}",
        told(&suite.folder),
        told(&around.peers),
        told(&around.posthaste),
        told(directory),
        port + PORTS / 2,
    )
}

/// The first of so many ports that are free now, and most likely still when the peer binds them: it cannot be asked for one that
/// the system chose.
fn free_ports() -> Option<u16> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (PORT_FIRST..PORT_END).step_by(PORTS.into()).find(|&first| (first..first + PORTS).all(is_free))
}

/// As one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The last line of a log.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.chars().filter(|letter| !letter.is_control()).take(LOG_LETTERS_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_anything_in_it_stays_one_word() {
        let odd = "a b'c$(d)";
        let said =
            Command::new("/bin/sh").args(["-c", &format!("printf %s {}", quoted(odd))]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&said.stdout), odd);
    }
}
