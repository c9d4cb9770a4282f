//! A broker that a command of the user's starts before a run and stops after it.
//!
//! The command may stay in the foreground (it is ended by a signal) or hand over to something in the background and end with 0
//! (then the user's stop command ends it).

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::cluster::CALL_TIMEOUT;
use crate::cores::{CoreList, started_on};
use crate::error::{Error, local};
use crate::peer::Dialect;

/// A JVM on a busy machine takes 20 s.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A stop that flushes gigabytes; after that it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

const POLL_PAUSE: Duration = Duration::from_millis(50);

/// A running broker. Dropping it stops it.
#[derive(Debug)]
pub struct StartedBroker {
    starter: Child,
    start: String,
    /// The command was run again after a kill.
    is_restarted: bool,
    stop: Option<String>,
    /// All of the starter's where nothing is said.
    cores: Option<CoreList>,
    speaks: Dialect,
}

impl StartedBroker {
    /// Runs `start` on these cores and waits until a broker that speaks so answers at this address.
    pub fn start(
        start: &str,
        stop: Option<&str>,
        (speaks, bootstrap): (Dialect, &str),
        cores: Option<&CoreList>,
        interrupted: &AtomicBool,
    ) -> Result<Self, Error> {
        if speaks.answers(bootstrap, POLL_PAUSE) {
            return Err(Error::Started(format!("a broker answers at {bootstrap} already, before --start")));
        }
        let starter = started_on(cores, || shell(start).spawn())?.map_err(local("cannot run --start"))?;
        let (start, stop, cores) = (start.to_owned(), stop.map(str::to_owned), cores.cloned());
        let mut broker = Self { starter, start, is_restarted: false, stop, cores, speaks };
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if speaks.answers(bootstrap, POLL_PAUSE * 10) {
                return Ok(broker);
            }
            if let Some(status) = broker.ended().filter(|status| !status.success()) {
                return Err(Error::Started(format!("--start ended with {status} before {bootstrap} answered")));
            }
            thread::sleep(POLL_PAUSE);
        }
        Err(Error::Started(format!("nobody answered at {bootstrap} within {} s of --start", START_TIMEOUT.as_secs())))
    }

    /// Whether it answers at `bootstrap`. One that is busy is given the time of a call; one that has ended refuses at once.
    pub fn answers(&self, bootstrap: &str) -> bool {
        self.speaks.answers(bootstrap, CALL_TIMEOUT)
    }

    /// The broker was killed: [`StartedBroker::bring_back`] starts it again.
    pub fn note_kill(&mut self) {
        self.is_restarted = false;
    }

    /// Runs the command again once the first is through; whether a broker answers at `bootstrap`. A command that stays although
    /// its broker died is trusted to bring it back.
    pub fn bring_back(&mut self, bootstrap: &str) -> Result<bool, Error> {
        if !self.is_restarted && self.ended().is_some() {
            let starter = started_on(self.cores.as_ref(), || shell(&self.start).spawn())?;
            self.starter = starter.map_err(local("cannot run --start again"))?;
            self.is_restarted = true;
        }
        Ok(self.speaks.answers(bootstrap, POLL_PAUSE))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.starter.try_wait().ok().flatten()
    }

    /// Whether the starter has gone after waiting for it.
    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.ended().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(POLL_PAUSE);
        }
        true
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.starter.id() as i32) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for StartedBroker {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            let _ = shell(stop).status();
        } else {
            self.signal(Signal::TERM);
        }
        if !self.has_ended_within(STOP_TIMEOUT) {
            self.signal(Signal::KILL);
            let _ = self.starter.wait();
        }
    }
}

/// In a group of its own: Ctrl-C is for us, and a signal to the group reaches what the shell started.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_fails_says_so_at_once() {
        let error =
            StartedBroker::start("exit 7", None, (Dialect::Kafka, "127.0.0.1:1"), None, &AtomicBool::new(false))
                .map(|_| ())
                .expect_err("it ended");
        assert!(error.to_string().contains("exit status: 7"), "{error}");
    }

    #[test]
    fn a_start_over_a_running_broker_is_refused() {
        let address = crate::local_broker::start_null().expect("a port");
        let error = StartedBroker::start("exit 7", None, (Dialect::Kafka, &address), None, &AtomicBool::new(false))
            .map(|_| ())
            .expect_err("somebody is there");
        assert!(error.to_string().contains("already"), "{error}");
    }
}
